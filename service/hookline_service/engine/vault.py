"""Recorded values that hold a secret are sealed before they are stored, and opened when they are replayed."""

from __future__ import annotations

from typing import Final, Protocol

from hookline_service.engine.masking import NO_MASK, Mask
from hookline_service.model.ids import SessionId

_SEALED: Final = "sealed:"  # before the encoding of the value


class Vault(Protocol):
    """Seals and opens values of sessions."""

    def seal(self, session_id: SessionId, value: bytes) -> bytes:
        """The value, readable to nobody but `open` for the same session."""
        ...

    def open(self, session_id: SessionId, sealed: bytes) -> bytes:
        """The value; raises a `HooklineError` when it cannot be opened."""
        ...


class ValueGuard:
    """Knows which values to seal; without a vault, none."""

    __slots__ = ("_mask", "_vault")

    def __init__(self, mask: Mask = NO_MASK, vault: Vault | None = None) -> None:
        self._mask = mask
        self._vault = vault

    def stored(self, session_id: SessionId, encoding: str, value: bytes) -> tuple[str, bytes]:
        """Encoding and bytes to be stored."""
        if self._vault is None or not self._mask.finds_in(value):
            return encoding, value
        return _SEALED + encoding, self._vault.seal(session_id, value)

    def replayed(self, session_id: SessionId, encoding: str, value: bytes) -> tuple[str, bytes]:
        """Encoding and bytes as they were before `stored`. Raises as `Vault.open`."""
        if self._vault is None or not encoding.startswith(_SEALED):
            return encoding, value
        return encoding.removeprefix(_SEALED), self._vault.open(session_id, value)


def is_sealed(encoding: str) -> bool:
    """Whether a value of this encoding was sealed."""
    return encoding.startswith(_SEALED)


NO_GUARD: Final = ValueGuard()
