"""Work at one's own desk: local runs, redeploys while editing, and recorded sessions taken up again."""

from __future__ import annotations

import json
import signal
import stat
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import httpx2
import pytest

from tests.acceptance.conftest import (
    HOOKLINE,
    clean_environment,
    free_port,
    processes_with,
    wait_until,
)

pytestmark = pytest.mark.slow


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path)
    try:
        yield desk
    finally:
        desk.close()


class Desk:
    """A directory with files, and `hookline` run in it, with a home and temporary files of its own."""

    def __init__(self, root: Path) -> None:
        self.work = root / "work"
        self.scratch = root / "scratch"
        self.home = root / "own_home"
        for directory in (self.work, self.scratch):
            directory.mkdir()
        self.environment = clean_environment(
            HOOKLINE_HOME=str(self.home), TMPDIR=str(self.scratch), PYTHONUNBUFFERED="1"
        )
        self._processes: list[subprocess.Popen[str]] = []

    def close(self) -> None:
        """Kill what still runs."""
        for process in self._processes:
            process.kill()
            process.communicate()

    def write(self, **files: str) -> None:
        """Write files; `main__py` names `main.py`."""
        for name, text in files.items():
            (self.work / name.replace("__", ".")).write_text(text)

    def start(self, *arguments: str, **kwargs: Any) -> subprocess.Popen[str]:
        """`hookline …`, running; what it writes goes to pipes."""
        process = subprocess.Popen(
            [*HOOKLINE, *arguments],
            env=self.environment | kwargs.pop("environment", {}),
            cwd=self.work,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **kwargs,
        )
        self._processes.append(process)
        return process

    def run(self, *arguments: str, **kwargs: Any) -> subprocess.CompletedProcess[str]:
        """`hookline …`, when it has ended."""
        process = self.start(*arguments, **kwargs)
        out, err = process.communicate(timeout=50)
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)

    @property
    def leftovers(self) -> list[str]:
        """Temporary homes that are still there."""
        return [path.name for path in self.scratch.glob("hookline-local-*")]


HELLO = 'def go(event):\n    print("hello", event.data.get("name"))\n    return len(event.data)\n'


def test_a_local_run_needs_neither_service_nor_manifest(desk: Desk) -> None:
    desk.write(main__py=HELLO)

    done = desk.run("run", "--local", "main.py:go", "--event", '{"name": "Ada"}')

    assert done.returncode == 0, done.stderr
    assert "hello Ada" in done.stdout
    assert "result: 1" in done.stdout
    assert desk.leftovers == []
    assert processes_with(str(desk.scratch)) == []


def test_a_local_run_that_raises_says_where_and_fails(desk: Desk) -> None:
    desk.write(main__py='def go(event):\n    raise ValueError("not today")\n', event__json="[1]")

    done = desk.run("run", "--local", "main.py:go", "--event", "@event.json")

    assert done.returncode == 1
    assert 'File "main.py", line 2, in go' in done.stdout
    assert "ValueError: not today" in done.stdout
    assert desk.leftovers == []


def test_a_durable_local_run_wakes_from_its_sleep(desk: Desk) -> None:
    code = "import time\n\ndef go(event):\n    time.sleep(1.2)\n    print('awake')\n"
    desk.write(main__py=code)

    done = desk.run("run", "--local", "main.py:go", "--durable", "--json")

    assert done.returncode == 0, done.stderr
    assert '"attempt": 2' in done.stdout
    assert '"durable": true' in done.stdout


def test_variables_come_from_the_environment_and_from_the_values_file(desk: Desk) -> None:
    desk.write(
        hookline__yaml=(
            "project:\n  name: shop\n  vars:\n    - {name: TOKEN, secret: true, required: true}\n"
            "    - {name: REGION, required: true}\n    - {name: FIXED, value: stays}\n"
        ),
        main__py=(
            "import os\n\ndef go(event):\n    print(len(os.environ['TOKEN']), os.environ['REGION'],"
            " os.environ['FIXED'])\n    print('the token is', os.environ['TOKEN'])\n"
        ),
    )
    (desk.work / ".env").write_text("TOKEN='a secret of mine'\nREGION=file\nFIXED=file\n")

    done = desk.run("run", "--local", "main.py:go", environment={"REGION": "environment"})

    assert done.returncode == 0, done.stderr
    assert "16 environment stays" in done.stdout
    assert "a secret of mine" not in done.stdout + done.stderr


