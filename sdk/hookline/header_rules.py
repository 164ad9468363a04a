"""What a header of HTTP may be: one rule for requests that are made up, and for answers."""

from __future__ import annotations

import re
from typing import Final

_TOKEN: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


def is_token(text: str) -> bool:
    """Whether this is a name of a header, or a method: letters, digits and some signs, without spaces (RFC 9110, 5.6.2)."""
    return _TOKEN.fullmatch(text) is not None


def is_field_text(text: str) -> bool:
    """Whether a header may have this value: there is no control character in it but tabs (RFC 9110, 5.5)."""
    return _CONTROL.search(text) is None


def problem_of_header(name: str, value: str) -> str | None:
    """Why no request and no answer can have this header; None if one can."""
    if not is_token(name):
        return "a name has letters, digits and -, and no spaces"
    if not is_field_text(value):
        return "a value has no line break and no other control character"
    return None
