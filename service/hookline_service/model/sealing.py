"""Values of sessions in which a secret may stand: how they are kept, and who seals and opens them."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol, TypeAlias

from hookline_service.model.errors import ValueUnreadableError
from hookline_service.model.ids import ProjectId
from hookline_service.model.projects import StoredVariable

_SEALED: Final = b"\x00"  # with it no JSON text begins
_SEALED_TEXT: Final = "\x01"  # with it no expression begins; a text ends at a zero for SQLite

Finds: TypeAlias = Callable[[bytes], bool]
"""Whether a secret stands in a value."""


class ValueKind(StrEnum):
    """What a value is; a sealed one opens only as what it was."""

    STORED = "value of the store"
    INPUT = "input of a session"
    ANSWER = "answer of a session"
    SIGNAL = "signal"
    OUTCOME = "outcome"
    FILTER = "filter of a subscription"


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueKey:
    """A key of values as it is kept: in a box that a key of the installation opens."""

    id: int
    box: bytes


class ValueGate(Protocol):
    """What every value of a session passes on its way into a store and out of it. Called in any thread."""

    def finder(self, secrets: Sequence[StoredVariable]) -> Finds:
        """What looks for these secrets, however they are written; one that does not open is looked for by nobody."""
        ...

    def seal(self, project_id: ProjectId, kind: ValueKind, value: bytes) -> bytes:
        """The value, readable to nobody but `open` for the same project and kind.

        Raises:
            UnavailableError: there is no key yet.
        """
        ...

    def open(self, project_id: ProjectId, kind: ValueKind, value: bytes) -> bytes:
        """The value as it was; one that is not sealed comes back as it is.

        Raises:
            ValueUnreadableError: its key is not here, it was changed, or it was sealed as something else.
        """
        ...


class OpenGate:
    """A gate that seals nothing, for stores of which nobody has the keys."""

    def finder(self, secrets: Sequence[StoredVariable]) -> Finds:  # noqa: ARG002 - it is a gate
        """See `ValueGate.finder`."""
        return finds_nothing

    def seal(self, project_id: ProjectId, kind: ValueKind, value: bytes) -> bytes:  # noqa: ARG002 - as above
        """See `ValueGate.seal`."""
        return value

    def open(self, project_id: ProjectId, kind: ValueKind, value: bytes) -> bytes:  # noqa: ARG002 - as above
        """See `ValueGate.open`."""
        if is_sealed(value):
            raise ValueUnreadableError(kind, is_damaged=False)
        return value


OPEN_GATE: Final = OpenGate()


def finds_nothing(value: bytes) -> bool:  # noqa: ARG001 - it is one of `Finds`
    """No secret stands in any value."""
    return False


def is_sealed(value: bytes) -> bool:
    """Whether a stored value was sealed."""
    return value.startswith(_SEALED)


def guarded(
    gate: ValueGate,
    project_id: ProjectId,
    kind: ValueKind,
    value: bytes,
    finds: Finds,
    finds_too: Finds = finds_nothing,
) -> bytes:
    """The value as it is to be stored: sealed if one of the two sees a secret in it.

    An input may come sealed, from a session that is tried again. Whatever else begins as if it were sealed is sealed, so that
    it comes back as it is.
    """
    if is_sealed(value):
        return value if kind is ValueKind.INPUT else gate.seal(project_id, kind, value)
    if finds(value) or (finds_too != finds and finds_too(value)):  # often the same
        return gate.seal(project_id, kind, value)
    return value


def mark_sealed(box: bytes) -> bytes:
    """A sealed value as it is stored."""
    return _SEALED + box


def box_of(value: bytes) -> bytes:
    """What `mark_sealed` was given."""
    return value.removeprefix(_SEALED)


def text_of_sealed(value: bytes) -> str:
    """A sealed value where texts are stored."""
    return _SEALED_TEXT + base64.b64encode(value).decode()


def is_sealed_text(text: str) -> bool:
    """Whether a stored text was sealed."""
    return text.startswith(_SEALED_TEXT)


def sealed_of_text(text: str) -> bytes:
    """What `text_of_sealed` was given."""
    return base64.b64decode(text.removeprefix(_SEALED_TEXT))
