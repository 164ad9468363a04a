"""User code that tries to get out of its sandbox, or to harm who runs beside it."""

from __future__ import annotations

from pathlib import Path

from tests.builders.runner_host import running_host

_SOURCE = """
import os

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
"""


async def test_no_setting_of_the_kernel_can_be_changed(tmp_path: Path, bubblewrap: str) -> None:
    """Run by root, a sandboxed process could have a program of its own started outside, by `core_pattern`."""
    async with running_host(tmp_path, bubblewrap) as service:
        assert (await service.prepare("bld_1", {"main.py": _SOURCE}))["ok"]

        attempt = service.start("bld_1", "main.py:writable_below", "/proc/sys")

        assert await attempt.result() == []


async def test_a_source_that_cannot_be_compiled_is_reported_by_its_name(
    tmp_path: Path, bubblewrap: str
) -> None:
    deep = "if 1: pass\n" + "".join(f"elif {number}: pass\n" for number in range(1, 20000))
    async with running_host(tmp_path, bubblewrap) as service:
        prepared = await service.prepare("bld_1", {"main.py": _SOURCE, "deep.py": deep})

        assert prepared["ok"]
        assert "nested too deeply" in prepared["modules"]["deep.py"]["error"]["message"]
        assert prepared["modules"]["main.py"]["error"] is None
