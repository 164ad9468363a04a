"""Entry points as written in `call`: which file, and which name in it."""

from __future__ import annotations

import keyword
import re
from dataclasses import dataclass

from hookline_triggers.errors import CallInvalidError

_ROW_COL = re.compile(r"(?P<row>\d+)\.(?P<col>\d+),(?P<name>.*)", re.ASCII)
_MAX_TEXT = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryPoint:
    """A callable attribute of a module: `path` is relative, with `/`, and ends in `.py`."""

    path: str
    name: str

    def __str__(self) -> str:
        """The form that `parse_call` reads."""
        return f"{self.path}:{self.name}"


def parse_call(text: str) -> EntryPoint:
    """The entry point that `PATH:NAME`, `PATH NAME` or `PATH:ROW.COL,NAME` means.

    Raises:
        CallInvalidError: no name, or a path that is no Python file inside the project.
    """
    stripped = text.strip()
    if not stripped:
        raise CallInvalidError(text, "it is empty")
    if len(stripped) > _MAX_TEXT:
        raise CallInvalidError(text, "it is too long")
    path, name = _split(text, stripped)
    return EntryPoint(path=_checked_path(text, path), name=_checked_name(text, name))


def _split(text: str, stripped: str) -> tuple[str, str]:
    path, colon, name = stripped.partition(":")
    if not colon:
        path, _, name = stripped.partition(" ")
    if not name.strip():
        raise CallInvalidError(text, "it names no function")
    located = _ROW_COL.fullmatch(name.strip())
    return path.strip(), (located["name"] if located else name).strip()


def _checked_path(text: str, path: str) -> str:
    if not path:
        raise CallInvalidError(text, "it names no file")
    if path.startswith("/") or "\\" in path:
        raise CallInvalidError(text, "the path must be relative to the project, with /")
    if path.endswith(".star"):
        raise CallInvalidError(text, f"{path!r} is a Starlark program, and only Python can be run")
    if not path.endswith(".py") or path.endswith("/.py") or path == ".py":
        raise CallInvalidError(text, f"the file {path!r} does not end in .py")
    parts = path.removeprefix("./").split("/")
    if ".." in parts:
        raise CallInvalidError(text, "the path must not leave the project by ..")
    if "" in parts or "." in parts:
        raise CallInvalidError(text, f"the path {path!r} has an empty part")
    if not path.isprintable():
        raise CallInvalidError(text, "the path holds an unprintable character")
    return "/".join(parts)


def _checked_name(text: str, name: str) -> str:
    if not name.isidentifier() or keyword.iskeyword(name):
        raise CallInvalidError(text, f"{name!r} is not the name of a function")
    return name
