"""Promises about what is accepted, how sessions end and what they run, each with the service killed in between."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.conftest import RunningService, wait_until
from tests.acceptance.harness import all_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

MANIFEST = """\
project:
  name: promises
  triggers:
    - name: incoming
      type: webhook
      dedupe: header:X-Delivery
      call: main.py:returns
    - name: topic
      type: webhook
"""
MAIN = """\
import os
import signal
import time

import hookline

VERSION = 1


def returns(event):
    return VERSION


def raises(event):
    raise LookupError("nothing there")


def dies(event):
    os.kill(os.getpid(), signal.SIGKILL)


def exits(event):
    os._exit(3)


def waits(event):
    print("waiting")
    time.sleep(3600)


def goes_on(event):
    print("begun")
    time.sleep(2.5)
    return VERSION


def listens(event):
    topic = hookline.subscribe("topic")
    print("listening")
    heard = hookline.next_event(topic).body.json["number"]
    return [heard, hookline.next_event(topic, timeout=0.1)]


def loses_patience(event):
    print("listening")
    return hookline.next_event(hookline.subscribe("topic"), timeout=4)


def has_a_child(event, session_id):
    child = hookline.start("main.py:helps", {"parent": session_id})
    print("started")
    told = hookline.next_signal("told").payload
    return [told, hookline.next_signal(child).payload, hookline.next_signal("told", timeout=0.1)]


def helps(event):
    hookline.add_values("helped", 1)
    time.sleep(2)
    hookline.signal(event.data.parent, "told", hookline.add_values("helped", 1))
    return "done"
