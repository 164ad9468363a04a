"""User code that tries to get out of its sandbox, or to harm who runs beside it."""

from __future__ import annotations

from pathlib import Path

from hookline_runner.frames import FrameType
from tests.builders.runner_host import running_host

_SOURCE = """
import fcntl, os, signal
import stand_in_session

def writable_below(place):
    found = []
    for directory, _, files in os.walk(place):
        for name in files:
            path = os.path.join(directory, name)
            try:
                os.close(os.open(path, os.O_WRONLY))
            except OSError:
                continue
            found.append(path)
    return found

def lock_everything(_):
    held = []
    for place in ("/env", "/project", "/code", "/session", "/work", "/etc", os.path.dirname(os.__file__), "/usr/bin"):
        for directory, _, files in os.walk(place):
            for name in (".", *files):
                try:
                    held.append(os.open(os.path.join(directory, name), os.O_RDONLY | os.O_NONBLOCK))
                    fcntl.flock(held[-1], fcntl.LOCK_EX | fcntl.LOCK_NB)
                except OSError:
                    continue
    stand_in_session.say(21, {"r": [[0, "print", "", str(len(held))]]})
    signal.pause()

def hello(_):
    return "hello"
"""


async def test_no_setting_of_the_kernel_can_be_changed(tmp_path: Path, bubblewrap: str) -> None:
    """Run by root, a sandboxed process could have a program of its own started outside, by `core_pattern`."""
    async with running_host(tmp_path, bubblewrap) as service:
        assert (await service.prepare("bld_1", {"main.py": _SOURCE}))["ok"]

        attempt = service.start("bld_1", "main.py:writable_below", "/proc/sys")

        assert await attempt.result() == []


async def test_locks_of_a_session_hold_up_nobody(tmp_path: Path, bubblewrap: str) -> None:
    async with running_host(tmp_path, bubblewrap) as service:
        assert (await service.prepare("bld_1", {"main.py": _SOURCE}))["ok"]
        locking = service.start("bld_1", "main.py:lock_everything")
        await locking.until(FrameType.LOG)

        prepared = await service.prepare("bld_2", {"main.py": _SOURCE + "# another"})

        assert prepared["ok"], prepared
        for build in ("bld_1", "bld_2"):
            assert await service.start(build, "main.py:hello").result() == "hello"
        assert int(locking.log_lines("print")[0]) > 500
        assert not service.host_gone.is_set()


async def test_a_source_that_cannot_be_compiled_is_reported_by_its_name(
    tmp_path: Path, bubblewrap: str
) -> None:
    deep = "if 1: pass\n" + "".join(f"elif {number}: pass\n" for number in range(1, 20000))
    async with running_host(tmp_path, bubblewrap) as service:
        prepared = await service.prepare("bld_1", {"main.py": _SOURCE, "deep.py": deep})

        assert prepared["ok"]
        assert "nested too deeply" in prepared["modules"]["deep.py"]["error"]["message"]
        assert prepared["modules"]["main.py"]["error"] is None
