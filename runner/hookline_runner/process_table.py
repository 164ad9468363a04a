"""What the kernel tells of processes and their memory, as far as it is needed to say how much a tree of them has.

Everything is read from a directory like /proc. A process that ends meanwhile has nothing.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
import platform
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_STAT_BYTES = 4096
_KIB = 1024
_BLOCK_BYTES = 512  # of `st_blocks`
_STATE, _PARENT, _THREADS, _START, _RESIDENT = 0, 1, 17, 19, 21  # fields of `stat` after the name
_ANONYMOUS = frozenset({b"Pss_Anon", b"SwapPss", b"Private_Hugetlb", b"Shared_Hugetlb"})
_MEMORY_FILE = "/memfd:"
_KCMP = {"x86_64": 312, "aarch64": 272}
_KCMP_VM = 1
_PIDFD_GETFD = 438  # alike on all machines
_PIDFD_THREAD = os.O_EXCL
_MAP_FIELDS = 6

_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True)
class Process:
    """One process: its parent, when it started (ticks since boot) and what it has in memory, shared pages in full.

    `reader` is the thread whose entries tell of its memory: the first thread of a process may have ended before others.
    """

    parent: int
    started: int
    resident_bytes: int
    reader: int


@dataclass(frozen=True, slots=True)
class Share:
    """What a process is to answer for: pages that it shares with others count in parts. All in bytes.

    `private` is memory of programs, `shared` that of mapped files without a disk (also of no name), `unseen` what
    `Process.resident_bytes` says nothing of and is part of `private`.
    """

    private: int
    shared: int
    unseen: int


class ProcessTable:
    """The processes of a machine, read from `root`."""

    def __init__(self, root: str = "/proc") -> None:
        self._root = root

    def read(self) -> dict[int, Process]:
        """All processes by their numbers."""
        table: dict[int, Process] = {}
        for name in os.listdir(self._root):  # noqa: PTH208 - a hot path: no Path objects
            if name.isdigit() and (process := self._read_process(name)) is not None:
                table[int(name)] = process
        return table

    def inner_number(self, pid: int) -> int | None:
        """The number by which a process is known in the innermost namespace that it is in."""
        numbers = self._fields(f"{pid}/status", frozenset({b"NSpid"})).get(b"NSpid")
        return int(numbers.split()[-1]) if numbers else None

    def share_of(self, pid: int) -> Share | None:
        """What the process is to answer for; None when that cannot be read.

        Args:
            pid: a process, or any thread of it.
        """
        rollup = self._read_file(f"{pid}/smaps_rollup")
        if not rollup:
            return None
        sums = {b"Pss_Shmem": 0, **dict.fromkeys(_ANONYMOUS, 0)}
        for line in rollup.splitlines()[1:]:
            name, _, value = line.partition(b":")
            if name in sums:
                sums[name] += int(value.split()[0]) * _KIB
        tables = self._fields(f"{pid}/status", frozenset({b"VmPTE"})).get(b"VmPTE", b"0")
        table_bytes = int(tables.split()[0]) * _KIB
        return Share(
            private=sum(sums[name] for name in _ANONYMOUS) + table_bytes,
            shared=sums[b"Pss_Shmem"],
            unseen=sums[b"SwapPss"] + table_bytes,
        )

    def memory_files(self, pid: int, most: int) -> tuple[dict[tuple[int, int], int], int]:
        """Files in memory that a process holds open without a name, with their bytes; and how many descriptors it took.

        Args:
            pid: a process, or any thread of it.
            most: how many descriptors are looked at.
        """
        try:
            names = os.listdir(f"{self._root}/{pid}/fd")[:most]  # noqa: PTH208 - a hot path: no Path objects
        except (
            PermissionError
        ):  # it may not be looked at through names, but by those who might trace it
            return self._files_taken(pid, most)
        except OSError:
            return {}, 0
        files: dict[tuple[int, int], int] = {}
        for name in names:
            path = f"{self._root}/{pid}/fd/{name}"
            try:
                if os.readlink(path).startswith(_MEMORY_FILE):  # noqa: PTH115 - as above
                    files |= _size_of(os.stat(path))  # noqa: PTH116 - as above
            except OSError:
                continue
        return files, len(names)

    def nameless_files(
        self, pid: int, most: int, device: int
    ) -> tuple[dict[tuple[int, int], int], int]:
        """Files on a disk that a process keeps although they have no name any more, with their bytes; as `memory_files`.

        Of one that it has only mapped, the length of what is mapped counts: nobody says more to those who may not trace it.

        Args:
            pid: a process, or any thread of it.
            most: how many descriptors are looked at.
            device: the number of the disk's file system.
        """
        files = self._mapped_nameless(pid, device)
        names = _listed(f"{self._root}/{pid}/fdinfo")[:most]
        try:
            process = _open_thread(pid)
        except OSError:
            return files, 0
        try:
            for name in names:
                path = f"{self._root}/{pid}/fd/{name}"
                try:
                    found = os.stat(path)  # noqa: PTH116 - a hot path: no Path objects
                except PermissionError:
                    found = _look_at_taken(process, int(name))
                except OSError:
                    continue
                if found is not None and (found.st_nlink, found.st_dev) == (0, device):
                    files |= _size_of(found)
        finally:
            os.close(process)
        return files, len(names)

    def _mapped_nameless(self, pid: int, device: int) -> dict[tuple[int, int], int]:
        """Files on a disk without a name that a process has mapped, with the bytes of that."""
        files: dict[tuple[int, int], int] = {}
        place = b"%02x:%02x" % (os.major(device), os.minor(device))
        for line in self._read_file(f"{pid}/maps").splitlines():
            fields = line.split(None, 5)
            if len(fields) == _MAP_FIELDS and fields[3] == place and line.endswith(b" (deleted)"):
                begin, _, end = fields[0].partition(b"-")
                key = device, int(fields[4])
                files[key] = files.get(key, 0) + int(end, 16) - int(begin, 16)
        return files

    def _files_taken(self, pid: int, most: int) -> tuple[dict[tuple[int, int], int], int]:
        """As `memory_files`, by taking copies of the descriptors for a moment."""
        files: dict[tuple[int, int], int] = {}
        names = _listed(f"{self._root}/{pid}/fdinfo")[:most]
        mount = _mount_of_memory_files()
        try:
            process = _open_thread(pid)
        except OSError:
            return files, len(names)
        try:
            for name in names:
                if mount in self._read_file(f"{pid}/fdinfo/{name}").splitlines():
                    with contextlib.suppress(OSError):
                        files |= _size_of_taken(process, int(name))
        finally:
            os.close(process)
        return files, len(names)

    def used_of(self, pid: int, place: str) -> int | None:
        """Bytes used of the file system that a process sees at a place; None if that is no other than this one sees."""
        root = f"{self._root}/{pid}/root"
        try:
            if os.path.samefile(root, "/"):  # noqa: PTH121 - a hot path: no Path objects
                return None
            found = os.statvfs(root + place)
        except OSError:
            return None
        return (found.f_blocks - found.f_bfree) * found.f_frsize

    def unseen_bytes(self) -> int:
        """What all processes together have of memory that `Process.resident_bytes` may say nothing of."""
        wanted = frozenset({b"Shmem", b"PageTables", b"SwapTotal", b"SwapFree"})
        fields = self._fields("meminfo", wanted)
        kib = {name: int(value.split()[0]) for name, value in fields.items()}
        swapped = kib.get(b"SwapTotal", 0) - kib.get(b"SwapFree", 0)
        return (kib.get(b"Shmem", 0) + kib.get(b"PageTables", 0) + swapped) * _KIB

    def _read_process(self, name: str) -> Process | None:
        fields = self._stat_of(name)
        if fields is None:
            return None
        reader = int(name)
        if fields[_STATE] in b"ZX" and int(fields[_THREADS]) > 1:
            reader, fields = self._living_thread(name, fields)
        return Process(
            parent=int(fields[_PARENT]),
            started=int(fields[_START]),
            resident_bytes=int(fields[_RESIDENT]) * _PAGE_BYTES,
            reader=reader,
        )

    def _living_thread(self, name: str, first: list[bytes]) -> tuple[int, list[bytes]]:
        """A thread of a process whose first has ended: that one says nothing of its memory."""
        for thread in _listed(f"{self._root}/{name}/task"):
            fields = self._stat_of(f"{name}/task/{thread}")
            if fields is not None and fields[_STATE] not in b"ZX":
                return int(thread), [*first[:_RESIDENT], *fields[_RESIDENT:]]
        return int(name), first

    def _stat_of(self, place: str) -> list[bytes] | None:
        content = self._read_file(f"{place}/stat", _STAT_BYTES)
        fields = content[content.rfind(b")") + 1 :].split()
        return fields if len(fields) > _RESIDENT else None

    def _fields(self, place: str, names: frozenset[bytes]) -> dict[bytes, bytes]:
        found: dict[bytes, bytes] = {}
        for line in self._read_file(place).splitlines():
            name, _, value = line.partition(b":")
            if name in names and value.strip():
                found[name] = value
        return found

    def _read_file(self, place: str, most: int = 1 << 20) -> bytes:
        try:
            descriptor = os.open(f"{self._root}/{place}", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return b""
        try:
            return os.read(descriptor, most)
        except OSError:
            return b""
        finally:
            os.close(descriptor)


SharesMemory = Callable[[int, int], bool]


def share_memory(pid: int, other: int) -> bool:
    """Whether two processes have one memory, as after a `vfork`; false where the system does not tell."""
    number = _KCMP.get(platform.machine())
    if number is None:
        return False
    call = (ctypes.c_long(number), pid, other, _KCMP_VM, ctypes.c_ulong(0), ctypes.c_ulong(0))
    return _libc.syscall(*call) == 0


def _size_of(found: os.stat_result) -> dict[tuple[int, int], int]:
    return {(found.st_dev, found.st_ino): found.st_blocks * _BLOCK_BYTES}


def _look_at_taken(process: int, descriptor: int) -> os.stat_result | None:
    """What a file is like that another process has open; None if it cannot be taken."""
    taken = _libc.syscall(_PIDFD_GETFD, process, descriptor, 0)
    if taken < 0:
        return None
    try:
        return os.fstat(taken)
    except OSError:
        return None
    finally:
        os.close(taken)


def _size_of_taken(process: int, descriptor: int) -> dict[tuple[int, int], int]:
    """The size of a file that another process has open. Raises `OSError`."""
    taken = _libc.syscall(_PIDFD_GETFD, process, descriptor, 0)
    if taken < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    try:
        return _size_of(os.fstat(taken))
    finally:
        os.close(taken)


def _open_thread(thread: int) -> int:
    """A descriptor for a process, by its first thread or another that is left. Raises `OSError`."""
    try:
        return os.pidfd_open(thread, _PIDFD_THREAD)
    except OSError:  # before Linux 6.9
        return os.pidfd_open(thread)


@functools.cache
def _mount_of_memory_files() -> bytes:
    """The line of `fdinfo` that tells files in memory from others: all are on one mount of the kernel's own."""
    descriptor = os.memfd_create("probe")
    try:
        content = Path(f"/proc/self/fdinfo/{descriptor}").read_bytes()
    finally:
        os.close(descriptor)
    return next(line for line in content.splitlines() if line.startswith(b"mnt_id:"))


def _listed(directory: str) -> list[str]:
    try:
        return os.listdir(directory)  # noqa: PTH208 - a hot path: no Path objects
    except OSError:
        return []
