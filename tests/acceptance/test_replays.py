"""Recorded sessions of a real service, replayed at one's own desk: nothing happens again."""

from __future__ import annotations

import hashlib
import json
import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.acceptance.conftest import HOOKLINE, RunningService, wait_until

pytestmark = pytest.mark.slow

MANIFEST = """\
project:
  name: steps
  vars:
    - {name: TOKEN, secret: true, value: a-long-secret}
  triggers:
    - {name: poke, type: webhook, call: main.py:go}
    - {name: news, type: webhook}
"""
CODE = """\
import asyncio
import hashlib
import os
import time

import hookline
from hookline import aio

TOKEN = os.environ["TOKEN"]


@hookline.activity
def step(name, where):
    with open(where, "a") as file:
        file.write(name + "\\n")
    print("inside", name)
    return len(name)


@hookline.activity
def tell_secret():
    return "it is " + TOKEN


def go(event):
    where = event.data["where"]
    first = step("one", where)
    print("after one")
    time.sleep(0.01)
    second = step("two", where)
    visits = hookline.add_values("visits", 1)
    print("the end", first, second, visits)
    return {"sum": first + second, "secret": tell_secret()}


def decides(event):
    print("asked")
    return os.environ["TOKEN"] in ("a-long-secret", "s3cret")


def signs(event):
    digest = hashlib.sha256(TOKEN.encode()).hexdigest()
    if digest != event.data["digest"]:
        raise PermissionError("forged")
    return step("one", event.data["where"])


def waits(event):
    step("one", event.data["where"])
    hookline.sleep(0.01)
    hookline.add_values("pushes", 1)
    return "done"


def fails(event):
    step("one", event.data["where"])
    raise ValueError(f"not {TOKEN}")


@hookline.activity
def connect(where):
    with open(where, "a") as file:
        file.write("connected\\n")
    return lambda: None


def connects(event):
    connect(event.data["where"])


def opens(event):
    with open(event.data["where"], "w"):
        pass


def keeps(event):
    with open("mine.txt", "w") as file:
        file.write("x")
    return open("mine.txt").read()


async def races(event):
    async def one(number):
        await asyncio.sleep(0.02 * (3 - number))
        return step(str(number), event.data["where"])

    news = hookline.subscribe("news")
    results = await asyncio.gather(*(one(number) for number in range(3)))
    print("raced", results)
    got = await aio.next_event(news, timeout=60)
    return [*results, got.body.json]


def listens(event):
    news = hookline.subscribe("news")
    step("one", event.data["where"])
    return hookline.next_event(news).body.json
"""


class Desk:
    """A service with the project deployed, and what its steps leave in a file."""

    def __init__(self, service: RunningService, project: Path, trace: Path) -> None:
        self.service = service
        self.project = project
        self.trace = trace

    def start(self, function: str, *options: str) -> str:
        digest = hashlib.sha256(b"a-long-secret").hexdigest()
        event = json.dumps({"where": str(self.trace), "digest": digest})
        command = ("run", "steps", f"main.py:{function}", "--durable", "--event", event, *options)
        return self.service.cli(*command).stdout.strip()

    def run(self, function: str) -> str:
        session = self.start(function)
        self.service.wait_session(session)
        return session

    def replay(self, session: str, *options: str) -> subprocess.CompletedProcess[str]:
        return self.service.cli("session", "replay", session, *options, check=False)

    def change(self, old: str, new: str) -> None:
        file = self.project / "main.py"
        assert old in file.read_text()
        file.write_text(file.read_text().replace(old, new))

    @property
    def steps(self) -> list[str]:
        return self.trace.read_text().split() if self.trace.exists() else []

    def wait_for(self, session: str, text: str, path: str = "activities") -> None:
        """Return once the text stands in what the API says of the session."""
        wait_until(lambda: text in self.service.api("GET", f"/sessions/{session}/{path}").text, text, 20)  # fmt: skip


