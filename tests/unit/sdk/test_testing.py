"""The harness for projects' own tests: handlers run until they wait, and the test plays the world."""

from __future__ import annotations

import builtins
import os
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import hookline
from hookline import CallRefusedError, Event, aio, host
from hookline.errors import EntryPointError, SessionStoppedError
from hookline.stand_in import StandInHost
from hookline.testing import (
    EndlessError,
    Project,
    StillWaitingError,
    StuckHandlerError,
    tick_event,
    webhook_event,
)

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
MANIFEST = """
    project:
      name: shop
      vars:
        - name: GREETING
          value: hello
        - name: KEY
          value: from the manifest
          secret: true
      triggers:
        - name: orders
          type: webhook
          event_type: post
          filter: data.body.json.n > 1
          call: shop.py:on_order
        - name: answers
          type: webhook
          filter: data.method == "GET"
        - name: nightly
          schedule: "@daily"
          call: shop.py:on_night
"""
SHOP = """
    import os

    from hookline import next_event, subscribe

    def on_order(event):
        return event.data.body.json["n"]

    def on_night(event):
        return [event.event_type, os.environ["GREETING"], os.environ["KEY"]]

    def ask(event):
        answer = next_event(subscribe("answers", "has(data.url.query.ok)"))
        return answer.url.query.ok
"""


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    with Project(tmp_path) as made:
        yield made


def written(directory: Path, **files: str) -> Path:
    for name, text in files.items():
        file = name.replace("__", ".")
        (directory / file).write_text(textwrap.dedent(text))
    return directory


def test_an_example_is_tested_from_question_to_answer():
    with Project(EXAMPLES / "approval") as project:
        ask = project.fake("approval.py:ask")
        expense = {"id": 7, "who": "Ada", "amount": 5, "what": "tea", "manager": "Bob"}
        session = project.run("approval.py:on_expense", webhook_event(json=expense))
        project.advance("3d")
        project.send("decision", webhook_event("GET", "?expense=8&verdict=no"))
        project.send("decision", webhook_event("GET", "?expense=7&verdict=yes"))

    assert session.result == "approved"
    assert session.prints == ["the expense is approved"]
    assert [call.args[0] for call in ask.calls] == ["Bob", "Bob"]
    assert [run.name for run in session.activities] == ["ask", "ask"]


def test_a_trigger_starts_its_function_for_the_events_it_accepts(tmp_path: Path):
    with Project(written(tmp_path, hookline__yaml=MANIFEST, shop__py=SHOP)) as project:
        started = project.send("orders", webhook_event(json={"n": 5}))
        filtered = project.send("orders", webhook_event(json={"n": 1}))
        of_other_type = project.send("orders", webhook_event("PUT", json={"n": 5}))
        nightly = project.send("nightly", tick_event())

    assert [one.result for one in started] == [5]
    assert filtered == of_other_type == []
    assert nightly[0].result == ["tick", "hello", ""]


def test_a_subscription_gets_what_trigger_and_filter_let_through(tmp_path: Path):
    with Project(
        written(tmp_path, hookline__yaml=MANIFEST, shop__py=SHOP), variables={"KEY": "k"}
    ) as project:
        session = project.run("shop.py:ask")
        project.send("answers", webhook_event("POST", "?ok=1"))
        project.send("answers", webhook_event("GET", "?no=1"))
        assert session.waits_for == ["answers"]
        project.send("answers", webhook_event("GET", "?ok=2"))

        assert session.result == "2"
        assert os.environ["KEY"] == "k"  # noqa: TID251 - it is what handlers see
        with pytest.raises(LookupError, match="no trigger or connection 'orderz', only"):
            project.send("orderz")


def test_a_manifest_with_errors_is_told(tmp_path: Path):
    with pytest.raises(ValueError, match=r"hookline\.yaml: "):
        Project(written(tmp_path, hookline__yaml="project: {name: 5 5}"))


def subscribe_to(source: str, filter_text: str = "") -> Callable[[Event], object]:
    def handler(_event: Event) -> object:
        return hookline.subscribe(source, filter_text)

    return handler


