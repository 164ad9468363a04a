"""The named statements of `storage/sql/*.sql`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from hookline.errors import InternalError

_NAME = re.compile(r"^-- name: *(?P<name>[a-z][a-z0-9_]*) *$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One statement: its name, what it is for, and its text."""

    name: str
    description: str
    text: str


def parse_statements(source: str) -> Iterator[Statement]:
    """Cut a file into its statements: `-- name: …`, a line that describes it, the text, a semicolon.

    Raises:
        InternalError: a statement has no description or no text.
    """
    name = ""
    lines: list[str] = []
    for line in [*source.splitlines(), "-- name: end"]:
        match = _NAME.match(line)
        if match is None:
            lines.append(line)
            continue
        if name:
            yield _statement(name, lines)
        name = match["name"]
        lines = []


def _statement(name: str, lines: list[str]) -> Statement:
    described = [line[2:].strip() for line in lines if line.startswith("--")]
    text = "\n".join(line for line in lines if not line.startswith("--")).strip()
    if not described or not text.endswith(";"):
        raise InternalError(f"statement {name!r} needs a description and a text that ends in ';'")
    return Statement(name=name, description=" ".join(described), text=text.removesuffix(";"))


@cache
def load_statements() -> Mapping[str, str]:
    """The text of every statement by name.

    Raises:
        InternalError: two statements have one name.
    """
    texts: dict[str, str] = {}
    for file in sorted(files("hookline_service.storage").joinpath("sql").iterdir(), key=str):
        if not file.name.endswith(".sql"):
            continue
        for statement in parse_statements(file.read_text("utf-8")):
            if statement.name in texts:
                raise InternalError(f"two statements are called {statement.name!r}")
            texts[statement.name] = statement.text
    return texts
