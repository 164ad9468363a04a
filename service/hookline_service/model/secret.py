"""A value that must not be shown."""

from __future__ import annotations

from typing import final

MASK = "********"
SHORTEST_COVERED = 6  # bytes of a secret; what is shorter stands in ordinary words, too
TOO_SHORT = (
    f"it has less than {SHORTEST_COVERED} bytes, so it is not masked in logs, values and recordings"
)


def is_too_short(secret: str) -> bool:
    """Whether this is a secret that cannot be masked where it stands in a text."""
    return 0 < len(secret.encode("utf-8", "surrogatepass")) < SHORTEST_COVERED


@final
class Secret:
    """Text that prints as stars; `reveal()` is the one way to the value."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The value itself. Name the reason where you call this."""
        return self._value

    def __repr__(self) -> str:
        return MASK

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)
