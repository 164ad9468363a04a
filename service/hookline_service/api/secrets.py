"""Routes of the key that seals secrets."""

from __future__ import annotations

from dataclasses import asdict

from hookline_service.api.endpoints import Answer, AnyEndpoint, Call, Endpoint, NoBody, NoQuery


class RotationAnswer(Answer):
    """A rotation: the new key's id, how many secrets it sealed anew, and how many former keys stay to open."""

    key_id: str
    resealed: int
    former_keys: int


async def rotate_key(call: Call[NoQuery, NoBody]) -> RotationAnswer:
    """Let a new key take over."""
    return RotationAnswer(**asdict(await call.services.keys.rotate()))


ENDPOINTS: tuple[AnyEndpoint, ...] = (
    Endpoint(
        method="POST",
        path="/secrets/rotate",
        summary="Make a new key of secrets, and seal all secret variables with it",
        handle=rotate_key,
        query=NoQuery,
        body=NoBody,
        answer=RotationAnswer,
    ),
)
