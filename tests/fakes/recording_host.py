"""A host that remembers what it was asked, and answers what it was told to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class RecordingHost:
    """See `hookline.host.Host`; `asked` holds (way, operation, arguments, time-out) in order."""

    def __init__(self, *answers: object) -> None:
        self.asked: list[tuple[Any, ...]] = []
        self._answers = list(answers)

    def call(self, operation: str, arguments: Mapping[str, object]) -> object:
        return self._note("call", operation, dict(arguments))

    def wait(
        self, operation: str, arguments: Mapping[str, object], timeout_s: float | None
    ) -> object:
        return self._note("wait", operation, dict(arguments), timeout_s)

    async def wait_async(
        self, operation: str, arguments: Mapping[str, object], timeout_s: float | None
    ) -> object:
        return self._note("wait_async", operation, dict(arguments), timeout_s)

    def sleep(self, seconds: float) -> None:
        self._note("sleep", seconds)

    async def sleep_async(self, seconds: float) -> None:
        self._note("sleep_async", seconds)

    def _note(self, *facts: object) -> object:
        self.asked.append(facts)
        return self._answers.pop(0) if self._answers else None
