"""What runs beside the engine as long as the service lives, and must outlive a bad moment."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import anyio
import anyio.lowlevel
import pytest

from hookline_service.app import runner_child, service
from hookline_service.settings import Settings
from hookline_service.storage.protocols import Store
from tests.fakes.refusing_store import RefusingStore


@dataclass
class PartsWithStore:
    store: Any
    settings: Settings


async def test_upkeep_outlives_a_store_that_refuses(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusing = RefusingStore(store)
    refusing.refuse_everything()
    monkeypatch.setattr(service, "_SETTLE_S", 0.01)
    parts = PartsWithStore(refusing, Settings(home=Path("/nonexistent"), retention_days=1))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(service._keep_tidy, cast("Any", parts))
        with anyio.fail_after(5):
            while refusing.refused.count("settle_draining") < 3:
                await anyio.lowlevel.checkpoint()
        tasks.cancel_scope.cancel()


async def test_a_runner_host_that_cannot_be_started_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "missing"))
    monkeypatch.setattr(runner_child, "_FIRST_PAUSE_S", 0.001)
    settings = Settings(home=tmp_path)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(
            runner_child.keep_runner, settings, tmp_path / "s", "token", lambda pid: pid > 0
        )
        with anyio.fail_after(5):
            while caplog.text.count("runner host not started") < 3:
                await anyio.lowlevel.checkpoint()
        tasks.cancel_scope.cancel()


async def test_a_runner_host_that_hangs_without_a_link_is_killed_and_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    deaf = tmp_path / "deaf"
    deaf.write_text("#!/bin/sh\ntrap '' TERM\nsleep 600 & wait; wait\n")
    deaf.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(deaf))
    for name in ("_FIRST_PAUSE_S", "_LINK_WAIT_S", "_LOOK_S", "_END_GRACE_S"):
        monkeypatch.setattr(runner_child, name, 0.001)
    settings = Settings(home=tmp_path)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(
            runner_child.keep_runner, settings, tmp_path / "s", "token", lambda pid: pid < 0
        )
        with anyio.fail_after(10):
            while caplog.text.count("runner host ended; starting another") < 2:
                await anyio.lowlevel.checkpoint()
        tasks.cancel_scope.cancel()

    assert caplog.text.count("runner host has no link; killing it") >= 2
