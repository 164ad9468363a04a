"""Keeps one runner host alive beside the service, as its child."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import anyio
import anyio.abc

from hookline_service.settings import Settings, runner_environment

logger = logging.getLogger(__name__)

_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 10.0
_HEALTHY_S = 5.0
_END_GRACE_S = 5.0


async def keep_runner(settings: Settings, socket: Path, token: str) -> None:
    """Start a runner host and start it again whenever it ends, ever more slowly while it ends at once."""
    pause_s = _FIRST_PAUSE_S
    while True:
        started = anyio.current_time()
        status = await _run_once(settings, socket, token)
        lived_s = anyio.current_time() - started
        pause_s = _FIRST_PAUSE_S if lived_s > _HEALTHY_S else min(pause_s * 2, _LONGEST_PAUSE_S)
        logger.warning("runner host ended; starting another", extra={"status": status})
        await anyio.sleep(pause_s)


async def _run_once(settings: Settings, socket: Path, token: str) -> int | None:
    command = [
        sys.executable,
        "-m",
        "hookline_runner",
        "--socket",
        str(socket),
        "--home",
        str(settings.home / "runner"),
        "--name",
        "local",
        "--child",
    ]
    try:
        process = await anyio.open_process(
            command,
            stdin=None,
            stdout=None,
            stderr=None,
            env=runner_environment(settings, token),
            start_new_session=True,
        )
    except OSError:
        logger.exception("runner host not started")
        return None
    try:
        return await process.wait()
    finally:
        if process.returncode is None:
            await _end(process)


async def _end(process: anyio.abc.Process) -> None:
    with anyio.CancelScope(shield=True):
        process.terminate()
        with anyio.move_on_after(_END_GRACE_S):
            await process.wait()
        if process.returncode is None:
            process.kill()
            await process.wait()
