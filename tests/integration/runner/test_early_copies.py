"""Memory copied by a fork at once: in real processes, as far as this system lets memory be pinned."""

from __future__ import annotations

import subprocess
import sys

import pytest

_START = """
import ctypes, mmap, os
from hookline_runner.early_copies import MemoryRange, find_own_memory, find_writable_memory, pin

PAGE = mmap.PAGESIZE
memory = mmap.mmap(-1, 64 * PAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
memory[:] = b"p" * len(memory)
start = ctypes.addressof(ctypes.c_char.from_buffer(memory))
whole = MemoryRange(start, len(memory), False)

def say(ranges):
    print([((part.start - start) // PAGE, part.size // PAGE) for part in ranges], flush=True)

def in_a_child(function):
    if os.fork() == 0:
        function()
        os._exit(0)
    os.wait()
"""


def _run(script: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", _START + script],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_a_child_owns_the_pages_that_it_wrote_to() -> None:
    lines = _run("""
def write():
    for page in (3, 4, 9):
        memory[page * PAGE] = 1
    say(find_own_memory([whole]))
in_a_child(write)
""")

    assert lines == ["[(3, 2), (9, 1)]"]


def test_pinned_pages_are_the_childs_own_before_it_writes_to_them() -> None:
    lines = _run("""
print(len(pin([MemoryRange(start + 8 * PAGE, 4 * PAGE, False)])), flush=True)
in_a_child(lambda: say(find_own_memory([whole])))
""")
    if lines[0] == "0":
        pytest.skip("this system lets no memory be pinned")

    assert lines[1:] == ["[(8, 4)]"]


def test_neither_sees_what_the_other_writes_to_pinned_pages() -> None:
    lines = _run("""
pin([whole])
there, here = os.pipe()
def write():
    os.read(there, 1)
    print(memory[5 * PAGE:5 * PAGE + 1], memory[9 * PAGE:9 * PAGE + 1], flush=True)
    memory[9 * PAGE] = ord("c")
child = os.fork()
if child == 0:
    write()
    os._exit(0)
memory[5 * PAGE] = ord("q")
os.write(here, b"x")
os.wait()
print(memory[5 * PAGE:5 * PAGE + 1], memory[9 * PAGE:9 * PAGE + 1], flush=True)
""")

    assert lines == ["b'p' b'p'", "b'q' b'p'"]


def test_what_cannot_be_pinned_leaves_nothing_open() -> None:
    lines = _run("""
before = os.listdir("/proc/self/fd")
print(pin([MemoryRange(PAGE, PAGE, False)]), pin([]), os.listdir("/proc/self/fd") == before)
""")

    assert lines == ["[] [] True"]


def test_the_stack_is_no_memory_to_pin() -> None:
    lines = _run("""
inside = ctypes.c_int(0)
stack = next(line for line in open("/proc/self/maps") if "[stack]" in line).split("-")[0]
print(int(stack, 16) in {part.start for part in find_writable_memory()}, whole.start >= min(find_writable_memory()).start)
""")

    assert lines == ["False True"]