"""


def get(service: RunningService, session: str) -> dict[str, Any]:
    found: dict[str, Any] = service.api("GET", f"/sessions/{session}").json()
    return found


def run(service: RunningService, function: str, durable: str = "--durable") -> str:
    answer = service.cli("run", "promises", f"main.py:{function}", durable, json=True)
    return answer["id"]


def until_printed(service: RunningService, session: str, text: str) -> None:
    wait_until(lambda: text in service.texts(session), f"printed {text!r}", 20)


def test_an_accepted_webhook_is_kept_though_the_service_dies_at_once(
    running_service: RunningService, a_project: Callable[..., Path]
) -> None:
    service = running_service
    url = service.deploy(a_project(MANIFEST, **{"main.py": MAIN}))["urls"]["incoming"]
    events: list[str] = []
    for number in range(4):
        headers = {"X-Delivery": str(number)}
        first = service.call(url, json={}, headers=headers)
        service.kill9_service()
        service.start()
        again = service.call(url, json={}, headers=headers)
        events += {
            first.headers["hookline-event-id"],
            again.headers["hookline-event-id"],
        }
        assert (first.status_code, again.status_code) == (202, 202)

    wait_until(lambda: ended(service) == ["completed"] * 4, "completed", 30)

    assert len(events) == 4
    assert {each["event"] for each in all_of(service, "/sessions", "before")} == set(events)


def ended(service: RunningService) -> list[str]:
    return [each["state"] for each in all_of(service, "/sessions", "before")]


def test_every_session_ends_with_a_reason_or_says_what_it_waits_for(
    running_service: RunningService, a_project: Callable[..., Path]
) -> None:
    service = running_service
    service.deploy(a_project(MANIFEST, **{"main.py": MAIN}))
    began = time.time()  # noqa: TID251 - compared with a time of the service
    waiting = run(service, "waits")
    lost = run(service, "waits", "--no-durable")
    until_printed(service, waiting, "waiting")
    until_printed(service, lost, "waiting")
    raised, died, exited = (run(service, name) for name in ("raises", "dies", "exits"))
    reasons = {name: service.wait_session(name)["error"] for name in (raised, died, exited)}

    service.kill9_service()
    service.start()
    lost_reason = service.wait_session(lost)["error"]
    wait_until(lambda: get(service, waiting)["state"] == "waiting", "waiting", 20)

    assert (reasons[raised]["type"], reasons[raised]["message"]) == (
        "LookupError",
        "nothing there",
    )
    assert "signal 9" in reasons[died]["message"]
    assert "status 3" in reasons[exited]["message"]
    assert lost_reason["type"] == "SessionLostError"
    assert "not durable" in lost_reason["message"]
    assert get(service, waiting)["wake_at"] > time.strftime("%Y-%m-%dT", time.gmtime(began))
    assert service.texts(waiting) == ["waiting"]


def test_a_session_keeps_its_build_over_a_deploy_and_a_kill(
    running_service: RunningService, a_project: Callable[..., Path]
) -> None:
    service = running_service
    project = a_project(MANIFEST, **{"main.py": MAIN})
    first = service.deploy(project)
    old = run(service, "goes_on")
    until_printed(service, old, "begun")
    (project / "main.py").write_text(MAIN.replace("VERSION = 1", "VERSION = 2"))
    second = service.deploy(project)

    service.kill9_service()
    service.start()
    new = run(service, "goes_on")
    results = [service.wait_session(each)["result"] for each in (old, new)]
    states = {each["id"]: each["state"] for each in all_of(service, "/deployments", "before")}
    service.cli("deployment", "activate", first["deployment"])
    rolled_back = service.wait_session(run(service, "returns"))
    after = [each["state"] for each in all_of(service, "/deployments", "before")]

    assert results == [1, 2]
    assert states[second["deployment"]] == "active"
    assert states[first["deployment"]] in {"draining", "inactive"}
    assert rolled_back["result"] == 1
    assert after.count("active") == 1


@pytest.mark.parametrize("hot_window_s", [0.05, 30])
def test_an_event_reaches_who_waits_for_it_though_the_service_dies_at_once(
    hot_window_s: float, stopped_service: RunningService, a_project: Callable[..., Path]
) -> None:
    service = stopped_service
    service.start(hot_window_s=hot_window_s)
    url = service.deploy(a_project(MANIFEST, **{"main.py": MAIN}))["urls"]["topic"]
    session = run(service, "listens")
    until_printed(service, session, "listening")
    if hot_window_s < 1:
        wait_until(lambda: get(service, session)["state"] == "waiting", "waiting", 20)

    accepted = service.call(url, json={"number": 4711})
    service.kill9_service()
    service.start()
    ended = service.wait_session(session)

    assert accepted.status_code == 202
    assert (ended["state"], ended["result"]) == ("completed", [4711, None])


def test_a_wait_does_not_grow_longer_by_kills(
    stopped_service: RunningService, a_project: Callable[..., Path]
) -> None:
    service = stopped_service
    service.start(hot_window_s=0.05)
    service.deploy(a_project(MANIFEST, **{"main.py": MAIN}))
    session = run(service, "loses_patience")
    until_printed(service, session, "listening")
    wait_until(lambda: get(service, session)["state"] == "waiting", "waiting", 20)
    wake_at = get(service, session)["wake_at"]

    seen: list[str | None] = []
    for _ in range(2):
        service.kill9_service()
        service.start()
        seen.append(get(service, session)["wake_at"])
    ended = service.wait_session(session)
    begun_at, ended_at = (
        datetime.fromisoformat(ended[name]) for name in ("started_at", "ended_at")
    )

    assert (ended["state"], ended["result"]) == ("completed", None)
    assert set(seen) <= {wake_at, None}  # None when it was over before it was asked
    assert ended_at >= datetime.fromisoformat(wake_at)
    assert (ended_at - begun_at).total_seconds() >= 4


def test_a_child_is_started_once_and_heard_though_everything_dies(
    stopped_service: RunningService, a_project: Callable[..., Path]
) -> None:
    service = stopped_service
    service.start(hot_window_s=0.05)
    service.deploy(a_project(MANIFEST, **{"main.py": MAIN}))
    session = run(service, "has_a_child")
    until_printed(service, session, "started")

    service.kill9_service()
    service.start()
    service.kill9_runner()
    ended = service.wait_session(session)
    functions = [each["entry_point"] for each in all_of(service, "/sessions", "before")]

    assert ended["result"] == [2, {"completed": True, "value": "done"}, None]
    assert sorted(functions) == ["main.py:has_a_child", "main.py:helps"]
