"""Code written for AutoKitteh, run by a session: with the package `autokitteh` installed, and with ours in its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.builders.inert_package import an_inert_package
from tests.fakes.session_peer import SessionPeer

EVENT = {"id": "evt_1", "type": "post", "data": {"user": {"name": "Ada"}, "items": [1]}}


@pytest.fixture(params=["installed", "ours"])
def package(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Where `autokitteh` comes from."""
    if request.param == "installed":
        monkeypatch.syspath_prepend(an_inert_package(tmp_path / "site-packages"))
    return request.param


@pytest.fixture(params=[True, False], ids=["durable", "not-durable"])
def durable(request: pytest.FixtureRequest) -> bool:
    return request.param


def peer_of(tmp_path: Path, code: str, **options: object) -> SessionPeer:
    return SessionPeer(tmp_path, {"main.py": code}, **{"event": EVENT, **options})


FOR_ALL = [
    (
        "the handler's event is of the package's class",
        """
import autokitteh
def handler(event):
    print(isinstance(event, autokitteh.Event), type(event.data) is autokitteh.AttrDict)
    print(event.event_id, event.event_type, event.data.user.name, event.data["items"])
""",
        ["True True", "evt_1 post Ada [1]"],
    ),
    (
        "an asynchronous handler gets it as well",
        """
import asyncio, autokitteh
async def handler(event):
    await asyncio.sleep(0)
    print(isinstance(event, autokitteh.Event))
    autokitteh.set_value("k", 1)
    print(autokitteh.get_value("k"))
""",
        ["True", "1"],
    ),
    (
        "functions of the sub-modules are live",
        """
from autokitteh.events import subscribe
from autokitteh.store import set_value, get_value
from autokitteh.outcomes import outcome
from autokitteh.signals import signal
def handler(event):
    print(subscribe("orders"))
    set_value("a", (1, 2))
    print(get_value("a"), get_value("b"))
    outcome({"x": 1})
    signal("ses_2", "hello", {"n": 1})
""",
        ["orders1", "[1, 2] None"],
    ),
    (
        "the store can be used as a dictionary",
        """
from autokitteh import store, get_value, set_value
import autokitteh
def handler(event):
    store["a"] = {"b": 1}
    print(get_value("a").b, type(store["a"]) is autokitteh.AttrDict, store["none"], "none" in store)
    print(store.get("none", 7), sorted(store), len(store), store.setdefault("c", 3))
    del store["a"], store["none"]
    print(list(store), autokitteh.store is store)
""",
        ["1 True None False", "7 ['a'] 1 3", "['c'] True"],
    ),
    (
        "every function of the store works",
        """
import autokitteh as ak
from autokitteh.store import Op
def handler(event):
    print(ak.add_values("n", 2), ak.add_values("n", 1.5))
    print(ak.check_and_set_value("n", 3.5, 4), ak.check_and_set_value("n", 3.5, 5))
    print(ak.mutate_value("n", Op.CHECK_AND_SET, 9, 4), ak.mutate_value("n", "get"), ak.mutate_value("n", Op.ADD, 1))
    ak.set_value("m", 1); print(ak.list_values_keys()); ak.set_value("m", None); ak.del_value("zz")
    print(ak.list_values_keys()); ak.publish_value("n"); ak.unpublish_value("n")
""",
        ["2 3.5", "True False", "True 9 10", "['m', 'n']", "['n']"],
    ),
    (
        "what the service refuses is an error of the package",
        """
import autokitteh
from autokitteh.errors import AutoKittehError
def handler(event):
    for refused in (
        lambda: autokitteh.subscribe("nope", "data.x == 1"),
        lambda: autokitteh.signal("ses_gone", "x"),
        lambda: (autokitteh.set_value("t", "text"), autokitteh.add_values("t", 1)),
    ):
        try:
            refused()
        except autokitteh.AutoKittehError as exc:
            print(type(exc) is AutoKittehError, str(exc).split(":")[0], 'source "nope" not found' in str(exc))
""",
        ["True subscribe True", "True signal False", "True add_values False"],
    ),
    (
        "what makes no sense is refused as Python does",
        """
import autokitteh
def handler(event):
    for call in (
        lambda: autokitteh.subscribe(""),
        lambda: autokitteh.next_event("x", timeout="1s"),
        lambda: autokitteh.start("main.py:f", {"x": object()}),
        lambda: autokitteh.http_outcome(body="a", json={}),
        lambda: autokitteh.get_webhook_url("nope"),
        lambda: autokitteh.signal("ses_2", "x", object()),
    ):
        try:
            call()
        except Exception as exc:
            print(type(exc).__name__)
    print(autokitteh.next_event([]))
""",
        ["ValueError", "TypeError", "ValueError", "ValueError", "ValueError", "TypeError", "None"],
    ),
    (
        "an answer can be given by position and by name",
        """
from autokitteh import http_outcome
def handler(event):
    http_outcome(200, "<p>", headers={"Content-Type": "text/html"}, more=True)
    http_outcome(json={"a": 1}, event_id="evt_7")
""",
        [],
    ),
    (
        "connections are refused with the package's own errors",
        """
from autokitteh import errors
from autokitteh.connections import encode_jwt, refresh_oauth
def handler(event):
    try:
        encode_jwt({"iat": 1}, "my_conn", "RS256")
    except errors.ConnectionInitError as exc:
        print("my_conn" in str(exc))
    try:
        refresh_oauth("gmail", "my_conn")
    except errors.OAuthRefreshError as exc:
        print("my_conn" in str(exc), "gmail" in str(exc))
""",
        ["True", "True True"],
    ),
    (
        "a package cannot be installed in a session, unless it is there",
        """
from autokitteh import packages
def handler(event):
    packages.install("json", ("nope ~= 1.0", "json"))
    try:
        packages.install("nope-at-all ~= 1.0")
    except RuntimeError as exc:
        print("requirements.txt" in str(exc))
""",
        ["True"],
    ),
    (
        "a child gets data, and a memo",
        """
import autokitteh
def handler(event):
    print(autokitteh.start("main.py:child", data={"x": 1}, memo={"why": "test"}))
    print(autokitteh.start("main.py child", {"x": 1}, project="other"))
""",
        ["ses_child1", "ses_child2"],
    ),
    (
        "module-level code may use the store, print, and call the handler",
        """
import autokitteh
print("loading")
autokitteh.set_value("at_import", 1)
url = autokitteh.get_webhook_url("hook")
def handler(event):
    print("called", type(event).__name__, autokitteh.get_value("at_import"), url)
handler({})
""",
        [
            "loading",
            "called dict 1 http://localhost/hook",
            "called Event 1 http://localhost/hook",
        ],
    ),
]


