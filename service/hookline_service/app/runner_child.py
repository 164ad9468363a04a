"""Keeps one runner host alive beside the service, as its child."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from pathlib import Path

import anyio
import anyio.abc
import anyio.to_thread

from hookline_runner.processes import kill_tree
from hookline_service.settings import Settings, runner_environment

logger = logging.getLogger(__name__)

_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 10.0
_HEALTHY_S = 5.0
_END_GRACE_S = 5.0
_LINK_WAIT_S = 60.0  # it tries out sandboxes first
_RELINK_WAIT_S = 10.0  # a dropped host ends its processes and then itself, unless it hangs
_LOOK_S = 0.5


async def keep_runner(
    settings: Settings, socket: Path, token: str, is_linked: Callable[[int], bool]
) -> None:
    """Start a runner host and start it again whenever it ends, ever more slowly while it ends at once.

    One that has no link for long is killed with everything below it: the service has dropped it, and nobody else would.

    Args:
        settings: what it is told.
        socket: where it finds the service.
        token: by which it comes in.
        is_linked: whether the host with this process id has a link to the service.
    """
    pause_s = _FIRST_PAUSE_S
    while True:
        started = anyio.current_time()
        status = await _run_once(settings, socket, token, is_linked)
        lived_s = anyio.current_time() - started
        pause_s = _FIRST_PAUSE_S if lived_s > _HEALTHY_S else min(pause_s * 2, _LONGEST_PAUSE_S)
        logger.warning("runner host ended; starting another", extra={"status": status})
        await anyio.sleep(pause_s)


async def _run_once(
    settings: Settings, socket: Path, token: str, is_linked: Callable[[int], bool]
) -> int | None:
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
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_end_unlinked, process.pid, is_linked, name="watch over runner host")
            await process.wait()
            tasks.cancel_scope.cancel()
        return process.returncode
    finally:
        if process.returncode is None:
            await _end(process)


async def _end_unlinked(pid: int, is_linked: Callable[[int], bool]) -> None:
    """Kill the host and what runs below it once it has had no link for too long."""
    patience_s = _LINK_WAIT_S
    unlinked_since = anyio.current_time()
    while True:
        await anyio.sleep(_LOOK_S)
        if is_linked(pid):
            patience_s, unlinked_since = _RELINK_WAIT_S, anyio.current_time()
        elif anyio.current_time() - unlinked_since > patience_s:
            logger.error("runner host has no link; killing it", extra={"pid": pid})
            await anyio.to_thread.run_sync(kill_tree, pid)
            return


async def _end(process: anyio.abc.Process) -> None:
    with anyio.CancelScope(shield=True):
        process.terminate()
        with anyio.move_on_after(_END_GRACE_S):
            await process.wait()
        if process.returncode is None:
            await anyio.to_thread.run_sync(kill_tree, process.pid)
            await process.wait()
