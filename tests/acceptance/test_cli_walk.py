"""The walk of a newcomer, through real processes: the command line, the service, a runner host, sessions."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.acceptance.conftest import EXAMPLES, HOOKLINE, wait_until

pytestmark = pytest.mark.slow

SESSION_FIELDS = {
    *("id", "project", "deployment", "build", "trigger", "event", "state", "durable"),
    *("created_at", "started_at", "ended_at", "error"),
}  # fmt: skip
ACTIVITY_FIELDS = {
    *("position", "name", "file", "line", "result", "error"),
    *("started_at", "ended_at", "attempt", "volatile"),
}  # fmt: skip


def test_a_webhook_call_becomes_a_completed_session_with_its_log(running_service) -> None:
    deployed = running_service.deploy(EXAMPLES / "hello")

    response = running_service.call(deployed["urls"]["greet"] + "?name=Ada")

    session = running_service.wait_session("hello")
    assert (response.status_code, response.content) == (202, b"")
    assert session["event"] == response.headers["Hookline-Event-ID"]
    assert (session["state"], session["result"]) == ("completed", "Hello, Ada!")
    assert session["trigger"] == "greet"
    assert running_service.texts("hello") == ["somebody wants to greet Ada", "Hello, Ada!"]
    assert running_service.texts("hello", "log") == ["composed a greeting of 11 characters"]


def test_json_documents_have_the_fields_that_are_promised(running_service) -> None:
    deployed = running_service.deploy(EXAMPLES / "hello")
    running_service.call(deployed["urls"]["greet"])
    running_service.wait_session("hello")

    session = running_service.cli("session", "get", "hello", json=True)
    records = running_service.cli("session", "log", "hello", json=True)
    activities = running_service.cli("session", "activities", "hello", json=True)

    assert session.keys() >= SESSION_FIELDS
    assert deployed.keys() >= {"project", "build", "deployment", "triggers", "warnings"}
    assert all(one.keys() >= {"name", "kind", "url"} for one in deployed["triggers"])
    assert all(one.keys() >= {"at", "kind", "text"} for one in records)
    assert all(one.keys() >= ACTIVITY_FIELDS for one in activities)
    assert "compose" in [one["name"] for one in activities]


def test_a_dry_run_shows_the_plan_and_changes_nothing(running_service) -> None:
    planned = running_service.cli("deploy", str(EXAMPLES / "hello"), "--dry-run", json=True)

    assert "create_project" in [step["type"] for step in planned["plan"]]
    assert running_service.cli("project", "list", json=True) == []


def test_a_project_with_faults_is_refused_with_all_of_them_at_their_places(
    running_service, a_project
) -> None:
    project = a_project(
        "project:\n  name: broken\n  triggers:\n    - name: a\n      type: webhook\n      call: main.py:nope\n"
        '    - name: b\n      schedule: "61 * * * *"\n      call: main.py:run\n',
        **{"main.py": "def run(event):\n    pass\n\n\ndef broken(:\n    pass\n"},
    )

    done = running_service.cli("deploy", str(project), check=False)

    assert done.returncode == 1
    assert "hookline.yaml:8:" in done.stderr
    assert "main.py:5:" in done.stderr
    assert "def broken(:\n" in done.stderr
    assert "Traceback" not in done.stderr
    assert running_service.cli("deployment", "list", json=True) == []


def test_a_bad_requirement_does_not_hide_what_is_wrong_with_the_code(
    running_service, a_project
) -> None:
    files = {"main.py": "def run(event):\n    pass\n"}
    manifest = "project:\n  name: broken\n  triggers:\n    - {name: a, type: webhook, call: 'main.py:run'}\n"
    sound = running_service.deploy(a_project(manifest, **files))
    bad = {"main.py": "def fun(event):\n    pass\n", "requirements.txt": "one two three\n"}

    done = running_service.cli("deploy", str(a_project(manifest, **bad)), check=False)

    assert done.returncode == 1
    assert "requirements.txt:1:1: error" in done.stderr
    assert "`call` names 'run', which main.py does not have" in done.stderr
    (active,) = running_service.cli("deployment", "list", json=True)
    assert (active["id"], active["state"]) == (sound["deployment"], "active")


def test_the_same_input_gives_the_same_build(running_service) -> None:
    first = running_service.deploy(EXAMPLES / "hello")

    second = running_service.deploy(EXAMPLES / "hello")

    assert second["build"] == first["build"]
    assert second["urls"] == first["urls"]
    assert len(running_service.cli("build", "list", json=True)) == 1


def test_the_owner_of_a_trigger_that_takes_nothing_is_told_why(running_service, a_project) -> None:
    manifest = (
        "project:\n  name: pushes\n  triggers:\n    - name: on_push\n      type: webhook\n      call: main.py:run\n"
        """      filter: data.method == "POST" && data.body.json.kind == "Push"\n"""
    )
    files = {"main.py": "def run(event):\n    pass\n"}
    url = running_service.deploy(a_project(manifest, **files))["urls"]["on_push"]
    running_service.call(url, "GET")
    near = running_service.call(url, json={"kind": "push"}).headers["Hookline-Event-ID"]

    told = running_service.cli("trigger", "get", "pushes/on_push")
    document = running_service.cli("trigger", "get", "pushes/on_push", json=True)

    condition = 'data.body.json.kind == "Push"'
    assert "matched 0 of 2 events in the last 24 h\n" in told.stdout
    assert f'nearest miss: {near} `{condition}` was false (it is "push"; ' in told.stdout
    assert f"held for none of them: {condition}\n" in told.stdout
    assert document["last_day"]["nearest_miss"]["event"] == near
    assert document["name"] == "on_push"


def test_activating_an_older_deployment_rolls_back(running_service, an_example) -> None:
    project = an_example("hello")
    old = running_service.deploy(project)
    (project / "hello.py").write_text("def greet(event):\n    print('new')\n\n\ndef good_morning(event):\n    pass\n")  # fmt: skip
    new = running_service.deploy(project)

    running_service.cli("deployment", "activate", old["deployment"])

    states = {
        one["id"]: one["state"] for one in running_service.cli("deployment", "list", json=True)
    }
    running_service.call(new["urls"]["greet"])
    assert states == {old["deployment"]: "active", new["deployment"]: "inactive"}
    assert running_service.wait_session("hello")["result"] == "Hello, world!"


def test_a_run_by_hand_gets_its_event_and_its_result(running_service, a_project) -> None:
    project = a_project(
        "project: {name: sums}\n",
        **{
            "sums.py": "def add(event):\n    print(event.data)\n    return event.data.a + event.data.b\n"
        },
    )
    running_service.deploy(project)

    session = running_service.cli("run", "sums", "sums.py:add", "--event", '{"a": 2, "b": 3}', "--wait", json=True)  # fmt: skip

    assert (session["state"], session["result"], session["trigger"]) == ("completed", 5, None)


def test_a_session_that_raises_is_told_with_the_projects_own_traceback(
    running_service, a_project
) -> None:
    project = a_project(
        "project: {name: faulty}\n", **{"faulty.py": "def run(event):\n    return {}['name']\n"}
    )
    running_service.deploy(project)

    done = running_service.cli("run", "faulty", "faulty.py:run", "--wait", check=False)

    session = running_service.cli("session", "get", "faulty", json=True)
    assert done.returncode == 1
    assert session["state"] == "error"
    assert session["error"]["type"] == "KeyError"
    assert "faulty.py" in session["error"]["traceback"]
    assert "hookline_runner" not in session["error"]["traceback"]


def test_a_followed_log_goes_on_after_the_service_was_killed(running_service, a_project) -> None:
    project = a_project(
        "project: {name: slow}\n",
        **{"slow.py": "import time\n\n\ndef run(event):\n    for n in range(8):\n        print(n)\n        time.sleep(0.5)\n"},
    )  # fmt: skip
    running_service.deploy(project)
    session = running_service.cli("run", "slow", "slow.py:run", "--durable", json=True)["id"]
    follower = subprocess.Popen(
        [*HOOKLINE, "session", "log", session, "--follow", "--json"],
        env=running_service.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    wait_until(lambda: "2" in running_service.texts(session), "under way", 20)

    running_service.kill9_service()
    running_service.start()

    output, _ = follower.communicate(timeout=60)
    records = [json.loads(line) for line in output.splitlines()]
    assert [one["text"] for one in records if one["kind"] == "print"] == [str(n) for n in range(8)]
    assert len({one["seq"] for one in records}) == len(records)
    assert follower.returncode == 0


def test_a_stopped_session_says_why(running_service, a_project) -> None:
    project = a_project(
        "project: {name: sleeper}\n",
        **{
            "sleeper.py": "import time\n\n\ndef run(event):\n    print('asleep')\n    time.sleep(3600)\n"
        },
    )
    running_service.deploy(project)
    session = running_service.cli("run", "sleeper", "sleeper.py:run", "--durable", json=True)["id"]
    wait_until(lambda: running_service.texts(session) == ["asleep"], "asleep", 20)

    running_service.cli("session", "stop", session, "--reason", "enough slept")

    final = running_service.wait_session(session)
    assert (final["state"], final["stop_reason"]) == ("stopped", "enough slept")


def test_an_event_is_redispatched_as_a_new_one(running_service) -> None:
    deployed = running_service.deploy(EXAMPLES / "hello")
    event = running_service.call(deployed["urls"]["greet"] + "?name=Ada").headers["Hookline-Event-ID"]  # fmt: skip
    first = running_service.wait_session("hello")

    again = running_service.cli("event", "redispatch", event, json=True)

    second = running_service.wait_session(again["sessions"][0])
    copied = running_service.cli("event", "get", again["event"], json=True)
    assert second["id"] != first["id"]
    assert second["result"] == first["result"]
    assert copied["redispatch_of"] == event


def test_an_event_is_sent_by_hand_as_if_by_its_source(running_service) -> None:
    running_service.deploy(EXAMPLES / "hello")

    sent = running_service.cli("event", "send", "hello", "every_morning", "--type", "tick", json=True)  # fmt: skip

    assert running_service.wait_session(sent["sessions"][0])["state"] == "completed"
    assert running_service.texts(sent["sessions"][0]) == ["good morning (tick)"]


def test_a_schedule_is_paused_fired_and_resumed(running_service) -> None:
    running_service.deploy(EXAMPLES / "hello")
    name = "hello/every_morning"

    running_service.cli("schedule", "pause", name, "--reason", "holiday")
    paused = running_service.cli("schedule", "get", name, json=True)
    running_service.cli("schedule", "fire", name)
    running_service.cli("schedule", "resume", name)
    resumed = running_service.cli("schedule", "get", name, json=True)

    assert (paused["paused"], paused["pause_reason"]) == (True, "holiday")
    assert resumed["paused"] is False
    assert running_service.wait_session("hello")["trigger"] == "every_morning"


def test_a_secret_is_masked_everywhere_and_reaches_the_session(running_service, a_project) -> None:
    project = a_project(
        "project:\n  name: safe\n  vars:\n    - {name: KEY, secret: true}\n",
        **{"safe.py": "import os\n\n\ndef run(event):\n    return len(os.environ['KEY'])\n"},
    )
    running_service.deploy(project)

    running_service.cli("var", "set", "safe", "KEY", "--secret", stdin="open-sesame-1\n")

    listed = running_service.cli("var", "list", "safe")
    revealed = running_service.cli("var", "get", "safe", "KEY", "--reveal")
    session = running_service.cli("run", "safe", "safe.py:run", "--wait", json=True)
    assert "open-sesame" not in listed.stdout
    assert revealed.stdout == "open-sesame-1\n"
    assert session["result"] == len("open-sesame-1")
    stored = b"".join(path.read_bytes() for path in running_service.home.glob("hookline.db*"))
    assert b"open-sesame" not in stored


def test_a_build_is_downloaded_as_it_was_sent(running_service, tmp_path: Path) -> None:
    deployed = running_service.deploy(EXAMPLES / "daily_report")
    file = tmp_path / "build.tar"

    running_service.cli("build", "download", deployed["build"], "-o", str(file))

    listed = subprocess.run(["tar", "-tf", file], capture_output=True, text=True, check=True)
    assert sorted(listed.stdout.split()) == ["readings.csv", "report.py"]


def test_a_backup_is_a_database_that_a_service_starts_from(running_service, tmp_path: Path) -> None:
    deployed = running_service.deploy(EXAMPLES / "hello")
    copy = tmp_path / "copy.db"

    running_service.cli("backup", str(copy))

    running_service.stop()
    for file in running_service.home.glob("hookline.db*"):
        file.unlink()
    copy.rename(running_service.home / "hookline.db")
    running_service.start()
    listed = running_service.cli("deployment", "list", json=True)
    assert [one["id"] for one in listed] == [deployed["deployment"]]
