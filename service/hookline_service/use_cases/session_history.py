"""What a session was given and what was recorded of it: everything that a replay elsewhere needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from hookline.errors import ConflictError
from hookline_runner import fast_json
from hookline_service.engine.masking import NO_MASK, Mask
from hookline_service.engine.vault import ValueGuard, is_sealed
from hookline_service.engine.wire import event_fields
from hookline_service.manifest.encoding import manifest_from_json
from hookline_service.manifest.values import Manifest
from hookline_service.model.ids import BuildId, ProjectId, SessionId
from hookline_service.model.sealing import ValueGate
from hookline_service.model.secret import SHORTEST_COVERED
from hookline_service.model.sessions import JournalEntry, Session, opened
from hookline_service.storage.protocols import Store
from hookline_service.use_cases.builds import get_build
from hookline_service.use_cases.journal_values import JournalCipher
from hookline_service.use_cases.secrets import SecretBox
from hookline_service.use_cases.session_fork import SessionNotDurableError
from hookline_service.use_cases.start_variables import variables_for
from hookline_service.use_cases.variables import open_variable

_STEP = 20
_PAGE_BYTES = 8 * 1024 * 1024


class SecretChangedError(ConflictError):
    """A recorded value contains a secret that has a different value now, so it cannot be masked."""

    code = "session.secret_changed"

    def __init__(self, entry: JournalEntry) -> None:
        super().__init__(
            f"the result of {entry.name} at {entry.file}:{entry.line} contains a secret that has been changed since, "
            "and the old secret can no longer be masked; request the history with `secrets` to get it unmasked"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionHistory:
    """What a session was given: the event (`data` as JSON text, `body` of a webhook's request), the variables."""

    session: Session
    project: str
    manifest: Manifest
    event_id: str | None
    event_type: str | None
    data: bytes
    body: bytes | None
    variables: Mapping[str, str]
    entry_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryReader:
    """Reads histories. Unless they `are_open`, secrets are covered by as many stars as they have bytes.

    So what a value was encoded in is whole, and fixtures of tests hold no secret. The unguessable parts of webhooks' URLs
    are secrets here, too.
    """

    store: Store
    box: SecretBox
    gate: ValueGate
    base_url: str

    async def read(self, session_id: SessionId, *, are_open: bool) -> SessionHistory:
        """What the session was given.

        Raises:
            SessionNotFoundError, EventNotFoundError, BuildNotFoundError: it was deleted.
            SessionNotDurableError: nothing was recorded of it.
            ValueUnreadableError: its input is sealed and does not open.
        """
        session = opened(await self._get_durable(session_id), self.gate)
        event = None if session.event_id is None else await self.store.get_event(session.event_id)
        data, event_id, event_type, body = event_fields(session, event)
        mask = NO_MASK if are_open else await self._mask(session.project_id)
        variables = await variables_for(self.store, self.box, session.project_id, self.base_url)
        if not are_open:
            variables |= await self._short_secrets(session.project_id, variables)
        return SessionHistory(
            session=session,
            project=(await self.store.get_project(session.project_id)).name,
            manifest=await self._manifest(session.build_id),
            event_id=event_id,
            event_type=event_type,
            data=mask.blank(fast_json.write(data)),
            body=None if body is None else mask.blank(body),
            variables={
                name: mask.blank(text.encode()).decode() for name, text in variables.items()
            },
            entry_count=await self.store.count_entries(session.id),
        )

    async def list_entries(
        self, session_id: SessionId, after_seq: int, limit: int, *, are_open: bool
    ) -> Sequence[JournalEntry]:
        """Entries with `seq` above `after_seq`, oldest first, with their values as they were recorded.

        At least one if there is one, and no more than fit into about 8 MB.

        Raises:
            SessionNotFoundError, SessionNotDurableError: see `read`.
            SecretChangedError: unless `are_open`: a secret cannot be covered.
        """
        session = await self._get_durable(session_id)
        mask = NO_MASK if are_open else await self._mask(session.project_id)
        guard = ValueGuard(mask, JournalCipher(self.box, session.project_id))
        found: list[JournalEntry] = []
        size = 0
        while len(found) < limit and size < _PAGE_BYTES:
            step = min(_STEP, limit - len(found))
            entries = await self.store.list_entries(session.id, after_seq, step)
            for entry in entries:
                found.append(_opened(entry, guard, None if are_open else mask))
                size += len(entry.value)
                after_seq = entry.seq
            if len(entries) < step:
                break
        return found

    async def _get_durable(self, session_id: SessionId) -> Session:
        session = await self.store.get_session(session_id)
        if not session.is_durable:
            raise SessionNotDurableError(session_id)
        return session

    async def _manifest(self, build_id: BuildId) -> Manifest:
        return manifest_from_json((await get_build(self.store, build_id)).manifest)

    async def _short_secrets(
        self, project_id: ProjectId, variables: Mapping[str, str]
    ) -> dict[str, str]:
        """Stars for the secrets that are too short to be found in texts, but are known by their names."""
        secrets = [one for one in await self.store.list_variables(project_id) if one.is_secret]
        names = {f"{one.scope}__{one.name}" if one.scope else one.name for one in secrets}
        sizes = {name: len(variables.get(name, "").encode()) for name in names}
        return {name: "*" * size for name, size in sizes.items() if 0 < size < SHORTEST_COVERED}

    async def _mask(self, project_id: ProjectId) -> Mask:
        variables = await self.store.list_variables(project_id)
        secrets = [open_variable(self.box, each) for each in variables if each.is_secret]
        triggers = await self.store.list_trigger_identities(project_id)
        return Mask([*secrets, *(slug for _, _, slug in triggers if slug)])


def _opened(entry: JournalEntry, guard: ValueGuard, mask: Mask | None) -> JournalEntry:
    encoding, value = guard.replayed(entry.session_id, entry.encoding, entry.value)
    if mask is not None:
        covered = mask.blank(value)
        if is_sealed(entry.encoding) and covered == value:
            raise SecretChangedError(entry)
        value = covered
    return replace(entry, encoding=encoding, value=value)
