"""Frames of an attempt as values, and values as frames. What a session process sends is never trusted."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

from hookline.values import encode, from_tree, to_tree
from hookline_runner import fast_json
from hookline_runner.frames import MAX_FRAME_BYTES, Frame
from hookline_service.engine.contexts import LaunchSpec
from hookline_service.engine.ending import Done, Exit, Suspension
from hookline_service.engine.masking import NO_MASK, Mask
from hookline_service.engine.vault import NO_GUARD, ValueGuard, is_sealed
from hookline_service.model.events import Event
from hookline_service.model.ids import SessionId
from hookline_service.model.sessions import (
    EntryKind,
    JournalEntry,
    LogKind,
    LogRecord,
    Session,
    SessionError,
)
from hookline_triggers.webhook import event_data, with_files_as

_MAX_NUMBER = 2**53
_MAX_TEXT = 70_000
_MAX_ERROR_TEXT = 200_000
_MAX_TOPIC = 1_100
_MAX_ANSWER_BYTES = 8 * 1024 * 1024
_MAX_STATUS = 2**31
_MAX_ROWS = 10_000  # a process or its host sends far fewer at once; reading more would hold up everybody else


class WireError(Exception):
    """A frame that does not say what the protocol allows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StartLimits:
    """Settings that go into every START."""

    hot_window_s: float
    log_limit_lines: int
    log_limit_bytes: int
    memory_limit_bytes: int


@dataclass(frozen=True, slots=True)
class Position:
    """Where the next records of a session go: its id, the attempt, and the last `seq` used; and what to cover."""

    session_id: SessionId
    attempt: int
    seq: int
    mask: Mask = NO_MASK
    guard: ValueGuard = NO_GUARD


def time_of(seconds: Any) -> datetime:  # Any: a JSON value not yet looked at
    """A time of the wire; raises `WireError`."""
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (TypeError, ValueError, OverflowError, OSError) as exc:
        raise WireError(f"not a time: {_brief(seconds)}") from exc


def number_of(value: Any) -> int:  # Any: a JSON value not yet looked at
    """A whole number that is not negative; raises `WireError`."""
    if not isinstance(value, int) or not 0 <= value <= _MAX_NUMBER:
        raise WireError(f"not a number of this size: {_brief(value)}")
    return int(value)


def _brief(value: Any) -> str:  # Any: as above
    """What was found, for a message: what is within containers may be too deep to be shown."""
    is_plain = value is None or isinstance(value, str | int | float)
    return f"{value!r:.100}" if is_plain else f"a {type(value).__name__}"


def text_of(value: Any, limit: int = _MAX_TEXT) -> str:  # Any: a JSON value not yet looked at
    """A text, cut at `limit`; raises `WireError`."""
    if not isinstance(value, str):
        raise WireError(f"not a text: {type(value).__name__}")
    return value[:limit]


def names_of(value: Any, most: int) -> list[str]:  # Any: as above
    """A list of texts; raises `WireError`."""
    if not isinstance(value, list) or len(cast("list[object]", value)) > most:
        raise WireError(f"not a list of up to {most} names")
    return [text_of(each) for each in cast("list[object]", value)]


def shown_of(value: Any, mask: Mask, limit: int = _MAX_TEXT) -> str:  # Any: as above
    """A text for people, cut at `limit`, without secrets; raises `WireError`."""
    text = text_of(value, 2 * limit)
    return mask.cover(text, is_cut=len(text) == 2 * limit)[:limit]


def _rows_of(value: Any) -> list[Any]:  # Any: as above
    if not isinstance(value, list):
        raise WireError(f"not a list: {type(value).__name__}")
    if len(value) > _MAX_ROWS:  # pyright: ignore[reportUnknownArgumentType] - a JSON list
        raise WireError(f"{len(value)} rows at once are more than {_MAX_ROWS}")  # pyright: ignore[reportUnknownArgumentType] - as above
    return value  # pyright: ignore[reportUnknownVariableType] - as above


