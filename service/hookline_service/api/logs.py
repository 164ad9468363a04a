"""Routes of the log of all sessions."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from hookline_service.api.endpoints import Answer, AnyEndpoint, Call, Endpoint, NoBody, Shape
from hookline_service.api.values import GivenTime, ProjectKey, Time
from hookline_service.model.errors import SessionNotFoundError
from hookline_service.model.ids import SessionId
from hookline_service.model.sessions import LogFilter, LogSeverity
from hookline_service.use_cases.projects import get_project


class LogsQuery(Shape):
    """Which records: `text` is part of theirs, `level` the least. `before` and `after` are positions of a former page."""

    project: ProjectKey | None = None
    since: GivenTime | None = None
    text: Annotated[str, Field(min_length=1, max_length=1000)] | None = None
    level: Literal["debug", "info", "warning", "error"] = "debug"
    before: Annotated[int, Field(ge=0)] | None = None
    after: Annotated[int, Field(ge=0)] | None = None
    limit: Annotated[int, Field(ge=1, le=1000)] = 100


class LoggedAnswer(Answer):
    """A log record with the session and project that it is of."""

    position: int
    session: str
    project: str
    at: Time
    kind: str
    level: str
    text: str


class LogsPage(Answer):
    """Records, the newest first, or with `after` the oldest. `next`: where to look on; `end`: there are no more that way."""

    items: list[LoggedAnswer]
    next: int
    end: bool


async def show_logs(call: Call[LogsQuery, NoBody]) -> LogsPage:
    """Log records of all sessions."""
    store, query = call.services.store, call.query
    project = await get_project(store, query.project) if query.project else None
    which = LogFilter(
        project_id=project.id if project else None,
        since=query.since,
        text=query.text,
        severity=LogSeverity[query.level.upper()],
        before=query.before,
        after=query.after,
        limit=query.limit,
    )
    page = await store.list_logs(which)
    names = {each.id: each.name for each in await store.list_projects()}
    projects: dict[SessionId, str] = {}
    for session_id in {each.record.session_id for each in page.records}:
        try:
            session = await store.get_session(session_id)
        except SessionNotFoundError:
            continue  # deleted meanwhile
        projects[session_id] = names.get(session.project_id, session.project_id)
    return LogsPage(
        items=[
            LoggedAnswer(
                position=each.position,
                session=each.record.session_id,
                project=projects[each.record.session_id],
                at=each.record.at,
                kind=each.record.kind,
                level=each.record.level,
                text=each.record.text,
            )
            for each in page.records
            if each.record.session_id in projects
        ],
        next=page.next,
        end=page.is_end,
    )


ENDPOINTS: tuple[AnyEndpoint, ...] = (
    Endpoint(
        method="GET",
        path="/logs",
        summary="Log records of all sessions, by project, time, text and level",
        handle=show_logs,
        query=LogsQuery,
        body=NoBody,
        answer=LogsPage,
    ),
)
