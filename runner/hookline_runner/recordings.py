"""Recordings: what a session was given, what was recorded of it, and how it ended, as a JSON file.

    {"entry_point", "event": {"id", "type", "data"}, "body" (base64), "variables": {name: value}, "journal": [entry…],
     "prints": [text…], "state", "result" (as shown), "error": {"type", "message"}, "session", "build"}

`entry_point` and `journal` must be there. An entry is `[branch, index, kind, name, file, line, ok, volatile, encoding,
value (base64), wake_at, arguments]`, see docs/protocol.md. `arguments` is JSON text of what the call got, as people are
shown it; in older files, and where it is not to be compared, it is missing or null.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Container, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, cast

from hookline import json_text
from hookline_runner.frames import FrameType, encode_frame

ENDED: Final = frozenset({"completed", "error"})
_PAGE: Final = 5_000
_ENTRY_FIELDS: Final = (11, 12)
_VALUE: Final = 9
_ARGUMENTS: Final = 11
_KEPT_ERROR: Final = ("type", "message")


class ReplayError(AssertionError):
    """The code does not do what was recorded, or what lies there is no recording."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """A recorded session; `state` is empty when it is not known how it ended, or it was cut off from outside.

    Attributes:
        journal: Entries as in the file, with their values as bytes.
        build: Decides in which order texts stand in a set; empty when that does not matter.
        mask: What stands in texts that people see, in the place of a secret; not in the file.
    """

    entry_point: str
    journal: list[list[Any]]
    event: dict[str, Any] = field(default_factory=dict[str, Any])
    body: bytes | None = None
    variables: dict[str, str] = field(default_factory=dict[str, str])
    prints: list[str] = field(default_factory=list[str])
    state: str = ""
    result: Any = None
    error: dict[str, Any] = field(default_factory=dict[str, Any])
    session: str = "ses_replay"
    build: str = ""
    mask: str = ""

    def arguments_of(self, number: int) -> str | None:
        """What the call of this entry (from 1) got, if it is to be compared."""
        row = self.journal[number - 1] if 0 < number <= len(self.journal) else []
        return row[_ARGUMENTS] if len(row) > _ARGUMENTS else None

    def with_arguments_of(self, numbers: Container[int]) -> Recording:
        """The same, with only the arguments of these entries to be compared."""
        journal = [
            [*row[:_ARGUMENTS], self.arguments_of(number) if number in numbers else None]
            for number, row in enumerate(self.journal, 1)
        ]
        return replace(self, journal=journal)

    def to_json(self) -> str:
        """The text of the file: an entry of the journal on each line."""
        rows = (
            [*row[:_VALUE], base64.b64encode(row[_VALUE]).decode(), *row[_VALUE + 1 :]]
            for row in self.journal
        )
        facts: dict[str, Any] = {
            "session": self.session,
            "build": self.build,
            "entry_point": self.entry_point,
            "event": self.event,
            "body": None if self.body is None else base64.b64encode(self.body).decode(),
            "variables": self.variables,
            "state": self.state,
            "result": self.result,
            "error": {name: self.error[name] for name in _KEPT_ERROR if name in self.error},
            "prints": self.prints,
        }
        lines = [f" {_text(name)}: {_text(value)}" for name, value in facts.items()]
        entries = ",\n".join(f"  {_text(row)}" for row in rows)
        lines.append(f' "journal": [\n{entries}\n ]' if entries else ' "journal": []')
        return "{\n" + ",\n".join(lines) + "\n}\n"

    def start_frames(self) -> Iterator[bytes]:
        """What a service sends to a session process that resumes this session."""
        header = {
            "session": self.session,
            "attempt": 1,
            "project": "",
            "build": self.build,
            "entry_point": self.entry_point,
            "durable": True,
            "event": self.event,
            "has_body": self.body is not None,
            "variables": self.variables,
            "hot_window_s": 0.0,
            "journal_count": len(self.journal),
        }
        yield _frame(FrameType.START, header, self.body or b"")
        for start in range(0, len(self.journal), _PAGE):
            page = self.journal[start : start + _PAGE]
            entries = [
                [*row[:2], start + at, *row[2:_VALUE], len(row[_VALUE]), row[_VALUE + 1]]
                for at, row in enumerate(page)
            ]
            last = start + _PAGE >= len(self.journal)
            values = b"".join(row[_VALUE] for row in page)
            yield _frame(FrameType.JOURNAL, {"entries": entries, "last": last}, values)


def read_recording(path: Path) -> Recording:
    """The recording in this file. Raises `ReplayError` when there is none."""
    try:
        facts: Any = json_text.read(path.read_bytes())
        rows = cast("list[list[Any]]", facts["journal"])
        if any(len(row) not in _ENTRY_FIELDS for row in rows):
            raise ReplayError(f"{path}: an entry of a journal has {_ENTRY_FIELDS[-1]} fields")
        body = facts.get("body")
        return Recording(
            entry_point=str(facts["entry_point"]),
            journal=[_decoded(row) for row in rows],
            event=facts.get("event") or {},
            body=None if body is None else base64.b64decode(body, validate=True),
            variables=dict(facts.get("variables") or {}),
            prints=list(facts.get("prints") or []),
            state=_state_of(facts),
            result=facts.get("result"),
            error=facts.get("error") or {},
            session=str(facts.get("session") or "ses_replay"),
            build=str(facts.get("build") or ""),
        )
    except OSError as exc:
        raise ReplayError(f"the recording cannot be read: {exc}") from exc
    except (ValueError, KeyError, TypeError, AttributeError, binascii.Error) as exc:
        raise ReplayError(f"{path} is not the recording of a session: {exc!r}") from exc


def _state_of(facts: dict[str, Any]) -> str:
    """Where the file does not say it, a result says that the session completed."""
    return str(facts.get("state", "completed" if "result" in facts else "") or "")


def _decoded(row: list[Any]) -> list[Any]:
    value = base64.b64decode(row[_VALUE], validate=True)
    return [*row[:_VALUE], value, *row[_VALUE + 1 :]]


def _text(value: object) -> str:
    return json_text.write(value, is_spaced=True)


def _frame(kind: FrameType, header: dict[str, Any], payload: bytes) -> bytes:
    return encode_frame(kind, 0, json_text.write_bytes(header), payload)