def read_header(frame: Frame) -> dict[str, Any]:  # Any: the caller checks each field it takes
    """The header as a JSON object; raises `WireError`."""
    try:
        header = fast_json.read_header(frame.header)
    except (ValueError, RecursionError) as exc:
        raise WireError("the header is not JSON") from exc
    if not isinstance(header, dict):
        raise WireError("the header is not an object")
    return header  # pyright: ignore[reportUnknownVariableType] - checked just above


def read_entries(frame: Frame, position: Position) -> tuple[int, list[JournalEntry]]:
    """The running number of an APPEND and its entries; raises `WireError`."""
    header = read_header(frame)
    payload = frame.payload
    offset = 0
    seq = position.seq
    entries: list[JournalEntry] = []
    mask = position.mask
    try:
        for row in _rows_of(header["entries"]):
            (branch, index, kind, name, file, line, ok, volatile, encoding, size) = row[:10]
            (arguments, display, started_at, ended_at, wake_at) = row[10:]
            size = number_of(size)
            if size > len(payload) - offset:
                raise WireError("value sizes do not add up")
            seq += 1
            if is_sealed(encoding := text_of(encoding, 20)):
                raise WireError("a value that is sealed already")
            if kind == EntryKind.CALL:
                raise WireError("an entry that only the service writes")
            value = payload[offset : offset + size]
            encoding, value = position.guard.stored(position.session_id, encoding, value)
            entries.append(
                JournalEntry(
                    session_id=position.session_id,
                    branch=text_of(branch),
                    index=number_of(index),
                    seq=seq,
                    attempt=position.attempt,
                    kind=EntryKind(kind),
                    name=text_of(name),
                    file=text_of(file),
                    line=0 if line is None else number_of(line),
                    ok=bool(ok),
                    is_volatile=bool(volatile),
                    encoding=encoding,
                    value=value,
                    arguments=shown_of(arguments, mask).encode("utf-8", "backslashreplace"),
                    display=shown_of(display, mask).encode("utf-8", "backslashreplace"),
                    started_at=time_of(started_at),
                    ended_at=time_of(ended_at),
                    wake_at=None if wake_at is None else time_of(wake_at),
                )
            )
            offset += size
        return number_of(header["n"]), entries
    except (KeyError, TypeError, ValueError, RecursionError) as exc:
        raise WireError("a malformed APPEND") from exc


def read_log(frame: Frame, position: Position) -> list[LogRecord]:
    """The records of a LOG; raises `WireError`."""
    seq = position.seq
    records: list[LogRecord] = []
    try:
        for at, kind, level, text in _rows_of(read_header(frame)["r"]):
            seq += 1
            records.append(
                LogRecord(
                    session_id=position.session_id,
                    seq=seq,
                    attempt=position.attempt,
                    at=time_of(at),
                    kind=LogKind(kind),
                    text=shown_of(text, position.mask),
                    level=shown_of(level, position.mask, 40),
                )
            )
    except (KeyError, TypeError, ValueError, RecursionError) as exc:
        raise WireError("a malformed LOG") from exc
    return records


def read_done(frame: Frame, mask: Mask = NO_MASK) -> Done:
    """The outcome in a DONE; raises `WireError`."""
    header = read_header(frame)
    error = header.get("error")
    display = header.get("display")
    try:
        return Done(
            ok=bool(header.get("ok")),
            stopped=bool(header.get("stopped")),
            result=None if display is None else shown_of(display, mask).encode("utf-8", "replace"),
            answer=_answer_of(header),
            error=None
            if not error
            else SessionError(
                type=shown_of(error["type"], mask, 1000),
                message=shown_of(error["message"], mask, _MAX_ERROR_TEXT),
                traceback=shown_of(error.get("traceback") or "", mask, _MAX_ERROR_TEXT),
            ),
        )
    except (KeyError, TypeError, AttributeError) as exc:
        raise WireError("a malformed DONE") from exc


