"""What takes too much memory or time costs its own file alone."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Any, NoReturn

import pytest

from hookline_runner.large_sources import LargeSources
from hookline_runner.source_faults import TOO_DEEP

TOO_LARGE = (
    "too large to be compiled within 1 MiB of memory; "
    "HOOKLINE_RUNNER_PREPARE_MEMORY_BYTES allows more"
)


def _out_of_memory() -> NoReturn:
    raise MemoryError


def _crash() -> NoReturn:
    os.kill(os.getpid(), signal.SIGTERM)
    raise AssertionError


def _too_deep() -> dict[str, Any]:
    return {"error": {"message": TOO_DEEP}}


def _too_much_to_tell() -> dict[str, Any]:
    return {"error": None, "names": "x" * (17 << 20)}


def _out_of_time() -> NoReturn:
    os.kill(os.getpid(), signal.SIGXCPU)
    raise AssertionError


def _never() -> NoReturn:
    while True:
        signal.pause()


@pytest.mark.parametrize("work", [_out_of_memory, _crash, _too_deep, _too_much_to_tell])
def test_too_much_memory_is_an_error_of_the_file(work: Callable[[], dict[str, Any]]) -> None:
    facts = LargeSources(1 << 20).examine(work)

    assert facts["error"]["message"] == TOO_LARGE
    assert facts["names"] == {}


def test_a_nesting_that_took_little_memory_is_told_as_that() -> None:
    assert LargeSources(1 << 40).examine(_too_deep)["error"]["message"] == TOO_DEEP


def test_too_much_time_is_an_error_of_the_file() -> None:
    facts = LargeSources(1 << 20, file_s=7).examine(_out_of_time)

    assert facts["error"]["message"] == "too large to be compiled within 7 s"


def test_work_that_never_ends_is_ended_when_the_time_for_all_is_over() -> None:
    large = LargeSources(1 << 20, file_s=7, all_s=0.1)

    assert "7 s" in large.examine(_never)["error"]["message"]
    assert large.is_late


def test_files_for_which_no_time_is_left_say_so() -> None:
    facts = LargeSources(1 << 20, all_s=0).examine(_never)

    assert facts["error"]["message"] == "not compiled: the files before it took the 0 s for all"


def test_what_is_found_about_a_large_file_comes_whole() -> None:
    found = {"error": None, "names": {f"name{number}": {} for number in range(20_000)}}

    assert LargeSources(1 << 40).examine(lambda: found) == found