def test_a_project_that_cannot_be_deployed_is_refused_with_its_findings(desk: Desk) -> None:
    desk.write(hookline__yaml="project:\n  name: a\n  nonsense: 1\n", main__py="def go(event:\n")

    done = desk.run("run", "--local", "main.py:go")

    assert done.returncode == 1
    assert "hookline.yaml:3" in done.stderr
    assert "main.py:1" in done.stderr
    assert desk.leftovers == []


def test_a_function_that_is_not_there_is_refused(desk: Desk) -> None:
    desk.write(main__py=HELLO)

    done = desk.run("run", "--local", "main.py:gone")

    assert done.returncode == 1
    assert "gone" in done.stderr
    assert "Traceback" not in done.stderr


LISTENS = """\
import hookline

def go(event):
    news = hookline.subscribe("news")
    print("listening")
    heard = hookline.next_event(news, timeout=20)
    child = hookline.start("main.py:double", {"n": heard.body.json.n})
    return hookline.next_signal(child).payload.value

def double(event):
    hookline.sleep(1.2)
    return event.data.n * 2
"""


def test_a_local_run_hears_events_and_has_children(desk: Desk) -> None:
    manifest = DEV_MANIFEST + "    - {name: news, type: webhook}\n"
    manifest += '    - {name: often, schedule: "@every 1s", call: main.py:go}\n'
    desk.write(hookline__yaml=manifest, main__py=LISTENS)
    process = desk.start("run", "--local", "main.py:go", "--durable")
    reader = Reader(process)
    url = reader.wait("webhook news: ").split()[-1]
    reader.wait("listening")

    with httpx2.Client(trust_env=False) as client:
        client.post(url, json={"n": 21})

    assert process.wait(30) == 0
    reader.close()
    assert "result: 42" in reader.lines
    assert sum("listening" in line for line in reader.lines) == 1


def test_packages_are_kept_in_a_home_for_its_owner_alone(desk: Desk) -> None:
    desk.write(main__py=HELLO)
    desk.run("run", "--local", "main.py:go")

    assert stat.S_IMODE(desk.home.stat().st_mode) == 0o700
    assert [path.name for path in desk.home.iterdir()] == ["local"]


def test_a_home_that_cannot_be_is_told(desk: Desk) -> None:
    desk.write(main__py=HELLO)
    desk.home.write_text("a file")

    run = desk.run("run", "--local", "main.py:go")
    dev = desk.run("dev")

    assert (run.returncode, dev.returncode) == (4, 4)
    assert str(desk.home) in run.stderr
    assert str(desk.home) in dev.stderr


WAITS = """\
import time

def go(event):
    print("begun")
    try:
        while True:
            time.sleep(0.05)
    finally:
        print("ended")
"""


@pytest.mark.parametrize(
    ("sent", "status"), [(signal.SIGINT, 130), (signal.SIGKILL, -9), (signal.SIGTERM, -15)]
)
def test_a_local_run_that_is_cut_off_leaves_nothing_behind(
    desk: Desk, sent: signal.Signals, status: int
) -> None:
    desk.write(main__py=WAITS)
    process = desk.start("run", "--local", "main.py:go")
    assert process.stdout is not None
    while "begun" not in process.stdout.readline():
        assert process.poll() is None

    process.send_signal(sent)
    process.communicate(timeout=30)

    assert process.returncode == status
    wait_until(lambda: not processes_with(str(desk.scratch)), "all processes gone", 20)
    wait_until(lambda: not desk.leftovers, "the home removed", 10)


DEV_MANIFEST = """\
project:
  name: bench
  triggers:
    - {name: poke, type: webhook, call: main.py:go}
"""


