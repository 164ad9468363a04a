"""The text of a project's requirements.txt: what it asks for, and what of it cannot be honoured here."""

from __future__ import annotations

import re

DEFAULTS_MARK = "#: defaults"
"""Stands before the packages that the project did not ask for; its own are installed on top of them, and win."""

_COMMENT = re.compile(r"(^|\s)#.*$")
_SPLIT_VARIABLE = re.compile(r"\$\s*\\$|^\s*\{\w*\}")  # continued on the next line
_LOCAL = re.compile(
    r"(-r|--requirement|-c|--constraint|-e|--editable)\b|\.{0,2}/|\.$|file:|[^\s@]+\s*@\s*(file:|\.{0,2}/)",
    re.IGNORECASE,
)


def normalize_requirements(text: str) -> str:
    """The same requirements without comments, blank lines and stray blanks; empty when there are none."""
    layers = [_normalize(layer) for layer in text.split(f"\n{DEFAULTS_MARK}\n")]
    return f"\n{DEFAULTS_MARK}\n".join(layer for layer in layers if layer)


def layers_of(normalized: str) -> list[str]:
    """What is installed one on top of the other: the defaults, if there are any, and the project's own."""
    return normalized.split(f"\n{DEFAULTS_MARK}\n")[::-1]


def _normalize(text: str) -> str:
    joined = re.sub(r"\\\r?\n", " ", text.removeprefix("\ufeff"))
    lines = (_COMMENT.sub("", line).strip() for line in joined.splitlines())
    return "\n".join(" ".join(line.split()) for line in lines if line)


def find_variable(text: str) -> tuple[int, str] | None:
    """Number and text of the first line with a variable of the environment, which may hold a secret of an index."""
    for number, line in enumerate(text.removeprefix("\ufeff").splitlines(), start=1):
        if "${" in line or _SPLIT_VARIABLE.search(line):
            return number, line.strip()
    return None


def find_local_reference(text: str) -> tuple[int, str] | None:
    """Number and text of the first line that refers to a file, which is not at hand where packages are installed."""
    for number, line in enumerate(text.removeprefix("\ufeff").splitlines(), start=1):
        if _LOCAL.match(line.strip()):
            return number, line.strip()
    return None