def test_a_source_or_filter_that_is_none_is_refused_as_in_production(tmp_path: Path):
    with Project(tmp_path, triggers=["orders"]) as project:
        unknown = project.run(subscribe_to("orderz"))
        wrong = project.run(subscribe_to("orders", "data."))
        fine = project.run(subscribe_to("orders", "true"))

    assert unknown.state == "error"
    with pytest.raises(CallRefusedError, match="source 'orderz' not found") as refused:
        _ = unknown.result
    assert refused.value.code == "subscription.source_not_found"
    assert isinstance(wrong.error, CallRefusedError)
    assert wrong.error.code == "subscription.filter_invalid"
    assert fine.state == "completed"


def test_events_are_queued_and_the_first_of_a_list_wins(project: Project):
    def handler(_event: Event) -> object:
        first, second = hookline.subscribe("a"), hookline.subscribe("b")
        hookline.next_signal("go")
        taken = [hookline.next_event([first, second]) for _ in range(3)]
        hookline.unsubscribe(second)
        with pytest.raises(CallRefusedError, match="no subscription"):
            hookline.next_event(second)
        full = hookline.next_event([first], full=True)
        return taken, full, hookline.next_event([])

    session = project.run(handler)
    for source, number in (("b", 1), ("a", 2), ("b", 3)):
        project.send(source, {"n": number})
    project.signal(session, "go")
    project.send("b", {"n": 4})
    project.send("a", Event(hookline.AttrDict({"n": 5}), "evt_5", "post"))

    taken, full, nothing = session.result
    assert [one.n for one in taken] == [2, 1, 3]
    assert full == Event(hookline.AttrDict({"n": 5}), "evt_5", "post")
    assert nothing is None


def test_a_time_out_passes_when_the_test_moves_the_time(project: Project):
    def handler(_event: Event) -> object:
        began = time.time()  # noqa: TID251 - handlers ask so
        answer = hookline.next_signal("answer", timeout=timedelta(minutes=1))
        return answer, time.time() - began  # noqa: TID251 - as above

    session = project.run(handler)
    project.advance(59)
    assert session.state == "waiting"
    project.advance(59)

    assert session.result == (None, pytest.approx(60))


def test_what_is_due_happens_in_its_order(project: Project):
    order: list[str] = []

    def waits(name: str, seconds: float) -> Callable[[Event], None]:
        def handler(_event: Event) -> None:
            hookline.next_signal("never", timeout=seconds)
            order.append(name)
            hookline.next_signal("never", timeout=seconds)
            order.append(name)

        return handler

    project.run(waits("slow", 70))
    project.run(waits("quick", 40))
    project.advance("1h")

    assert order == ["quick", "slow", "quick", "slow"]


def test_sleeps_pass_by_themselves_and_time_outs_within_them_too(project: Project):
    def sleeper(_event: Event) -> float:
        time.sleep(3600)  # noqa: TID251 - handlers sleep so
        hookline.sleep(timedelta(days=2))
        return time.monotonic()

    def waiter(_event: Event) -> bool:
        return hookline.next_signal("never", timeout=7200) is None

    began = project.now
    waiting = project.run(waiter)
    project.run(sleeper)

    assert project.now - began == timedelta(days=2, hours=1)
    assert waiting.result is True


def test_sleeps_wait_for_the_test_if_it_wants_so(tmp_path: Path):
    now = datetime(2026, 3, 4, tzinfo=UTC)

    def handler(_event: Event) -> float:
        time.sleep(60)  # noqa: TID251 - handlers sleep so
        return time.time()  # noqa: TID251 - as above

    with Project(tmp_path, sleeps="advance", now=now) as project:
        session = project.run(handler)
        assert session.waits_for == ["sleep"]
        project.advance("59s")
        assert session.state == "waiting"
        project.advance("1s")

        assert session.result == now.timestamp() + 60
        assert project.now == now + timedelta(minutes=1)


def test_starting_sessions_for_ever_is_found_out(project: Project, tmp_path: Path):
    (tmp_path / "bomb.py").write_text(
        "import hookline\ndef chain(event):\n    hookline.start('bomb.py:chain')\n"
    )

    with pytest.raises(EndlessError, match="starting each other"):
        project.run("bomb.py:chain")


