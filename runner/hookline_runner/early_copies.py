"""Memory that a fork copies at once, because every forked process is known to write to it.

A forked process shares its parent's memory page by page; its first write to a page is a fault that copies the page. A
session's process would take some 800 such faults, half of all that it costs. A page that is pinned for input and output
cannot be shared like that: the kernel copies it during the fork, at a third of the price. So the zygote pins the pages
that its processes write to, as buffers of an io_uring that is never used. Where there is no io_uring (an old kernel, the
filter of a container), or no more memory may be pinned, pages are copied one by one as ever. Standard library only.
"""

from __future__ import annotations

import ctypes
import os
import resource
from array import array
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import NamedTuple

_SETUP = 425  # the numbers of io_uring's system calls, alike on all machines that we know
_REGISTER = 427
_REGISTER_BUFFERS = 0
_PARAMETERS_BYTES = 120
_MAX_BUFFERS = 1024
_ENTRY_BYTES = 8  # of /proc/self/pagemap: a page of memory each
_OWN_PAGE = 1 << 63 | 1 << 56  # in memory, and in nobody else's
_OF_A_FILE = 1 << 61
_MAX_MAPPING_BYTES = 1 << 30  # to look through more takes too long

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long


class MemoryRange(NamedTuple):
    """Successive pages of memory. Old kernels do not pin those whose first content came from a file."""

    start: int
    size: int
    has_file: bool


def find_writable_memory() -> list[MemoryRange]:
    """The mappings of this process that only it writes to, but for huge ones, and the stack, which may move."""
    with open("/proc/self/maps", encoding="utf-8") as file:  # noqa: PTH123 - a hot path: no Path objects
        lines = file.read().splitlines()
    found: list[MemoryRange] = []
    for line in lines:
        place, access, _, _, file_number, *name = line.split(None, 5)
        if access == "rw-p" and name != ["[stack]"]:
            start, end = (int(text, 16) for text in place.split("-"))
            found.append(MemoryRange(start, end - start, file_number != "0"))
    return [mapping for mapping in found if mapping.size <= _MAX_MAPPING_BYTES]


def find_own_memory(mappings: Iterable[MemoryRange]) -> list[MemoryRange]:
    """What of these this process shares with no other: in a forked one, what it or its parent wrote to since."""
    pagemap = os.open("/proc/self/pagemap", os.O_RDONLY)
    try:
        return [run for mapping in mappings for run in _own_runs(pagemap, mapping)]
    finally:
        os.close(pagemap)


def pin(ranges: Iterable[MemoryRange]) -> list[int]:
    """Have later forks copy this memory at once, as far as the system lets us.

    Returns:
        Descriptors that it is bound to, as long as one process has them open; a child has to close them.
    """
    longest = sorted(ranges, key=lambda part: part.size, reverse=True)[:_MAX_BUFFERS]
    longest.sort(key=lambda part: part.has_file)
    descriptors: list[int] = []
    for _, parts in groupby(longest, lambda part: part.has_file):
        descriptor = _register([(part.start, part.size) for part in parts])
        if descriptor is not None:
            descriptors.append(descriptor)
    return descriptors


class _Buffer(ctypes.Structure):
    _fields_ = (("start", ctypes.c_void_p), ("size", ctypes.c_size_t))


def _register(buffers: list[tuple[int, int]]) -> int | None:
    descriptor = _libc.syscall(
        ctypes.c_long(_SETUP), ctypes.c_uint(1), ctypes.create_string_buffer(_PARAMETERS_BYTES)
    )
    if descriptor < 0:
        return None
    table = (_Buffer * len(buffers))(*buffers)
    failed = _libc.syscall(
        ctypes.c_long(_REGISTER),
        ctypes.c_uint(descriptor),
        ctypes.c_uint(_REGISTER_BUFFERS),
        table,
        ctypes.c_uint(len(buffers)),
    )
    if failed:
        os.close(descriptor)
        return None
    return int(descriptor)


def _own_runs(pagemap: int, mapping: MemoryRange) -> Iterator[MemoryRange]:
    page_bytes = resource.getpagesize()
    first, count = mapping.start // page_bytes, mapping.size // page_bytes
    entries = array("Q")
    entries.frombytes(os.pread(pagemap, count * _ENTRY_BYTES, first * _ENTRY_BYTES))
    at = mapping.start
    for is_own, run in groupby(entries, _is_own):
        size = sum(1 for _ in run) * page_bytes
        if is_own:
            yield MemoryRange(at, size, mapping.has_file)
        at += size


def _is_own(entry: int) -> bool:
    return entry & _OWN_PAGE == _OWN_PAGE and not entry & _OF_A_FILE
