"""Builds and environments go when nobody has used them for long, and never while somebody does."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Collection, Sequence
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest

from hookline_runner import cache_eviction as tidying_module, host as host_module
from hookline_runner.builds import Build, Builds, BuildSpec
from hookline_runner.cache_eviction import CacheEviction
from hookline_runner.child_processes import ChildProcesses
from hookline_runner.clock import now_s
from hookline_runner.environments import Environments, environment_id
from hookline_runner.frames import FrameType
from hookline_runner.idle_directories import mark_used, remove_idle
from hookline_runner.preparation import ReadyBuild
from hookline_runner.sandbox import Sandbox
from tests.builders.runner_host import running_host

DAY_S = 86_400.0
NOW_S = now_s()
OLD_S = NOW_S - 40 * DAY_S
FILES: dict[str, str | bytes] = {"main.py": "def hello(event):\n    return 'hello ' + event\n"}


class Cache:
    """A runner host's home, with a service that needs `needed`."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.builds = Builds(home / "builds")
        self.environments = Environments(
            home / "environments",
            sandbox=Sandbox(description="none: a test", program="", options=()),
            processes=ChildProcesses(),
            install_environment={},
            timeout_s=60,
            memory_bytes=1 << 30,
        )
        self.needed: set[str] = set()
        self.asked: list[list[str]] = []
        self.in_use: list[ReadyBuild] = []

    def build(self, build_id: str, requirements: str, used_at_s: float = OLD_S) -> Path:
        """A build that is there, and its environment."""
        environment = self.home / "environments" / environment_id("", requirements)
        (environment / "bin").mkdir(parents=True, exist_ok=True)
        (environment / "bin" / "python").write_text("")
        (environment / "complete.json").write_text('{"python": "3.11.7"}')
        directory = self.home / "builds" / build_id
        (directory / "files").mkdir(parents=True)
        spec = {"python": "", "requirements": requirements}
        (directory / "build.json").write_text(json.dumps(spec))
        for path in (environment, directory):
            os.utime(path, (used_at_s, used_at_s))
        return directory

    async def ask(self, builds: Sequence[str]) -> Collection[str]:
        self.asked.append(list(builds))
        return [each for each in builds if each not in self.needed]

    async def tidy(self, days: float = 30) -> None:
        await CacheEviction(
            self.builds,
            self.environments,
            days=days,
            now=lambda: NOW_S,
            ask=self.ask,
            in_use=lambda: self.in_use,
        ).tidy()

    def left(self) -> tuple[list[str], list[str]]:
        names = {environment_id("", text): text for text in ("", "one", "two", "both")}
        environments = [names[path.name] for path in (self.home / "environments").iterdir()]
        return sorted(path.name for path in (self.home / "builds").iterdir()), sorted(environments)


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path)


async def test_what_is_idle_and_not_needed_goes(cache: Cache) -> None:
    cache.build("bld_idle", "one")
    cache.build("bld_needed", "two")
    cache.needed = {"bld_needed"}

    await cache.tidy()

    assert cache.asked == [["bld_idle", "bld_needed"]]
    assert cache.left() == (["bld_needed"], ["two"])


async def test_what_was_used_lately_stays_and_nobody_is_asked(cache: Cache) -> None:
    cache.build("bld_new", "one", NOW_S - 29 * DAY_S)

    await cache.tidy()

    assert (cache.asked, cache.left()) == ([], (["bld_new"], ["one"]))


async def test_an_environment_stays_while_a_build_needs_it(cache: Cache) -> None:
    cache.build("bld_idle", "both")
    cache.build("bld_new", "both", NOW_S)
    os.utime(cache.home / "environments" / environment_id("", "both"), (OLD_S, OLD_S))

    await cache.tidy()

    assert cache.left() == (["bld_new"], ["both"])


async def test_to_find_something_is_to_use_it(cache: Cache) -> None:
    cache.build("bld_found", "one")

    assert cache.builds.find("bld_found") is not None
    assert cache.environments.find(environment_id("", "one")) is not None
    await cache.tidy()

    assert cache.left() == (["bld_found"], ["one"])


