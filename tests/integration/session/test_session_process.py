"""A real session process, forked, with the test as its host and service."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.fakes.session_peer import SessionPeer

BOTH = pytest.mark.parametrize("durable", [True, False], ids=["durable", "plain"])


def peer_of(tmp_path: Path, code: str, **start: object) -> SessionPeer:
    return SessionPeer(tmp_path, {"main.py": code}, **start)


# what the handler gets


@BOTH
def test_a_handler_gets_the_event_and_its_result_is_reported(tmp_path: Path, durable: bool):
    code = "def handler(event):\n    print('hi', event.data.name)\n    return {'type': event.event_type}\n"
    peer = peer_of(tmp_path, code, durable=durable)

    result = peer.run(event={"id": "evt_1", "type": "post", "data": {"name": "Ada"}})

    assert result.started
    assert result.result == {"type": "post"}
    assert result.prints == ["hi Ada"]
    assert peer.entries == []
    assert result.status == 0
    assert json.loads(result.payload) == {"type": "post"}


def test_a_webhooks_raw_body_arrives_as_bytes(tmp_path: Path):
    code = "def handler(event):\n    return [event.data.body.bytes.hex(), event.data['body']['text']]\n"

    result = peer_of(tmp_path, code).run(event={"data": {"body": {"text": None}}}, body=b"\x00\xff")

    assert result.result == ["00ff", None]


@pytest.mark.parametrize(
    "code",
    [
        "def handler(event, session_id):\n    return session_id\n",
        "def handler(event, *, session_id):\n    return session_id\n",
        "async def handler(event, session_id=None):\n    return session_id\n",
        """class handler:
    def __init__(self, event, session_id):
        print(session_id)
    def __reduce__(self):
        return (str, ('ses_1',))
    def __repr__(self):
        return 'ses_1'
""",
        "class C:\n    def __call__(self, event, session_id):\n        return session_id\nhandler = C()\n",
        """import functools
def decorated(function):
    @functools.wraps(function)
    def wrapper(*args, **options):
        return function(*args, **options)
    return wrapper
@decorated
def handler(event, session_id):
    return session_id
""",
        "import hookline\n@hookline.activity\ndef handler(event, session_id):\n    return session_id\n",
    ],
)
def test_the_session_id_is_given_to_a_handler_that_asks_by_name(tmp_path: Path, code: str):
    result = peer_of(tmp_path, code).run()

    assert result.done["ok"], result.done
    assert "ses_1" in result.done["display"]


def test_a_handler_in_a_sub_directory_is_found(tmp_path: Path):
    files = {
        "sub/dir/file.py": "from sub.other import x\ndef go(event):\n    return x\n",
        "sub/other.py": "x = 1\n",
    }

    result = SessionPeer(tmp_path, files).run("sub/dir/file.py:go")

    assert result.result == 1


@BOTH
def test_the_projects_modules_win_over_everything_installed(tmp_path: Path, durable: bool):
    names = [
        "store",
        "main",
        "utils",
        "slack",
        "config",
        "codec",
        "session",
        "errors",
        "pytest",
        "frames",
        "gate",
    ]
    files = {f"{name}.py": f"NAME = 'mine {name}'\n" for name in names[:1] + names[2:]}
    imports = "".join(f"import {name}\n" for name in names if name != "main")
    listing = ", ".join(f"{name}.NAME" for name in names if name != "main")
    files["main.py"] = f"{imports}import yaml\ndef handler(event):\n    return [{listing}]\n"
    files["yaml/data.json"] = "{}"

    result = SessionPeer(tmp_path, files, durable=durable).run()

    assert result.result == [f"mine {name}" for name in names if name != "main"]


@BOTH
def test_the_environment_holds_the_variables_and_nothing_ambient(
    tmp_path: Path, durable: bool, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("AMBIENT_SECRET", "x")
    code = "import os\ndef handler(event):\n    return [dict(os.environ), os.getcwd()]\n"

    result = peer_of(tmp_path, code, durable=durable).run(variables={"A": "1", "EMPTY": ""})

    environment, cwd = result.result
    assert environment["A"] == "1"
    assert environment["EMPTY"] == ""
    assert "AMBIENT_SECRET" not in environment
    allowed = {"PATH", "LANG", "HOME", "TMPDIR", "TZ", "LC_CTYPE", "SSL_CERT_DIR", "SSL_CERT_FILE"}
    assert set(environment) - {"A", "EMPTY", "EFFECTS"} <= allowed
    assert cwd == str(tmp_path / "project")


@BOTH
def test_local_times_are_those_of_the_zone_that_a_variable_names(tmp_path: Path, durable: bool):
    code = """
