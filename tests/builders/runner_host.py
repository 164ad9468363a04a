"""Runner hosts for tests: in this process, with the stand-in session, linked to a fake service."""

from __future__ import annotations

import dataclasses
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest

from hookline_runner.host import RunnerHost, make_runtime
from hookline_runner.project_process import ProjectRuntime
from hookline_runner.sandbox import probe_sandbox
from hookline_runner.settings import RunnerSettings
from tests.fakes.service_link import DEADLINE_S, TOKEN, FakeService, running_service

STAND_IN = Path(__file__).parent.parent / "fakes" / "stand_in_session"


def a_runtime(settings: RunnerSettings) -> ProjectRuntime:
    runtime = make_runtime(settings)
    return dataclasses.replace(
        runtime,
        packages={**runtime.packages, "stand_in_session": STAND_IN},
        session_entry="stand_in_session:serve",
    )


def some_settings(home: Path, sandbox: str, **fields: Any) -> RunnerSettings:
    return RunnerSettings(
        **{
            "socket": home / "s",
            "home": home / "runner",
            "token": TOKEN,
            "sandbox": sandbox,
            "install_environment": {"PATH": os.defpath, "UV_OFFLINE": "1"},
            **fields,
        }
    )


@asynccontextmanager
async def running_host(
    home: Path, sandbox: str, *, has_real_sessions: bool = False, **fields: Any
) -> AsyncIterator[FakeService]:
    """A runner host linked to the service that is returned."""
    settings = some_settings(home, sandbox, **fields)
    runtime = make_runtime(settings) if has_real_sessions else a_runtime(settings)
    async with running_service(settings.socket) as service, anyio.create_task_group() as tasks:
        tasks.start_soon(RunnerHost(settings, runtime).run)
        await service.greeted.wait()
        yield service
        tasks.cancel_scope.cancel()


def need_bubblewrap(home: Path) -> None:
    """Skip where there is no working sandbox; in CI that is a failure."""
    sandbox = probe_sandbox("auto", home)
    if sandbox.is_active:
        return
    if "CI" in os.environ:  # noqa: TID251 - set by the machine that runs the tests
        pytest.fail(f"the tests need bubblewrap: {sandbox.description}")
    pytest.skip(f"no sandbox here: {sandbox.description}")


class Tether:
    """A listening socket that processes in a sandbox can connect to, and so show that they live; `port` is on loopback."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._listener.setblocking(False)
        self._tied: socket.socket | None = None

    async def tied(self) -> None:
        """Wait until a process has connected."""
        with anyio.fail_after(DEADLINE_S):
            await anyio.wait_readable(self._listener)
        self._tied, _ = self._listener.accept()
        self._tied.setblocking(False)

    async def cut(self) -> None:
        """Wait until every process that held the connection is gone."""
        assert self._tied is not None
        with anyio.fail_after(DEADLINE_S):
            await anyio.wait_readable(self._tied)
        assert self._tied.recv(1) == b""

    def close(self) -> None:
        self._listener.close()
        if self._tied is not None:
            self._tied.close()
