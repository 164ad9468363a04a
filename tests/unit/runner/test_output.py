from __future__ import annotations

import pytest

from hookline_runner.output_limit import OutputLimit
from hookline_runner.output_pipe import MAX_LINE_CHARACTERS, LineCutter


def _lines(*chunks: bytes) -> list[str]:
    cutter = LineCutter()
    lines = [line for chunk in chunks for line in cutter.feed(chunk)]
    return lines + cutter.flush()


@pytest.mark.parametrize(
    ("chunks", "lines"),
    [
        ([b"one\ntwo\n"], ["one", "two"]),
        ([b"on", b"e\ntw", b"o"], ["one", "two"]),
        ([b"\n\n"], ["", ""]),
        ([b"dos\r\nunix\n"], ["dos", "unix"]),
        ([b"caf\xc3", b"\xa9\n"], ["café"]),
        ([b"\xff\xfe\n"], ["\\xff\\xfe"]),
        ([], []),
    ],
)
def test_bytes_become_lines(chunks: list[bytes], lines: list[str]) -> None:
    assert _lines(*chunks) == lines


def test_a_line_that_is_too_long_is_cut_once_and_the_next_is_whole() -> None:
    piece = b"x" * 30_000

    lines = _lines(piece, piece, piece, piece, b"tail\nnext\n")

    assert len(lines) == 2
    assert lines[0].startswith("x" * MAX_LINE_CHARACTERS + " … (")
    assert lines[1] == "next"


def test_a_long_line_in_one_piece_is_cut_too() -> None:
    (line, last) = _lines(b"x" * 200_000 + b"\nlast\n")

    assert line.startswith("x" * MAX_LINE_CHARACTERS + " … (")
    assert last == "last"


def test_output_within_the_limit_is_kept_whole() -> None:
    limit = OutputLimit(2, 100)

    assert limit.records(1.5, "stdout", ["a", "b"]) == [
        (1.5, "stdout", "", "a"),
        (1.5, "stdout", "", "b"),
    ]


@pytest.mark.parametrize(("lines", "size_bytes"), [(2, 0), (0, 2)])
def test_output_over_the_limit_is_marked_once_and_dropped(lines: int, size_bytes: int) -> None:
    limit = OutputLimit(lines, size_bytes)

    kinds = [record[1] for record in limit.records(0.0, "stderr", ["a", "b", "c", "d"])]

    assert kinds == ["stderr", "stderr", "warning"]
    assert limit.records(0.0, "stderr", ["e"]) == []


def test_zero_means_no_limit() -> None:
    limit = OutputLimit(0, 0)

    assert len(limit.records(0.0, "stdout", ["x"] * 10_000)) == 10_000