@pytest.mark.parametrize(
    ("code", "prints"),
    [pytest.param(code, prints, id=name.replace(" ", "-")) for name, code, prints in FOR_ALL],
)
def test_code_for_autokitteh_does_what_it_says(
    package: str, durable: bool, tmp_path: Path, code: str, prints: list[str]
):
    peer = peer_of(
        tmp_path, code, durable=durable, variables={"hook__webhook_url": "http://localhost/hook"}
    )

    result = peer.run()

    assert result.prints == prints, (package, result.done)
    assert result.done["error"] is None


@pytest.mark.usefixtures("package")
def test_an_event_comes_as_the_packages_own_class(durable: bool, tmp_path: Path):
    code = """
import datetime
import autokitteh
def handler(event):
    ids = [autokitteh.subscribe("orders"), autokitteh.subscribe("mail")]
    data = autokitteh.next_event(ids, timeout=datetime.timedelta(seconds=20))
    print(type(data) is autokitteh.AttrDict, data.a.b)
    full = autokitteh.next_event(ids[0], full=True)
    print(isinstance(full, autokitteh.Event), full.event_id, full.event_type, full.data.c)
    print(autokitteh.next_event(ids, timeout=0.01))
    autokitteh.unsubscribe(ids[0])
"""
    peer = peer_of(tmp_path, code, durable=durable)
    peer.service.to_come.extend([("sub:mail2", {"a": {"b": 1}}), ("sub:orders1", {"c": 2})])

    result = peer.run()

    assert result.prints == ["True 1", "True evt_9 post 2", "None"], result.done


@pytest.mark.usefixtures("package")
def test_a_signal_comes_as_the_packages_own_class(tmp_path: Path):
    code = """
import autokitteh
def handler(event, session_id):
    autokitteh.signal(session_id, "done", {"value": {"n": 1}})
    signal = autokitteh.next_signal(["other", "done"])
    print(isinstance(signal, autokitteh.Signal), signal.name, signal.payload.value.n)
    print(autokitteh.next_signal("done", timeout=0.01))
"""
    assert peer_of(tmp_path, code).run().prints == ["True done 1", "None"]


@pytest.mark.usefixtures("package")
def test_marks_of_the_package_are_honoured(tmp_path: Path):
    code = """
import os, random
import autokitteh
autokitteh.register_no_activity([os.listdir])
@autokitteh.activity
def one(event):
    os.stat("main.py"); os.stat("main.py")
    return random.random()
@autokitteh.inhibit_activities
def none():
    return os.stat("main.py").st_size
def handler(event):
    os.listdir(".")
    none()
    one(event)
    os.stat("main.py")
"""
    peer = peer_of(tmp_path, code)

    peer.run()

    assert peer.names() == ["one", "stat"]


