"""The text of a project's requirements.txt: what it asks for, and what of it cannot be honoured here."""

from __future__ import annotations

import re

_COMMENT = re.compile(r"(^|\s)#.*$")
_LOCAL = re.compile(
    r"(-r|--requirement|-c|--constraint|-e|--editable)\b|\.{0,2}/|\.$|file:|[^\s@]+\s*@\s*(file:|\.{0,2}/)",
    re.IGNORECASE,
)


def normalize_requirements(text: str) -> str:
    """The same requirements without comments, blank lines and stray blanks; empty when there are none."""
    joined = re.sub(r"\\\r?\n", " ", text.removeprefix("\ufeff"))
    lines = (_COMMENT.sub("", line).strip() for line in joined.splitlines())
    return "\n".join(" ".join(line.split()) for line in lines if line)


def find_local_reference(text: str) -> tuple[int, str] | None:
    """Number and text of the first line that refers to a file, which is not at hand where packages are installed."""
    for number, line in enumerate(text.removeprefix("\ufeff").splitlines(), start=1):
        if _LOCAL.match(line.strip()):
            return number, line.strip()
    return None
