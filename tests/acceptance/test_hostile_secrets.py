"""Secret variables are shown to nobody, wherever a session puts them (promise 7)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.acceptance.conftest import RunningService

pytestmark = pytest.mark.slow

SECRET = "ZQX-a-secret-value-0123456789"
MANIFEST = """\
version: v1
project:
  name: keeper
  vars:
    - name: API_KEY
      secret: true
  triggers:
    - name: incoming
      type: webhook
      call: main.py:show
"""
MAIN = """\
import os
import subprocess
import sys

def show(event):
    key = os.getenv("API_KEY")
    print("printed", key)
    print("printed as a value", {"Authorization": f"Bearer {key}"})
    os.system("echo by the shell: $API_KEY; echo and here: $API_KEY >&2")
    done = subprocess.run(["echo", key], capture_output=True, text=True)
    sys.stderr.write(f"written: {key}")
    return {"key": key, "done": done}

def resume(event):
    import json, time
    key = os.getenv("API_KEY")
    header = json.dumps({"key": key, "list": [key, 1]})
    time.sleep(2)
    done = subprocess.run(["printenv", "API_KEY"], capture_output=True, text=True)
    return [len(key), json.loads(header)["key"] == key, done.stdout == key + "\\n"]

def fail(event):
    raise ValueError("not taken: " + os.environ["API_KEY"])
"""


@pytest.mark.parametrize("durable", ["--durable", "--no-durable"])
@pytest.mark.parametrize("function", ["show", "fail"])
def test_a_secret_stands_in_no_answer(
    running_service: RunningService, a_project: Callable[..., Path], function: str, durable: str
) -> None:
    running_service.deploy(a_project(MANIFEST, **{"main.py": MAIN}))
    running_service.cli("var", "set", "keeper", "API_KEY", "--secret", stdin=SECRET)

    done = running_service.cli(
        "run", "keeper", f"main.py:{function}", durable, "--wait", check=False
    )

    answers = [done.stdout, done.stderr, running_service.log]
    session = running_service.wait_session("keeper")["id"]
    paths = ["/sessions", "/events", "/projects/keeper/vars", "/deployments", "/metrics"]
    paths += [f"/sessions/{session}{part}" for part in ("", "/log", "/activities", "/attempts")]
    answers += [running_service.api("GET", path).text for path in paths]
    assert [answer for answer in answers if SECRET in answer] == []
    assert "********" in done.stdout + done.stderr


def test_a_secret_stands_in_no_file_and_a_resumed_session_has_it(
    running_service: RunningService, a_project: Callable[..., Path], tmp_path: Path
) -> None:
    running_service.deploy(a_project(MANIFEST, **{"main.py": MAIN}))
    running_service.cli("var", "set", "keeper", "API_KEY", "--secret", stdin=SECRET)

    running_service.cli("run", "keeper", "main.py:resume", "--durable", "--wait")

    session = running_service.wait_session("keeper")
    assert session["attempt"] == 2
    assert session["result"] == [len(SECRET), True, True]
    running_service.cli("backup", str(tmp_path / "backup.db"))
    files = [tmp_path / "backup.db", *running_service.home.rglob("*")]
    holders = [path for path in files if path.is_file() and SECRET.encode() in path.read_bytes()]
    assert holders == []