from datetime import datetime
def handler(event):
    return datetime.fromtimestamp(0).isoformat()
"""
    peer = peer_of(tmp_path, code, durable=durable)

    results = []
    for variables in ({"TZ": "EST5"}, {"TZ": "JST-9"}, {}):
        peer.entries.clear()
        results.append(peer.run(variables={"TZ": "UTC0", **variables}, reuse=True).result)
    peer.close()

    assert results == ["1969-12-31T19:00:00", "1970-01-01T09:00:00", "1970-01-01T00:00:00"]


# how it ends


@BOTH
def test_an_error_is_told_with_the_projects_own_frames(tmp_path: Path, durable: bool):
    code = """import json
class Broken(Exception):
    pass
def inner(x):
    try:
        json.loads("{")
    except ValueError as exc:
        raise Broken("no good") from exc
def handler(event):
    return inner(
        1
    )
"""
    result = peer_of(tmp_path, code, durable=durable).run()

    error = result.error
    assert error["type"] == "main.Broken"
    assert error["message"] == "no good"
    assert 'File "main.py", line 10, in handler' in error["traceback"]
    assert 'File "main.py", line 6, in inner' in error["traceback"]
    assert "raise Broken" in error["traceback"]
    assert "hookline" not in error["traceback"]
    assert "json/" not in error["traceback"]
    assert error["traceback"].count("direct cause") == 1


@BOTH
def test_an_async_error_is_told_with_the_projects_own_frames(tmp_path: Path, durable: bool):
    code = """import asyncio, hookline
@hookline.activity
async def inner():
    await asyncio.sleep(0)
    raise KeyError("k")
async def handler(event):
    await inner()
"""
    result = peer_of(tmp_path, code, durable=durable).run()

    lines = [line for line in result.error["traceback"].splitlines() if line.startswith("  File")]
    assert lines == [
        '  File "main.py", line 7, in handler',
        '  File "main.py", line 5, in inner',
    ]


@BOTH
def test_a_traceback_printed_by_the_code_hides_the_gate(tmp_path: Path, durable: bool):
    code = """import traceback
def inner():
    raise ValueError("x")
def handler(event):
    try:
        inner()
    except ValueError:
        return traceback.format_exc().count("File ")
"""
    assert peer_of(tmp_path, code, durable=durable).run().result == 2


@pytest.mark.parametrize(
    ("entry_point", "words"),
    [
        ("main.py:missing", 'entry point "missing" not found after evaluation'),
        ("main.py:VALUE", "is an int, not a function"),
        ("none.py:handler", "can't load none - ModuleNotFoundError"),
        ("none.py:handler", "No module named 'none'; is it a file of the project?"),
        ("no/ne.py:handler", "No module named 'no'; is it a file of the project?"),
        ("broken.py:handler", "can't load broken - SyntaxError"),
        ("raises.py:handler", "can't load raises - ZeroDivisionError: division by zero"),
        ("nonsense", "is not of the form path.py:name"),
        ("needs.py:handler", "requirements.txt"),
    ],
)
@BOTH
def test_an_entry_point_that_cannot_be_had_says_why(
    tmp_path: Path, entry_point: str, words: str, durable: bool
):
    files = {
        "main.py": "VALUE = 1\n",
        "broken.py": "def handler(event:\n",
        "raises.py": "def f():\n    1 / 0\nf()\n",
        "needs.py": "import not_there_at_all\n",
    }

    result = SessionPeer(tmp_path, files, durable=durable).run(entry_point)

    assert words in result.error["message"]
    if entry_point.startswith("raises"):
        assert 'File "raises.py", line 2, in f' in result.error["traceback"]
        assert "importlib" not in result.error["traceback"]


@pytest.mark.parametrize(
    ("code", "ok"), [("None", True), ("0", True), ("2", False), ("'why'", False)]
)
@BOTH
def test_exit_without_a_status_completes_the_session(
    tmp_path: Path, code: str, ok: bool, durable: bool
):
    peer = peer_of(
        tmp_path, f"import sys\ndef handler(event):\n    sys.exit({code})\n", durable=durable
    )

    assert peer.run().done["ok"] is ok


def test_a_handler_without_parameters_fails_with_a_type_error(tmp_path: Path):
    result = peer_of(tmp_path, "def handler():\n    pass\n").run()

    assert result.error["type"] == "TypeError"


# what it writes


@BOTH
def test_output_of_every_kind_is_recorded_in_order(tmp_path: Path, durable: bool):
    code = r"""
