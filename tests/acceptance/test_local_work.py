"""Work at one's own desk: local runs, redeploys while editing, and recorded sessions taken up again."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.conftest import (
    HOOKLINE,
    clean_environment,
    processes_with,
    wait_until,
)

pytestmark = pytest.mark.slow


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


class Desk:
    """A directory with files, and `hookline` run in it, with a home and temporary files of its own."""

    def __init__(self, root: Path) -> None:
        self.work = root / "work"
        self.scratch = root / "scratch"
        self.home = root / "home"
        for directory in (self.work, self.scratch):
            directory.mkdir()
        self.environment = clean_environment(
            HOOKLINE_HOME=str(self.home), TMPDIR=str(self.scratch), PYTHONUNBUFFERED="1"
        )

    def write(self, **files: str) -> None:
        """Write files; `main__py` names `main.py`."""
        for name, text in files.items():
            (self.work / name.replace("__", ".")).write_text(text)

    def start(self, *arguments: str, **kwargs: Any) -> subprocess.Popen[str]:
        """`hookline …`, running; what it writes goes to pipes."""
        return subprocess.Popen(
            [*HOOKLINE, *arguments],
            env=self.environment | kwargs.pop("environment", {}),
            cwd=self.work,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **kwargs,
        )

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
    with desk.start("run", "--local", "main.py:go") as process:
        assert process.stdout is not None
        while "begun" not in process.stdout.readline():
            assert process.poll() is None

        process.send_signal(sent)
        process.communicate(timeout=30)

    assert process.returncode == status
    wait_until(lambda: not processes_with(str(desk.scratch)), "all processes gone", 20)
    wait_until(lambda: not desk.leftovers, "the home removed", 10)