def test_signals_to_and_fro_for_ever_are_found_out(project: Project):
    def handler(_event: Event, session_id: str) -> None:
        while True:
            hookline.signal(session_id, "again")
            hookline.next_signal("wait", timeout=1e-9)

    project.run(handler)

    with pytest.raises(EndlessError, match="no time passes"):
        project.advance(1)


def test_sleeping_for_ever_is_found_out(project: Project):
    def handler(_event: Event) -> None:
        while True:
            time.sleep(60)  # noqa: TID251 - handlers sleep so

    with pytest.raises(EndlessError, match="sleeps='advance'"):
        project.run(handler)


def test_a_negative_sleep_is_refused_in_a_handler(project: Project):
    def handler(_event: Event) -> None:
        time.sleep(-1)  # noqa: TID251 - handlers sleep so

    session = project.run(handler)

    assert isinstance(session.error, ValueError)


def test_children_run_and_tell_their_parent(tmp_path: Path):
    module = """
        from hookline import next_signal, start

        def parent(event):
            children = [start("family.py:child", {"n": n}, memo={"of": n}) for n in (1, 0)]
            return [next_signal(one).payload for one in children]

        def child(event, session_id):
            return {session_id: 1 / event.data.n}
    """
    with Project(written(tmp_path, family__py=module)) as project:
        session = project.run("family.py:parent")
        first, second = session.children

    assert session.result == [
        {"completed": True, "value": {first.id: 1.0}},
        {"completed": False},
    ]
    assert (first.memo, first.event.data) == ({"of": "1"}, {"n": 1})
    assert isinstance(second.error, ZeroDivisionError)
    assert project.sessions == [session, first, second]


def test_held_children_end_as_the_test_says(tmp_path: Path):
    def parent(_event: Event) -> object:
        children = [hookline.start("f.py:g"), hookline.start("f.py:g"), hookline.start("f.py:g")]
        return [hookline.next_signal(one, timeout=9) for one in children]

    written(tmp_path, f__py="def g(event): return object()")
    with Project(tmp_path, children="hold") as project:
        session = project.run(parent)
        first, second, third = session.children
        project.fail(second)
        project.complete(first, 5)
        project.run_child(third)

        assert [one.payload for one in session.result] == [
            {"completed": True, "value": 5},
            {"completed": False},
            {"completed": True, "value": None},
        ]
        with pytest.raises(ValueError, match="is not held"):
            project.complete(first, 6)


def test_a_child_of_another_project_is_held_and_one_without_function_fails(project: Project):
    def parent(_event: Event) -> None:
        hookline.start("there.py:f", project="other")
        hookline.start("nowhere.py:f")

    there, nowhere = project.run(parent).children

    assert there.state == "created"
    assert isinstance(nowhere.error, EntryPointError)


def test_signals_pass_between_sessions_and_not_to_ended_ones(project: Project):
    def receiver(_event: Event) -> object:
        return hookline.next_signal(["b", "a"])

    def sender(_event: Event, session_id: str) -> None:
        target = project.sessions[0].id
        hookline.signal(target, "a", {"from": session_id})
        with pytest.raises(CallRefusedError, match="no session"):
            hookline.signal("ses_9", "a")

    receiving = project.run(receiver)
    sending = project.run(sender)

    assert sending.error is None
    assert receiving.result == hookline.Signal("a", {"from": sending.id})
    with pytest.raises(CallRefusedError, match="has ended"):
        project.signal(receiving, "a")


def test_a_test_may_fill_the_store_and_empty_it(project: Project):
    def reader(_event: Event) -> object:
        return hookline.get_value("pushes")

    project.store["pushes"] = 5
    before = project.run(reader).result
    project.store.update(pushes=6, other={1, 2})
    after = project.run(reader).result
    del project.store["other"]
    project.store["pushes"] = None

    assert (before, after) == (5, 6)
    assert project.store == {}
    with pytest.raises(KeyError):
        del project.store["nothing"]
    with pytest.raises(TypeError):
        project.store["pushes"] = object


