from __future__ import annotations

import json

import pytest

from hookline.errors import InvalidError
from hookline_triggers.errors import (
    CallInvalidError,
    DedupeInvalidError,
    DurationInvalidError,
    FilterInvalidError,
    ScheduleInvalidError,
    TimezoneUnknownError,
)

ERRORS = [
    ScheduleInvalidError("60 * * * *", "minute", "60 is not allowed", "write 0"),
    TimezoneUnknownError("Pragu", ("Europe/Prague",)),
    TimezoneUnknownError("Nowhere"),
    FilterInvalidError("data.", "no", line=1, column=6, undeclared=("x",)),
    CallInvalidError("x", "it names no function"),
    DedupeInvalidError("x", "it is odd"),
    DurationInvalidError("x", "it is odd"),
]


@pytest.mark.parametrize("error", ERRORS)
def test_an_error_tells_machines_what_it_tells_people(error: InvalidError) -> None:
    details = json.loads(json.dumps(error.details))

    assert error.kind == "invalid"
    assert "." in error.code
    assert all(str(value) in error.message for value in details.values() if isinstance(value, str))


def test_a_huge_or_unprintable_text_is_shown_shortened_and_escaped() -> None:
    message = CallInvalidError("\x1b[31m" + "x" * 5000, "no").message

    assert len(message) < 300
    assert message.isprintable()
