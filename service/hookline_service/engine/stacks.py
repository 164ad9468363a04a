"""Where running sessions hang: asked of their processes, and believed only as far as it can be shown."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any, Protocol, cast

from hookline_runner.frames import Frame, FrameType
from hookline_runner.stacks import MOST_BYTES
from hookline_service.engine.hosts import LiveAttempt
from hookline_service.engine.protocol import Stack, StackFrame, StackReport
from hookline_service.engine.wire import WireError, read_header, shown_of
from hookline_service.model.errors import SessionFinalError, StackNotTakenError
from hookline_service.model.ids import SessionId
from hookline_service.model.sessions import FINAL_STATES, Session, SessionState

logger = logging.getLogger(__name__)

_ANSWER_WAIT_S = 5.0
_UNREADABLE = "its process says something that cannot be read"
_MOST_STACKS = 300
_MOST_FRAMES = 110
_MOST_TEXT = 400
_MAX_LINE = 1 << 31


class SessionReads(Protocol):
    """The part of the store that is asked."""

    async def get_session(self, session_id: SessionId) -> Session:
        """See `SessionStore.get_session`."""
        ...


class StackDesk:
    """See `Stacks`."""

    def __init__(self, store: SessionReads, live: Mapping[SessionId, LiveAttempt]) -> None:
        self._store = store
        self._live = live

    async def get_stack(self, session_id: SessionId) -> StackReport:
        """See `Stacks.get_stack`."""
        session = await self._store.get_session(session_id)
        if session.state in FINAL_STATES:
            raise SessionFinalError(session_id, session.state)
        attempt = self._live.get(session_id)
        if session.state is SessionState.WAITING or attempt is None or not attempt.is_launched:
            return StackReport(session=session)
        if "stack" not in attempt.host.features:
            raise StackNotTakenError(session_id, "its runner host is older than this service")
        answer: asyncio.Future[StackReport] = asyncio.get_running_loop().create_future()
        attempt.stack_asked.append(answer)
        attempt.host.link.send(FrameType.STACK, attempt.channel, {})
        try:
            async with asyncio.timeout(_ANSWER_WAIT_S):
                return await answer
        except TimeoutError as exc:
            raise StackNotTakenError(session_id, "its process does not say") from exc
        finally:
            if answer in attempt.stack_asked:
                attempt.stack_asked.remove(answer)


def take_report(attempt: LiveAttempt, frame: Frame) -> None:
    """Give a STACK_TAKEN to those who asked. One that cannot be read is no answer, and harms nobody else."""
    asked, attempt.stack_asked = attempt.stack_asked, []
    if not asked:
        return
    report: StackReport | None = None
    try:
        report = _read_report(attempt, frame)
    except (WireError, KeyError, TypeError, ValueError) as exc:
        logger.info("a stack that cannot be read", extra={"error": str(exc)})
    for answer in asked:
        if answer.done():
            continue
        if report is None:
            answer.set_exception(StackNotTakenError(attempt.session.id, _UNREADABLE))
        else:
            answer.set_result(report)


def _read_report(attempt: LiveAttempt, frame: Frame) -> StackReport:
    if len(frame.header) > MOST_BYTES:
        raise WireError(f"a stack of {len(frame.header)} bytes")
    header = read_header(frame)
    rows, omitted = _list_of(header["stacks"], _MOST_STACKS), header["omitted"]
    return StackReport(
        session=attempt.session,
        stacks=tuple(_read_stack(attempt, row) for row in rows),
        omitted=omitted if isinstance(omitted, int) and 0 <= omitted < _MAX_LINE else 0,
        is_dump=bool(header["dump"]),
    )


def _read_stack(attempt: LiveAttempt, row: Any) -> Stack:  # Any: a JSON value not yet looked at
    kind, name, frames = row
    return Stack(
        kind="task" if kind == "task" else "thread",
        name=shown_of(name, attempt.mask, _MOST_TEXT),
        frames=tuple(_read_frame(attempt, each) for each in _list_of(frames, _MOST_FRAMES)),
    )


def _read_frame(attempt: LiveAttempt, row: Any) -> StackFrame:  # Any: as above
    file, line, function, source = row
    if not isinstance(line, int) or not 0 <= line < _MAX_LINE:
        raise WireError("not the number of a line")
    file, function, source = (
        shown_of(each, attempt.mask, _MOST_TEXT) for each in (file, function, source)
    )
    return StackFrame(file=file, line=line, function=function, source=source)


def _list_of(value: Any, most: int) -> list[Any]:  # Any: as above
    if not isinstance(value, list):
        raise WireError("not a list")
    return cast("list[Any]", value)[:most]
