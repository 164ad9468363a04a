"""Routes for taking up what a session did: its history for a replay elsewhere, and forks of it."""

from __future__ import annotations

from base64 import b64encode
from typing import Annotated, Any, Literal

from pydantic import Field

from hookline_service.api.endpoints import (
    MAX_SEQ,
    Answer,
    AnyEndpoint,
    Call,
    Endpoint,
    NoBody,
    NoQuery,
    Shape,
)
from hookline_service.api.errors import RequestInvalidError
from hookline_service.api.names import load_names
from hookline_service.api.session_answers import ErrorAnswer, SessionAnswer, session_answer
from hookline_service.api.values import GivenJson, json_value
from hookline_service.model.ids import BuildId, DeploymentId, SessionId
from hookline_service.model.sessions import JournalEntry
from hookline_service.use_cases.session_fork import ForkRequest, SessionForker
from hookline_service.use_cases.session_history import HistoryReader

_MOST_ENTRIES = 2**53
_MOST_EDITS = 100


class HistoryQuery(Shape):
    """`secrets`: `covered` by stars, or `open`."""

    secrets: Literal["covered", "open"] = "covered"


class JournalQuery(HistoryQuery):
    """Which entries."""

    after: Annotated[int, Field(ge=0, le=MAX_SEQ)] = 0
    limit: Annotated[int, Field(ge=1, le=10_000)] = 1000


class ForkBody(Shape):
    """Where to fork: after `entries` entries. `edits` are new values of the event's data by path, as `data.order.id`."""

    entries: Annotated[int, Field(ge=0, le=_MOST_ENTRIES)]
    build: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    deployment: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    edits: Annotated[dict[str, GivenJson], Field(max_length=_MOST_EDITS)] = Field(
        default_factory=dict
    )


class GivenEvent(Answer):
    """The event as the function got it; `data` has the parts of the body, too."""

    id: str | None
    type: str | None
    data: Any  # JSON


class HistoryAnswer(Answer):
    """What a session was given, and how it ended; `body` is the raw body of a webhook's request in base64."""

    session: str
    project: str
    build: str
    python: str
    requirements: str
    entry_point: str
    state: str
    event: GivenEvent
    body: str | None
    variables: dict[str, str]
    entries: int
    result: Any  # JSON, as the session's process wrote it
    error: ErrorAnswer | None


class EntryAnswer(Answer):
    """A recorded result; `value` is base64 of bytes in the form that `encoding` names.

    `arguments` is JSON text: what the call got, as people are shown it, with secrets covered.
    """

    seq: int
    branch: str
    index: int
    kind: str
    name: str
    file: str
    line: int
    ok: bool
    volatile: bool
    encoding: str
    value: str
    wake_at: float | None
    arguments: str


class JournalPage(Answer):
    """Entries, oldest first; `next` is the `seq` to go on after."""

    items: list[EntryAnswer]
    next: int | None


async def show_session_history(call: Call[HistoryQuery, NoBody]) -> HistoryAnswer:
    """What the session was given."""
    reader = _reader(call)
    are_open = call.query.secrets == "open"
    history = await reader.read(SessionId(call.path["session"]), are_open=are_open)
    session = history.session
    answer = session_answer(session, await load_names(call.services.store, [session.project_id]))
    return HistoryAnswer(
        session=session.id,
        project=history.project,
        build=session.build_id,
        python=history.manifest.python,
        requirements=history.manifest.requirements_text,
        entry_point=session.entry_point,
        state=session.state,
        event=GivenEvent(
            id=history.event_id, type=history.event_type, data=json_value(history.data)
        ),
        body=None if history.body is None else b64encode(history.body).decode(),
        variables=dict(history.variables),
        entries=history.entry_count,
        result=answer.result,
        error=answer.error,
    )


async def show_session_journal(call: Call[JournalQuery, NoBody]) -> JournalPage:
    """Recorded results with their values."""
    query = call.query
    session_id = SessionId(call.path["session"])
    are_open = query.secrets == "open"
    entries = await _reader(call).list_entries(
        session_id, query.after, query.limit, are_open=are_open
    )
    items = [_entry_answer(entry) for entry in entries]
    return JournalPage(items=items, next=items[-1].seq if items else None)


async def fork_session(call: Call[NoQuery, ForkBody]) -> SessionAnswer:
    """Start a session that begins with the first entries of this one."""
    services, body = call.services, call.body
    if body.build is not None and body.deployment is not None:
        problem = "name a build or a deployment, not both"
        raise RequestInvalidError("body", [("deployment", problem)])
    forker = SessionForker(
        store=services.store,
        engine=services.engine,
        entry_points=services.entry_points,
        box=services.box,
        gate=services.keys.values,
        clock=services.clock,
        on_subscription=services.on_subscription,
    )
    request = ForkRequest(
        source=SessionId(call.path["session"]),
        count=body.entries,
        build_id=BuildId(body.build) if body.build else None,
        deployment_id=DeploymentId(body.deployment) if body.deployment else None,
        edits=body.edits,
    )
    session = await forker.fork(request)
    return session_answer(session, await load_names(services.store, [session.project_id]))


def _reader(call: Call[Any, Any]) -> HistoryReader:
    services = call.services
    return HistoryReader(
        store=services.store,
        box=services.box,
        gate=services.keys.values,
        base_url=services.settings.base_url,
    )


def _entry_answer(entry: JournalEntry) -> EntryAnswer:
    return EntryAnswer(
        seq=entry.seq,
        branch=entry.branch,
        index=entry.index,
        kind=entry.kind,
        name=entry.name,
        file=entry.file,
        line=entry.line,
        ok=entry.ok,
        volatile=entry.is_volatile,
        encoding=entry.encoding,
        value=b64encode(entry.value).decode(),
        wake_at=None if entry.wake_at is None else entry.wake_at.timestamp(),
        arguments=entry.arguments.decode("utf-8", "replace"),
    )


ENDPOINTS: tuple[AnyEndpoint, ...] = (
    Endpoint(
        method="GET",
        path="/sessions/{session}/history",
        summary="What a durable session was given, for a replay elsewhere",
        handle=show_session_history,
        query=HistoryQuery,
        body=NoBody,
        answer=HistoryAnswer,
    ),
    Endpoint(
        method="GET",
        path="/sessions/{session}/journal",
        summary="Recorded results with their values, oldest first, for a replay elsewhere",
        handle=show_session_journal,
        query=JournalQuery,
        body=NoBody,
        answer=JournalPage,
    ),
    Endpoint(
        method="POST",
        path="/sessions/{session}/fork",
        summary="Start a session that keeps the first entries of this one's journal",
        handle=fork_session,
        query=NoQuery,
        body=ForkBody,
        answer=SessionAnswer,
        status=201,
    ),
)