def test_the_store_is_the_projects_and_lives_in_its_time(project: Project):
    def writer(_event: Event) -> None:
        hookline.set_value("a", {"n": 1}, ttl=60)
        hookline.store["b"] = 2
        hookline.publish_value("b")

    project.run(writer)
    before = project.store
    project.advance(60)

    assert before == {"a": {"n": 1}, "b": 2}
    assert project.store == {"b": 2}
    assert project.published == {"b"}
    assert hookline.store["b"] == 2


def test_answers_make_a_response(project: Project):
    def handler(_event: Event) -> None:
        hookline.outcome("noted")
        hookline.http_outcome(201, body="<p>", headers={"A": "b"}, more=True)
        hookline.http_outcome(body=b"\xff", more=True)
        hookline.http_outcome(json=["ü"])

    session = project.run(handler)

    assert session.outcomes[0] == "noted"
    assert session.response is not None
    assert (session.response.status_code, session.response.headers) == (201, {"A": "b"})
    assert session.response.body == b'<p>\xff["\xc3\xbc"]\n'
    assert project.run(does_nothing).response is None


def does_nothing(_event: Event) -> None:
    pass


def test_a_json_answer_is_read_back(project: Project):
    def handler(_event: Event) -> None:
        hookline.http_outcome(json={"a": 1})

    response = project.run(handler).response

    assert response is not None
    assert response.json() == {"a": 1}
    assert response.headers == {"Content-Type": "application/json"}
    assert response.text == '{"a":1}\n'


def test_each_print_is_noted_as_the_log_has_it(
    project: Project, capsys: pytest.CaptureFixture[str]
):
    def handler(_event: Event) -> None:
        print("a", 1, sep="-")  # noqa: T201 - handlers print
        print("two\nlines\n")  # noqa: T201
        print(end="")  # noqa: T201
        print("aside", file=sys.stderr)  # noqa: T201

    session = project.run(handler)

    assert session.prints == ["a-1", "two\nlines\n", ""]
    assert capsys.readouterr().out == "a-1\ntwo\nlines\n\n"


def test_the_result_of_a_session_that_waits_says_for_what(project: Project):
    def handler(_event: Event) -> None:
        hookline.next_signal(["a", "b"])

    session = project.run(handler)

    with pytest.raises(StillWaitingError, match=r"it waits for \['a', 'b'\]"):
        _ = session.result
    assert repr(session).endswith(" waiting>")


def test_a_stopped_session_cleans_up(project: Project):
    def handler(_event: Event) -> None:
        try:
            hookline.next_signal("never")
        finally:
            hookline.store["cleaned"] = True

    session = project.run(handler)
    project.stop(session, "enough")

    assert session.state == "stopped"
    assert project.store == {"cleaned": True}
    with pytest.raises(SessionStoppedError, match="enough"):
        _ = session.result


def test_what_waits_at_the_end_of_a_test_ends_with_it(tmp_path: Path):
    def stubborn(_event: Event) -> None:
        while True:
            try:
                hookline.next_signal("never")
            except SessionStoppedError:
                hookline.store["asked"] = True

    async def waits(_event: Event) -> None:
        await aio.next_signal("never")

    with Project(tmp_path) as project:
        sessions = [project.run(stubborn), project.run(waits)]

    assert [one.state for one in sessions] == ["stopped", "stopped"]
    assert project.store == {"asked": True}
    assert sessions[1].thread is not None
    sessions[1].thread.join(5)
    assert not sessions[1].thread.is_alive()


def test_a_handler_that_neither_ends_nor_waits_is_told(tmp_path: Path):
    end = threading.Event()

    def handler(_event: Event) -> None:
        end.wait()

    with (
        Project(tmp_path, patience_s=0.05) as project,
        pytest.raises(StuckHandlerError, match=r"still runs after 0\.05 seconds"),
    ):
        project.run(handler)
    end.set()


def test_an_entry_point_that_there_is_not_is_told(tmp_path: Path):
    with Project(written(tmp_path, f__py="x = 5")) as project:
        for name, text in (("f.py:g", "no function 'g'"), ("f.py:x", "no function"), ("g.py:g", "no file g.py")):  # fmt: skip
            with pytest.raises(EntryPointError, match=text):
                project.run(name)
    with pytest.raises(NotADirectoryError, match="not the directory of a project"):
        Project(tmp_path / "missing")