class Reader:
    """Reads what a process writes, as it comes."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.lines: list[str] = []
        self._threads = [
            threading.Thread(target=self._read, args=(stream,), daemon=True)
            for stream in (process.stdout, process.stderr)
        ]
        for thread in self._threads:
            thread.start()

    def _read(self, stream: IO[str]) -> None:
        for line in stream:
            self.lines.append(line.rstrip())

    def wait(self, text: str, timeout_s: float = 25) -> str:
        """The first line with this text, once it is there."""
        wait_until(lambda: any(text in line for line in self.lines), f"told {text!r}", timeout_s)
        return next(line for line in self.lines if text in line)

    def close(self) -> None:
        for thread in self._threads:
            thread.join(20)


def poke(line: str) -> None:
    url = line.rsplit(maxsplit=1)[-1]
    with httpx2.Client(trust_env=False, timeout=30) as client:
        assert client.post(url).status_code == 202


def test_a_change_is_deployed_again_and_new_sessions_are_followed(desk: Desk) -> None:
    desk.write(hookline__yaml=DEV_MANIFEST, main__py="def go(event):\n    print('first')\n")
    process = desk.start("dev", "--port", "0")
    reader = Reader(process)
    url = reader.wait("/webhooks/")
    reader.wait("watching")
    poke(url)
    reader.wait("first")

    desk.write(main__py="def go(event):\n    print('second')\n")
    reader.wait("again")
    poke(url)
    reader.wait("second")

    desk.write(main__py="def go(event):\n    print('third'\n")
    reader.wait("main.py:2")
    reader.wait("stays active")
    poke(url)
    wait_until(lambda: sum("second" in one for one in reader.lines) == 2, "still served", 20)

    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 0
    reader.close()

    colours = {line.split()[0] for line in reader.lines if "│" in line}
    assert len(colours) == 3
    assert not any("Traceback" in line for line in reader.lines)
    assert processes_with(str(desk.home)) == []
    assert not (desk.home / "service.json").exists()


def test_a_service_that_runs_is_used_and_left_running(desk: Desk, running_service) -> None:
    desk.write(hookline__yaml=DEV_MANIFEST, main__py="def go(event):\n    print('first')\n")
    process = desk.start("dev", "--home", str(running_service.home))
    reader = Reader(process)
    reader.wait("watching")
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 0
    reader.close()

    assert running_service.cli("project", "list", json=True)[0]["name"] == "bench"


def test_a_service_that_restarts_is_found_again(desk: Desk, running_service) -> None:
    desk.write(hookline__yaml=DEV_MANIFEST, main__py="def go(event):\n    print('first')\n")
    process = desk.start("dev", "--home", str(running_service.home))
    reader = Reader(process)
    url = reader.wait("/webhooks/")
    reader.wait("watching")
    running_service.stop()
    reader.wait("connection lost")
    desk.write(main__py="def go(event):\n    print('changed meanwhile')\n")

    running_service.start()

    reader.wait("again:")
    poke(url)
    reader.wait("changed meanwhile")
    process.send_signal(signal.SIGINT)
    process.wait(30)
    reader.close()


def test_a_project_that_is_broken_from_the_start_is_waited_for(desk: Desk) -> None:
    process = desk.start("dev", "--port", "0")
    reader = Reader(process)
    reader.wait("hookline.yaml")
    reader.wait("Waiting for a change")

    desk.write(hookline__yaml=DEV_MANIFEST, main__py="def go(event):\n    pass\n")

    reader.wait("watching")
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 0
    reader.close()


def test_a_url_where_nothing_runs_is_told_and_nothing_is_started(desk: Desk) -> None:
    desk.write(hookline__yaml=DEV_MANIFEST, main__py="def go(event):\n    pass\n")

    done = desk.run("dev", "--url", f"http://127.0.0.1:{free_port()}")

    assert done.returncode == 4
    assert "no Hookline service is running" in done.stderr
    assert not desk.home.exists()


def test_a_taken_port_is_told(desk: Desk, running_service) -> None:
    desk.write(hookline__yaml=DEV_MANIFEST, main__py="def go(event):\n    pass\n")

    done = desk.run("dev", "--port", str(running_service.port))

    assert done.returncode == 4
    assert "the port is taken" in done.stderr
    assert "Traceback" not in done.stderr


STEPS_MANIFEST = """\
project:
  name: steps
  triggers:
    - {name: poke, type: webhook, call: main.py:go}
    - {name: news, type: webhook}