@pytest.fixture
def desk(stopped_service: RunningService, a_project: Callable[..., Path], tmp_path: Path) -> Desk:
    stopped_service.start(sandbox="off")
    project = a_project(MANIFEST, **{"main.py": CODE})
    stopped_service.deploy(project)
    return Desk(stopped_service, project, tmp_path / "trace")


def test_a_session_is_replayed_without_anything_happening_again(desk: Desk) -> None:
    session = desk.run("go")

    done = desk.replay(session)

    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[:2] == ["after one", "the end 3 3 1"]
    assert '"sum": 6' in done.stdout
    assert "replayed as recorded: completed" in done.stderr
    assert desk.steps == ["one", "two"]
    assert len(desk.service.cli("session", "list", json=True)) == 1


def test_a_session_that_failed_fails_again(desk: Desk) -> None:
    session = desk.run("fails")

    done = desk.replay(session)

    assert done.returncode == 0, done.stderr
    assert "replayed as recorded: ValueError: not a-long-secret" in done.stderr
    assert desk.steps == ["one"]


def test_a_replay_ends_where_it_is_told_to(desk: Desk) -> None:
    session = desk.run("go")

    done = desk.replay(session, "--to", "1")
    too_far = desk.replay(session, "--to", "99")

    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["after one"]
    assert "the recording ends here, after 1 entry; the next call would be sleep at main.py" in done.stderr  # fmt: skip
    assert too_far.returncode == 1
    assert "has 5 entries" in too_far.stderr
    assert desk.steps == ["one", "two"]


def test_a_session_that_waits_is_replayed_to_where_it_waits(desk: Desk) -> None:
    session = desk.start("listens")
    desk.wait_for(session, '"step"')

    done = desk.replay(session)

    assert done.returncode == 0, done.stderr
    assert "the next call would be next_event at main.py" in done.stderr
    assert desk.steps == ["one"]


def test_tasks_are_replayed_in_the_order_in_which_they_ran(desk: Desk) -> None:
    session = desk.start("races")
    desk.wait_for(session, "raced", "log")

    waiting = desk.replay(session)
    (news,) = (one for one in desk.service.cli("trigger", "list", json=True) if one["name"] == "news")  # fmt: skip
    desk.service.call(news["url"], json={"n": 7})
    desk.service.wait_session(session)
    ended = desk.replay(session)

    assert waiting.returncode == 0, waiting.stderr
    assert "the next call would be next_event" in waiting.stderr
    assert ended.returncode == 0, ended.stderr
    assert 'result: [1, 1, 1, {"n": 7}]' in ended.stdout
    assert desk.steps == ["2", "1", "0"]
    for count in range(8):
        cut = desk.replay(session, "--to", str(count))
        assert cut.returncode == 0, cut.stderr
        assert "the recording ends here" in cut.stderr


def test_a_fix_is_tried_against_what_happened(desk: Desk) -> None:
    session = desk.run("fails")
    desk.change('raise ValueError(f"not {TOKEN}")', 'return "fixed"')

    fixed = desk.replay(session, "--dir", str(desk.project))
    as_it_was = desk.replay(session)

    assert fixed.returncode == 1
    assert "recorded: error with ValueError" in fixed.stderr
    assert "now:      completed" in fixed.stderr
    assert as_it_was.returncode == 0


def test_a_change_that_makes_other_calls_is_shown_with_both(desk: Desk) -> None:
    session = desk.run("go")
    desk.change("visits = hookline.add_values", "visits = hookline.set_value")

    done = desk.replay(session, "--dir", str(desk.project))

    assert done.returncode == 1
    assert "recorded: add_values at main.py" in done.stderr
    assert "actual:   set_value at main.py" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_result_that_was_not_recorded_is_made_again_only_if_wanted(desk: Desk) -> None:
    session = desk.run("connects")

    refused = desk.replay(session)
    steps = desk.steps
    made = desk.replay(session, "--unrecorded")

    assert refused.returncode == 1
    assert "the result of connect at main.py" in refused.stderr
    assert "--unrecorded" in refused.stderr
    assert steps == ["connected"]
    assert made.returncode == 0, made.stderr
    assert desk.steps == ["connected", "connected"]