import logging, sys, warnings
logging.getLogger("mine").info("early")
def handler(event):
    print("one", 2, sep="-")
    print("two\nlines")
    print("no end", end="")
    print("err", file=sys.stderr)
    sys.stdout.write("half ")
    sys.stdout.write("line\nrest")
    logging.debug("not shown")
    logging.warning("warn %s", 1)
    logging.getLogger("x").error("bad")
    sys.stderr.buffer.write(b"bytes \xff\n")
    warnings.warn("careful")
    print("nul \0 and \ud800 half")
"""
    result = peer_of(tmp_path, code, durable=durable).run()

    seen = [(kind, level, text) for _at, kind, level, text in result.logs]
    assert seen[:9] == [
        ("log", "INFO", "early"),
        ("print", "", "one-2"),
        ("print", "", "two\nlines"),
        ("print", "", "no end"),
        ("stderr", "", "err"),
        ("stdout", "", "half line"),
        ("log", "WARNING", "warn 1"),
        ("log", "ERROR", "bad"),
        ("stderr", "", "bytes \\xff"),
    ]
    assert "main.py:15: UserWarning: careful" in seen[9][2]
    assert seen[-2:] == [("print", "", "nul \\x00 and \\ud800 half"), ("stdout", "", "rest")]
    times = [record[0] for record in result.logs]
    assert times == sorted(times)


def test_print_is_named_and_refuses_as_the_plain_one(tmp_path: Path):
    code = """
import pickle
def handler(event):
    for wrong in ({"sep": 1}, {"end": b"!"}, {"colour": 1}):
        try:
            print("a", "b", **wrong)
        except TypeError as exc:
            print(exc)
    return pickle.loads(pickle.dumps(print)) is print
"""
    result = peer_of(tmp_path, code).run()

    assert [text for _at, _kind, _level, text in result.logs] == [
        "sep must be None or a string, not int",
        "end must be None or a string, not bytes",
        "print() got an unexpected keyword argument 'colour'",
    ]
    assert result.result is True


def test_basic_config_sets_level_and_format(tmp_path: Path):
    code = """
import logging
logging.basicConfig(level=logging.DEBUG, format="%(levelname)s|%(message)s|%(lineno)d")
def handler(event):
    logging.debug("fine")
"""
    result = peer_of(tmp_path, code).run()

    assert [record[1:] for record in result.logs] == [("log", "DEBUG", "DEBUG|fine|5")]


def test_a_handler_of_their_own_is_not_heard_twice(tmp_path: Path):
    code = """
import logging, sys
logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(message)s")
def handler(event):
    logging.info("once")
"""
    result = peer_of(tmp_path, code).run()

    assert [record[3] for record in result.logs] == ["once"]


def test_redirected_print_is_not_recorded(tmp_path: Path):
    code = """
import contextlib, io
def handler(event):
    buffer = io.StringIO()
    with contextlib.redirect_stdout(buffer):
        print("inside")
    return buffer.getvalue()
"""
    result = peer_of(tmp_path, code).run()

    assert result.result == "inside\n"
    assert result.logs == []


def test_the_log_is_cut_with_a_visible_mark(tmp_path: Path):
    code = "def handler(event):\n    for i in range(100):\n        print(i)\n"

    result = peer_of(tmp_path, code).run(log_limit_lines=10)

    assert result.prints == [str(i) for i in range(10)]
    (mark,) = result.texts("warning")
    assert mark.startswith("log cut:")
    assert result.done["log_dropped"] == 90


def test_one_huge_record_is_cut(tmp_path: Path):
    result = peer_of(tmp_path, "def handler(event):\n    print('x' * 1000000)\n").run()

    (text,) = result.prints
    assert len(text) < 70_000
    assert text.endswith("[cut: 1000000 characters]")


def test_a_record_goes_out_while_the_code_is_busy(tmp_path: Path):
    code = """
import time
def handler(event):
    print("first")
    print("second")
    time.sleep(20)
"""
    peer = peer_of(tmp_path, code, durable=False)

    result = peer.run(kill_on_print="second")

    assert result.killed


# stopping


@BOTH
def test_a_stop_runs_finally_blocks_and_ends_as_stopped(tmp_path: Path, durable: bool):
    code = """
import time
def handler(event):
    try:
        print("ready")
        time.sleep(20)
    except Exception:
        print("swallowed")
    finally:
        print("cleaned up")
