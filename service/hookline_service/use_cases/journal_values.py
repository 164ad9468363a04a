"""Recorded values that are sealed: who opens them, and what becomes of them in another session's journal."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from hookline_service.engine.vault import is_sealed
from hookline_service.model.ids import ProjectId, SessionId
from hookline_service.use_cases.secrets import SecretBox, SecretPlace

VALUES_ENCODING = "values"
_PLACE = "journal"


class JournalCipher:
    """See `Vault`: with the keys of the installation."""

    def __init__(self, box: SecretBox, project_id: ProjectId) -> None:
        self._box = box
        self._project_id = project_id

    def seal(self, session_id: SessionId, value: bytes) -> bytes:
        """See `Vault.seal`."""
        return self._box.seal_bytes(self._place(session_id), value)

    def open(self, session_id: SessionId, sealed: bytes) -> bytes:
        """See `Vault.open`."""
        return self._box.open_bytes(self._place(session_id), sealed)

    def _place(self, session_id: SessionId) -> SecretPlace:
        return SecretPlace(project_id=self._project_id, scope=_PLACE, name=session_id)


def make_reseal(
    vault: JournalCipher, source: SessionId, target: SessionId, renamed: Mapping[str, str]
) -> Callable[[str, bytes], tuple[str, bytes]]:
    """What makes an entry's encoding and value fit for the journal of another session.

    What is sealed is sealed anew. In answers of the service, ids are replaced as `renamed` says.
    """

    def answer(encoding: str, value: bytes) -> bytes:
        if encoding.rpartition(":")[2] == VALUES_ENCODING:
            for old, new in renamed.items():
                value = value.replace(old.encode(), new.encode())
        return value

    def reseal(encoding: str, value: bytes) -> tuple[str, bytes]:
        if not is_sealed(encoding):
            return encoding, answer(encoding, value)
        plain = answer(encoding, vault.open(source, value))
        return encoding, vault.seal(target, plain)

    return reseal
