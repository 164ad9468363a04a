"""What a function returned, for whoever waits for it: a parent session, or the caller of a synchronous webhook."""

from __future__ import annotations

from typing import Any, Final

from hookline import json_text, values

ANSWER_LIMIT_BYTES: Final = 8 * 1024 * 1024
"""How large a returned value may be as JSON text; the same as for an outcome."""

_FOR_CALLER: Final = "caller"
_REFUSAL: Final = values.encode(
    {"status_code": 500, "body": "what the session returned cannot be sent; its log says why\n"}
).decode()


class _RefusedError(Exception):
    """The value cannot be passed on; the text says why."""


def answer_field(wanted: Any, value: object, *, has_answered: bool) -> tuple[str, str]:
    """The field of a DONE that passes the value on, as JSON text without braces, and a warning for the session's log.

    `wanted` is what START says: `caller`, `parent`, or nothing. A caller gets a 500 in the place of what cannot be
    sent, unless the session `has_answered` by an outcome; a parent gets null.
    """
    if not wanted:
        return '"answer":null', ""
    is_for_caller = wanted == _FOR_CALLER
    text, warning = _REFUSAL if is_for_caller else "null", ""
    try:
        text = _text_of(value)
    except _RefusedError as exc:
        gets = "its caller gets a 500" if is_for_caller else "its parent gets None"
        if not (is_for_caller and has_answered):
            warning = f"the function's return value cannot be sent, and {gets}: {exc}"
    # A caller's is passed on as it is: nobody has to read it before it is sent.
    return (f'"reply":{json_text.write(text)}' if is_for_caller else f'"answer":{text}'), warning


def _text_of(value: object) -> str:
    try:
        text = values.encode(value)
    except Exception as exc:
        raise _RefusedError(f"{exc!s:.1000}" or type(exc).__name__) from exc
    if len(text) > ANSWER_LIMIT_BYTES:
        raise _RefusedError(
            f"as JSON it has {len(text)} bytes, and an answer may have {ANSWER_LIMIT_BYTES} (8 MiB)"
        )
    return text.decode()