"""
    result = peer_of(tmp_path, code, durable=durable, hot_window_s=60).run(stop_on_print="ready")

    assert result.done["stopped"]
    assert not result.done["ok"]
    assert result.done["error"] is None
    assert result.prints == ["ready", "cleaned up"]


@BOTH
def test_a_stop_reaches_busy_code(tmp_path: Path, durable: bool):
    code = "def handler(event):\n    print('ready')\n    while True:\n        len('x')\n"

    result = peer_of(tmp_path, code, durable=durable).run(stop_on_print="ready")

    assert result.done["stopped"]


@BOTH
def test_a_stop_reaches_code_that_prints_without_end(tmp_path: Path, durable: bool):
    code = "def handler(event):\n    print('ready')\n    while True:\n        print('x')\n"

    result = peer_of(tmp_path, code, durable=durable).run(stop_on_print="ready")

    assert result.done["stopped"]


@BOTH
def test_a_stop_reaches_async_code(tmp_path: Path, durable: bool):
    code = """
import asyncio
async def handler(event):
    try:
        print("ready")
        await asyncio.gather(asyncio.sleep(20), asyncio.sleep(21))
    finally:
        print("cleaned up")
"""
    result = peer_of(tmp_path, code, durable=durable, hot_window_s=60).run(stop_on_print="ready")

    assert result.done["stopped"]
    assert result.prints == ["ready", "cleaned up"]


def test_a_stop_waits_for_the_activity_and_its_record(tmp_path: Path):
    code = """
import hookline, time
@hookline.activity
def work():
    print("ready")
    time.sleep(0.3)
    return 5
def handler(event):
    try:
        work()
    finally:
        print("cleaned up")
"""
    peer = peer_of(tmp_path, code)

    result = peer.run(stop_on_print="ready")

    assert result.done["stopped"]
    assert peer.names() == ["work"]
    assert result.prints == ["ready", "cleaned up"]


def test_a_stop_waits_for_async_activities_and_their_records(tmp_path: Path):
    code = """
import asyncio, hookline
@hookline.activity
async def work():
    print("ready")
    await asyncio.sleep(0.3)
    return 5
async def handler(event):
    await asyncio.gather(work(), asyncio.sleep(30))
    await work()
"""
    peer = peer_of(tmp_path, code, hot_window_s=60)

    result = peer.run(stop_on_print="ready")

    assert result.done["stopped"]
    assert peer.names("activity") == ["work"]


# processes and their leftovers


def test_a_used_process_runs_session_after_session_afresh(tmp_path: Path):
    code = """
import os, sys, logging, random
COUNT = [0]
def handler(event):
    COUNT[0] += 1
    logging.getLogger("x").setLevel(logging.DEBUG)
    sys.path.append("/nowhere")
    os.chdir("/")
    print(event.data.n, COUNT, os.environ.get("ONLY"))
    return os.getpid()
"""
    peer = peer_of(tmp_path, code)

    results = []
    for n in range(3):
        peer.entries.clear()
        variables = {"ONLY": "1"} if n == 1 else {}
        results.append(peer.run(event={"data": {"n": n}}, reuse=True, variables=variables))
    peer.close()

    assert {result.done["dirty"] for result in results} == {None}
    assert len({result.result for result in results}) == 1
    assert [result.prints for result in results] == [["0 [1] None"], ["1 [1] 1"], ["2 [1] None"]]


def test_durable_and_plain_sessions_share_a_used_process(tmp_path: Path):
    code = "import os\ndef handler(event):\n    os.listdir('.')\n"
    peer = peer_of(tmp_path, code)

    peer.run(reuse=True, durable=False)
    plain = len(peer.entries)
    peer.run(reuse=True, durable=True)
    peer.close()

    assert plain == 0
    assert peer.names() == ["listdir"]


@pytest.mark.parametrize(
    ("action", "words"),
    [
        (
            "import threading; threading.Thread(target=threading.Event().wait, daemon=True).start()",
            "thread",
        ),
        ("import subprocess; event.p = subprocess.Popen(['sleep', '20'])", "child process"),
        ("import builtins; builtins.kept = open('main.py')", "file"),
        ("import os; os.environ['LEFT'] = '1'", "environment"),
        ("import signal; signal.signal(signal.SIGUSR1, lambda *a: None)", "signal handler"),
        ("import atexit; atexit.register(print, 'bye')", "exit"),
        ("import signal; signal.setitimer(signal.ITIMER_REAL, 600)", "timer"),
        ("import sys; sys.settrace(lambda *a: None)", "hook"),
        ("import sys; sys.setprofile(lambda *a: None)", "hook"),
        ("import sys; sys.excepthook = print", "hook"),
        ("import sys; sys.meta_path.append(print)", "hook"),
        ("import os; os.nice(1)", "priority"),
        ("import resource as r; r.setrlimit(r.RLIMIT_NOFILE, (99, 99))", "limit"),
    ],
)
def test_a_process_left_dirty_is_thrown_away(tmp_path: Path, action: str, words: str):
    peer = peer_of(tmp_path, f"def handler(event):\n    {action}\n", durable=False)

    result = peer.run(reuse=True)

    assert words in result.done["dirty"]
    assert result.status == 0


def test_settings_of_the_interpreter_are_put_back(tmp_path: Path):
    code = """
