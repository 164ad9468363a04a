"""A new session that begins with what another one did up to some point, and goes on by itself from there."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import anyio

from hookline.errors import ConflictError
from hookline_runner import fast_json
from hookline_service.clock import Clock
from hookline_service.engine.protocol import Engine
from hookline_service.model.calls import SessionFork, Subscribe, Subscription
from hookline_service.model.errors import (
    BuildNotFoundError,
    SourceAmbiguousError,
    SourceNotFoundError,
    TooManySubscriptionsError,
)
from hookline_service.model.events import Event
from hookline_service.model.ids import (
    BuildId,
    DeploymentId,
    ProjectId,
    SessionId,
    new_event_id,
    new_subscription_id,
)
from hookline_service.model.sealing import ValueGate, ValueKind
from hookline_service.model.sessions import (
    Session,
    fresh_copy,
)
from hookline_service.storage.protocols import Store
from hookline_service.use_cases.event_edits import edit_event
from hookline_service.use_cases.journal_values import JournalCipher, make_reseal
from hookline_service.use_cases.kept_subscriptions import (
    ForkInvalidError,
    KeptSubscription,
    read_subscriptions,
)
from hookline_service.use_cases.secrets import SecretBox

_DEADLINE_S = 60.0


class SessionNotDurableError(ConflictError):
    """The session has no journal, because it is not durable."""

    code = "session.not_durable"

    def __init__(self, session_id: SessionId) -> None:
        super().__init__(
            f"session {session_id} is not durable, so nothing of it was recorded; start it with --durable, "
            "or leave out `is_durable: false` of its trigger"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ForkRequest:
    """What is asked for.

    `count` entries are kept. The build is that of `deployment_id`, else `build_id`, else the source's own. `edits`
    are places of the event's data with their new values, see `edit_event`.
    """

    source: SessionId
    count: int
    build_id: BuildId | None = None
    deployment_id: DeploymentId | None = None
    edits: Mapping[str, object] = field(default_factory=dict[str, object])


class EntryPointCheck(Protocol):
    """Knows what builds have."""

    async def resolve(self, build_id: BuildId, text: str) -> str:
        """See `EntryPoints.resolve`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionForker:
    """Forks sessions; `on_subscription` is told of subscriptions that begin fresh_copy."""

    store: Store
    engine: Engine
    entry_points: EntryPointCheck
    box: SecretBox
    gate: ValueGate
    clock: Clock
    on_subscription: Callable[[Subscription], None]

    async def fork(self, request: ForkRequest) -> Session:
        """Start a session with the first entries of another one's journal.

        What it asked the service for stays done and is not done again. Subscriptions that it still had at that point
        begin fresh_copy, for the new session.

        Raises:
            SessionNotFoundError, EventNotFoundError, DeploymentNotFoundError, BuildNotFoundError: something named is
                not there, or belongs to another project.
            ValueUnreadableError: its input is sealed and does not open, which is asked only when it is edited.
            SessionNotDurableError, ForkInvalidError, EditInvalidError: it cannot be done; then nothing of it is there.
            EntryPointNotFoundError: the build named has no such function.
        """
        source = await self.store.get_session(request.source)
        kept = await self._keep(source, request.count)
        session = await self._describe(source, request)
        event = None if source.event_id is None else await self.store.get_event(source.event_id)
        edited = None
        if request.edits:
            session, edited = self._edit(session, event, request.edits)
        with anyio.fail_after(_DEADLINE_S, shield=True):  # what is stored shall also be told
            for each in await self._insert(session, kept, request.count, edited):
                self.on_subscription(each)
            await self.engine.start(session, edited or event)
        return session

    async def _keep(self, source: Session, count: int) -> list[KeptSubscription]:
        """The subscriptions that the source had after its first `count` entries, if it can be forked there."""
        if not source.is_durable:
            raise SessionNotDurableError(source.id)
        recorded = await self.store.count_entries(source.id)
        if not 0 <= count <= recorded:
            raise ForkInvalidError(
                f"session {source.id} has {recorded} recorded entries, of which a fork keeps the first ones, none or all;"
                f" {count} were asked for"
            )
        return await read_subscriptions(self.store, source.id, count)

    async def _describe(self, source: Session, request: ForkRequest) -> Session:
        build_id, deployment_id = source.build_id, source.deployment_id
        if request.deployment_id is not None:
            deployment = await self.store.get_deployment(request.deployment_id)
            build_id, deployment_id = deployment.build_id, deployment.id
        elif request.build_id is not None and request.build_id != source.build_id:
            build_id, deployment_id = request.build_id, None
        if build_id != source.build_id:
            await self._check_build(build_id, source.project_id)
            await self.entry_points.resolve(build_id, source.entry_point)
        return dataclasses.replace(
            fresh_copy(source, self.clock.now()),
            build_id=build_id,
            deployment_id=deployment_id,
            parent_id=None,
            forked_from=source.id,
        )

    async def _check_build(self, build_id: BuildId, project_id: ProjectId) -> None:
        build = await self.store.find_build(build_id)
        if build is None or build.project_id != project_id:
            raise BuildNotFoundError(build_id)

    def _edit(
        self, session: Session, event: Event | None, edits: Mapping[str, object]
    ) -> tuple[Session, Event | None]:
        """The session with other data: of its own, or of a copy of its event, which comes with it."""
        if event is None:
            given = self.gate.open(session.project_id, ValueKind.INPUT, session.input or b"{}")
            data, _ = edit_event(fast_json.read(given), None, edits)
            return dataclasses.replace(session, input=fast_json.write(data)), None
        data, body = edit_event(fast_json.read(event.data), event.body, edits)
        now = self.clock.now()
        edited = dataclasses.replace(
            event,
            id=new_event_id(now),
            data=fast_json.write(data),
            body=body,
            delivery_id=None,
            created_at=now,
            redispatch_of=event.id,
        )
        return dataclasses.replace(session, event_id=edited.id), edited

    async def _insert(
        self, session: Session, kept: list[KeptSubscription], count: int, event: Event | None
    ) -> list[Subscription]:
        source = SessionId(session.forked_from or "")
        renamed = {one.id: new_subscription_id(session.created_at) for one in kept}
        vault = JournalCipher(self.box, session.project_id)
        noun = "entry" if count == 1 else "entries"
        fork = SessionFork(
            session=session,
            source=source,
            count=count,
            subscriptions=[
                Subscribe(id=renamed[one.id], source=one.source, filter=one.filter) for one in kept
            ],
            event=event,
            note=f"forked from {source} after {count} {noun}",
            reseal=make_reseal(vault, source, session.id, renamed),
        )
        try:
            return await self.store.fork_session(fork)
        except (SourceNotFoundError, SourceAmbiguousError, TooManySubscriptionsError) as exc:
            raise ForkInvalidError(exc.message) from exc
