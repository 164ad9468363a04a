"""Attempts on this host: from the service's START to the one EXITED that ends each."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from hookline_runner import fast_json
from hookline_runner.budget import LINE_COST_BYTES, cost_of
from hookline_runner.errors import StartUnreadableError
from hookline_runner.flow import Flow
from hookline_runner.frames import LINK_CHANNEL, FrameType
from hookline_runner.large_frames import LargeFrames
from hookline_runner.output_limit import OutputLimit
from hookline_runner.relay import RawFrame
from hookline_runner.session_process import ProcessSource, SessionProcess
from hookline_runner.stacks import ANSWER_WAIT_S, MOST_BYTES, parse_dump, taken_header
from hookline_runner.zygote_messages import SETUP_FAILED_STATUS

_RETIRE_S = 2.0
_READS_BEFORE_A_KILL = 16  # more than a socket holds
_CLOSED_SOCKET_S = 1.0
_RECORDS_PER_FRAME = 1000  # the service reads a frame in one go
_MIB = 1024 * 1024
# The most that an honest process sends as a header, several times over: the service reads it in one go.
_HEADER_LIMITS: Mapping[int, int] = {
    FrameType.STARTED: 1024,
    FrameType.LOG: 2 * _MIB,
    FrameType.APPEND: 16 * _MIB,
    FrameType.CALL: 16 * _MIB,
    FrameType.SUSPEND: 16 * _MIB,
    FrameType.DONE: 16 * _MIB,
    FrameType.STACK_TAKEN: 16 * _MIB,
}
_WITH_PAYLOAD: frozenset[int] = frozenset({FrameType.APPEND, FrameType.DONE})
_LAST_WORDS = frozenset({FrameType.DONE, FrameType.SUSPEND})
_LOG_COST = 4  # each record becomes a row
_LARGEST_LIMIT = 2**53
_MOST_UNREAD_BYTES = 64 * _MIB  # of what it was sent since it started


class LinkSender(Protocol):
    """The link to the service, as attempts use it."""

    @property
    def large(self) -> LargeFrames:
        """The room for large frames that are to pass it."""
        ...

    def send_bytes(self, data: bytes, project: str = "") -> None:
        """Send a frame that is encoded already, when it is the turn of the project."""
        ...

    def send(
        self, frame_type: FrameType, channel: int, header: object, *, project: str = ""
    ) -> None:
        """Encode and send a frame without a payload."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class StartRequest:
    """What the host reads of a START; 0 stands for no limit."""

    build_id: str
    project: str
    reuse: bool
    memory_limit_bytes: int
    log_limit_lines: int
    log_limit_bytes: int


def read_start(header: bytes) -> StartRequest:
    """The host's part of a START header; raises `StartUnreadableError`."""
    try:
        fields: dict[str, Any] = fast_json.read_header(header)  # Any: JSON of the service
        if not fields.get("build"):
            raise StartUnreadableError("no build is named")
        return StartRequest(
            build_id=text_in(fields, "build"),
            project=text_in(fields, "project"),
            reuse=fields.get("process") == "reuse",
            memory_limit_bytes=_limit_in(fields, "memory_limit_bytes"),
            log_limit_lines=_limit_in(fields, "log_limit_lines"),
            log_limit_bytes=_limit_in(fields, "log_limit_bytes"),
        )
    except (ValueError, AttributeError, RecursionError) as exc:
        raise StartUnreadableError(f"{type(exc).__name__}: {exc!s:.200}") from exc


def text_in(fields: dict[str, Any], name: str) -> str:  # Any: as above
    """A text among the fields of a frame, "" if it is not there; raises `StartUnreadableError`."""
    value = fields.get(name) or ""
    if not isinstance(value, str):
        raise StartUnreadableError(f"{name} is not text")
    return value


def _limit_in(fields: dict[str, Any], name: str) -> int:  # Any: as above
    value = fields.get(name) or 0
    if not isinstance(value, int) or not 0 <= value <= _LARGEST_LIMIT:
        raise StartUnreadableError(f"{name} is no limit")
    return value


def _read_stop(header: bytes) -> tuple[bool, float]:
    """Whether a STOP is by force, and the grace in seconds; an order that cannot be read leaves none."""
    try:
        order: dict[str, Any] = fast_json.read_header(header)  # Any: as above
        return bool(order.get("force")), max(0.0, float(order.get("grace_s") or 0.0))
    except (ValueError, TypeError, AttributeError, ArithmeticError, RecursionError):
        return False, 0.0


def exit_header(
    reason: str, *, status: int | None = None, signal_number: int | None = None, detail: str = ""
) -> dict[str, object]:
    """What an EXITED says; see docs/protocol.md."""
    return {"status": status, "signal": signal_number, "reason": reason, "detail": detail}