import decimal, gc, locale, sys
def handler(event):
    seen = [sys.getswitchinterval(), gc.isenabled(), decimal.getcontext().prec]
    sys.setswitchinterval(1)
    gc.disable()
    decimal.getcontext().prec = 3
    return seen
"""
    peer = peer_of(tmp_path, code, durable=False)

    first, second = peer.run(reuse=True), peer.run(reuse=True)
    peer.close()

    assert first.done["dirty"] is None
    assert second.result == first.result


def test_functions_registered_for_the_exit_are_called_and_heard(tmp_path: Path):
    code = "import atexit\ndef handler(event):\n    atexit.register(print, 'bye')\n"

    assert peer_of(tmp_path, code).run().prints == ["bye"]


def test_a_fork_made_by_the_code_is_no_second_session(tmp_path: Path):
    code = """
import os, multiprocessing
def double(x):
    print("in child", os.path.exists("main.py"))
    return 2 * x
def handler(event):
    print("before")
    pid = os.fork()
    if pid == 0:
        print("child")
        return "child"
    os.waitpid(pid, 0)
    with multiprocessing.get_context("fork").Pool(2) as pool:
        doubled = pool.map(double, [1, 2])
    return doubled
"""
    peer = peer_of(tmp_path, code, durable=False)

    result = peer.run()

    assert result.result == [2, 4]
    assert result.prints == ["before"]


def test_a_child_told_to_end_as_soon_as_it_is_there_ends(tmp_path: Path):
    code = """
import os, signal
def handler(event):
    for _ in range(100):
        pid = os.fork()
        if pid == 0:
            signal.pause()
        os.kill(pid, signal.SIGTERM)
        assert os.waitpid(pid, 0)[1] == signal.SIGTERM
    pid = os.fork()
    if pid == 0:
        kept = os.open("main.py", os.O_RDONLY), os.open("main.py", os.O_RDONLY)
        grandchild = os.fork()
        if grandchild == 0:
            os._exit(sum(os.fstat(each).st_size > 0 for each in kept))
        os._exit(os.waitstatus_to_exitcode(os.waitpid(grandchild, 0)[1]))
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 2
    return not signal.pthread_sigmask(signal.SIG_BLOCK, ())
"""
    assert peer_of(tmp_path, code, durable=False).run().result is True


def test_the_process_ends_when_its_host_is_gone(tmp_path: Path):
    peer = peer_of(tmp_path, "def handler(event):\n    while True:\n        print('x')\n")

    result = peer.run(kill_on_print="x")

    assert result.killed


def test_os_exit_ends_the_process_with_its_status(tmp_path: Path):
    code = "import os\ndef handler(event):\n    print('last words')\n    os._exit(7)\n"

    result = peer_of(tmp_path, code).run()

    assert result.done is None
    assert result.status == 7
    assert result.prints == ["last words"]


def test_random_numbers_differ_between_sessions(tmp_path: Path):
    code = "import random, uuid\ndef handler(event):\n    return [random.random(), str(uuid.uuid4())]\n"
    peer = peer_of(tmp_path, code, durable=False)

    first, second = peer.run(reuse=True), peer.run(reuse=True)
    peer.close()

    assert first.result[0] != second.result[0]
    assert os.getpid() > 0


@BOTH
def test_the_code_can_learn_why_it_is_stopped(tmp_path: Path, durable: bool):
    code = """
import hookline, time
def handler(event):
    try:
        print("ready")
        time.sleep(20)
    except hookline.errors.SessionStoppedError as exc:
        print(exc.reason)
        raise
"""
    peer = peer_of(tmp_path, code, durable=durable, hot_window_s=60)

    result = peer.run(stop_on_print="ready")

    assert result.done["stopped"]
    assert result.prints == ["ready", "asked in a test"]