@pytest.mark.usefixtures("package")
def test_what_is_registered_is_forgotten_in_a_process_that_serves_again(tmp_path: Path):
    code = """
import os
import autokitteh
def handler(event):
    if event.data.get("first"):
        autokitteh.register_no_activity([os.listdir])
    os.listdir(".")
"""
    peer = peer_of(tmp_path, code)

    peer.run(reuse=True, event={"data": {"first": True}})
    peer.run(reuse=True, event={"data": {}})
    peer.close()

    assert peer.names() == ["listdir"]


@pytest.mark.usefixtures("package")
def test_functions_of_the_package_are_no_activities(tmp_path: Path):
    code = """
import autokitteh
def handler(event):
    event.data.get("user")
    autokitteh.AttrDict({"a": 1}).items()
    autokitteh.Event(data={}, event_id=None, event_type=None)
    autokitteh.set_value("k", 1)
"""
    peer = peer_of(tmp_path, code)

    peer.run()

    assert peer.names() == ["set_value"]


@pytest.mark.usefixtures("package")
def test_an_error_of_the_package_goes_through_an_activity_and_a_replay(tmp_path: Path):
    code = """
import os
import autokitteh
@autokitteh.activity
def work():
    autokitteh.subscribe("nope")
def handler(event):
    try:
        work()
    except autokitteh.AutoKittehError as exc:
        print("caught", type(exc).__name__)
    os.stat("main.py")
    os.stat("main.py")
"""
    peer = peer_of(tmp_path, code)

    first = peer.run(kill_at=3)
    second = peer.run()

    assert first.killed
    assert second.done["error"] is None
    assert {"caught AutoKittehError"} == {*first.prints, *second.prints}


@pytest.mark.usefixtures("package")
@pytest.mark.parametrize("before", [True, False], ids=["before-recording", "after-recording"])
def test_a_session_killed_anywhere_does_everything_once(before: bool, tmp_path: Path):
    code = """
import autokitteh
from autokitteh import store
def handler(event, session_id):
    s = autokitteh.subscribe("orders")
    print("n", autokitteh.add_values("n", 1))
    print("got", autokitteh.next_event(s, timeout=60).x)
    autokitteh.signal(session_id, "me", {"y": 2})
    print("signal", autokitteh.next_signal("me").payload.y)
    try:
        autokitteh.subscribe("nope")
    except autokitteh.AutoKittehError:
        store["refused"] = [store["n"]]
    print("child", autokitteh.start("main.py:child"))
    autokitteh.http_outcome(201, json=store["refused"])
"""
    printed: list[str] = []
    peer = peer_of(tmp_path, code)
    peer.service.to_come.append(("sub:orders1", {"x": 1}))

    for number in range(1, 20):
        result = peer.run(kill_at=number, kill_before_recording=before)
        printed += result.prints
        if not result.killed:
            break
    else:
        printed += peer.run().prints

    assert list(dict.fromkeys(printed)) == ["n 1", "got 1", "signal 2", "child ses_child1"]
    assert peer.service.store == {"n": 1, "refused": [1]}
    assert len(peer.service.children) == len(peer.service.outcomes) == len(peer.service.sent) == 1


def test_a_client_helper_without_the_package_says_what_to_install(tmp_path: Path):
    for number, line in enumerate(
        ("import autokitteh.slack", "from autokitteh import github", "from autokitteh.aws import x")
    ):
        peer = SessionPeer(tmp_path / str(number), {"main.py": f"{line}\ndef handler(event): ..."})

        error = peer.run().error

        assert "ImportError" in error["message"]
        assert "add `autokitteh[all]` to requirements.txt" in error["message"]


def test_our_package_has_nothing_else(tmp_path: Path):
    code = "import autokitteh.nonsense\ndef handler(event): ..."

    assert "No module named" in SessionPeer(tmp_path, {"main.py": code}).run().error["message"]


@pytest.mark.usefixtures("package")
def test_a_module_of_the_project_comes_before_the_package(tmp_path: Path):
    files = {"autokitteh.py": "x = 1", "main.py": "import autokitteh\ndef handler(event): print(autokitteh.x)"}  # fmt: skip

    assert SessionPeer(tmp_path, files).run().prints == ["1"]


def test_a_helper_is_found_where_it_stood_in_an_older_release(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.syspath_prepend(an_inert_package(tmp_path / "site-packages"))
    code = """
from autokitteh.openai import openai_pydantic_ai_provider, refresh_oauth
import autokitteh.openai
def handler(event):
    print(openai_pydantic_ai_provider("my_conn"), hasattr(autokitteh.openai, "nothing"))
    try:
        refresh_oauth("openai", "c")
    except autokitteh.AutoKittehError:
        print("live")
"""
    assert peer_of(tmp_path, code).run().prints == ["my_conn False", "live"]


@pytest.mark.usefixtures("package")
def test_a_project_that_does_not_import_it_gets_our_event(tmp_path: Path):
    code = "import hookline\ndef handler(event): print(type(event) is hookline.Event)"

    assert peer_of(tmp_path, code).run().prints == ["True"]
