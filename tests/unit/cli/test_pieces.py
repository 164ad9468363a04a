from __future__ import annotations

from datetime import date

import pytest
from click import unstyle

from hookline_cli.display import DayMarks, clock_time, local_time, print_table, shown
from hookline_cli.findings import format_finding
from hookline_cli.sse import ServerEvent, read_events


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_events_are_the_same_however_the_stream_is_cut(size: int) -> None:
    stream = 'id: 1\nevent: log\ndata: {"a":\ndata: "ž\u2028"}\n\n: still here\r\n\r\nevent: end\r\ndata: {}\r\n\r\ndata: cut'.encode()
    chunks = [stream[at : at + size] for at in range(0, len(stream), size)]

    events = list(read_events(chunks))

    assert events == [
        ServerEvent(name="log", id="1", data='{"a":\n"ž\u2028"}'),
        ServerEvent(),
        ServerEvent(name="end", data="{}"),
    ]


def test_a_comment_is_a_heartbeat() -> None:
    assert [event.is_heartbeat for event in read_events([b":\n\n"])] == [True]


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "-"), ("", "-"), (True, "yes"), (False, "no"), (3, "3"), ({"a": "é"}, '{"a": "é"}'), ("\x1b[1m", "\\x1b[1m")],
)  # fmt: skip
def test_a_value_is_shown_as_a_person_would_write_it(value: object, text: str) -> None:
    assert shown(value) == text


@pytest.mark.parametrize("text", [None, "", 7])
def test_a_time_that_is_missing_is_a_dash(text: object) -> None:
    assert local_time(text) == "-"
    assert clock_time(text) == "--:--:--.---"


def test_a_time_that_is_none_is_shown_as_it_is() -> None:
    assert (local_time("soon"), clock_time("soon")) == ("soon", "soon")


def test_columns_are_as_wide_as_their_widest_cell(capsys: pytest.CaptureFixture[str]) -> None:
    print_table([{"a": "東京", "b": "1"}, {"a": "x\ny", "b": "2"}], ["a", "b"])

    assert capsys.readouterr().out == "A     B\n東京  1\nx y   2\n"


def test_a_finding_without_a_place_names_the_project() -> None:
    assert (
        unstyle(format_finding({"level": "warning", "message": "no triggers"}))
        == "project: warning: no triggers"
    )


def test_a_caret_beyond_the_line_is_left_out() -> None:
    finding = {
        "level": "error",
        "message": "m",
        "file": "f",
        "line": 1,
        "column": 9,
        "source": "ab",
    }

    assert unstyle(format_finding(finding)) == "f:1:9: error: m\n     1 | ab"


def test_a_log_says_the_date_when_the_day_changes() -> None:
    days = DayMarks(date(2026, 3, 2))
    times = [
        "2026-03-01T12:00:00Z",
        "2026-03-01T12:00:01Z",
        "soon",
        None,
        "2026-03-02T12:00:00Z",
        "2026-03-03T12:00:00Z",
    ]

    assert [days.before(each) for each in times] == [
        "2026-03-01",
        None,
        None,
        None,
        "2026-03-02",
        "2026-03-03",
    ]


def test_a_log_of_today_needs_no_date() -> None:
    assert DayMarks(date(2026, 3, 2)).before("2026-03-02T12:00:00Z") is None
