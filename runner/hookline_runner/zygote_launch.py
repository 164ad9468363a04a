"""How a zygote is started: its command, and the first message to it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hookline_runner.preparation import ReadyBuild
from hookline_runner.project_process import ProjectRuntime
from hookline_runner.settings import RunnerSettings
from hookline_runner.zygote_messages import ZygoteConfig


@dataclass(frozen=True, slots=True)
class ZygoteKey:
    """What a zygote's session processes have in common."""

    build_id: str
    reuse: bool
    memory_limit_bytes: int


def zygote_command(
    runtime: ProjectRuntime, build: ReadyBuild, work: Path, control_fd: int
) -> list[str]:
    """The command of a zygote whose sessions work below `work`, with its end of the control socket."""
    return runtime.command(
        build.environment,
        "zygote",
        str(control_fd),
        read_only={"/project": build.build.files, "/code": build.code},
        writable={"/work": work},
    )


def zygote_config(
    runtime: ProjectRuntime, settings: RunnerSettings, build: ReadyBuild, work: Path, key: ZygoteKey
) -> ZygoteConfig:
    """What a zygote must know, in paths as it sees them."""
    return ZygoteConfig(
        session_entry=runtime.session_entry,
        project_files=runtime.place("/project", build.build.files),
        code_dir=runtime.place("/code", build.code),
        work_dir=runtime.place("/work", work),
        reuse=key.reuse,
        preload=build.preload,
        warm_up=True,
        memory_limit_bytes=key.memory_limit_bytes,
        file_limit_bytes=min(settings.file_limit_bytes, settings.disk_limit_bytes),
        process_limit=settings.process_limit if runtime.sandbox.is_active else 0,
        walls=runtime.sandbox.walls,
        shared_memory_bytes=settings.shared_memory_limit_bytes,
    )