class Attempt:
    """One attempt on one channel. It sends EXITED exactly once, whatever happens to its process."""

    def __init__(
        self,
        start: RawFrame,
        request: StartRequest,
        *,
        link: LinkSender,
        now: Callable[[], float],
        on_ended: Callable[[Attempt], None],
    ) -> None:
        self.channel = start.channel
        self.request = request
        self.is_ended = False
        self.flow = Flow(request.project, link.large, self._frame_is_late)
        self._link = link
        self._now = now
        self._on_ended = on_ended
        self._unsent = [start.on_channel(LINK_CHANNEL)]  # until there is a process
        self._source: ProcessSource | None = None
        self._process: SessionProcess | None = None
        self._has_spoken = False
        self._has_started = False
        self._kill_reason = ""
        self._kill_detail = ""
        self._is_stopping = False
        self._timer: asyncio.TimerHandle | None = None
        self._limit = OutputLimit(request.log_limit_lines, request.log_limit_bytes)
        self._last_error_line = ""
        self._stack_timer: asyncio.TimerHandle | None = (
            None  # set while the process is asked where it hangs
        )

    @property
    def has_process(self) -> bool:
        """Whether it got a process."""
        return self._process is not None

    @property
    def unread_bytes(self) -> int:
        """How much the host keeps for it until it reads it."""
        if self._process is None:
            return sum(len(data) for data in self._unsent)
        return self._process.unread_bytes

    # From the service.

    def pass_on(self, frame: RawFrame) -> None:
        """Hand a frame of the service to the process."""
        data = frame.on_channel(LINK_CHANNEL)
        if self._process is None:
            self._unsent.append(data)
            return
        self._process.send(data)
        if frame.type == FrameType.REPLY:
            self.flow.note_reply()
        if self._has_started and self._process.unread_bytes > _MOST_UNREAD_BYTES:
            self.reads_too_little(_MOST_UNREAD_BYTES)

    def stop(self, frame: RawFrame) -> None:
        """Obey a STOP: politely first, then by force; at once when nothing runs yet."""
        is_forced, grace_s = _read_stop(frame.header)
        self._is_stopping = True
        if self._process is None or self._source is None:
            self._end("killed", detail="stopped before it began")
        elif is_forced:
            self._kill("killed", "stopped by force")
        else:
            self.pass_on(frame)
            self._source.terminate(self._process)
            self._set_timer(grace_s, self._grace_is_over)

    def take_stack(self) -> None:
        """Obey a STACK: ask the process, and when it does not answer, Python. One answer for all who ask meanwhile."""
        process, source = self._process, self._source
        if process is None or source is None or self._stack_timer is not None:
            return
        source.ask_stack(process)
        loop = asyncio.get_running_loop()
        self._stack_timer = loop.call_later(ANSWER_WAIT_S, source.dump_stack, process)

    def stack_dumped(self, text: str) -> None:
        """See `Applicant.stack_dumped`."""
        if self._stack_timer is not None and not self.is_ended:
            self._clear_stack_timer()
            header = taken_header(parse_dump(text), is_dump=True)
            project = self.request.project
            self._link.send(FrameType.STACK_TAKEN, self.channel, header, project=project)

    # From the zygote.

    def process_found(self, source: ProcessSource, process: SessionProcess) -> None:
        """See `Applicant.process_found`."""
        self._source = source
        self._process = process
        self.flow.attach(process)
        unsent, self._unsent = self._unsent, []
        for data in unsent:
            process.send(data)

    def process_ended(self, status: int | None, signal_number: int | None) -> None:
        """See `Applicant.process_ended`."""
        if status == SETUP_FAILED_STATUS and not self._has_spoken:
            self._end("start_failed", status=status, detail=self._last_error_line)
        elif self._kill_reason and status is None:
            self._end(self._kill_reason, signal_number=signal_number, detail=self._kill_detail)
        else:  # perhaps just before it would have been killed
            self._end("exited", status=status, signal_number=signal_number)

    def doomed(self, detail: str) -> None:
        """See `Applicant.doomed`."""
        self._kill_reason, self._kill_detail = "killed", detail

    def limit_exceeded(self, reason: str, detail: str) -> None:
        """See `Applicant.limit_exceeded`."""
        self._kill(reason, detail)

    def start_failed(self, detail: str) -> None:
        """See `Applicant.start_failed`."""
        self._end("start_failed", detail=detail)

    # From the process.

    def frame_sent(self, frame: RawFrame) -> None:
        """See `ProcessListener.frame_sent`."""
        if self.is_ended:
            return
        self._has_spoken = True
        problem = self._problem_of(frame)
        if problem:
            self.protocol_broken(problem)
        elif frame.type in _LAST_WORDS:
            self._finish(frame)
        elif frame.type == FrameType.STACK_TAKEN:
            is_fine = frame.header_size <= MOST_BYTES
            if is_fine and self._stack_timer is not None:  # or nobody asked, or it comes late
                self._clear_stack_timer()
                self._link.send_bytes(frame.on_channel(self.channel), self.request.project)
            self._account(frame)
        else:
            self._link.send_bytes(frame.on_channel(self.channel), self.request.project)
            self._account(frame)

    def _problem_of(self, frame: RawFrame) -> str:
        """What is wrong with a frame; "" when it may pass."""
        kind, header_bytes = frame.type, frame.header_size
        limit = _HEADER_LIMITS.get(kind)
        if limit is None:
            return f"a frame of type {kind}"
        if header_bytes > limit:
            name = FrameType(kind).name
            return f"a header of {header_bytes} bytes in a {name}, which has up to {limit}"
        if len(frame.body) > header_bytes and kind not in _WITH_PAYLOAD:
            return f"a {FrameType(kind).name} with a payload"
        if self._has_started and kind == FrameType.STARTED:
            return "a second STARTED"
        return ""

    def _account(self, frame: RawFrame) -> None:
        cost = cost_of(frame.header_size, len(frame.body) - frame.header_size)
        if frame.type == FrameType.CALL:
            self.flow.note_call()
        elif frame.type == FrameType.STARTED:
            self._has_started = True
        self.flow.spend(cost * _LOG_COST if frame.type == FrameType.LOG else cost)

    def frame_announced(self, size_bytes: int) -> None:
        """See `ProcessListener.frame_announced`."""
        self.flow.announce(size_bytes)

    def frame_whole(self) -> None:
        """See `ProcessListener.frame_whole`."""
        self.flow.note_whole()

    def _frame_is_late(self, size_bytes: int, wait_s: float) -> None:
        """A large frame takes room from others: it has to come in time."""
        if self._process is not None:
            self._process.drain_socket(size_bytes // _MIB + _READS_BEFORE_A_KILL)
        if self.flow.awaits_frame:
            self.protocol_broken(f"a frame of {size_bytes} bytes was not whole within {wait_s:g} s")

    def reads_too_little(self, limit_bytes: int) -> None:
        """What the host keeps for it is more than there is room for."""
        self.protocol_broken(
            f"it does not read what it is sent: {self.unread_bytes} bytes wait for it, "
            f"and together up to {limit_bytes} may"
        )

    def lines_written(self, kind: str, lines: list[str]) -> None:
        """See `ProcessListener.lines_written`."""
        if self.is_ended:
            return
        if kind == "stderr":
            self._last_error_line = lines[-1]
        records = self._limit.records(self._now(), kind, lines)
        for start in range(0, len(records), _RECORDS_PER_FRAME):
            part = records[start : start + _RECORDS_PER_FRAME]
            self._link.send(FrameType.LOG, self.channel, {"r": part}, project=self.request.project)
        self.flow.spend(len(lines) * LINE_COST_BYTES + sum(map(len, lines)))

    def protocol_broken(self, problem: str) -> None:
        """See `ProcessListener.protocol_broken`."""
        self._kill("killed", f"the session process broke the protocol: {problem}")

    def give_up(self, problem: str) -> None:
        """The host cannot go on with it."""
        if self._process is None:
            self._end("start_failed", detail=problem)
        else:
            self._kill("killed", problem)

    def socket_closed(self) -> None:
        """See `ProcessListener.socket_closed`."""
        if not self.is_ended and self._timer is None:
            self._set_timer(
                _CLOSED_SOCKET_S,
                lambda: self._kill("killed", "the session process closed its socket"),
            )

    def _finish(self, frame: RawFrame) -> None:
        """The last frame: what was written before it goes first, and the process goes its way."""
        process, source = self._process, self._source
        if process is None or source is None:
            return
        process.drain_output()
        self._link.send_bytes(frame.on_channel(self.channel), self.request.project)
        may_stay = self.request.reuse and not self._is_stopping and _is_clean(frame)
        self._end("exited")
        if may_stay:
            source.release(process)
        else:
            source.retire(process, _RETIRE_S)

    def _grace_is_over(self) -> None:
        """Kill it, unless it has ended by now and only nobody has read so: the host may have been stopped itself."""
        if self._process is not None:
            self._process.drain_socket(_READS_BEFORE_A_KILL)
        self._kill("killed", "did not stop in time")

    def _kill(self, reason: str, detail: str) -> None:
        if self.is_ended or self._process is None or self._source is None:
            return
        self._kill_reason, self._kill_detail = reason, detail
        self._clear_timer()
        self._source.kill(self._process)

    def _end(
        self,
        reason: str,
        *,
        status: int | None = None,
        signal_number: int | None = None,
        detail: str = "",
    ) -> None:
        if self.is_ended:
            return
        self.is_ended = True
        self._clear_timer()
        self._clear_stack_timer()
        header = exit_header(reason, status=status, signal_number=signal_number, detail=detail)
        self._link.send(FrameType.EXITED, self.channel, header, project=self.request.project)
        self.flow.close()
        self._on_ended(self)

    def _set_timer(self, delay_s: float, action: Callable[[], None]) -> None:
        self._clear_timer()
        self._timer = asyncio.get_running_loop().call_later(delay_s, action)

    def _clear_stack_timer(self) -> None:
        if self._stack_timer is not None:
            self._stack_timer.cancel()
            self._stack_timer = None

    def _clear_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _is_clean(frame: RawFrame) -> bool:
    """Whether a DONE says that the process is as good as new."""
    if frame.type != FrameType.DONE:
        return False
    try:
        header = fast_json.read_header(frame.header)
    except (ValueError, RecursionError):
        return False
    return isinstance(header, dict) and "dirty" in header and header["dirty"] is None
