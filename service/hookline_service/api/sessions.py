"""Routes of sessions."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field
from starlette.responses import Response

from hookline import values
from hookline_service.api.endpoints import (
    MAX_SEQ,
    AnyEndpoint,
    Call,
    Endpoint,
    NoBody,
    NoQuery,
    PageQuery,
    Shape,
)
from hookline_service.api.errors import RequestInvalidError
from hookline_service.api.names import load_names
from hookline_service.api.session_answers import (
    ActivityPage,
    AttemptPage,
    LogPage,
    SessionAnswer,
    SessionPage,
    StackReportAnswer,
    activity_answer,
    attempt_answer,
    log_answer,
    session_answer,
    stack_answer,
)
from hookline_service.api.session_stream import session_stream
from hookline_service.api.values import GivenJson, ProjectKey
from hookline_service.api.waits import load_waits
from hookline_service.model.calls import Signal
from hookline_service.model.ids import DeploymentId, EventId, SessionId
from hookline_service.model.sessions import LogKind, LogRecord, Session, SessionFilter, SessionState
from hookline_service.use_cases import sessions
from hookline_service.use_cases.deployments import get_active_deployment, get_project_deployment
from hookline_service.use_cases.projects import get_project
from hookline_service.use_cases.signals import send_signal
from hookline_service.use_cases.triggers import find_trigger_id

Id = Annotated[str, Field(min_length=1, max_length=64)]


class SessionsQuery(PageQuery):
    """Which sessions; `trigger` is an id, or a name together with `project`."""

    project: ProjectKey | None = None
    deployment: Id | None = None
    trigger: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    event: Id | None = None
    state: SessionState | None = None


class StartBody(Shape):
    """A session to start by hand; `input` becomes the event's data."""

    project: ProjectKey
    entry_point: Annotated[str, Field(min_length=1, max_length=1000)]
    input: GivenJson = None
    durable: bool = False
    deployment: Id | None = None


class LogQuery(Shape):
    """Which log records; `kinds` are separated by commas."""

    after: Annotated[int, Field(ge=0, le=MAX_SEQ)] = 0
    limit: Annotated[int, Field(ge=1, le=10_000)] = 1000
    order: Annotated[str, Field(pattern="^(asc|desc)$")] = "asc"
    kinds: Annotated[str, Field(max_length=200)] = ""


class ActivitiesQuery(Shape):
    """Which activities."""

    after: Annotated[int, Field(ge=0, le=MAX_SEQ)] = 0
    limit: Annotated[int, Field(ge=1, le=10_000)] = 1000


class WaitQuery(Shape):
    """How long to wait."""

    timeout_s: Annotated[float, Field(ge=0, le=600, allow_inf_nan=False)] = 30.0


class SignalBody(Shape):
    """A named message; the session gets it by `next_signal`."""

    name: Annotated[str, Field(min_length=1, max_length=1000)]
    payload: Any = None  # any JSON


class StopBody(Shape):
    """Why, and whether to ask first."""

    reason: Annotated[str, Field(max_length=1000)] = "on request"
    force: bool = False


async def list_sessions(call: Call[SessionsQuery, NoBody]) -> SessionPage:
    """Sessions, newest first."""
    store, query = call.services.store, call.query
    project = await get_project(store, query.project) if query.project else None
    which = SessionFilter(
        project_id=project.id if project else None,
        deployment_id=DeploymentId(query.deployment) if query.deployment else None,
        trigger_id=await find_trigger_id(store, query.trigger, project) if query.trigger else None,
        event_id=EventId(query.event) if query.event else None,
        state=query.state,
        before=SessionId(query.before) if query.before else None,
        limit=query.limit + 1,
    )
    found = await store.list_sessions(which)
    page = found[: query.limit]
    names = await load_names(store, (session.project_id for session in page))
    waits = await load_waits(store, page, names)
    return SessionPage(
        items=[session_answer(session, names, waits.get(session.id, ())) for session in page],
        next=page[-1].id if len(found) > len(page) else None,
    )


