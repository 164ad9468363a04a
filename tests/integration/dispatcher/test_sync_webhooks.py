"""Synchronous webhooks: sessions answer, and the caller hears it at once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import anyio
import anyio.abc
import httpx2
import pytest

from hookline_service.api.sync_answers import NOBODY
from hookline_service.api.webhook_counts import WebhookCounts
from hookline_service.api.webhooks import create_webhooks
from hookline_service.model.sessions import SessionState
from hookline_service.settings import Settings
from hookline_service.storage.protocols import Store
from hookline_triggers.definitions import RetryPolicy
from tests.builders.callers import Caller, call, serving
from tests.builders.engine import prepared
from tests.builders.projects import a_definition
from tests.builders.talking import TalkRig, a_talking_release, take_event, talking
from tests.fakes.runner_host import FakeRunnerHost, Seen
from tests.fakes.start_contexts import FakeStartContexts

PATIENCE_S = 0.2


@pytest.fixture
def contexts() -> FakeStartContexts:
    return FakeStartContexts(is_sync=True)


@pytest.fixture
async def talk(store: Store, contexts: FakeStartContexts) -> AsyncIterator[TalkRig]:
    definitions = [
        a_definition(name="work", call="main.py:work", is_sync=True, dedupe="header:X-Id"),
        a_definition(name="picky", call="main.py:work", is_sync=True, event_type="get"),
        a_definition(name="news", call="", is_sync=True),
    ]
    release = await prepared(store, a_talking_release(definitions=definitions))
    async with talking(store, release, contexts=contexts) as found:
        yield found


def app_of(talk: TalkRig, patience_s: float = 30.0) -> Any:
    settings = Settings(sync_webhook_timeout_s=patience_s)
    return create_webhooks(talk.dispatcher, settings, WebhookCounts())


def ask(
    talk: TalkRig,
    tasks: anyio.abc.TaskGroup,
    trigger: str = "work",
    patience_s: float = 30.0,
    **request: Any,
) -> Caller:
    path = f"/webhooks/{talk.trigger(trigger).slug}/sub"
    return call(tasks, app_of(talk, patience_s), path, **request)


async def respond(host: FakeRunnerHost, seen: Seen, n: int, **outcome: Any) -> None:
    await host.call(seen, n, "outcome", at=n - 1, value=outcome, event=None)


async def test_the_first_outcome_is_the_answer(talk: TalkRig) -> None:
    async with talk.rig.host() as host, anyio.create_task_group() as tasks:
        caller = ask(talk, tasks)
        seen = await host.next_start()
        await respond(host, seen, 1, status_code=201, json={"n": 1}, headers={"X-Mine": "yes"})
        await respond(host, seen, 2, body="too late")
        answer = await caller.answer()
        await host.done(seen)

    assert (answer.status, answer.body, answer.is_complete) == (201, b'{"n":1}\n', True)
    assert answer.headers == {
        "hookline-event-id": seen.start["event"]["id"],
        "autokitteh-event-id": seen.start["event"]["id"],
        "content-type": "application/json",
        "x-mine": "yes",
        "cache-control": "no-cache",
        "content-length": "8",
    }
    assert seen.start["answers"] == "caller"
    assert len(talk.answers) == 0


async def test_parts_reach_the_caller_one_by_one(talk: TalkRig) -> None:
    async with talk.rig.host() as host, anyio.create_task_group() as tasks:
        caller = ask(talk, tasks)
        seen = await host.next_start()
        await respond(host, seen, 1, body="one,", more=True)
        await caller.until(lambda caller: caller.parts == [b"one,"])
        await respond(host, seen, 2, body="two,", more=True, status_code=500)
        await caller.until(lambda caller: caller.parts == [b"one,", b"two,"])
        was_complete = caller.is_complete
        await respond(host, seen, 3, body="three")
        answer = await caller.answer()

    assert (was_complete, answer.is_complete) == (False, True)
    assert (answer.status, answer.body) == (200, b"one,two,three")
    assert "content-length" not in answer.headers


@pytest.mark.parametrize(
    ("returned", "status", "body"),
    [
        ("<p>hello", 200, b"<p>hello"),
        ({"status_code": 202, "body": "later"}, 202, b"later"),
        ([1, 2], 200, b"[1,2]\n"),
        ({"$set": ["b", "a"]}, 200, b'["a","b"]\n'),
        ({"$time": "2026-01-02T03:04:05+00:00"}, 200, b'"2026-01-02T03:04:05+00:00"\n'),
        ({"$bytes": "AAE="}, 200, b"\0\1"),
        ("x" * 8_000_000, 200, b"x" * 8_000_000),
        (["x"] * 300_000, 200, b"[" + b",".join([b'"x"'] * 300_000) + b"]\n"),
        ({"$no": 1}, 500, b"the outcome cannot be sent: it is not a value: value: '$no' is not a known form of a value\n"),
        (None, 204, b""),
        (7, 204, b""),
    ],
    ids=lambda value: f"{value!r:.40}",
)  # fmt: skip
async def test_without_an_outcome_the_returned_value_is_the_answer(
    talk: TalkRig, returned: Any, status: int, body: bytes
) -> None:
    async with talk.rig.host() as host, anyio.create_task_group() as tasks:
        caller = ask(talk, tasks)
        await host.done(await host.next_start(), answer=returned)
        answer = await caller.answer()

    assert (answer.status, answer.body, answer.is_complete) == (status, body, True)


@pytest.mark.parametrize("as_pairs", [False, True])
async def test_a_header_with_several_values_is_sent_so_many_times(
    talk: TalkRig, as_pairs: bool
) -> None:
    headers: Any = {"Set-Cookie": ["a=1; Path=/", "b=2"], "X": "y"}
    if as_pairs:
        headers = [["Set-Cookie", "a=1; Path=/"], ["X", "y"], ["Set-Cookie", "b=2"]]
    async with talk.rig.host() as host, anyio.create_task_group() as tasks:
        caller = ask(talk, tasks)
        seen = await host.next_start()
        await respond(host, seen, 1, headers=headers)
        await caller.answer()

    cookies = [value for name, value in caller.raw_headers if name == b"set-cookie"]
    assert cookies == [b"a=1; Path=/", b"b=2"]


async def test_a_failed_session_is_named_and_nothing_else_is_told(talk: TalkRig) -> None:
    async with talk.rig.host() as host, anyio.create_task_group() as tasks:
        caller = ask(talk, tasks)
        seen = await host.next_start()
        await host.done(seen, ok=False)
        answer = await caller.answer()

    assert (answer.status, answer.body) == (500, f"{seen.session}\n".encode())


async def test_a_stopped_session_is_named(talk: TalkRig) -> None:
    async with anyio.create_task_group() as tasks:
        caller = ask(talk, tasks)
        await anyio.wait_all_tasks_blocked()
        (session,) = await talk.store.list_unfinished([SessionState.CREATED], None, 10)
        await talk.rig.engine.stop(session.id, reason="enough", force=True)
        answer = await caller.answer()

    assert (answer.status, answer.body) == (500, f"{session.id}\n".encode())


async def test_a_session_that_is_tried_again_answers_the_second_time(
    talk: TalkRig, contexts: FakeStartContexts
) -> None:
    contexts.retries = RetryPolicy(max_attempts=2, initial_s=1)
    async with talk.rig.host() as host, anyio.create_task_group() as tasks:
        caller = ask(talk, tasks)
        await host.done(await host.next_start(), ok=False)
        await talk.rig.settle()
        talk.rig.advance(5)
        await host.done(await host.next_start(), answer="second")
        answer = await caller.answer()

    assert (answer.status, answer.body) == (200, b"second")


async def test_when_nothing_starts_and_nobody_listens_it_is_said_at_once(talk: TalkRig) -> None:
    async with anyio.create_task_group() as tasks:
        answers = [await ask(talk, tasks, name).answer() for name in ("picky", "news")]

    assert [(each.status, each.body) for each in answers] == [(502, f"{NOBODY}\n".encode())] * 2


async def test_a_session_that_listens_may_answer(talk: TalkRig) -> None:
    async with talk.rig.host() as host, anyio.create_task_group() as tasks:
        _, subscription = await talk.waiting(host)
        await talk.rig.settle()
        caller = ask(talk, tasks, "news")
        seen = await host.next_start()
        event = await take_event(host, seen, 1, subscription)
        await host.call(seen, 2, "outcome", at=2, value={"body": "heard"}, event=event["id"])
        answer = await caller.answer()

    assert (answer.status, answer.body) == (200, b"heard")


async def test_what_a_listening_session_returns_is_not_the_answer(talk: TalkRig) -> None:
    async with talk.rig.host() as host, anyio.create_task_group() as tasks:
        await talk.waiting(host)
        await talk.rig.settle()
        caller = ask(talk, tasks, "news")
        await host.done(await host.next_start(), answer="for somebody else")
        answer = await caller.answer()

    assert (answer.status, answer.body) == (204, b"")


async def test_a_caller_does_not_wait_for_ever(talk: TalkRig) -> None:
    async with talk.rig.host() as host, anyio.create_task_group() as tasks:
        caller = ask(talk, tasks, patience_s=PATIENCE_S)
        seen = await host.next_start()
        answer = await caller.answer()
        await host.done(seen)
        session = await talk.rig.until(await talk.store.get_session(seen.session))

    assert answer.status == 504
    assert session.state is SessionState.COMPLETED
    assert len(talk.answers) == 0


async def test_a_caller_who_leaves_changes_nothing_for_the_session(talk: TalkRig) -> None:
    async with talk.rig.host() as host, anyio.create_task_group() as tasks:
        caller = ask(talk, tasks)
        seen = await host.next_start()
        caller.leave()
        await caller.answer()
        waiting = len(talk.answers)
        await respond(host, seen, 1, body="to nobody")
        await host.done(seen)
        session = await talk.rig.until(await talk.store.get_session(seen.session))

    assert (caller.start, waiting) == ({}, 0)
    assert session.state is SessionState.COMPLETED


@pytest.mark.parametrize(
    "outcome",
    [
        {"body": "a", "json": 1},
        {"status_code": 99},
        {"headers": {"X": "a\r\nSet-Cookie: stolen=1"}},
    ],
)
async def test_a_malformed_outcome_is_an_error_and_no_injection(
    talk: TalkRig, outcome: dict[str, Any]
) -> None:
    async with talk.rig.host() as host, anyio.create_task_group() as tasks:
        caller = ask(talk, tasks)
        await respond(host, await host.next_start(), 1, **outcome)
        answer = await caller.answer()

    assert answer.status == 500
    assert b"the outcome cannot be sent" in answer.body
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("breaks", ["time", "failure", "nonsense"])
async def test_a_body_that_breaks_off_is_left_without_its_end(talk: TalkRig, breaks: str) -> None:
    async with talk.rig.host() as host, anyio.create_task_group() as tasks:
        caller = ask(talk, tasks, patience_s=PATIENCE_S)
        seen = await host.next_start()
        await respond(host, seen, 1, body="begun", more=True)
        if breaks == "failure":
            await host.done(seen, ok=False)
        elif breaks == "nonsense":
            await respond(host, seen, 2, body="a", json=1)
        answer = await caller.answer()

    assert (answer.body, answer.is_complete) == (b"begun", False)


async def test_a_session_that_completes_ends_the_body(talk: TalkRig) -> None:
    async with talk.rig.host() as host, anyio.create_task_group() as tasks:
        caller = ask(talk, tasks)
        seen = await host.next_start()
        await respond(host, seen, 1, body="begun", more=True)
        await host.done(seen)
        answer = await caller.answer()

    assert (answer.body, answer.is_complete) == (b"begun", True)


async def test_a_redelivery_gets_the_same_answer_and_starts_nothing(talk: TalkRig) -> None:
    again = ((b"x-id", b"7"),)
    async with talk.rig.host() as host, anyio.create_task_group() as tasks:
        first = ask(talk, tasks, headers=again)
        seen = await host.next_start()
        second = ask(talk, tasks, headers=again)
        await respond(host, seen, 1, body="once")
        await respond(host, seen, 2, body="never sent")
        answers = [(await each.answer()).body for each in (first, second)]
        await host.done(seen)
        await talk.rig.settle()
        third = await ask(talk, tasks, headers=again).answer()

        assert not host.has_start

    assert [*answers, third.body] == [b"once"] * 3
    assert third.headers["hookline-event-id"] == first.headers["hookline-event-id"]


@pytest.mark.parametrize(
    ("returned", "status", "body"),
    [
        ("<p>hello", 200, b"<p>hello"),
        ({"status_code": 202, "body": "later", "headers": {"X-Mine": "yes"}}, 202, b"later"),
        ({"body": "once", "more": True}, 200, b"once"),
        ([1, 2], 200, b"[1,2]\n"),
        (
            {"status_code": 99},
            500,
            b"the outcome cannot be sent: `status_code` is from 200 to 599, not 99\n",
        ),
        (None, 204, b""),
        (7, 204, b""),
    ],
)
async def test_a_redelivery_gets_what_the_first_delivery_returned(
    talk: TalkRig, returned: Any, status: int, body: bytes
) -> None:
    again = ((b"x-id", b"7"),)
    async with talk.rig.host() as host, anyio.create_task_group() as tasks:
        first = ask(talk, tasks, headers=again)
        await host.done(await host.next_start(), answer=returned)
        answer = await first.answer()
        await talk.rig.settle()
        second = await ask(talk, tasks, headers=again).answer()

        assert not host.has_start

    assert (second.status, second.headers, second.body) == (
        answer.status,
        answer.headers,
        answer.body,
    )
    assert (second.status, second.body.split(b";")[0]) == (status, body)


async def test_a_redelivery_gets_the_parts_and_the_end_of_a_body(talk: TalkRig) -> None:
    again = ((b"x-id", b"7"),)
    async with talk.rig.host() as host, anyio.create_task_group() as tasks:
        first = ask(talk, tasks, headers=again)
        seen = await host.next_start()
        await respond(host, seen, 1, body="one,", more=True)
        await respond(host, seen, 2, body="two", more=True)
        await host.done(seen, answer="not sent")
        answer = await first.answer()
        await talk.rig.settle()
        second = await ask(talk, tasks, headers=again).answer()

    assert (
        (second.body, second.is_complete) == (answer.body, answer.is_complete) == (b"one,two", True)
    )


async def test_a_redelivery_learns_of_the_failure(talk: TalkRig) -> None:
    again = ((b"x-id", b"7"),)
    async with talk.rig.host() as host, anyio.create_task_group() as tasks:
        first = ask(talk, tasks, headers=again)
        seen = await host.next_start()
        await host.done(seen, ok=False, answer="not sent")
        await first.answer()
        await talk.rig.settle()
        second = await ask(talk, tasks, headers=again).answer()

    assert (second.status, second.body) == (500, f"{seen.session}\n".encode())


async def test_many_callers_each_get_their_own_answer(talk: TalkRig) -> None:
    async def echo(host: FakeRunnerHost, seen: Seen) -> None:
        await host.done(seen, answer=seen.start["event"]["id"])

    async with (
        talk.rig.host(capacity=50, script=echo),
        anyio.create_task_group() as tasks,
    ):
        callers = [ask(talk, tasks) for _ in range(200)]
        answers = [await caller.answer() for caller in callers]

    assert [each.body.decode() for each in answers] == [
        each.headers["hookline-event-id"] for each in answers
    ]
    assert len({each.body for each in answers}) == 200


@pytest.mark.slow
async def test_over_a_socket_parts_are_flushed_and_a_cut_is_noticed(talk: TalkRig) -> None:
    parts: list[bytes] = []
    has_part = anyio.Event()

    async def script(host: FakeRunnerHost, seen: Seen) -> None:
        await respond(host, seen, 1, body="one", more=True)
        await has_part.wait()
        await respond(host, seen, 2, body="two", more=True)
        await host.done(seen, ok=False)

    async with talk.rig.host(script=script), serving(app_of(talk)) as port:
        url = f"http://127.0.0.1:{port}/webhooks/{talk.trigger('work').slug}"
        async with httpx2.AsyncClient() as client, client.stream("POST", url) as response:
            raw = response.aiter_raw()
            parts.append(await anext(raw))
            has_part.set()
            parts.append(await anext(raw))
            with pytest.raises(httpx2.RemoteProtocolError):
                await anext(raw)

    assert parts == [b"one", b"two"]


@pytest.mark.slow
async def test_over_a_socket_every_method_gets_its_answer(talk: TalkRig) -> None:
    async def script(host: FakeRunnerHost, seen: Seen) -> None:
        await respond(host, seen, 1, status_code=302, headers={"Location": "/next"}, body="go on")
        await host.done(seen)

    async with (
        talk.rig.host(script=script),
        serving(app_of(talk)) as port,
        httpx2.AsyncClient() as client,
    ):
        url = f"http://127.0.0.1:{port}/webhooks/{talk.trigger('work').slug}/deeper/path"
        answers = [await client.request(method, url) for method in ("GET", "POST", "HEAD", "PUT")]

    assert [(each.status_code, each.headers["location"]) for each in answers] == [
        (302, "/next")
    ] * 4
    assert [each.content for each in answers] == [b"go on", b"go on", b"", b"go on"]