async def test_what_is_taken_up_while_the_service_is_asked_stays(cache: Cache) -> None:
    cache.build("bld_idle", "one")
    ask = cache.ask

    async def ask_slowly(builds: Sequence[str]) -> Collection[str]:
        unneeded = await ask(builds)
        assert cache.builds.find("bld_idle") is not None
        assert cache.environments.find(environment_id("", "one")) is not None
        return unneeded

    cache.ask = ask_slowly
    await cache.tidy()

    assert cache.left() == (["bld_idle"], ["one"])


async def test_what_is_warm_stays(cache: Cache) -> None:
    directory = cache.build("bld_warm", "one")
    environment = cache.environments.find(environment_id("", "one"))
    assert environment is not None
    build = Build(id="bld_warm", directory=directory, spec=BuildSpec(python="", requirements="one"))
    cache.in_use = [ReadyBuild(build=build, environment=environment, code=directory, preload=())]
    for path in (directory, environment.path):
        os.utime(path, (OLD_S, OLD_S))

    await cache.tidy()

    assert cache.left() == (["bld_warm"], ["one"])


async def test_half_done_work_goes_after_a_day(cache: Cache) -> None:
    for name, age_s in (("bld_1.unpacking-7", 2 * DAY_S), ("bld_2.removing-7", 2 * DAY_S), ("bld_3.unpacking-7", 60)):  # fmt: skip
        path = cache.home / "builds" / name
        (path / "files").mkdir(parents=True)
        os.utime(path, (NOW_S - age_s, NOW_S - age_s))
    (cache.home / "environments").mkdir()

    await cache.tidy()

    assert cache.left() == (["bld_3.unpacking-7"], [])


async def test_an_answer_about_what_was_not_asked_removes_nothing(cache: Cache) -> None:
    cache.build("bld_new", "one", NOW_S)
    cache.build("bld_idle", "two")

    async def ask(builds: Sequence[str]) -> Collection[str]:
        return [*("bld_new" for _ in builds), "../environments"]

    cache.ask = ask
    await cache.tidy()

    assert cache.left() == (["bld_idle", "bld_new"], ["one", "two"])


def test_what_another_process_marks_now_is_not_removed(tmp_path: Path) -> None:
    path = tmp_path / "builds" / "bld_1"
    path.mkdir(parents=True)
    os.utime(path, (OLD_S, OLD_S))
    descriptor = os.open(tmp_path / "builds.lock", os.O_RDONLY | os.O_CREAT)
    fcntl.flock(descriptor, fcntl.LOCK_SH)

    is_gone = remove_idle(path, NOW_S)
    os.close(descriptor)

    assert (is_gone, path.exists()) == (False, True)
    assert remove_idle(path, NOW_S)
    assert not mark_used(path)


def test_nobody_waits_for_what_foreign_code_has_locked(tmp_path: Path) -> None:
    path = tmp_path / "environments" / "env_1"
    path.mkdir(parents=True)
    os.utime(path, (OLD_S, OLD_S))
    descriptor = os.open(path, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)

    is_marked = mark_used(path)
    os.utime(path, (OLD_S, OLD_S))
    is_gone = remove_idle(path, NOW_S)
    os.close(descriptor)

    assert (is_marked, is_gone) == (True, True)


async def test_a_host_asks_removes_and_fetches_again(
    tmp_path: Path, sandbox: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running_host(tmp_path, sandbox) as service:
        await service.prepare("bld_1", FILES)
    (tmp_path / "s").unlink(missing_ok=True)
    build = tmp_path / "runner" / "builds" / "bld_1"
    (environment,) = (tmp_path / "runner" / "environments").iterdir()
    for path in (build, environment):
        os.utime(path, (OLD_S, OLD_S))
    monkeypatch.setattr(host_module, "_CLEAN_UP_AFTER_S", 0.0)
    monkeypatch.setattr(tidying_module, "_FIRST_AFTER_S", 0.0)

    async with running_host(tmp_path, sandbox) as service:
        service.unneeded = {"bld_1"}
        service.builds["bld_1"] = FILES
        asked = await service.link_frame(FrameType.IDLE_BUILDS)
        with anyio.fail_after(20):
            while build.exists() or environment.exists():
                await anyio.lowlevel.checkpoint()
        result = await service.start("bld_1", "main.py:hello", "again").result()

    assert asked == {"builds": ["bld_1"]}
    assert result == "hello again"
    assert build.exists()
    assert environment.exists()
