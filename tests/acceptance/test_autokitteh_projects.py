"""Projects written for AutoKitteh, deployed as they are, with the package `autokitteh` from the package index."""

from __future__ import annotations

import os
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from hookline_service.manifest.files import pack
from tests.acceptance.autokitteh_cases import CASES, Case
from tests.acceptance.autokitteh_durable_cases import DURABLE_CASES
from tests.acceptance.conftest import EXAMPLES, RunningService, wait_until

pytestmark = pytest.mark.slow

_INDEX = "https://pypi.org/simple/autokitteh/"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """One service for all of them, so that they share their environments."""
    index = os.environ.get("UV_INDEX_URL") or os.environ.get("UV_DEFAULT_INDEX")  # noqa: TID251 - as uv does
    if not index and not os.environ.get("CI"):  # noqa: TID251 - there it must be reachable
        try:
            urllib.request.urlopen(_INDEX, timeout=5).close()
        except (OSError, urllib.error.URLError):
            pytest.skip("the package index cannot be reached")
    running = RunningService(tmp_path_factory.mktemp("autokitteh"))
    try:
        running.start()
        yield running
    finally:
        running.close()


def deploy(service: RunningService, files: dict[str, bytes]) -> dict[str, str]:
    """Deploy the files; URLs of the webhooks by name."""
    headers = {"Content-Type": "application/x-tar"}
    answer = service.api("POST", "/deployments", content=pack(files), headers=headers)
    assert answer.status_code == 201, answer.text
    return {one["name"]: one["url"] for one in answer.json()["triggers"] if one["url"]}


def latest_session(service: RunningService, project: str) -> dict[str, Any]:
    """The project's last session, once it has ended."""
    sessions = service.api("GET", f"/sessions?project={project}&limit=1").json()["items"]
    waited = service.api("GET", f"/sessions/{sessions[0]['id']}/wait?timeout_s=20")
    return waited.json()


def prints(service: RunningService, session: str) -> list[str]:
    log = service.api("GET", f"/sessions/{session}/log?limit=500").json()["items"]
    return [one["text"] for one in log if one["kind"] == "print"]


@pytest.mark.parametrize(
    "case", [*CASES, *DURABLE_CASES], ids=lambda case: case.name.replace(" ", "-")
)
def test_a_project_does_what_it_did_there(service: RunningService, case: Case):
    url = deploy(service, case.all_files)["hook"]

    answer = service.call(url + case.suffix, **case.request)

    assert (answer.status_code, answer.text) == (202, "")
    session = latest_session(service, case.project)
    assert prints(service, session["id"]) == case.prints, session
    assert (session["state"] == "error") is bool(case.error), session
    if case.error:
        assert case.error in f"{session['error']['message']}\n{session['error']['traceback']}"
    if case.activities is not None:
        recorded = service.api("GET", f"/sessions/{session['id']}/activities").json()["items"]
        assert [one["name"] for one in recorded] == case.activities


def sessions_of(service: RunningService, project: str) -> list[dict[str, Any]]:
    """The project's sessions, newest first."""
    return service.api("GET", f"/sessions?project={project}&limit=100").json()["items"]


def a_project(name: str, triggers: str, code: str, version: str = "v1") -> dict[str, bytes]:
    """A project with these triggers, each a line of YAML."""
    lines = "".join(f"    - {line}\n" for line in triggers.strip().splitlines())
    manifest = f"version: {version}\nproject:\n  name: {name}\n  triggers:\n{lines}"
    return {"autokitteh.yaml": manifest.encode(), "main.py": code.encode()}


