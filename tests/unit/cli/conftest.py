from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest

from hookline_cli.main import run
from tests.fakes.fake_service import TOKEN, URL, FakeService


@dataclass
class Outcome:
    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        return json.loads(self.out)


class CommandLine:
    """Runs `hookline …` in this process against the fake service."""

    def __init__(self, fake: FakeService, capsys: pytest.CaptureFixture[str]) -> None:
        self.fake = fake
        self._capsys = capsys

    def __call__(self, *arguments: str) -> Outcome:
        self._capsys.readouterr()
        code = run(list(arguments), self.fake)
        captured = self._capsys.readouterr()
        return Outcome(code, captured.out, captured.err)


@pytest.fixture
def fake() -> FakeService:
    return FakeService()


@pytest.fixture
def hookline(
    fake: FakeService, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> CommandLine:
    monkeypatch.setenv("HOOKLINE_URL", URL)
    monkeypatch.setenv("HOOKLINE_TOKEN", TOKEN)
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.setattr("hookline_cli.follow._FIRST_PAUSE_S", 0.0)
    return CommandLine(fake, capsys)