def test_a_file_outside_is_not_written(desk: Desk) -> None:
    session = desk.run("opens")
    desk.trace.write_text("precious")

    refused = desk.replay(session)

    assert refused.returncode == 1
    assert f"open to write '{desk.trace}'" in refused.stderr
    assert desk.trace.read_text() == "precious"


def test_the_projects_own_copy_may_be_written(desk: Desk) -> None:
    session = desk.run("keeps")

    done = desk.replay(session, "--dir", str(desk.project))

    assert done.returncode == 0, done.stderr
    assert not (desk.project / "mine.txt").exists()


def test_what_was_not_recorded_cannot_be_replayed(desk: Desk) -> None:
    event = json.dumps({"where": str(desk.trace)})
    session = desk.service.cli("run", "steps", "main.py:go", "--event", event).stdout.strip()

    plain = desk.replay(session)
    unknown = desk.replay("ses_00000000000000000000000000")

    assert (plain.returncode, unknown.returncode) == (1, 1)
    assert "not durable" in plain.stderr
    assert "not found" in unknown.stderr


class Terminal:
    """`hookline` at a terminal of its own."""

    def __init__(self, service: RunningService, *arguments: str) -> None:
        self.output = ""
        self._pid, self._terminal = pty.fork()
        if self._pid == 0:
            os.environ.update(service.environment)  # noqa: TID251 (of the process to be)
            os.execvp(HOOKLINE[0], [*HOOKLINE, *arguments])  # noqa: S606 (a list, no shell)

    def read_to(self, text: str) -> None:
        deadline = time.monotonic() + 30
        while text not in self.output:
            assert time.monotonic() < deadline, self.output
            ready, _, _ = select.select([self._terminal], [], [], 1)
            if ready:
                self.output += os.read(self._terminal, 4096).decode()

    def ask(self, line: str, answer: str) -> None:
        self.read_to("(Pdb) ")
        self.output = ""
        os.write(self._terminal, f"{line}\n".encode())
        self.read_to(answer)

    def end(self) -> int:
        try:
            while data := os.read(self._terminal, 4096):
                self.output += data.decode()
        except OSError:
            pass
        _, status = os.waitpid(self._pid, 0)
        return os.waitstatus_to_exitcode(status)


@pytest.mark.parametrize("function", ["go", "races"])
def test_a_debugger_stops_at_the_functions_first_line(desk: Desk, function: str) -> None:
    session = desk.start(function)
    desk.wait_for(session, "the end" if function == "go" else "raced", "log")

    terminal = Terminal(desk.service, "session", "replay", session, "--pdb")
    terminal.ask("p event.data.where", str(desk.trace))
    if function == "go":
        terminal.ask("n", "first = step")
        terminal.ask("n", "print(")
        terminal.ask("p first", "3")
        terminal.ask("n", "after one")
    terminal.ask("c", "the recording ends here" if function == "races" else "as recorded")

    assert terminal.end() == 0
    assert len(desk.steps) == (2 if function == "go" else 3)


def test_a_debugger_is_left_by_quitting(desk: Desk) -> None:
    session = desk.run("go")

    terminal = Terminal(desk.service, "session", "replay", session, "--pdb")
    terminal.ask("\x03", "(Pdb)")  # an interrupt is for the debugger
    terminal.ask("q", "left the debugger")

    assert terminal.end() == 0


