"""Answers the callers of synchronous webhooks with what sessions make of their requests."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final, TypeVar

import anyio
from starlette.types import Message, Receive, Send

from hookline_runner import write_points
from hookline_service.api.http_outcomes import (
    Headers,
    OutcomeInvalidError,
    Reply,
    part_of,
    reply_of,
    reply_of_returned,
)
from hookline_service.dispatcher.answers import AllEnded, OutcomeStream, TooMuch
from hookline_service.engine.listener import SessionEnd
from hookline_service.model.calls import Outcome
from hookline_service.model.ids import EventId, SessionId
from hookline_service.model.sessions import SessionState

logger = logging.getLogger(__name__)

NOBODY: Final = "No sessions were started or signaled for sync webhook"
_TEXT: Final = (b"content-type", b"text/plain; charset=utf-8")
_NO_CACHE: Final = (b"cache-control", b"no-cache")
_PIECE_BYTES: Final = 64 * 1024
_SMALL_BYTES: Final = 64 * 1024

_Read = TypeVar("_Read")


async def answer_caller(
    answers: OutcomeStream, receive: Receive, send: Send, timeout_s: float, *, send_timeout_s: float
) -> None:
    """Send the answer as soon as it is there: the first outcome, or how the sessions ended; 504 after the time.

    Returns when it is sent, the caller has gone, or has read nothing for `send_timeout_s`; the sessions go on.
    `answers` is closed.
    """
    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_cancel_when_gone, receive, tasks.cancel_scope, name="caller")
            await _Conversation(answers, _impatient(send, send_timeout_s), timeout_s).hold()
            tasks.cancel_scope.cancel()
    finally:
        answers.close()


class _NotReadError(Exception):
    """The caller reads nothing."""


def _impatient(send: Send, timeout_s: float) -> Send:
    """`send`, which raises `_NotReadError` when the caller takes nothing for so long."""

    async def send_in_time(message: Message) -> None:
        with anyio.move_on_after(timeout_s):
            await send(message)
            return
        raise _NotReadError

    return send_in_time


async def _cancel_when_gone(receive: Receive, scope: anyio.CancelScope) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    scope.cancel()


class _Conversation:
    """One response, from the first outcome to the last part of its body."""

    def __init__(self, answers: OutcomeStream, send: Send, timeout_s: float) -> None:
        self._answers = answers
        self._send = send
        self._timeout_s = timeout_s

    async def hold(self) -> None:
        """Send one response; to a caller who does not read, only its beginning."""
        try:
            await self._respond()
        except _NotReadError:
            facts = {"event_id": self._answers.event_id}
            logger.warning("answer broken off: the caller does not read it", extra=facts)

    async def _respond(self) -> None:
        heard = await self._hear()
        if isinstance(heard, Outcome):
            await self._answer(heard)
        elif isinstance(heard, AllEnded):
            await self._finish(await self._reply_of_ends(heard.ends))
        elif heard is None:
            text = f"no session answered within {self._timeout_s:g} s"
            await self._finish(_text_reply(504, text))
        else:
            await self._finish(_text_reply(500, "more was answered than could be kept"))

    async def _hear(self) -> Outcome | AllEnded | TooMuch | None:
        """What comes next; None when nothing did in time."""
        with anyio.move_on_after(self._timeout_s):
            return await self._answers.next()
        return None

    async def _answer(self, outcome: Outcome) -> None:
        try:
            reply = await self._read(reply_of, outcome.value)
        except OutcomeInvalidError as exc:
            self._warn(exc, outcome.session_id)
            await self._finish(_text_reply(500, exc.message))
            return
        if not reply.more:
            await self._finish(reply)
            return
        await self._start(reply)
        await self._send_part(reply.body, more=True)
        await self._go_on()

    async def _go_on(self) -> None:
        """Send what follows, part by part. A body that breaks off is left without its end, so that the caller notices."""
        more = True
        while more:
            heard = await self._hear()
            if isinstance(heard, Outcome):
                try:
                    part, more = await self._read(part_of, heard.value)
                except OutcomeInvalidError as exc:
                    self._warn(exc, heard.session_id)
                    return
                await self._send_part(part, more=more)
            elif isinstance(heard, AllEnded) and _have_completed(heard.ends):
                await self._send_part(b"", more=False)
                return
            else:
                facts = {"event_id": self._answers.event_id}
                logger.warning("answer broken off: its end did not come", extra=facts)
                return

    async def _reply_of_ends(self, ends: tuple[SessionEnd, ...]) -> Reply:
        """The answer when no session made one."""
        if not ends:
            return _text_reply(502, NOBODY)
        session, answer = ends[-1].session, ends[-1].answer
        if session.state is not SessionState.COMPLETED:
            return _text_reply(500, session.id)
        reply = None
        if answer is not None and session.event_id == self._answers.event_id:
            try:
                reply = await self._read(reply_of_returned, answer)
            except OutcomeInvalidError as exc:
                self._warn(exc, session.id)
                return _text_reply(500, exc.message)
        return reply or Reply(status=204, headers=[], body=b"")

    async def _read(self, read: Callable[[bytes], _Read], value: bytes) -> _Read:
        """What `read` makes of the value; what takes long is left to a thread, so that others go on."""
        if len(value) <= _SMALL_BYTES:
            return read(value)
        return await anyio.to_thread.run_sync(read, value)

    async def _finish(self, reply: Reply) -> None:
        write_points.reach("service answer: before sending")
        await self._start(reply)
        await self._send_part(reply.body, more=False)
        write_points.reach("service answer: after sending")

    async def _start(self, reply: Reply) -> None:
        headers = [*_event_headers(self._answers.event_id), *reply.headers]
        if all(name != b"cache-control" for name, _ in reply.headers):
            headers.append(_NO_CACHE)
        if not reply.more and reply.has_body:
            headers.append((b"content-length", str(len(reply.body)).encode()))
        start = {"type": "http.response.start", "status": reply.status, "headers": headers}
        await self._send(start)

    async def _send_part(self, part: bytes, *, more: bool) -> None:
        """In pieces: each waits until the caller has read most of what was sent before."""
        for start in range(0, len(part) or 1, _PIECE_BYTES):
            end = start + _PIECE_BYTES
            is_last = end >= len(part) and not more
            piece = part[start:end]
            await self._send(
                {"type": "http.response.body", "body": piece, "more_body": not is_last}
            )

    def _warn(self, error: OutcomeInvalidError, session_id: SessionId) -> None:
        facts = {"session_id": session_id, "reason": error.message}
        logger.warning("outcome not sent", extra=facts)


def _have_completed(ends: tuple[SessionEnd, ...]) -> bool:
    return all(end.session.state is SessionState.COMPLETED for end in ends)


def _event_headers(event_id: EventId) -> Headers:
    return [
        (b"hookline-event-id", event_id.encode()),
        (b"autokitteh-event-id", event_id.encode()),
    ]


def _text_reply(status: int, text: str) -> Reply:
    return Reply(status=status, headers=[_TEXT], body=text.encode() + b"\n")
