"""Replays at an author's desk: the project's environment is made as a runner host makes it, outside any service."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import anyio

from hookline_runner.child_processes import ChildProcesses
from hookline_runner.environments import Environment, Environments, Progress
from hookline_runner.memory_watch import watching
from hookline_runner.project_process import ProjectRuntime
from hookline_runner.replaying import Launch
from hookline_runner.sandbox import Sandbox, probe_sandbox
from hookline_runner.settings import RunnerSettings, present_environment, read_environment

_OUTSIDE = Sandbox(description="none: a replay makes no call")
_OF_THE_TERMINAL = ("TERM", "HOME", "COLUMNS", "LINES", "LANG", "LC_ALL", "LC_CTYPE")


def environment_launch(home: Path, python: str, requirements: str, on_progress: Progress) -> Launch:
    """How a replay is started in a project's environment, which is found in `home` or built there.

    Args:
        home: Where environments are kept, by content.
        python: The version asked for, or "" for the one that runs here.
        requirements: The text of a requirements.txt.
        on_progress: Is told what is going on while it is built.

    Raises:
        EnvironmentFailedError, EnvironmentTimeoutError: it cannot be had.
    """
    home.mkdir(parents=True, exist_ok=True)
    environment = anyio.run(_obtain, home, python, requirements, on_progress)
    runtime = ProjectRuntime(sandbox=_OUTSIDE, scratch_limit_bytes=0)
    command = runtime.command(environment, "replay", read_only={}, writable={})
    variables = {**runtime.environment_variables(environment), **_terminal(present_environment())}
    return replace(Launch(), command=tuple(command), environment=variables)


async def _obtain(home: Path, python: str, requirements: str, on_progress: Progress) -> Environment:
    settings = RunnerSettings(socket=home / "none", home=home, token="")
    given = read_environment()
    install: Mapping[str, str] = given.get("install_environment", {})  # pyright: ignore[reportAssignmentType] - as read_environment makes it
    sandbox = probe_sandbox(str(given.get("sandbox", "auto")), home) if requirements else _OUTSIDE
    processes = ChildProcesses()
    environments = Environments(
        home / "environments",
        sandbox=sandbox,
        processes=processes,
        install_environment=install,
        timeout_s=settings.environment_timeout_s,
        memory_bytes=settings.build_memory_bytes,
    )
    environments.remove_unfinished()
    async with watching(processes.watched, processes.end_oversized):
        return await environments.obtain(python, requirements, on_progress)


def _terminal(environment: Mapping[str, str]) -> dict[str, str]:
    """What a debugger at the terminal needs to know."""
    return {name: environment[name] for name in _OF_THE_TERMINAL if name in environment}