def run_tests(desk: Desk, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests", *options]
    return subprocess.run(
        command, cwd=desk.project, capture_output=True, text=True, timeout=50, check=False
    )


def test_an_exported_session_is_a_test_of_the_code(desk: Desk) -> None:
    sessions = [desk.run("go"), desk.run("fails"), desk.start("listens")]
    desk.wait_for(sessions[2], '"step"')
    for session in sessions:
        done = desk.service.cli("session", "export", session, "--as-test", "-o", str(desk.project / "tests"))  # fmt: skip
        assert len(done.stdout.split()) == 2
    steps = desk.steps

    unchanged = run_tests(desk)
    desk.change('print("the end"', 'print("THE END"')
    changed = run_tests(desk)

    assert unchanged.returncode == 0, unchanged.stdout
    assert "3 passed" in unchanged.stdout
    assert changed.returncode == 1
    assert "1 failed, 2 passed" in changed.stdout
    assert "prints what was not recorded here: 'THE END" in changed.stdout
    assert desk.steps == steps
    for file in (desk.project / "tests").iterdir():
        if file.is_file():
            assert "a-long-secret" not in file.read_text()


@pytest.mark.parametrize("function", ["decides", "signs"])
def test_a_session_that_looks_at_a_secret_is_not_exported_as_if_it_did_not(
    desk: Desk, function: str
) -> None:
    session = desk.run(function)
    tests = desk.project / "tests"
    export = ("session", "export", session, "--as-test", "-o", str(tests))

    refused = desk.service.cli(*export, check=False)
    with_other = desk.service.cli(*export, "--var", "TOKEN=other", check=False)
    unknown = desk.service.cli(*export, "--var", "TOKNE=x", check=False)
    with_value = desk.service.cli(*export, "--var", "TOKEN=a-long-secret", check=False)

    assert refused.returncode == with_other.returncode == 1
    assert "does something else when the secret TOKEN is covered" in refused.stderr
    assert "@hookline.activity" in refused.stderr
    assert "TOKNE is not a covered secret" in unknown.stderr
    assert with_value.returncode == 0, with_value.stderr
    assert run_tests(desk).returncode == 0


def test_a_short_secret_is_named_as_the_cause_and_takes_a_value_for_tests(desk: Desk) -> None:
    desk.service.cli("var", "set", "steps", "TOKEN", "s3cret", "--secret")
    session = desk.run("decides")
    export = ("session", "export", session, "--as-test", "-o", str(desk.project / "tests"))

    refused = desk.service.cli(*export, check=False)
    with_value = desk.service.cli(*export, "--var", "TOKEN=s3cret", check=False)

    assert refused.returncode == 1
    assert "does something else when the secret TOKEN is covered" in refused.stderr
    assert with_value.returncode == 0, with_value.stderr


@pytest.mark.parametrize(
    ("old", "new", "now"),
    [
        ('    step("one", event.data["where"])\n    hook', '    step("two", event.data["where"])\n    hook', '"two"'),
        ("hookline.sleep(0.01)", "hookline.sleep(9)", "9"),
        ('hookline.add_values("pushes", 1)', 'hookline.add_values("pushs", 1)', "pushs"),
    ],
    ids=["an activity", "a sleep", "an operation"],
)  # fmt: skip
def test_a_call_with_other_arguments_is_shown_with_both(
    desk: Desk, old: str, new: str, now: str
) -> None:
    session = desk.run("waits")
    desk.service.cli("session", "export", session, "--as-test", "-o", str(desk.project / "tests"))
    desk.change(old, new)

    replayed = desk.replay(session, "--dir", str(desk.project))
    tested = run_tests(desk)

    assert replayed.returncode == 1
    assert "got something else" in replayed.stderr
    assert now in replayed.stderr.partition("now:")[2]
    assert tested.returncode == 1
    assert "got something else" in tested.stdout


def test_an_export_into_a_file_is_refused(desk: Desk) -> None:
    session = desk.run("go")

    done = desk.service.cli("session", "export", session, "-o", str(desk.project / "main.py" / "x"), check=False)  # fmt: skip

    assert done.returncode == 2
    assert "main.py" in done.stderr
    assert "not a directory" in done.stderr
    assert "Traceback" not in done.stderr
