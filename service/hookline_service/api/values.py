"""How times and stored JSON texts are written in answers."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer

from hookline.json_text import MAX_DEPTH, is_deeper
from hookline_runner import fast_json

_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST = datetime(2200, 1, 1, tzinfo=UTC)
_DEEPEST = MAX_DEPTH + 50  # what events hold, and what stands around it; pydantic goes to 255


def format_time(at: datetime) -> str:
    """RFC 3339 in UTC with milliseconds: `2026-11-20T08:00:00.000Z`."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _in_utc(at: datetime) -> datetime:
    if at.tzinfo is None:
        raise ValueError("a time needs an offset, as in 2026-11-20T08:00:00Z")
    if not _EARLIEST.timestamp() <= at.timestamp() <= _LATEST.timestamp():
        raise ValueError("a time must be between the years 1970 and 2200")
    return at.astimezone(UTC)


def _only_text(value: object) -> object:
    if not isinstance(value, str):
        raise ValueError("a time is text, as in 2026-11-20T08:00:00Z")  # noqa: TRY004 (pydantic wants ValueError)
    return value


def _only_so_deep(value: object) -> object:
    if is_deeper(value):
        raise ValueError(f"more than {MAX_DEPTH} levels of nesting")
    return value


# A time in an answer.
Time = Annotated[datetime, PlainSerializer(format_time, return_type=str)]
# A time in a request.
GivenTime = Annotated[datetime, BeforeValidator(_only_text), AfterValidator(_in_utc)]
# Any JSON in a request, as deep as a webhook may send it.
GivenJson = Annotated[Any, AfterValidator(_only_so_deep)]
# The key of a project in a request: its name, or its id.
ProjectKey = Annotated[str, Field(min_length=1, max_length=200)]


def json_value(text: bytes | None) -> Any:
    """The value of a stored JSON text; text that is no JSON becomes a string, None stays None."""
    if text is None:
        return None
    try:
        value = fast_json.read(text)
    except ValueError:
        return text.decode("utf-8", errors="replace")
    return text.decode() if is_too_deep(value, text) else value


def is_too_deep(value: object, text: bytes) -> bool:
    """Whether the value of this JSON text can be read, but is nested too deeply to be written again."""
    return text.count(b"[") + text.count(b"{") > MAX_DEPTH and is_deeper(value, _DEEPEST)