"""
STEPS = """\
import os

import hookline


@hookline.activity
def step(name, where):
    with open(where, "a") as file:
        file.write(name + "\\n")
    return len(name)


def go(event):
    where = event.data["where"]
    first = step("one", where)
    print("after one")
    second = step("two", where)
    third = step(event.data.get("last", "three"), where)
    print("the end", first, second, third)
    return first + second + third


def listen(event):
    news = hookline.subscribe("news", filter="data.body.json.n > 1")
    print("listening")
    got = hookline.next_event(news, timeout=30)
    return got.body.json.n
"""


@pytest.fixture
def steps(stopped_service, a_project) -> Any:
    """A service with the project `steps` deployed, whose steps leave lines in a file."""
    stopped_service.start(sandbox="off")
    stopped_service.deploy(a_project(STEPS_MANIFEST, **{"main.py": STEPS}))
    return stopped_service


def start_durable(service: Any, function: str = "go", **data: Any) -> dict[str, Any]:
    arguments = ("run", "steps", f"main.py:{function}", "--durable", "--event", json.dumps(data))
    return service.wait_session(service.cli(*arguments).stdout.strip())


def test_a_fork_keeps_what_was_done_and_goes_on_live(steps, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    source = start_durable(steps, where=str(trace))
    assert source["state"] == "completed", source

    done = steps.cli("session", "fork", source["id"], "--from", "2", "--set", "data.last=4th", "--wait")  # fmt: skip

    fork = steps.cli("session", "get", done.stderr.split()[1], json=True)
    assert fork["forked_from"] == source["id"]
    assert fork["result"] == 9
    assert trace.read_text().split() == ["one", "two", "three", "4th"]
    assert "after one" not in done.stdout
    assert "the end 3 3 3" in done.stdout
    assert f"forked from {source['id']} after 2 entries" in done.stdout


def test_a_fork_can_go_on_with_another_build(steps, a_project, tmp_path: Path) -> None:
    source = start_durable(steps, where=str(tmp_path / "trace"))
    newer = a_project(STEPS_MANIFEST, "newer", **{"main.py": STEPS.replace("the end", "fixed")})
    deployed = steps.deploy(newer)

    done = steps.cli("session", "fork", source["id"], "--from", "3", "--build", deployed["build"], "--wait")  # fmt: skip

    assert "fixed 3 3 5" in done.stdout


def test_a_fork_listens_anew(steps) -> None:
    urls = {one["name"]: one["url"] for one in steps.cli("trigger", "list", json=True)}
    source = steps.cli("run", "steps", "main.py:listen", "--durable").stdout.strip()
    wait_until(lambda: "listening" in steps.texts(source), "listening", 20)
    steps.cli("session", "stop", source)
    fork = steps.cli("session", "fork", source, "--from", "1").stdout.strip()

    steps.call(urls["news"], json={"n": 1})
    steps.call(urls["news"], json={"n": 2})

    assert steps.wait_session(fork)["result"] == 2


def test_a_fork_that_makes_no_sense_is_refused(steps, tmp_path: Path) -> None:
    source = start_durable(steps, where=str(tmp_path / "trace"))
    plain = steps.cli("run", "steps", "main.py:go", "--event", json.dumps({"where": str(tmp_path / "t")}))  # fmt: skip

    too_many = steps.cli("session", "fork", source["id"], "--from", "99", check=False)
    undurable = steps.cli("session", "fork", plain.stdout.strip(), "--from", "0", check=False)
    unknown = steps.cli("session", "fork", "nobody", "--from", "0", check=False)

    assert (too_many.returncode, undurable.returncode, unknown.returncode) == (1, 1, 1)
    assert "has 3 recorded entries" in too_many.stderr
    assert "not durable" in undurable.stderr
