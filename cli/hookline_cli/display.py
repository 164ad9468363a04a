"""How things look on a terminal: tables, fields, times. Data goes to stdout, narration to stderr."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import date, datetime

import click

from hookline import json_text
from hookline_cli.json_values import JsonObject

STATE_COLOURS: Mapping[str, str] = {
    "created": "bright_black",
    "running": "cyan",
    "waiting": "blue",
    "completed": "green",
    "error": "red",
    "stopped": "yellow",
    "active": "green",
    "draining": "yellow",
    "testing": "cyan",
    "inactive": "bright_black",
}
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_FINE_S = 0.01
_GAP = "  "


def print_json(value: object) -> None:
    """Write one JSON document on stdout."""
    click.echo(json_text.write(value, indent=2))


def print_json_line(value: object) -> None:
    """Write one JSON document as a line of its own, at once."""
    click.echo(json_text.write(value, is_spaced=True))


def note(text: str) -> None:
    """Tell a person something on stderr."""
    click.echo(text, err=True)


def counted(number: object, noun: str) -> str:
    """A number with its noun, as "1 event" and "2 events"."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def printable(text: str) -> str:
    """The text without control characters, which could command the reader's terminal."""
    return _CONTROL.sub(lambda match: f"\\x{ord(match[0]):02x}", text)


def local_time(text: object) -> str:
    """A time of the service in the reader's zone, `-` if there is none."""
    if not isinstance(text, str) or not text:
        return "-"
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return text
    return moment.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def clock_time(text: object) -> str:
    """The time of day in the reader's zone with milliseconds."""
    if not isinstance(text, str) or not text:
        return "--:--:--.---"
    try:
        moment = datetime.fromisoformat(text).astimezone()
    except ValueError:
        return text
    return f"{moment:%H:%M:%S}.{moment.microsecond // 1000:03d}"


class DayMarks:
    """The dates of a log whose records show the time of day alone."""

    def __init__(self, today: date) -> None:
        """`today` in the reader's zone needs no mark."""
        self._day = today

    def before(self, text: object) -> str | None:
        """The date to write before a record of this time, when it is of another day than the record before it."""
        if not isinstance(text, str) or not text:
            return None
        try:
            day = datetime.fromisoformat(text).astimezone().date()
        except ValueError:
            return None
        if day == self._day:
            return None
        self._day = day
        return f"{day:%Y-%m-%d}"


def shown(value: object) -> str:
    """A JSON value as a person would write it."""
    if value is None or value in ("", []):
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return printable(value)
    return json_text.write(value, is_spaced=True)


def span(seconds: object) -> str:
    """A length of time in the unit that suits it."""
    if not isinstance(seconds, int | float) or isinstance(seconds, bool):
        return "-"
    if seconds < 1:
        return f"{seconds * 1000:.2f} ms" if seconds < _FINE_S else f"{seconds * 1000:.0f} ms"
    return f"{seconds:.1f} s"


def print_table(
    rows: Sequence[JsonObject],
    columns: Sequence[str],
    *,
    times: Sequence[str] = (),
    empty: str = "none",
) -> None:
    """Write rows under headings, each column as wide as it must be; `empty` on stderr if there are none."""
    if not rows:
        note(empty)
        return
    cells = [[_cell(row, name, times) for name in columns] for row in rows]
    heads = [name.removesuffix("_at").replace("_", " ").upper() for name in columns]
    widths = [max(_width(line[i]) for line in [heads, *cells]) for i in range(len(columns))]
    click.echo(click.style(_line(heads, widths), bold=True))
    for line in cells:
        colours = [
            STATE_COLOURS.get(cell) if columns[i] == "state" else None
            for i, cell in enumerate(line)
        ]
        click.echo(_line(line, widths, colours))


def print_fields(thing: JsonObject, *, skip: Sequence[str] = ()) -> None:
    """Write one thing as `name: value` lines."""
    names = [name for name in thing if name not in skip]
    width = max((len(name) for name in names), default=0) + 1
    for name in names:
        value = thing[name]
        text = local_time(value) if name.endswith("_at") else shown(value)
        text = text.replace("\n", "\n" + " " * (width + 1))
        if name == "state":
            text = click.style(text, fg=STATE_COLOURS.get(text))
        click.echo(f"{name + ':':<{width}} {text}")


def _cell(row: JsonObject, name: str, times: Sequence[str]) -> str:
    value = row.get(name)
    if name in times or name.endswith("_at"):
        return local_time(value)
    return shown(value).replace("\n", " ").replace("\t", " ")


def _line(cells: Sequence[str], widths: Sequence[int], colours: Sequence[str | None] = ()) -> str:
    parts: list[str] = []
    for index, cell in enumerate(cells):
        padding = " " * (widths[index] - _width(cell))
        colour = colours[index] if colours else None
        parts.append(click.style(cell, fg=colour) + padding if colour else cell + padding)
    return _GAP.join(parts).rstrip()


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)