def wait_for_print(service: RunningService, session: str, text: str) -> None:
    wait_until(lambda: text in prints(service, session), f"printed {text!r}", 20)


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_events_are_queued_from_the_subscription_on(service: RunningService, version: str) -> None:
    name = f"queued_{version}"
    triggers = """
{name: start, type: webhook, call: "main.py:handler"}
{name: first, type: webhook, event_type: put, filter: "data.body.json.n > 0"}
{name: second, webhook: {}}
"""
    code = """
import time, autokitteh
def handler(event):
    a = autokitteh.subscribe("first", "data.body.json.n != 5")
    b = autokitteh.subscribe("second")
    print("ready")
    while not autokitteh.get_value("sent"):
        time.sleep(0.05)
    for _ in range(4):
        event = autokitteh.next_event([a, b], timeout=20, full=True)
        print(event.event_type, event.data.body.json.n, event.event_id.startswith("evt_"))
    print(autokitteh.next_event(b, timeout=0.05), autokitteh.next_event([]))
    autokitteh.unsubscribe(a)
"""
    helper = "import autokitteh\ndef sent(event):\n    autokitteh.set_value('sent', True)\n"
    triggers += '{name: sent, type: webhook, call: "more.py:sent"}\n'
    files = {**a_project(name, triggers, code, version), "more.py": helper.encode()}
    urls = deploy(service, files)

    service.call(urls["start"])
    session = sessions_of(service, name)[0]["id"]
    wait_for_print(service, session, "ready")
    for trigger, number in (("second", 1), ("first", 2), ("first", 0), ("first", 5), ("first", 3)):
        assert service.call(urls[trigger], json={"n": number}).status_code == 202
    service.call(urls["sent"])
    wait_for_print(service, session, "post 1 True")
    service.call(urls["second"], json={"n": 4})
    service.api("GET", f"/sessions/{session}/wait?timeout_s=20")

    expected = ["ready", "post 2 True", "post 3 True", "post 1 True", "post 4 True", "None None"]
    assert prints(service, session) == expected


def test_a_waiting_session_is_woken_and_old_deployments_keep_theirs(
    service: RunningService,
) -> None:
    triggers = '{name: hook, type: webhook, call: "main.py:handler", filter: "data.method == \'POST\'"}\n{name: answer, webhook: {}}'
    code = """
import autokitteh
def handler(event):
    s = autokitteh.subscribe("answer")
    print("VERSION waits")
    print("VERSION got", autokitteh.next_event(s).body.json)
"""
    urls = deploy(service, a_project("woken", triggers, code.replace("VERSION", "old")))
    service.call(urls["hook"])
    session = sessions_of(service, "woken")[0]["id"]
    wait_for_print(service, session, "old waits")

    again = deploy(service, a_project("woken", triggers, code.replace("VERSION", "new")))
    service.call(again["answer"], json=7)

    assert again == urls
    ended = service.api("GET", f"/sessions/{session}/wait?timeout_s=20").json()
    assert ended["state"] == "completed"
    assert prints(service, session) == ["old waits", "old got 7"]


def test_bytes_of_a_body_are_bytes_wherever_the_event_comes_from(service: RunningService) -> None:
    triggers = """
{name: hook, type: webhook, call: "main.py:handler"}
{name: more, type: webhook}
"""
    code = """
import autokitteh
def handler(event):
    s = autokitteh.subscribe("more")
    print(event.data.body.bytes, autokitteh.next_event(s).body.bytes)
"""
    urls = deploy(service, a_project("bytes", triggers, code))

    service.call(urls["hook"], content=b"\x00\xff")
    session = sessions_of(service, "bytes")[0]["id"]
    wait_until(lambda: is_waiting(service, session), "waiting", 20)
    service.call(urls["more"], content=b"\x01{}")

    assert prints(service, latest_session(service, "bytes")["id"]) == ["b'\\x00\\xff' b'\\x01{}'"]


def is_waiting(service: RunningService, session: str) -> bool:
    """Whether the session has made its subscription."""
    recorded = service.api("GET", f"/sessions/{session}/activities").json()["items"]
    return "subscribe" in [one["name"] for one in recorded]


def test_children_are_durable_as_their_parent_and_tell_their_end(service: RunningService) -> None:
    code = """
import os, autokitteh
def handler(event):
    good = autokitteh.start("main.py:child", {"n": 2}, memo={"for": "test"})
    bad = autokitteh.start("main.py child", data={"n": 0})
    signal = autokitteh.next_signal(good, timeout=20)
    print(signal.name == good, signal.payload.completed, signal.payload.value)
    print(autokitteh.next_signal([bad, good], timeout=20).payload)
    try:
        autokitteh.start("main.py:child", {"x": object()})
    except ValueError as exc:
        print("invalid data" in str(exc))
    try:
        autokitteh.start("main.py:child", project="surely_none")
    except autokitteh.AutoKittehError:
        print("no such project")
def child(event):
    os.listdir(".")
    print(event.event_id, event.event_type, type(event.data) is autokitteh.AttrDict, event.data.n)
    return (10 // event.data.n, "x")
"""
    urls = deploy(
        service, a_project("children", '{name: hook, type: webhook, call: "main.py:handler"}', code)
    )

    service.call(urls["hook"])

    parent = sessions_of(service, "children")[-1]["id"]
    service.api("GET", f"/sessions/{parent}/wait?timeout_s=30")
    assert prints(service, parent) == [
        "True True [5, 'x']",
        "{'completed': False}",
        "True",
        "no such project",
    ]
    children = [one for one in sessions_of(service, "children") if one["id"] != parent]
    assert len(children) == 2
    for child in children:
        assert prints(service, child["id"])[0].startswith("None None True ")
        activities = service.api("GET", f"/sessions/{child['id']}/activities").json()["items"]
        assert [one["name"] for one in activities] == ["listdir"]


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_a_child_in_another_project_tells_its_end(service: RunningService, version: str) -> None:
    doubling = a_project(f"doubling_{version}", "", "def double(e): return e.data.n * 2")
    doubling["autokitteh.yaml"] += b"\n  exports: [main.py:double]\n"
    deploy(service, doubling)
    code = f"""
from autokitteh import next_signal, start
def handler(event):
    child = start("main.py:double", {{"n": 21}}, project="doubling_{version}")
    print(next_signal(child, timeout=20).payload)
"""
    trigger = '{name: hook, type: webhook, call: "main.py:handler"}'
    url = deploy(service, a_project(f"asking_{version}", trigger, code, version))["hook"]

    service.call(url)

    parent = latest_session(service, f"asking_{version}")
    assert prints(service, parent["id"]) == ["{'completed': True, 'value': 42}"]


