"""Making a build ready to run: files on disk, environment built, modules analysed and compiled."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import anyio
import anyio.to_thread

from hookline.json_text import is_deeper
from hookline_runner import fast_json
from hookline_runner.builds import Build, Builds, BuildSpec
from hookline_runner.child_processes import ChildProcesses, MemoryRoom
from hookline_runner.environments import Environment, Environments, Progress
from hookline_runner.errors import PreparationFailedError
from hookline_runner.foreign_files import read_foreign_file
from hookline_runner.idle_directories import mark_used
from hookline_runner.large_sources import SETTING
from hookline_runner.preloading import preloads_of
from hookline_runner.prepare_step import FACTS_FILE
from hookline_runner.project_process import ProjectRuntime
from hookline_runner.removal import remove_anything

logger = logging.getLogger(__name__)

_STEP_TIMEOUT_S = 120.0
_BESIDE_BYTES = 256 * 1024 * 1024  # what the step has besides the file at hand
_MAX_FACTS_BYTES = 48 * 1024 * 1024

Facts = Mapping[str, Any]  # Any: JSON of `prepare_step`, passed on to the service as it is


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadyBuild:
    """A build that attempts can be started from."""

    build: Build
    environment: Environment
    code: Path
    preload: tuple[str, ...]

    def mark_used(self) -> bool:
        """Keep it from being removed as idle from now on; false if it is gone."""
        is_there = [mark_used(path) for path in (self.build.directory, self.environment.path)]
        return all(is_there)

    def is_there(self) -> bool:
        """Whether its files and its environment are still on disk."""
        needed = (self.build.files, self.code, self.environment.executable)
        return all(path.exists() for path in needed)

    def is_whole(self) -> bool:
        """Whether all of it is still there; then it is in use now."""
        return self.mark_used() and self.is_there()


class Preparation:
    """Makes builds ready; what was done once is found again."""

    def __init__(
        self,
        builds: Builds,
        environments: Environments,
        runtime: ProjectRuntime,
        processes: ChildProcesses,
    ) -> None:
        self._builds = builds
        self._processes = processes
        self._environments = environments
        self._runtime = runtime

    async def keep(self, build_id: str, spec: BuildSpec, archive: bytes) -> Build:
        """Put a build's files on disk. Raises `ArchiveError`."""
        return await anyio.to_thread.run_sync(self._builds.keep, build_id, spec, archive)

    async def find(self, build_id: str) -> Build | None:
        """A build whose files are on disk."""
        return await anyio.to_thread.run_sync(self._builds.find, build_id)

    async def make_ready(self, build: Build, on_progress: Progress) -> tuple[ReadyBuild, Facts]:
        """Environment, analysis and compiled modules for a build on disk.

        Raises `EnvironmentFailedError`, `EnvironmentTimeoutError`, `PreparationFailedError`.
        """
        environment = await self._environments.obtain(
            build.spec.python, build.spec.requirements, on_progress
        )
        code = build.directory / f"code-{environment.id}"
        facts = await anyio.to_thread.run_sync(_read_facts, code)
        if facts is None:
            facts = await self._analyse(build, environment, code)
        ready = ReadyBuild(
            build=build, environment=environment, code=code, preload=preloads_of(facts)
        )
        return ready, facts

    async def _analyse(self, build: Build, environment: Environment, code: Path) -> Facts:
        await anyio.to_thread.run_sync(_make_directory, code)
        runtime = self._runtime
        places = {"/project": build.files, "/code": code}
        command = runtime.command(
            environment,
            "prepare",
            *(runtime.place(inside, outside) for inside, outside in places.items()),
            str(runtime.prepare_memory_bytes),
            read_only={"/project": build.files},
            writable={"/code": code},
        )
        try:
            with anyio.fail_after(_STEP_TIMEOUT_S):
                finished = await self._processes.run(
                    command,
                    variables=runtime.environment_variables(environment),
                    memory=MemoryRoom(
                        limit_bytes=runtime.prepare_memory_bytes + _BESIDE_BYTES,
                        setting=SETTING,
                        has_own_places=runtime.sandbox.is_active,
                    ),
                )
        except TimeoutError as exc:
            await anyio.to_thread.run_sync(remove_anything, str(code))
            raise PreparationFailedError(f"not done after {_STEP_TIMEOUT_S:.0f} s") from exc
        facts = await anyio.to_thread.run_sync(_read_facts, code)
        if facts is None:
            raise PreparationFailedError("\n".join(finished.lines[-20:]))
        return facts


def _make_directory(path: Path) -> None:
    path.mkdir(exist_ok=True)


def _read_facts(code: Path) -> Facts | None:
    """What an earlier analysis found. The file was written beside foreign code, so it is checked."""
    try:
        content = read_foreign_file(code / FACTS_FILE, most=_MAX_FACTS_BYTES)
        if content is None:
            return None
        facts: object = fast_json.read(content)
    except (OSError, ValueError):
        return None
    if not isinstance(facts, dict) or is_deeper(cast("dict[str, Any]", facts)):
        return None
    checked = cast("dict[str, Any]", facts)
    shapes = {"modules": dict, "provided": list, "stdlib": list, "python": str}
    return (
        checked
        if all(isinstance(checked.get(key), shape) for key, shape in shapes.items())
        else None
    )