def test_leaving_the_program_is_an_end_like_another(project: Project):
    def leave(status: int | None) -> Callable[[Event], None]:
        def handler(_event: Event) -> None:
            sys.exit(status)

        return handler

    assert [project.run(leave(status)).state for status in (None, 0, 3)] == [
        "completed",
        "completed",
        "error",
    ]


def test_projects_may_stand_within_each_other(tmp_path: Path, project: Project):
    with Project(tmp_path) as inner:
        hookline.store["a"] = "inner"
    hookline.store["a"] = "outer"

    assert (inner.store, project.store) == ({"a": "inner"}, {"a": "outer"})


def test_a_variable_that_is_no_text_is_refused_before_anything_changes(tmp_path: Path):
    before = Path.cwd()

    with pytest.raises(TypeError, match="a variable is a text, and A is int"):
        Project(tmp_path, variables={"A": 1})  # pyright: ignore[reportArgumentType] - wrong on purpose

    assert Path.cwd() == before


def test_everything_is_put_back(tmp_path: Path):
    written(tmp_path, own_module__py="import own_other\ndef f(event): ...", own_other__py="")
    before: tuple[Any, ...] = (Path.cwd(), list(sys.path), dict(os.environ), time.time, time.sleep, time.monotonic, builtins.print)  # noqa: TID251 # fmt: skip

    with Project(tmp_path, variables={"A": "1"}, triggers=["t"]) as project:
        project.set_variables(B="2")
        project.run("own_module.py:f")
        assert "own_other" in sys.modules
        assert hookline.get_webhook_url("t") == "http://hookline.test/webhooks/t"
        assert hookline.get_store_public_url().startswith("http://hookline.test/store/")

    after: tuple[Any, ...] = (Path.cwd(), list(sys.path), dict(os.environ), time.time, time.sleep, time.monotonic, builtins.print)  # noqa: TID251 # fmt: skip
    assert after == before
    assert not {"own_module", "own_other"} & set(sys.modules)
    assert isinstance(host.current(), StandInHost)


def test_outside_a_session_nothing_waits(project: Project):
    began = project.now

    hookline.sleep(60)

    assert project.now - began == timedelta(minutes=1)
    assert hookline.next_signal("a") is None
    with pytest.raises(RuntimeError, match=r"by Project\.run"):
        hookline.subscribe("a")


def test_a_thread_of_the_handler_may_ask_and_not_wait(project: Project):
    failed: list[BaseException] = []

    def beside() -> None:
        hookline.store["a"] = 1
        try:
            hookline.next_signal("b")
        except RuntimeError as exc:
            failed.append(exc)

    def handler(_event: Event) -> None:
        thread = threading.Thread(target=beside)
        thread.start()
        thread.join()

    assert project.run(handler).error is None
    assert project.store == {"a": 1}
    assert "only the handler's own thread" in str(failed[0])


def test_a_webhook_event_has_the_shape_of_production():
    event = webhook_event(
        "put", "/a%20b/c?x=1", query={"y": "2 3"}, headers={"x-token": "t"}, form={"k": "v w"}
    )

    assert (event.event_id, event.event_type) == ("evt_test", "put")
    assert event.data == {
        "method": "PUT",
        "raw_url": "/webhooks/test/a%20b/c?x=1&y=2+3",
        "url": {"path": "/webhooks/test/a b/c", "path_suffix": "a b/c", "query": {"x": "1", "y": "2 3"}},
        "headers": {"X-Token": "t", "Content-Type": "application/x-www-form-urlencoded"},
        "trailers": {},
        "body": {"bytes": b"k=v+w", "text": "k=v+w", "form": {"k": "v w"}, "json": None},
    }  # fmt: skip
    assert webhook_event(body="{}").data.body.json == {}
    assert webhook_event("GET", "x").data.url.path_suffix == "x"
    with pytest.raises(ValueError, match="give one of json and body"):
        webhook_event(json=1, body=b"")