def test_the_store_is_kept_over_sessions_and_deployments_and_read_by_anybody(
    service: RunningService,
) -> None:
    triggers = '{name: hook, type: webhook, call: "main.py:handler"}'
    code = """
import autokitteh
from autokitteh import store
def handler(event):
    print(autokitteh.add_values("calls", 1), store["text"])
    store["text"] = "<p>"
    autokitteh.publish_value("text")
    print(autokitteh.get_store_public_url())
    if event.data.body.json == "hide":
        autokitteh.unpublish_value("text")
    try:
        store["large"] = "x" * 70_000
    except autokitteh.AutoKittehError:
        print("too large")
"""
    urls = deploy(service, a_project("stored", triggers, code))
    service.call(urls["hook"])
    first = latest_session(service, "stored")["id"]
    public_url = prints(service, first)[1]
    read = service.call(f"{public_url}/text", "GET")
    deploy(service, a_project("stored", triggers, code + "\n# another build\n"))
    service.call(urls["hook"], json="hide")
    second = latest_session(service, "stored")["id"]

    assert prints(service, first) == ["1 None", public_url, "too large"]
    assert prints(service, second) == ["2 <p>", public_url, "too large"]
    assert (read.status_code, read.json()) == (200, "<p>")
    assert service.call(f"{public_url}/text", "GET").status_code == 404
    assert service.call(f"{public_url}/calls", "GET").status_code == 404


@pytest.mark.parametrize(
    ("answer", "status", "headers", "body"),
    [
        (
            "http_outcome(201, json={'a': '<1>'}, headers={'X-Mine': 'yes'})",
            201,
            {"content-type": "application/json", "x-mine": "yes"},
            '{"a":"\\u003c1\\u003e"}\n',
        ),
        ("http_outcome(200, '  <html>hi')", 200, {"content-type": "text/html; charset=utf-8"}, "  <html>hi"),
        ("http_outcome(body='plain')", 200, {"content-type": "text/plain; charset=utf-8"}, "plain"),
        ("http_outcome(302, headers={'Location': '/x'})", 302, {"location": "/x"}, ""),
        ("http_outcome(json={'at': datetime(2026, 1, 2, tzinfo=UTC), 'of': {2, 1}})", 200, {}, '{"at":"2026-01-02T00:00:00+00:00","of":[1,2]}\n'),
        ("[http_outcome(body='a', more=True), http_outcome(500, body=b'b')]", 200, {}, "ab"),
        ("autokitteh.outcome({'status_code': 202, 'body': 'raw'})", 202, {}, "raw"),
    ],
)  # fmt: skip
def test_a_session_answers_the_sender(
    service: RunningService, answer: str, status: int, headers: dict[str, str], body: str
) -> None:
    trigger = '{name: hook, type: webhook, is_sync: true, call: "main.py:handler"}'
    code = f"import autokitteh\nfrom datetime import UTC, datetime\nfrom autokitteh import http_outcome\ndef handler(event):\n    {answer}\n"
    url = deploy(service, a_project("answers", trigger, code, "v2"))["hook"]

    got = service.call(url, follow_redirects=False)

    assert (got.status_code, got.text) == (status, body)
    assert {name: got.headers.get(name) for name in headers} == headers


