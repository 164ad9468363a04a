"""Operations of the service: asked for with their journal entry, and asked again until there is something to take."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Mapping
from typing import Any, Final

from hookline import values
from hookline.errors import CallRefusedError
from hookline_runner.session.branches import INSIDE, Branch, current
from hookline_runner.session.clock import SessionClock
from hookline_runner.session.journal import KIND, OK, WAKE_AT, Kind, Row
from hookline_runner.session.link import Link, Reply
from hookline_runner.session.operations import (
    encode_arguments,
    topic_of_taken,
    topics_of,
)
from hookline_runner.session.output import LogStream
from hookline_runner.session.recording import Call, Recorder
from hookline_runner.session.suspension import FAR_FUTURE

_CALLS: Final = frozenset({Kind.CALL})
_WAITS: Final = frozenset({Kind.WAIT})
_FIRST_PAUSE_S: Final = 0.01  # the service's clock may be a little behind ours
_LONGEST_PAUSE_S: Final = 1.0
_json_string = json.encoder.encode_basestring_ascii


class ServiceOperations:
    """Makes operations: recorded by the service at a position, or not at all."""

    __slots__ = ("_link", "clock", "output", "recorder")

    def __init__(
        self, link: Link, recorder: Recorder, output: LogStream, clock: SessionClock
    ) -> None:
        self._link = link
        self.output = output
        self.recorder = recorder
        self.clock = clock

    def make(self, operation: str, arguments: str) -> Reply:
        """Ask for an operation that nobody records."""
        return self._link.call(operation, arguments)

    def make_recorded(
        self, operation: str, arguments: str, call: Call, branch: Branch, index: int
    ) -> Reply:
        """Ask for an operation that is recorded at this position when it is applied.

        What was printed and recorded before is sent before.
        """
        recorder = self.recorder
        token = current.set(INSIDE)
        try:
            step = recorder.begin(call, branch, index, Kind.CALL)
        finally:
            current.reset(token)
        self.output.flush()
        recorder.journal.flush()
        entry = (
            f"[{_json_string(step.branch)},{step.index},{step.name_json},{_json_string(step.file)},{step.line},"
            f"{_json_string(step.arguments)},{step.started_at!r}]"
        )
        return self._link.call(operation, arguments, entry)

    def replay(self, row: Row, call: Call) -> Any:
        """What the service answered when the entry was recorded. Raises the refusal."""
        self.recorder.check(row, call, _CALLS)
        self.recorder.journal.consume(row)
        return self.answer_of(row)

    def answer_of(self, row: Row) -> Any:
        """The recorded answer. Raises the refusal."""
        value = self.recorder.reply_of(row)
        if row[OK]:
            return value
        raise CallRefusedError(str(value.get("code", "")), str(value.get("message", "")))


def unwrap(reply: Reply) -> Any:
    """The result of an operation. Raises the refusal."""
    if reply.ok:
        return values.decode_answer(reply.value) if reply.value else None
    raise CallRefusedError(reply.code, reply.message)


class PendingTake:
    """An operation that takes what has come for the session: asked for until something has, or its time is over.

    With a position it is recorded: that it waits and how long, as an entry of its own when it first has to, and the result.
    """

    __slots__ = (
        "_arguments",
        "_call",
        "_calls",
        "_index",
        "_is_noted",
        "_pause_s",
        "_seen",
        "_text",
        "branch",
        "operation",
        "topics",
        "wake_at",
    )

    def __init__(
        self, calls: ServiceOperations, operation: str, arguments: Mapping[str, object]
    ) -> None:
        self._calls = calls
        self._arguments = arguments
        self._call: Call | None = None
        self._index = 0
        self._is_noted = False
        self._pause_s = 0.0
        self._seen = -1
        self._text = ""
        self.branch: Branch | None = None
        self.operation = operation
        self.topics = topics_of(operation, arguments)
        self.wake_at: float | None = None  # when to ask again though nothing came

    def has_news(self) -> bool:
        """Whether it was not asked yet, or something has come for it since."""
        return self._calls.recorder.journal.news.has_come(self._seen, self.topics)

    def begin(self, timeout_s: float | None) -> None:
        """From now on the time runs."""
        if self.wake_at is None and timeout_s is not None:
            self.wake_at = min(self._calls.clock.now() + timeout_s, FAR_FUTURE)
        self._text = encode_arguments(
            self.operation, {**self._arguments, "deadline_at": self.wake_at}
        )

    def take_position(self, branch: Branch, call: Call) -> Row | None:
        """Record it here. The entry of its result, if there is one; the deadline of an earlier attempt is kept."""
        recorder = self._calls.recorder
        journal = recorder.journal
        self.branch, self._call = branch, call
        self._index = recorder.take_position(branch)
        row = journal.find_if_replaying(branch.path, self._index)
        if row is not None and row[KIND] == Kind.WAIT:
            recorder.check(row, call, _WAITS)
            journal.consume(row)
            self._is_noted = True
            if row[WAKE_AT] is not None:
                self.wake_at = float(row[WAKE_AT])
            self._index = recorder.take_position(branch)
            row = journal.find_if_replaying(branch.path, self._index)
        if row is not None:
            recorder.check(row, call, _CALLS)
        return row

    def ask(self) -> Reply | None:
        """The service's answer; None if there is nothing to take yet."""
        self._seen = self._calls.recorder.journal.news.count
        if self.branch is None or self._call is None:
            reply = self._calls.make(self.operation, self._text)
        else:
            reply = self._calls.make_recorded(
                self.operation, self._text, self._call, self.branch, self._index
            )
        if not reply.is_waiting:
            return reply
        self._note_wait(self.wake_at)
        return None

    def _note_wait(self, deadline: float | None) -> None:
        """Record that it waits: so what was printed before is not printed again when the session wakes."""
        now = self._calls.clock.now()
        if deadline is not None and now >= deadline:
            self._pause_s = min(max(_FIRST_PAUSE_S, 2 * self._pause_s), _LONGEST_PAUSE_S)
            self.wake_at = now + self._pause_s
        if self._is_noted or self.branch is None or self._call is None:
            return
        self._is_noted = True
        recorder = self._calls.recorder
        token = current.set(INSIDE)
        try:
            step = recorder.begin(self._call, self.branch, self._index, Kind.WAIT)
        finally:
            current.reset(token)
        step.ended_at = step.started_at
        step.wake_at = deadline
        recorder.journal.add(step)
        recorder.journal.flush()
        self._index = recorder.take_position(self.branch)


class Undelivered:
    """What was taken for a task that was cancelled before it got it: the next one that asks for it gets it."""

    __slots__ = ("_kept",)

    def __init__(self) -> None:
        self._kept: dict[str, deque[Any]] = {}

    def keep(self, operation: str, taken: object) -> None:
        """Nobody got this."""
        topic = topic_of_taken(operation, taken)
        if topic is not None:
            self._kept.setdefault(topic, deque()).append(taken)

    def take(self, topics: tuple[str, ...]) -> Any:
        """The first thing kept for the first of these topics that has one; None if there is none."""
        for topic in topics:
            kept = self._kept.get(topic)
            if kept:
                return kept.popleft()
        return None

    def forget(self, topic: str) -> None:
        """Drop what is kept for it."""
        self._kept.pop(topic, None)