async def start_session(call: Call[NoQuery, StartBody]) -> SessionAnswer:
    """Start a session by hand."""
    services, body = call.services, call.body
    project = await get_project(services.store, body.project)
    deployment = (
        await get_project_deployment(services.store, project, body.deployment)
        if body.deployment
        else await get_active_deployment(services.store, project)
    )
    entry_point = await services.entry_points.resolve(deployment.build_id, body.entry_point)
    session = await services.dispatcher.start_manual(
        project,
        entry_point,
        sessions.encode_input(body.input),
        body.durable,
        deployment,
    )
    return await _answer(call, session)


async def show_session(call: Call[NoQuery, NoBody]) -> SessionAnswer:
    """One session."""
    return await _answer(call, await _get(call))


async def remove_session(call: Call[NoQuery, NoBody]) -> None:
    """Delete one finished session."""
    session = await _get(call)
    await call.services.store.delete_session(session.id)


async def show_session_log(call: Call[LogQuery, NoBody]) -> LogPage | Response:
    """The session's log, or its live stream."""
    session, query = await _get(call), call.query
    kinds = _kinds(query.kinds)
    if call.wants_stream:
        return session_stream(call.services, session, _resume_after(call), kinds)
    records = await call.services.store.list_log(
        session.id, query.after, query.limit + 1, newest_first=query.order == "desc"
    )
    page = records[: query.limit]
    shown = [log_answer(record) for record in page if not kinds or record.kind in kinds]
    return LogPage(items=shown, next=_next_seq(records, page))


async def list_session_activities(call: Call[ActivitiesQuery, NoBody]) -> ActivityPage:
    """Recorded results, oldest first."""
    session, query = await _get(call), call.query
    entries = await call.services.store.list_entries(session.id, query.after, query.limit + 1)
    page = entries[: query.limit]
    following = page[-1].seq if len(entries) > len(page) else None
    return ActivityPage(items=[activity_answer(entry) for entry in page], next=following)


async def list_session_attempts(call: Call[NoQuery, NoBody]) -> AttemptPage:
    """Attempts, oldest first."""
    session = await _get(call)
    attempts = await call.services.store.list_attempts(session.id)
    return AttemptPage(items=[attempt_answer(attempt) for attempt in attempts])


async def show_session_stack(call: Call[NoQuery, NoBody]) -> StackReportAnswer:
    """Where the session hangs now, or what it waits for."""
    services = call.services
    report = await services.stacks.get_stack(SessionId(call.path["session"]))
    names = await load_names(services.store, [report.session.project_id])
    waits = await load_waits(services.store, [report.session], names)
    return stack_answer(report, waits.get(report.session.id, ()))


async def wait_for_session(call: Call[WaitQuery, NoBody]) -> SessionAnswer:
    """The session when it is final, or as it is after the time."""
    services = call.services
    session = await sessions.wait_until_final(
        services.store,
        services.changes,
        SessionId(call.path["session"]),
        call.query.timeout_s,
    )
    return await _answer(call, session)


async def stop_session(call: Call[NoQuery, StopBody]) -> SessionAnswer:
    """Ask the session to stop, or end it at once."""
    session = await call.services.engine.stop(
        SessionId(call.path["session"]), reason=call.body.reason, force=call.body.force
    )
    return await _answer(call, session)


async def signal_session(call: Call[NoQuery, SignalBody]) -> None:
    """Send the session a signal."""
    services = call.services
    try:
        payload = values.encode(call.body.payload)
    except (TypeError, ValueError) as exc:
        raise RequestInvalidError("body", [("payload", str(exc))]) from exc
    signal = Signal(
        session_id=SessionId(call.path["session"]), name=call.body.name, payload=payload
    )
    await send_signal(services.store, services.engine, services.clock, signal)


async def restart_session(call: Call[NoQuery, NoBody]) -> SessionAnswer:
    """Start the same again as a new session."""
    services = call.services
    session = await sessions.restart_session(
        services.store, services.engine, services.clock, SessionId(call.path["session"])
    )
    return await _answer(call, session)


async def _get(call: Call[Any, Any]) -> Session:
    return await call.services.store.get_session(SessionId(call.path["session"]))


