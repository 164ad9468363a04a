"""A dataclass and its row: what is written is read back, whatever its fields hold."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import pytest

from hookline_service.storage.sqlite.records import Record


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    id: str
    size: int
    is_new: bool
    colour: Colour
    at: datetime
    data: bytes
    other: Colour | None = None
    ended_at: datetime | None = None
    owner: str | None = None
    parts: tuple[str, ...] = ()


THINGS = Record(Thing, apart=("parts",))
AT = datetime(2026, 5, 7, 11, 1, 2, 345678, tzinfo=UTC)
PLAIN: dict[str, Any] = {
    "id": "a",
    "size": 7,
    "is_new": True,
    "colour": Colour.BLUE,
    "at": AT,
    "data": b"\0x",
}


def row_of(values: dict[str, object]) -> sqlite3.Row:
    columns = ", ".join(f":{name} AS {name}" for name in reversed(values))
    connection = sqlite3.connect(":memory:")
    connection.row_factory = sqlite3.Row
    row = connection.execute(f"SELECT {columns}", values).fetchone()
    connection.close()
    return row


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"is_new": False, "other": Colour.RED, "ended_at": AT, "owner": "x", "parts": ("p", "q")},
        {"at": datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC), "size": 2**63 - 1},
    ],
)
def test_what_is_written_is_read_back(fields: dict[str, Any]) -> None:
    thing = Thing(**(PLAIN | fields))

    again = THINGS.read(row_of(THINGS.write(thing)), parts=thing.parts)

    assert again == thing
    assert type(again.is_new) is bool
    assert type(again.colour) is Colour


def test_columns_are_of_exact_types() -> None:
    written = THINGS.write(Thing(**PLAIN, other=Colour.RED, parts=("p",)))

    kinds = {name: type(value) for name, value in written.items()}
    assert kinds == {
        "id": str,
        "size": int,
        "is_new": int,
        "colour": str,
        "at": int,
        "data": bytes,
        "other": str,
        "ended_at": type(None),
        "owner": type(None),
    }
    assert written["at"] == 1_778_151_662_345_678


def test_a_column_that_is_missing_is_an_error() -> None:
    row = row_of({"id": "a"})

    with pytest.raises(IndexError):
        THINGS.read(row, parts=())
