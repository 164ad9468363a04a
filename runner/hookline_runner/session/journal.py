"""The journal as a session process sees it: what was recorded before, and what is recorded now."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, TypeAlias

from hookline import values
from hookline_runner.codec import NOTHING, Encoded, decode_exception, decode_value
from hookline_runner.frames import FrameType
from hookline_runner.session.link import Link
from hookline_runner.session.news import News

APPEND_LIMIT: Final = 1_000
APPEND_LIMIT_BYTES: Final = 1 << 20
RESULT_LIMIT_BYTES: Final = 16 * 1024 * 1024
# Of an encoding: the call gave an awaitable or a future, and this is what that gave.
AWAITABLE_SUFFIX: Final = "+await"
FUTURE_SUFFIX: Final = "+future"

_json_string = json.encoder.encode_basestring_ascii
_decode_header = json.JSONDecoder().decode

Row: TypeAlias = list[
    Any
]  # an entry as it came in a JOURNAL frame, then payload, offset and the consumed mark

BRANCH: Final = 0
INDEX: Final = 1
KIND: Final = 3
NAME: Final = 4
FILE: Final = 5
LINE: Final = 6
OK: Final = 7
VOLATILE: Final = 8
ENCODING: Final = 9
SIZE: Final = 10
WAKE_AT: Final = 11
_PAYLOAD: Final = 12
_OFFSET: Final = 13
_CONSUMED: Final = 14


class Kind(StrEnum):
    """What an entry records."""

    ACTIVITY = "activity"
    RIDING = "riding"
    SLEEP = "sleep"
    CANCELLED = "cancelled"
    CALL = "call"  # an operation of the service, which wrote the entry itself
    WAIT = "wait"  # how long the operation, or the next try of an activity, waits


@dataclass(slots=True)
class Step:
    """An entry to be recorded; texts that go into JSON are JSON already."""

    branch: str
    index: int
    kind: Kind
    name_json: str
    file: str
    line: int
    started_at: float
    arguments: str = '{"args":[],"kwargs":{}}'
    display: str = "null"
    ok: bool = True
    is_volatile: bool = False
    encoding: str = NOTHING.encoding
    value: bytes = b""
    ended_at: float = 0.0
    wake_at: float | None = None

    def carry(self, encoded: Encoded | None, suffix: str = "") -> None:
        """Take the encoded value, or none: then the entry is volatile."""
        if encoded is None:
            self.is_volatile = True
            encoded = NOTHING
        self.encoding = encoded.encoding + suffix
        self.value = encoded.data


class Journal:
    """Recorded entries in their order, then new ones.

    `is_replaying` is true until every recorded entry was consumed. `is_ahead` is set when the main thread does something new:
    what follows was never done before, though entries of other tasks may be left. Entries are looked up by position;
    the usual case, the next one in order, costs no index.
    """

    __slots__ = (
        "_bytes",
        "_entries",
        "_headers",
        "_index",
        "_link",
        "_next",
        "_values",
        "appended",
        "before_sending",
        "is_ahead",
        "is_replaying",
    )

    def __init__(self, link: Link) -> None:
        self._link = link
        self.before_sending: Callable[[], None] = _nothing  # what must be out before an entry is
        self._entries: list[Row] = []
        self._index: dict[tuple[str, int], Row] | None = None
        self._next = 0
        self._headers: list[str] = []
        self._values: list[bytes] = []
        self._bytes = 0
        self.appended = 0
        self.is_replaying = False
        self.is_ahead = False

    def load_page(self, header: bytes, payload: bytes) -> bool:
        """Take in a page of recorded entries; true for the last one."""
        page: dict[str, Any] = _decode_header(header.decode())
        offset = 0
        rows: list[Row] = page["entries"]
        for row in rows:
            row.extend((payload, offset, False))
            offset += row[SIZE]
        self._entries.extend(rows)
        self.is_replaying = bool(self._entries)
        return bool(page["last"])

    @property
    def is_repeating(self) -> bool:
        """Whether what the code does now was done before."""
        return self.is_replaying and not self.is_ahead

    # What was recorded

    def find(self, branch: str, index: int) -> Row | None:
        """The entry recorded at this position, if there is one that was not consumed."""
        row = self._entries[self._next]
        if row[INDEX] == index and row[BRANCH] == branch:
            return row
        if self._index is None:
            self._index = {(row[BRANCH], row[INDEX]): row for row in self._entries[self._next :]}
        row = self._index.get((branch, index))
        return None if row is None or row[_CONSUMED] else row

    def find_if_replaying(self, branch: str, index: int) -> Row | None:
        """See `find`; None as well once every entry was consumed."""
        return self.find(branch, index) if self.is_replaying else None

    def next_row(self) -> Row:
        """The first entry that was not consumed; only while replaying."""
        return self._entries[self._next]

    def number_of(self, row: Row) -> int:
        """Which entry of the session it is, counted from 1 in the order of recording, as people see them."""
        return next(number for number, each in enumerate(self._entries, 1) if each is row)

    @property
    def next_number(self) -> int:
        """See `number_of`; of the first entry after those recorded earlier."""
        return len(self._entries) + 1

    def remaining(self) -> list[Row]:
        """Every entry that was not consumed."""
        return [row for row in self._entries[self._next :] if not row[_CONSUMED]]

    def consume(self, row: Row) -> None:
        """This entry has been answered with."""
        row[_CONSUMED] = True
        entries = self._entries
        position = self._next
        end = len(entries)
        while position < end and entries[position][_CONSUMED]:
            position += 1
        self._next = position
        if position == end:
            self.is_replaying = False

    def value_of(self, row: Row) -> Any:
        """The recorded result. Raises whatever loading it raises."""
        return decode_value(_encoding_of(row), _bytes_of(row))

    def reply_of(self, row: Row) -> Any:
        """The recorded result of an operation, or its refusal. Raises `ValueError` for what is none."""
        return values.decode_answer(_bytes_of(row))

    def exception_of(self, row: Row) -> BaseException:
        """The recorded exception. Raises whatever loading it raises."""
        return decode_exception(_encoding_of(row), _bytes_of(row))

    # What is recorded now

    def add(self, step: Step) -> None:
        """Put an entry into the next append, which is sent by `flush`, or when it has become large."""
        wake_at = "null" if step.wake_at is None else repr(step.wake_at)
        self._headers.append(
            f'[{_json_string(step.branch)},{step.index},"{step.kind}",{step.name_json},{_json_string(step.file)},'
            f"{step.line},{'true' if step.ok else 'false'},{'true' if step.is_volatile else 'false'},"
            f'"{step.encoding}",{len(step.value)},{_json_string(step.arguments)},{_json_string(step.display)},'
            f"{step.started_at!r},{step.ended_at!r},{wake_at}]"
        )
        self._values.append(step.value)
        self._bytes += len(step.value)
        if len(self._headers) > APPEND_LIMIT or self._bytes > APPEND_LIMIT_BYTES:
            self.flush()

    def flush(self) -> int:
        """Send what was added; the number that acknowledges it."""
        if self._headers:
            self.before_sending()
            self.appended += 1
            header = f'{{"n":{self.appended},"entries":[{",".join(self._headers)}]}}'
            payload = self._values[0] if len(self._values) == 1 else b"".join(self._values)
            self._headers.clear()
            self._values.clear()
            self._bytes = 0
            self._link.send(FrameType.APPEND, header, payload)
        return self.appended

    @property
    def pending_number(self) -> int:
        """The number that will acknowledge the entry added last."""
        return self.appended + bool(self._headers)

    def commit(self) -> None:
        """Send what was added and wait until all of it is on disk."""
        self._link.wait_acknowledged(self.flush())

    @property
    def news(self) -> News:
        """What has come for this session."""
        return self._link.news

    def is_acknowledged(self, number: int) -> bool:
        """Whether the append of that number is on disk."""
        return self._link.acknowledged >= number


def _nothing() -> None:
    """Nothing has to be out first."""


def awaitable_suffix(row: Row) -> str:
    """Whether the recorded call gave an awaitable or a future; "" if it gave the value itself."""
    _encoding, separator, suffix = row[ENCODING].partition("+")
    return separator + suffix


def _encoding_of(row: Row) -> str:
    return str(row[ENCODING].partition("+")[0])


def _bytes_of(row: Row) -> bytes:
    offset = row[_OFFSET]
    return row[_PAYLOAD][offset : offset + row[SIZE]]