def _answer_of(header: dict[str, Any]) -> bytes | None:  # Any: as above
    """The returned value, when it was asked for: that for a caller as it came, since it is read when it is sent."""
    reply, tree = header.get("reply"), header.get("answer")
    try:
        if reply is not None:
            answer = text_of(reply, _MAX_ANSWER_BYTES + 1).encode()
        else:
            answer = None if tree is None else encode(from_tree(tree))
    except ValueError as exc:
        raise WireError(f"a malformed value: {exc!s:.200}") from exc
    if answer is not None and len(answer) > _MAX_ANSWER_BYTES:
        raise WireError(f"an answer of more than {_MAX_ANSWER_BYTES} bytes")
    return answer


def read_suspend(frame: Frame) -> Suspension:
    """What a SUSPEND waits for; raises `WireError`."""
    header = read_header(frame)
    wake_at = header.get("wake_at")
    topics = tuple(_topic_of(each) for each in _rows_of(header.get("topics") or []))
    if wake_at is None and not topics:
        raise WireError("a SUSPEND that waits for nothing")
    return Suspension(wake_at=None if wake_at is None else time_of(wake_at), topics=topics)


def _topic_of(value: Any) -> str:  # Any: a JSON value not yet looked at
    topic = text_of(value)
    if not topic.startswith(("sub:", "sig:")) or len(topic) > _MAX_TOPIC:
        raise WireError(f"not a topic: {topic[:100]!r}")
    return topic


def read_exit(frame: Frame, mask: Mask = NO_MASK) -> Exit:
    """How the process went, from an EXITED of the runner host; raises `WireError`."""
    header = read_header(frame)
    return Exit(
        reason=text_of(header.get("reason") or "exited", 40),
        status=_status_of(header.get("status")),
        signal=_status_of(header.get("signal")),
        detail=shown_of(header.get("detail") or "", mask),
    )


def _status_of(value: Any) -> int | None:  # Any: a JSON value not yet looked at
    return value if isinstance(value, int) and abs(value) <= _MAX_STATUS else None


def start_header(
    session: Session,
    event: Event | None,
    context: LaunchSpec,
    *,
    limits: StartLimits,
    journal_count: int,
    now: float | None = None,
) -> tuple[bytes, bytes]:
    """The encoded header of a START and its payload, the raw body of a webhook.

    `now` is for sessions whose machine has another time: on its way it grows old.
    """
    data, event_id, event_type, body = event_fields(session, event)
    header = {
        "session": session.id,
        "attempt": session.attempt,
        "project": context.project_name,
        "build": session.build_id,
        "entry_point": session.entry_point,
        "durable": session.is_durable,
        "process": context.process,
        "event": {"id": event_id, "type": event_type, "data": data},
        "has_body": body is not None,
        "variables": dict(context.variables),
        "hot_window_s": limits.hot_window_s,
        "journal_count": journal_count,
        "log_limit_lines": limits.log_limit_lines,
        "log_limit_bytes": limits.log_limit_bytes,
        "memory_limit_bytes": limits.memory_limit_bytes,
        "answers": "parent" if session.parent_id else "caller" if context.is_sync else None,
        "now": now,
    }
    encoded, payload = fast_json.write(header), body or b""
    if len(encoded) + len(payload) > MAX_FRAME_BYTES:
        raise WireError(f"{len(encoded) + len(payload)} bytes are more than {MAX_FRAME_BYTES}")
    return encoded, payload


def event_fields(
    session: Session, event: Event | None
) -> tuple[object, str | None, str | None, bytes | None]:
    """What the function is given: data, id and type of the event, and the raw body of a webhook's request."""
    if event is None:
        return fast_json.read(session.input or b"{}"), None, None, None
    data: object = fast_json.read(event.data)
    if event.body is None or not isinstance(data, dict):
        return data, event.id, event.type, None
    full = event_data(data, event.body)  # pyright: ignore[reportUnknownArgumentType] - JSON object
    full["body"]["bytes"] = None
    return with_files_as(full, to_tree), event.id, event.type, event.body
