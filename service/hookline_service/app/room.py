"""Room on the disk of the home, before the database is opened."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

from hookline.errors import UnavailableError
from hookline_runner.disk_use import disk_use_of
from hookline_runner.removal import remove_left_zygotes
from hookline_service.storage.sqlite import RESERVE_FILE

_LITTLE_BYTES: Final = 32 * 1024 * 1024
_NEEDED_BYTES: Final = 1024 * 1024
_MOST_FILES: Final = 1_000_000
_NAMED: Final = 4
_CACHES: Final = ("runner/uv-cache", "runner/environments", "runner/builds")


class HomeFullError(UnavailableError):
    """The disk of the home has no space for the database."""

    code = "home.full"

    def __init__(self, home: Path, free_bytes: int, sizes: dict[str, int]) -> None:
        largest = sorted(sizes, key=lambda name: -sizes[name])[:_NAMED]
        takes = ", ".join(f"{name} {_mib(sizes[name])}" for name in largest)
        super().__init__(
            f"the disk of {home} is full: {free_bytes} bytes are free, and {_NEEDED_BYTES} are needed; "
            f"make room on it, then start again. The home takes {_mib(sum(sizes.values()))}: {takes}. "
            f"{', '.join(_CACHES)} are caches that may be removed while the service is down"
        )
        self.home = home

    @property
    def details(self) -> dict[str, object]:
        """The home."""
        return {"home": str(self.home)}


def make_room(home: Path) -> None:
    """See to it that there is room to open the database, on a disk that is nearly full.

    What sessions of a service that was cut off left behind goes first (elsewhere the runner host removes it later: sessions
    that go on come first), then what was kept for such times.

    Raises:
        HomeFullError: there is none.
    """
    if _free_bytes(home) < _LITTLE_BYTES:
        remove_left_zygotes(home / "runner")
    if _free_bytes(home) < _NEEDED_BYTES:
        (home / RESERVE_FILE).unlink(missing_ok=True)
    free_bytes = _free_bytes(home)
    if free_bytes < _NEEDED_BYTES:
        raise HomeFullError(home, free_bytes, _sizes_of(home))


def _free_bytes(home: Path) -> int:
    return shutil.disk_usage(home).free


def _sizes_of(home: Path) -> dict[str, int]:
    """Bytes that the parts of the home take."""
    sizes: dict[str, int] = {}
    for path in (*home.iterdir(), *(home / "runner").glob("*")):
        name = str(path.relative_to(home))
        if name == "runner" or path.is_symlink():
            continue
        if path.is_dir():
            sizes[name] = disk_use_of(str(path), most_files=_MOST_FILES).used_bytes
        else:
            sizes[name] = path.lstat().st_blocks * 512
    return sizes


def _mib(size_bytes: int) -> str:
    return f"{size_bytes / 1024 / 1024:.1f} MiB"
