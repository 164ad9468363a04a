"""Keys of sealed values."""

from __future__ import annotations

from typing import Protocol

from hookline_service.model.sealing import ValueKey


class KeyStore(Protocol):
    """The keys of sealed values, as boxes that the store cannot open."""

    async def list_value_keys(self) -> list[ValueKey]:
        """All of them, oldest first."""
        ...

    async def add_value_key(self, box: bytes) -> None:
        """Add one; it gets the next number."""
        ...

    async def replace_value_key(self, former: ValueKey, box: bytes) -> bool:
        """Put a key into another box where it is still in the one given; false if it is not."""
        ...
