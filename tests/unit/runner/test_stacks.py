"""What Python's own dump says of where a process hangs."""

from __future__ import annotations

import faulthandler
import threading
from pathlib import Path

from hookline_runner.stacks import MOST_STACKS, parse_dump

_DUMP = """Thread 0x00007f12 [helper] (most recent call first):
  File "/usr/lib/python3.11/threading.py", line 327 in wait
  File "/work/3/project/sub/helper.py", line 7 in work

Thread 0x00007f13 (most recent call first):
  File "/opt/hookline_runner/session/output.py", line 9 in _run

Current thread 0x00007f11 (most recent call first):
  File "/session/project/main.py", line 3 in handler
  File "/opt/hookline_runner/session/attempt.py", line 4 in run
  File "/work/12/project/main.py", line ??? in <module>
"""


def test_a_dump_is_read_without_our_own_frames():
    helper, main = parse_dump(_DUMP)

    assert (helper.name, main.name) == ("helper", "MainThread")
    assert helper.frames == [
        ("sub/helper.py", 7, "work", ""),
        ("/usr/lib/python3.11/threading.py", 327, "wait", ""),
    ]
    assert main.frames == [("main.py", 0, "<module>", ""), ("main.py", 3, "handler", "")]


def test_a_dump_of_this_python_is_read(tmp_path: Path):
    done = threading.Event()
    thread = threading.Thread(target=done.wait)
    thread.start()
    with (tmp_path / "dump").open("w+") as file:
        faulthandler.dump_traceback(file)
        file.seek(0)
        stacks = parse_dump(file.read())
    done.set()
    thread.join()

    functions = {stack.name: stack.frames[-1][2] for stack in stacks}
    assert functions.pop("MainThread") == "test_a_dump_of_this_python_is_read"
    assert "wait" in functions.values()


def test_what_is_no_dump_is_no_stack():
    line = 'Thread 0x1 (most recent call first):\n  File "a", line 1 in f\n'

    assert parse_dump("") == []
    assert parse_dump('rubbish\n  File "a", line 1 in f\n') == []
    assert len(parse_dump(line * 1000)) == MOST_STACKS
