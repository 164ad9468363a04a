"""Keys of sealed values of sessions: few, each in a box that a key of the installation opens.

A rotation puts these keys into new boxes, and no value has to be sealed anew.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from typing import Final

from hookline.errors import HooklineError, UnavailableError
from hookline_service.engine.masking import mask_of
from hookline_service.model.errors import ValueUnreadableError
from hookline_service.model.ids import ProjectId
from hookline_service.model.projects import StoredVariable
from hookline_service.model.sealing import (
    Finds,
    ValueKind,
    box_of,
    finds_nothing,
    is_sealed,
    mark_sealed,
)
from hookline_service.use_cases.secrets import (
    SecretBox,
    SecretDamagedError,
    SecretKeyMissingError,
    SecretPlace,
)
from hookline_service.use_cases.variables import open_variable

logger = logging.getLogger(__name__)

_KEY_BYTES: Final = 32
_SCOPE: Final = "value"
_KEY_PLACE: Final = SecretPlace(project_id=ProjectId(""), scope=_SCOPE, name="key")


class ValueKeysMissingError(UnavailableError):
    """A value contains a secret, and the service has not loaded its keys."""

    code = "value.no_key"

    def __init__(self) -> None:
        super().__init__(
            "a value with a secret cannot be kept before the keys of the service are open"
        )


class ValueKeys:
    """See `ValueGate`. It can do nothing before `use`."""

    __slots__ = ("_opened",)

    def __init__(self) -> None:
        self._opened: tuple[SecretBox, SecretBox | None] | None = None  # set as one: others read

    def use(self, box: SecretBox, keys: Sequence[bytes]) -> None:
        """Seal with the first of these keys, open with all; `box` opens secrets of projects."""
        self._opened = (box, SecretBox(tuple(keys)) if keys else None)

    def finder(self, secrets: Sequence[StoredVariable]) -> Finds:
        """See `ValueGate.finder`."""
        if not secrets:
            return finds_nothing
        if self._opened is None:
            raise ValueKeysMissingError
        box = self._opened[0]
        found = {text for each in secrets if (text := _text_of(box, each)) is not None}
        return mask_of(frozenset(found)).finds_in

    def seal(self, project_id: ProjectId, kind: ValueKind, value: bytes) -> bytes:
        """See `ValueGate.seal`."""
        keys = None if self._opened is None else self._opened[1]
        if keys is None:
            raise ValueKeysMissingError
        return mark_sealed(keys.seal_bytes(_place(project_id, kind), value))

    def open(self, project_id: ProjectId, kind: ValueKind, value: bytes) -> bytes:
        """See `ValueGate.open`."""
        if not is_sealed(value):
            return value
        keys = None if self._opened is None else self._opened[1]
        if keys is None:
            raise ValueUnreadableError(kind, is_damaged=False)
        try:
            return keys.open_bytes(_place(project_id, kind), box_of(value))
        except SecretKeyMissingError as exc:
            raise ValueUnreadableError(kind, is_damaged=False) from exc
        except SecretDamagedError as exc:
            raise ValueUnreadableError(kind, is_damaged=True) from exc


def box_for(box: SecretBox) -> bytes:
    """A box with a new key of values."""
    return box.seal_bytes(_KEY_PLACE, os.urandom(_KEY_BYTES))


def rewrapped(box: SecretBox, kept: bytes) -> bytes:
    """The box of a key of values under the first key of the installation; itself if it does not open."""
    try:
        return box.rewrap(_KEY_PLACE, kept)
    except SecretDamagedError:
        return kept


def key_in(box: SecretBox, kept: bytes) -> bytes | None:
    """The key of values in this box; None if it does not open."""
    try:
        key = box.open_bytes(_KEY_PLACE, kept)
    except (SecretKeyMissingError, SecretDamagedError):
        return None
    return key if len(key) == _KEY_BYTES else None


def _text_of(box: SecretBox, secret: StoredVariable) -> str | None:
    try:
        return open_variable(box, secret)
    except HooklineError as exc:
        facts = {"variable": secret.name, "reason": exc.message}
        logger.warning("secret not looked for in values", extra=facts)
        return None


def _place(project_id: ProjectId, kind: ValueKind) -> SecretPlace:
    return SecretPlace(project_id=project_id, scope=_SCOPE, name=kind)
