"""Routes of a project's store: the values that its sessions share."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

from pydantic import Field

from hookline import values
from hookline_service.api.endpoints import (
    Answer,
    AnyEndpoint,
    Call,
    Endpoint,
    NoBody,
    NoQuery,
    Shape,
)
from hookline_service.api.errors import RequestInvalidError
from hookline_service.model.calls import StoreLimits, StoreOperation, UseStore
from hookline_service.model.plain_values import plain_of
from hookline_service.use_cases.projects import get_project

Key = Annotated[str, Field(min_length=1, max_length=1000)]
_LONGEST_LIFE_S = 100 * 366 * 86_400


class KeyQuery(Shape):
    """Which value."""

    key: Key


class StoredBody(Shape):
    """A value to keep, any JSON but null; after `ttl_s` seconds it is gone."""

    value: Any
    ttl_s: Annotated[float, Field(gt=0, le=_LONGEST_LIFE_S)] | None = None


class KeyPage(Answer):
    """Keys in order."""

    items: list[str]
    next: str | None = None


class StoredAnswer(Answer):
    """A value as JSON: bytes are in base64, times are texts; null when there is none."""

    key: str
    value: Any


async def list_keys(call: Call[NoQuery, NoBody]) -> KeyPage:
    """The keys of the store."""
    return KeyPage(items=await _use(call, StoreOperation.LIST, ""))


async def show_value(call: Call[KeyQuery, NoBody]) -> StoredAnswer:
    """One value."""
    found = await _use(call, StoreOperation.GET, call.query.key)
    return StoredAnswer(key=call.query.key, value=plain_of(found))


async def put_value(call: Call[KeyQuery, StoredBody]) -> StoredAnswer:
    """Keep a value."""
    body = call.body
    try:
        operand = values.encode(body.value)
    except (TypeError, ValueError) as exc:
        raise RequestInvalidError("body", [("value", str(exc))]) from exc
    await _use(call, StoreOperation.SET, call.query.key, operand, ttl_s=body.ttl_s)
    return StoredAnswer(key=call.query.key, value=body.value)


async def remove_value(call: Call[KeyQuery, NoBody]) -> None:
    """Delete a value; nothing happens when there is none."""
    await _use(call, StoreOperation.DEL, call.query.key)


async def _use(
    call: Call[Any, Any],
    operation: StoreOperation,
    key: str,
    *operands: bytes,
    ttl_s: float | None = None,
) -> Any:
    services = call.services
    project = await get_project(services.store, call.path["project"])
    now = services.clock.now()
    settings = services.settings
    use = UseStore(
        operation=operation,
        key=key,
        operands=operands,
        limits=StoreLimits(
            keys=settings.store_limit_keys, value_bytes=settings.store_limit_value_bytes
        ),
        expires_at=None if ttl_s is None else now + timedelta(seconds=ttl_s),
    )
    return values.decode(await services.store.use_value(project.id, use, now))


ENDPOINTS: tuple[AnyEndpoint, ...] = (
    Endpoint(
        method="GET",
        path="/projects/{project}/store",
        summary="Keys of the project's store, in order",
        handle=list_keys,
        query=NoQuery,
        body=NoBody,
        answer=KeyPage,
    ),
    Endpoint(
        method="GET",
        path="/projects/{project}/store/value",
        summary="A value of the project's store; null when there is none",
        handle=show_value,
        query=KeyQuery,
        body=NoBody,
        answer=StoredAnswer,
    ),
    Endpoint(
        method="PUT",
        path="/projects/{project}/store/value",
        summary="Keep a value in the project's store",
        handle=put_value,
        query=KeyQuery,
        body=StoredBody,
        answer=StoredAnswer,
    ),
    Endpoint(
        method="DELETE",
        path="/projects/{project}/store/value",
        summary="Delete a value of the project's store",
        handle=remove_value,
        query=KeyQuery,
        body=NoBody,
        status=204,
    ),
)
