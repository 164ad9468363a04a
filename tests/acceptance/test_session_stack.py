"""Where a running session hangs can be seen, whatever it does, and it goes on undisturbed."""

from __future__ import annotations

from typing import Any

import pytest

from tests.acceptance.conftest import RunningService, wait_until

pytestmark = pytest.mark.slow

_CODE = """
import asyncio, ctypes, re, threading, time
import hookline

def spin(event):
    print("begun")
    while True:
        pass

def lock_twice(library):
    mutex = ctypes.create_string_buffer(64)
    library.pthread_mutex_lock(mutex)
    library.pthread_mutex_lock(mutex)

def hold(event):
    print("begun")
    lock_twice(ctypes.PyDLL(None))

def block(event):
    print("begun")
    lock_twice(ctypes.CDLL(None))

def match(event):
    print("begun")
    re.match("(a+)+$", "a" * 60 + "b")

async def gather(event):
    async def wait_for_it():
        print("begun")
        await asyncio.Event().wait()
    task = asyncio.create_task(wait_for_it(), name="the one")
    thread = threading.Thread(target=threading.Event().wait, name="helper", daemon=True)
    thread.start()
    await task

def sleep(event):
    print("begun")
    begun = time.monotonic()
    time.sleep(8)
    return time.monotonic() - begun >= 8

def listen(event):
    print("begun")
    hookline.next_signal("go")
"""


@pytest.fixture
def service(stopped_service: RunningService, a_project: Any) -> RunningService:
    stopped_service.start(hot_window_s=0.5, stop_grace_s=0.1)
    stopped_service.deploy(a_project("project: {name: stuck}\n", **{"main.py": _CODE}))
    return stopped_service


def begin(service: RunningService, function: str, *options: str) -> str:
    session = str(service.cli("run", "stuck", f"main.py:{function}", *options).stdout.strip())
    wait_until(lambda: service.texts(session) == ["begun"], "begun", 20)
    return session


def innermost(report: dict[str, Any], name: str) -> dict[str, Any]:
    [stack] = [stack for stack in report["stacks"] if stack["name"] == name]
    return {**stack["frames"][-1], "kind": stack["kind"]}


def test_the_stack_of_what_runs_is_shown(service: RunningService):
    spinning = begin(service, "spin", "--durable")
    report = service.cli("session", "stack", spinning, json=True)
    shown = service.cli("session", "stack", spinning).stdout
    gathering = service.cli("session", "stack", begin(service, "gather", "--durable"), json=True)

    place = innermost(report, "MainThread")
    assert (place["file"], place["function"]) == ("main.py", "spin")
    assert place["source"] in {"while True:", "pass"}
    assert "hookline_runner" not in shown
    assert "thread MainThread" in shown
    assert innermost(gathering, "helper")["kind"] == "thread"
    [task] = [stack for stack in gathering["stacks"] if stack["name"] == "the one"]
    assert task["frames"][0]["source"] == "await asyncio.Event().wait()"
    assert service.cli("session", "get", spinning, json=True)["attempt"] == 1


def test_the_stack_of_what_is_stuck_in_compiled_code_is_shown(service: RunningService):
    found: dict[str, tuple[bool, bool]] = {}
    for function in ("hold", "block", "match"):
        session = begin(service, function)
        report = service.cli("session", "stack", session, json=True)
        frames = [frame for stack in report["stacks"] for frame in stack["frames"]]
        is_shown = ("main.py", function) in {(each["file"], each["function"]) for each in frames}
        found[function] = (report["dump"], is_shown)
        assert service.cli("session", "get", session, json=True)["state"] == "running"

    assert found == {"hold": (True, True), "block": (True, True), "match": (False, True)}


def test_a_sleep_goes_on_while_its_stack_is_taken(service: RunningService):
    session = begin(service, "sleep")

    place = innermost(service.api("GET", f"/sessions/{session}/stack").json(), "MainThread")

    assert place["source"] == "time.sleep(8)"
    assert service.wait_session(session)["result"] is True


def test_a_session_without_a_process_says_what_it_waits_for(service: RunningService):
    session = begin(service, "listen", "--durable")
    wait_until(
        lambda: service.cli("session", "get", session, json=True)["state"] == "waiting",
        "waiting",
        20,
    )

    shown = service.cli("session", "stack", session).stdout
    stopped = service.cli("session", "stop", session, "--wait")
    refused = service.cli("session", "stack", session, check=False)

    assert shown == f"session {session} (waiting) waits for signal go\n"
    assert stopped.stdout == f"session {session} stopped: on request\n"
    assert refused.returncode == 1
    assert f"session {session} has ended already (stopped)" in refused.stderr