async def _answer(call: Call[Any, Any], session: Session) -> SessionAnswer:
    store = call.services.store
    names = await load_names(store, [session.project_id])
    waits = await load_waits(store, [session], names)
    return session_answer(session, names, waits.get(session.id, ()))


def _kinds(text: str) -> frozenset[LogKind]:
    try:
        return frozenset(LogKind(kind.strip()) for kind in text.split(",") if kind.strip())
    except ValueError as exc:
        known = ", ".join(LogKind)
        raise RequestInvalidError("query", [("kinds", f"{exc}; known are {known}")]) from exc


def _resume_after(call: Call[LogQuery, NoBody]) -> int:
    given = call.request.headers.get("last-event-id", "")
    if given.isascii() and given.isdigit() and int(given[:20]) <= MAX_SEQ:
        return max(int(given[:20]), call.query.after)
    return call.query.after


def _next_seq(records: list[LogRecord], page: list[LogRecord]) -> int | None:
    return page[-1].seq if len(records) > len(page) else None


ENDPOINTS: tuple[AnyEndpoint, ...] = (
    Endpoint(
        method="GET",
        path="/sessions",
        summary="Sessions, newest first",
        handle=list_sessions,
        query=SessionsQuery,
        body=NoBody,
        answer=SessionPage,
    ),
    Endpoint(
        method="POST",
        path="/sessions",
        summary="Start a session by hand",
        handle=start_session,
        query=NoQuery,
        body=StartBody,
        answer=SessionAnswer,
        status=201,
    ),
    Endpoint(
        method="GET",
        path="/sessions/{session}",
        summary="One session",
        handle=show_session,
        query=NoQuery,
        body=NoBody,
        answer=SessionAnswer,
    ),
    Endpoint(
        method="DELETE",
        path="/sessions/{session}",
        summary="Delete a finished session with its log",
        handle=remove_session,
        query=NoQuery,
        body=NoBody,
        status=204,
    ),
    Endpoint(
        method="GET",
        path="/sessions/{session}/log",
        summary="The session's log; live as server-sent events `log`, `state` and `end`",
        handle=show_session_log,
        query=LogQuery,
        body=NoBody,
        answer=LogPage,
        streams=True,
    ),
    Endpoint(
        method="GET",
        path="/sessions/{session}/activities",
        summary="Recorded results of calls, oldest first",
        handle=list_session_activities,
        query=ActivitiesQuery,
        body=NoBody,
        answer=ActivityPage,
    ),
    Endpoint(
        method="GET",
        path="/sessions/{session}/attempts",
        summary="Stretches of the session in one process each, oldest first",
        handle=list_session_attempts,
        query=NoQuery,
        body=NoBody,
        answer=AttemptPage,
    ),
    Endpoint(
        method="GET",
        path="/sessions/{session}/stack",
        summary="Where a running session hangs now, in all its threads and tasks",
        handle=show_session_stack,
        query=NoQuery,
        body=NoBody,
        answer=StackReportAnswer,
    ),
    Endpoint(
        method="GET",
        path="/sessions/{session}/wait",
        summary="The session when it has ended, or as it is after `timeout_s`",
        handle=wait_for_session,
        query=WaitQuery,
        body=NoBody,
        answer=SessionAnswer,
    ),
    Endpoint(
        method="POST",
        path="/sessions/{session}/stop",
        summary="Ask the session to stop, or end it at once with `force`",
        handle=stop_session,
        query=NoQuery,
        body=StopBody,
        answer=SessionAnswer,
        status=202,
    ),
    Endpoint(
        method="POST",
        path="/sessions/{session}/signals",
        summary="Send the session a signal; it stays queued until it is taken",
        handle=signal_session,
        query=NoQuery,
        body=SignalBody,
        status=204,
    ),
    Endpoint(
        method="POST",
        path="/sessions/{session}/restart",
        summary="Start the same again as a new session",
        handle=restart_session,
        query=NoQuery,
        body=NoBody,
        answer=SessionAnswer,
        status=201,
    ),
)
