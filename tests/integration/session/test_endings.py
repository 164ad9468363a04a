"""How a session ended is told truly: by signals and exits, with threads left, out of memory, outside of its directories."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hookline_runner.session import tracebacks
from tests.fakes.session_peer import AttemptResult, SessionPeer
from tests.integration.session.handlers import PRELUDE

BOTH = pytest.mark.parametrize("durable", [True, False], ids=["durable", "plain"])


def run(tmp_path: Path, code: str, *, durable: bool, **options: object) -> AttemptResult:
    files = {"main.py": PRELUDE + "import atexit, faulthandler, signal, sys\n" + code}
    return SessionPeer(tmp_path, files, durable=durable).run(**options)


SENT = {
    "by the function": """
def handler(event):
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(20)
""",
    "in an activity": """
@activity
def end():
    signal.raise_signal(signal.SIGTERM)
def handler(event):
    end()
""",
    "in a task": """
async def handler(event):
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.sleep(20)
""",
    "and swallowed": """
def handler(event):
    try:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(20)
    except BaseException:
        return "went on"
""",
    "by a child": """
import subprocess
def handler(event):
    subprocess.run(["sh", "-c", "kill -TERM $PPID"])
    time.sleep(20)
""",
}


@BOTH
@pytest.mark.parametrize("name", SENT)
def test_a_sigterm_that_nobody_asked_for_is_named(tmp_path: Path, name: str, durable: bool):
    result = run(tmp_path, SENT[name], durable=durable)

    assert result.error["type"] == "ProcessSignalError"
    assert "the signal SIGTERM" in result.error["message"]
    assert result.done is not None
    assert not result.done["stopped"]


@BOTH
def test_a_stop_is_a_stop_still(tmp_path: Path, durable: bool):
    code = "def handler(event):\n    print('here')\n    time.sleep(300)\n"

    result = run(tmp_path, code, durable=durable, stop_on_print="here", hot_window_s=600.0)

    assert result.done is not None
    assert result.done["stopped"]
    assert result.done["error"] is None


@BOTH
@pytest.mark.parametrize(
    ("call", "message"),
    [("sys.exit(3)", "the code asked to exit with status 3"), ("sys.exit('no luck')", "no luck")],
)
def test_an_exit_names_its_status(tmp_path: Path, call: str, message: str, durable: bool):
    result = run(tmp_path, f"def handler(event):\n    {call}\n", durable=durable)

    assert (result.error["type"], result.error["message"]) == ("SystemExit", message)


@BOTH
@pytest.mark.parametrize(
    ("call", "status"),
    [
        ("os._exit(3)", 3),
        ("os.abort()", -6),
        ("os.kill(os.getpid(), signal.SIGKILL)", -9),
        ("os.kill(os.getpid(), signal.SIGSEGV)", -11),
    ],
)
def test_a_process_that_ends_itself_ends_with_that(
    tmp_path: Path, call: str, status: int, durable: bool
):
    result = run(
        tmp_path, f"def handler(event):\n    faulthandler.disable()\n    {call}\n", durable=durable
    )

    assert result.done is None
    assert result.status == status


@BOTH
@pytest.mark.parametrize("ending", ["return 'done'", "raise ValueError('x')"])
def test_threads_that_are_left_are_waited_for(tmp_path: Path, ending: str, durable: bool):
    code = f"""
import concurrent.futures
pool = concurrent.futures.ThreadPoolExecutor(1)
def work(name):
    threading.Event().wait(0.1)
    print(name)
    hookline.set_value(name, 1)
def handler(event):
    atexit.register(print, "at exit")
    threading.Thread(target=work, args=("thread",)).start()
    pool.submit(work, "first job")
    pool.submit(work, "second job")
    {ending}
"""
    result = run(tmp_path, code, durable=durable)

    assert sorted(result.prints[:3]) == ["first job", "second job", "thread"]
    assert result.prints[3] == "at exit"
    assert result.calls == ["store"] * 3
    assert result.done is not None
    assert result.done["ok"] == (ending == "return 'done'")


@BOTH
def test_a_daemon_thread_of_the_project_that_is_cut_off_is_told_of(tmp_path: Path, durable: bool):
    code = """
def serve():
    threading.Event().wait()
def handler(event):
    threading.Thread(target=serve, name="mine", daemon=True).start()
    threading.Thread(target=threading.Event().wait, name="a library's", daemon=True).start()
"""
    result = run(tmp_path, code, durable=durable)

    assert [text for text in result.texts("warning") if "daemon" in text] == [
        "the daemon thread 'mine' was running when the session ended, and ends with it"
    ]


@pytest.mark.slow
@BOTH
def test_a_stop_ends_the_wait_for_threads(tmp_path: Path, durable: bool):
    code = """
def work():
    print("here")
    threading.Event().wait(20)
def handler(event):
    threading.Thread(target=work).start()
"""
    result = run(tmp_path, code, durable=durable, stop_on_print="here")

    assert result.done is not None
    assert result.done["stopped"]


@BOTH
def test_memory_that_is_used_up_names_the_limit(tmp_path: Path, durable: bool):
    code = """
import resource
resource.setrlimit(resource.RLIMIT_DATA, (1 << 30, resource.RLIM_INFINITY))
def handler(event):
    return len(bytearray(1 << 33))
"""
    error = run(tmp_path, code, durable=durable).error

    assert error["type"] == "MemoryError"
    assert error["message"] == "over the limit of 1024 MiB; HOOKLINE_MEMORY_LIMIT_MB sets it"


@pytest.mark.parametrize(
    ("path", "is_noted"),
    [("/etc/hostname", True), ("none.txt", False), ("/tmp/none", False), ("/proc/none", False)],
)
def test_a_path_that_only_the_machine_has_is_explained(
    monkeypatch: pytest.MonkeyPatch, path: str, is_noted: bool
):
    monkeypatch.setattr(tracebacks, "SANDBOX_HOSTNAME", os.uname().nodename)

    told = tracebacks.describe(
        FileNotFoundError(2, "No such file or directory", path), "/work/1/project"
    )

    assert ("sees its project's files" in told["message"]) == is_noted
    assert ("sees its project's files" in told["traceback"]) == is_noted