def test_a_sender_learns_that_nothing_was_started(service: RunningService) -> None:
    trigger = '{name: hook, type: webhook, is_sync: true, filter: "false", call: "main.py:handler"}'
    url = deploy(service, a_project("nobody", trigger, "def handler(event): ..."))["hook"]

    assert service.call(url).status_code == 502


def test_a_sender_is_not_left_waiting_by_a_session_that_fails(service: RunningService) -> None:
    trigger = '{name: hook, type: webhook, is_sync: true, call: "main.py:handler"}'
    url = deploy(service, a_project("fails", trigger, "def handler(event): return 1 / 0"))["hook"]

    assert service.call(url).status_code == 500


def test_triggers_are_chosen_by_type_and_filter(service: RunningService) -> None:
    triggers = """
{name: any, type: webhook, event_type: "*", call: "main.py:handler", filter: "data.method in ['GET', 'POST'] && data.url.query.id == '7'"}
{name: put, type: webhook, event_type: put, call: "main.py:handler"}
{name: wrong, type: webhook, filter: "data.missing.key == 1", call: "main.py:handler"}
"""
    urls = deploy(
        service, a_project("chosen", triggers, "def handler(event):\n    print(event.event_type)\n")
    )

    for method, url in (
        ("GET", urls["any"] + "?id=7"),
        ("GET", urls["any"]),
        ("PUT", urls["any"] + "/deep/er?id=7"),
        ("POST", urls["put"]),
        ("PUT", urls["put"]),
        ("POST", urls["wrong"]),
    ):
        assert service.call(url, method).status_code == 202

    for session in sessions_of(service, "chosen"):
        service.api("GET", f"/sessions/{session['id']}/wait?timeout_s=20")
    found = [prints(service, one["id"]) for one in sessions_of(service, "chosen")]
    assert sorted(found) == [["get"], ["put"]]


def test_a_schedule_with_seconds_fires(service: RunningService) -> None:
    trigger = '{name: often, schedule: "*/1 * * * * * *", call: "main.py:handler"}'
    code = "def handler(event):\n    print(event.event_type, event.data)\n"

    deploy(service, a_project("ticking", trigger, code))

    wait_until(lambda: bool(sessions_of(service, "ticking")), "fired", 20)
    session = latest_session(service, "ticking")["id"]
    assert prints(service, session) == ["tick {}"]
    service.api("DELETE", "/projects/ticking")


def test_the_guest_book_of_the_examples(service: RunningService) -> None:
    deployed = service.cli("deploy", str(EXAMPLES / "autokitteh_guestbook"))
    page = get_url(service, "autokitteh_guestbook", "page")

    signed = service.call(page, data={"name": "<Ada>"}, follow_redirects=True)
    as_yaml = service.call(f"{page}/guests.yaml", "GET")
    nothing = service.call(f"{page}/nothing", "GET")

    assert "for its imports: autokitteh~=0.8.3, PyYAML~=6.0" in deployed.stderr
    assert signed.headers["content-type"] == "text/html; charset=utf-8"
    assert "<h1>Guest book</h1><ul><li>&lt;Ada&gt;</li></ul>" in signed.text
    assert as_yaml.text == "- <Ada>\n"
    assert (nothing.status_code, nothing.text) == (404, "there is no such page")


def test_the_reminder_of_the_examples(service: RunningService) -> None:
    directory = EXAMPLES / "autokitteh_reminder"
    service.cli("deploy", str(directory))
    service.cli("var", "set", "autokitteh_reminder", "PATIENCE_S", "0.3")
    ask = get_url(service, "autokitteh_reminder", "ask")

    service.call(ask, json={"question": "Tea?"})
    forgotten = latest_session(service, "autokitteh_reminder")
    service.cli("var", "set", "autokitteh_reminder", "PATIENCE_S", "86400")
    service.call(ask, json={"no": "question"})
    service.call(ask, json={"question": "Cake?"})
    asked = sessions_of(service, "autokitteh_reminder")[0]["id"]
    link = f"{get_url(service, 'autokitteh_reminder', 'answer')}?to={asked}"
    wait_for_print(service, asked, f"Cake? (answer at {link})")
    service.call(link, content=b"yes")
    answered = latest_session(service, "autokitteh_reminder")

    assert prints(service, forgotten["id"])[-2:] == [
        prints(service, forgotten["id"])[0].replace("Tea?", "again: again: Tea?"),
        "nobody answered",
    ]
    assert answered["id"] == asked
    assert answered["result"] == "yes"


def get_url(service: RunningService, project: str, trigger: str) -> str:
    found = service.api("GET", f"/triggers?project={project}").json()["items"]
    return next(one["url"] for one in found if one["name"] == trigger)
