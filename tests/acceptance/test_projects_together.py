"""Two projects on one service: neither holds up the other, and neither gets at what the other keeps to itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.conftest import RunningService, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

PLACES = 2
GREEDY = f"""\
import time

from hookline import get_value, start


def spread(event):
    return [start("main.py:holds") for _ in range({PLACES})] + [start("main.py:brief") for _ in range(12)]


def holds(event):
    while not get_value("open"):
        time.sleep(0.05)


def brief(event):
    return 1
"""
VICTIM = """\
from hookline import next_signal


def ok(event):
    return event.data.n * 2


def hidden(event):
    return "secret"


def listens(event):
    return next_signal("go").payload
"""
ASKING = """\
from hookline import next_signal, signal, start
from hookline.errors import CallRefusedError


def asks(event):
    answers = []
    for name in ("ok", "hidden"):
        try:
            child = start(f"main.py:{name}", {"n": 21}, project="victim")
            answers.append(next_signal(child).payload.value)
        except CallRefusedError as exc:
            answers.append([exc.code, str(exc)])
    return answers


def pokes(event):
    try:
        signal(event.data.session, "go", "from outside")
    except CallRefusedError as exc:
        return exc.code
"""


def named(name: str, more: str = "") -> str:
    return f"project:\n  name: {name}\n{more}"


def run(service: RunningService, project: str, call: str, **data: Any) -> str:
    """Start a function; the session."""
    body = {"project": project, "entry_point": call, "input": data, "durable": True}
    answer = service.api("POST", "/sessions", json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]


def ended(service: RunningService, session: str) -> dict[str, Any]:
    """The session once it has ended."""
    return service.api("GET", f"/sessions/{session}/wait?timeout_s=20").json()


def sessions(service: RunningService, project: str) -> list[dict[str, Any]]:
    return service.api("GET", f"/sessions?project={project}&limit=100").json()["items"]


def test_one_who_comes_late_is_next_when_a_place_is_free(
    stopped_service: RunningService, a_project: Callable[..., Path]
) -> None:
    service = stopped_service
    service.start(capacity=PLACES)
    service.deploy(a_project(named("greedy"), "greedy", **{"main.py": GREEDY}))
    service.deploy(a_project(named("victim"), "victim", **{"main.py": VICTIM}))
    ended(service, run(service, "greedy", "main.py:spread"))
    wait_until(
        lambda: [one["state"] for one in sessions(service, "greedy")].count("running") == PLACES,
        "all places taken",
        20,
    )

    victim = run(service, "victim", "main.py:ok", n=1)
    service.api("PUT", "/projects/greedy/store/value?key=open", json={"value": True})
    begun_at = ended(service, victim)["started_at"]
    for one in sessions(service, "greedy"):
        ended(service, one["id"])

    brief = [one for one in sessions(service, "greedy") if one["entry_point"] == "main.py:brief"]
    assert len(brief) == 12
    before = [one for one in brief if one["started_at"] < begun_at]
    assert (
        len(before) < PLACES
    )  # the places that came free at the same moment are filled side by side


def test_only_what_a_project_exports_is_started_and_signalled_from_outside(
    stopped_service: RunningService, a_project: Callable[..., Path]
) -> None:
    service = stopped_service
    service.start()
    exports = "  exports:\n    - call: main.py:ok\n      from: [asking]\n"
    service.deploy(a_project(named("victim", exports), "victim", **{"main.py": VICTIM}))
    service.deploy(a_project(named("asking"), "asking", **{"main.py": ASKING}))
    listening = run(service, "victim", "main.py:listens")

    asked = ended(service, run(service, "asking", "main.py:asks"))
    poked = ended(service, run(service, "asking", "main.py:pokes", session=listening))
    service.api("POST", f"/sessions/{listening}/signals", json={"name": "go", "payload": 1})

    first, (code, message) = asked["result"]
    assert first == 42
    assert code == "project.not_exported"
    assert "'victim' does not export main.py:hidden" in message
    assert poked["result"] == "session.other_project"
    assert ended(service, listening)["result"] == 1
    assert [one["entry_point"] for one in sessions(service, "victim")].count("main.py:hidden") == 0
