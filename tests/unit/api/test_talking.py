"""What people see of sessions that wait, talk and answer, through the whole application in memory."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from hookline_service.model.calls import RecordOutcome, TakeSignal
from hookline_service.model.ids import SessionId
from hookline_service.model.sessions import SessionState
from tests.builders.calls import a_call, a_signal, a_use, made, subscribed
from tests.builders.service import ServiceInMemory, a_service
from tests.builders.sessions import a_begin, a_change

API = "/api/v1"
MANIFEST = """\
version: v1
project:
  name: hello
  connections:
    - name: chat
      integration: slack
  triggers:
    - name: incoming
      type: webhook
      call: main.py:on_call
      filter: data.body.json.n > 0
    - name: news
      type: webhook
    - name: chatter
      type: connection
      connection: chat
      event_type: message
      call: main.py:on_call
    - name: both
      type: webhook
"""
FILES = {"hookline.yaml": MANIFEST, "main.py": "def on_call(event):\n    pass\n"}


@pytest.fixture
async def service() -> ServiceInMemory:
    made_one = a_service()
    await made_one.deploy(FILES)
    return made_one


async def ask(service: ServiceInMemory, method: str, path: str, **options: Any) -> Any:
    async with service.client() as client:
        return await client.request(method, API + path, **options)


async def a_session_of(service: ServiceInMemory) -> SessionId:
    body = {"project": "hello", "entry_point": "main.py:on_call", "durable": True}
    return SessionId((await ask(service, "POST", "/sessions", json=body)).json()["id"])


async def send(service: ServiceInMemory, **body: Any) -> Any:
    return await ask(service, "POST", "/events", json={"project": "hello", **body})


# The store


async def test_a_value_that_is_set_is_there_until_it_is_deleted(service: ServiceInMemory):
    where = {"params": {"key": "a/b ü"}}
    value = {"n": [1, None, "x"], "$odd": 2**70}

    put = await ask(service, "PUT", "/projects/hello/store/value", json={"value": value}, **where)
    keys = await ask(service, "GET", "/projects/hello/store")
    got = await ask(service, "GET", "/projects/hello/store/value", **where)
    gone = await ask(service, "DELETE", "/projects/hello/store/value", **where)
    after = await ask(service, "GET", "/projects/hello/store/value", **where)

    assert (put.status_code, gone.status_code) == (200, 204)
    assert keys.json()["items"] == ["a/b ü"]
    assert got.json() == {"key": "a/b ü", "value": value}
    assert after.json() == {"key": "a/b ü", "value": None}


async def test_a_value_with_a_time_to_live_ends(service: ServiceInMemory):
    where = {"params": {"key": "k"}}
    await ask(
        service, "PUT", "/projects/hello/store/value", json={"value": 1, "ttl_s": 60}, **where
    )
    service.clock.at += timedelta(seconds=60)

    got = await ask(service, "GET", "/projects/hello/store/value", **where)

    assert got.json()["value"] is None


@pytest.mark.parametrize(
    ("key", "body", "code"),
    [
        ("", {"value": 1}, "request.invalid"),
        ("k" * 1001, {"value": 1}, "request.invalid"),
        ("k", {}, "request.invalid"),
        ("k", {"value": 1, "ttl_s": 0}, "request.invalid"),
        ("k", {"value": 1, "ttl_s": 1e300}, "request.invalid"),
        ("k", {"value": "x" * 70_000}, "store.value_too_large"),
    ],
)
async def test_what_the_store_does_not_take_is_refused(
    service: ServiceInMemory, key: str, body: dict[str, Any], code: str
):
    answer = await ask(
        service, "PUT", "/projects/hello/store/value", params={"key": key}, json=body
    )

    assert (answer.status_code, answer.json()["error"]["code"]) == (400, code)


async def test_the_store_of_no_project_is_not_found(service: ServiceInMemory):
    answer = await ask(service, "GET", "/projects/nobody/store")

    assert answer.status_code == 404


async def test_a_published_value_is_for_everybody(service: ServiceInMemory):
    project = (await ask(service, "GET", "/projects/hello")).json()["id"]
    where = {"params": {"key": "status/now"}}
    await ask(service, "PUT", "/projects/hello/store/value", json={"value": {"a": "<"}}, **where)
    hidden = f"/store/{project}/status/now"

    async with service.client(token=None, host="elsewhere.example") as client:
        before = await client.get(hidden)
        await publish(service, "status/now")
        after = await client.get(hidden)
        head = await client.head(hidden)
        refused = [
            (await client.request(method, path)).status_code
            for method, path in [
                ("GET", f"/store/{project}/other"),
                ("GET", f"/store/{project}/"),
                ("GET", f"/store/{project}"),
                ("GET", "/store/prj_00000000000000000000000000/k"),
                ("GET", "/store/hello/k"),
                ("GET", "/store//k"),
                ("POST", hidden),
            ]
        ]

    assert (before.status_code, before.text) == (404, "Not Found")
    assert (after.status_code, after.text) == (200, '{"a":"<"}\n')
    assert after.headers["content-type"] == "application/json"
    assert (head.status_code, head.content) == (200, b"")
    assert refused == [404, 404, 404, 404, 400, 400, 405]


async def publish(service: ServiceInMemory, key: str) -> None:
    project = (await ask(service, "GET", "/projects/hello")).json()["id"]
    await service.store.use_value(project, a_use("publish", key), service.clock.now())


# Signals, and what sessions wait for


async def test_a_signal_is_queued_and_the_session_woken(service: ServiceInMemory):
    session = await a_session_of(service)
    body = {"name": "go", "payload": {"n": 1}}

    answer = await ask(service, "POST", f"/sessions/{session}/signals", json=body)

    assert (answer.status_code, answer.content) == (204, b"")
    assert service.engine.woken == [session]


async def test_a_signal_to_what_is_not_there_or_has_ended_is_refused(service: ServiceInMemory):
    session = await a_session_of(service)
    await service.engine.finish(session)

    codes = [
        (await ask(service, "POST", f"/sessions/{name}/signals", json=body)).json()["error"]["code"]
        for name, body in [
            (session, {"name": "go"}),
            ("ses_none", {"name": "go"}),
            (session, {"name": ""}),
        ]
    ]

    assert codes == ["session.final", "session.not_found", "request.invalid"]


async def test_a_waiting_session_says_what_it_waits_for(service: ServiceInMemory):
    session = await service.store.get_session(await a_session_of(service))
    news = await subscribed(service.store, session, "news")
    chat = await subscribed(service.store, session, "chat")
    await service.store.change_session(a_begin(session.id), [])
    topics = (f"sub:{news}", f"sub:{chat}", "sig:go", f"sig:{session.id}")
    later = service.clock.now() + timedelta(seconds=60)
    waiting = a_change(
        session.id, SessionState.WAITING, expected_attempt=1, topics=topics, wake_at=later
    )
    await service.store.change_session(waiting, [])

    shown = (await ask(service, "GET", f"/sessions/{session.id}")).json()
    listed = (await ask(service, "GET", "/sessions")).json()["items"][0]

    assert sorted(shown["waits_for"]) == [
        f"end of {session.id}",
        "event of chat",
        "event of news",
        "signal go",
        "time 2026-11-20T08:01:00.000Z",
    ]
    assert listed["waits_for"] == shown["waits_for"]
    assert (shown["parent"], shown["memo"], shown["forked_from"]) == (None, None, None)


async def test_a_session_that_does_not_wait_waits_for_nothing(service: ServiceInMemory):
    session = await a_session_of(service)

    shown = (await ask(service, "GET", f"/sessions/{session}")).json()

    assert shown["waits_for"] == []


# Events


async def test_an_event_that_starts_nothing_says_why(service: ServiceInMemory):
    sent = [
        (await send(service, trigger="incoming", body={"n": 0})).json(),
        (await send(service, trigger="incoming", body={"n": 1})).json(),
        (await send(service, source="news")).json(),
        (await send(service, connection="chat", type="other", data={"x": 1})).json(),
        (await send(service, source="chat", type="message")).json(),
    ]
    shown = [(await ask(service, "GET", f"/events/{each['event']}")).json() for each in sent]

    assert [each["reason"] for each in sent] == [
        "trigger 'incoming': filter: false",
        None,
        "trigger 'news': the trigger has no entry point (`call`)",
        "trigger 'chatter': the event's type is 'other', not 'message'",
        None,
    ]
    assert [each["reason"] for each in shown] == [each["reason"] for each in sent]
    assert [len(each["sessions"]) for each in sent] == [0, 1, 0, 0, 1]
    assert [each["connection"] for each in shown] == [None, None, None, "chat", "chat"]
    assert shown[4]["data"] == {}


async def test_an_event_says_whom_it_woke(service: ServiceInMemory):
    session = await service.store.get_session(await a_session_of(service))
    table = service.services.dispatcher._subscriptions  # pyright: ignore[reportAttributeAccessIssue]
    await subscribed(service.store, session, "news")
    await table.load(service.store)

    sent = (await send(service, trigger="news")).json()

    assert sent["woken"] == [session.id]
    assert service.engine.woken == [session.id]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "event.source_invalid"),
        ({"trigger": "news", "connection": "chat"}, "event.source_invalid"),
        ({"trigger": "chat"}, "trigger.not_found"),
        ({"connection": "news"}, "event.source_not_found"),
        ({"source": "nothing"}, "event.source_not_found"),
        ({"connection": "chat", "body": "x"}, "event.invalid"),
    ],
)
async def test_an_event_needs_one_source_that_is_there(
    service: ServiceInMemory, body: dict[str, Any], code: str
):
    assert (await send(service, **body)).json()["error"]["code"] == code


async def test_a_name_of_two_sources_must_be_made_clear(service: ServiceInMemory):
    files = dict(FILES)
    files["hookline.yaml"] = MANIFEST.replace("name: chat\n", "name: both\n").replace(
        "connection: chat\n", "connection: both\n"
    )
    await service.deploy(files)

    unclear = await send(service, source="both")
    clear = await send(service, connection="both", type="message")

    assert unclear.json()["error"]["code"] == "event.source_ambiguous"
    assert clear.status_code == 202


async def test_outcomes_of_an_event_are_listed_in_order(service: ServiceInMemory):
    sent = (await send(service, trigger="incoming", body={"n": 1})).json()
    session = await service.store.get_session(sent["sessions"][0])
    for value in (b'{"body":"hi"}', b'{"$bytes":"aGk="}'):
        operation = RecordOutcome(event_id=sent["event"], value=value)
        await made(service.store, a_call(session, operation))

    answer = await ask(service, "GET", f"/events/{sent['event']}/outcomes")
    missing = await ask(service, "GET", "/events/evt_none/outcomes")

    items = answer.json()["items"]
    assert [each["value"] for each in items] == [{"body": "hi"}, "aGk="]
    assert {each["session"] for each in items} == {session.id}
    assert missing.status_code == 404


async def test_many_events_are_dispatched_again_the_oldest_first(service: ServiceInMemory):
    for number in range(5):
        service.clock.at += timedelta(minutes=1)
        await send(service, trigger="incoming", body={"n": number})
    await send(service, trigger="news")
    since = (service.clock.now() - timedelta(minutes=2)).isoformat()
    started = len(service.engine.started)

    counts = (
        await ask(
            service,
            "POST",
            "/events/redispatch",
            json={"project": "hello", "trigger": "incoming", "since": since},
        )
    ).json()
    again = (
        await ask(service, "POST", "/events/redispatch", json={"project": "hello", "limit": 2})
    ).json()

    copies = [event for _, event in service.engine.started[started:] if event is not None]
    assert counts == {"events": 3, "sessions": 3, "woken": 0, "skipped": 0, "cut": False}
    assert [each.body for each in copies[:3]] == [b'{"n":2}', b'{"n":3}', b'{"n":4}']
    assert all(each.redispatch_of is not None for each in copies)
    assert again == {"events": 2, "sessions": 1, "woken": 0, "skipped": 0, "cut": True}


async def test_events_whose_trigger_is_gone_are_left_out(service: ServiceInMemory):
    await send(service, trigger="news")
    await send(service, trigger="incoming", body={"n": 1})
    files = dict(FILES)
    files["hookline.yaml"] = MANIFEST.replace("    - name: news\n      type: webhook\n", "")
    await service.deploy(files)

    counts = (await ask(service, "POST", "/events/redispatch", json={"project": "hello"})).json()

    assert counts == {"events": 1, "sessions": 1, "woken": 0, "skipped": 1, "cut": False}


async def test_nothing_to_dispatch_again_is_no_error(service: ServiceInMemory):
    counts = (await ask(service, "POST", "/events/redispatch", json={"project": "hello"})).json()

    assert counts == {"events": 0, "sessions": 0, "woken": 0, "skipped": 0, "cut": False}


async def test_a_queued_signal_is_what_the_session_takes(service: ServiceInMemory):
    session = await service.store.get_session(await a_session_of(service))
    await made(service.store, a_call(session, a_signal(session, "first")))
    body = {"name": "go", "payload": [1, {"$x": 2}]}
    await ask(service, "POST", f"/sessions/{session.id}/signals", json=body)

    taken = await made(service.store, a_call(session, TakeSignal(names=("go",), deadline_at=None)))

    assert taken.value == b'{"name":"go","payload":[1,{"$dict":[["$x",2]]}]}'


async def test_what_is_sealed_with_a_lost_key_is_refused_with_a_stable_code(
    service: ServiceInMemory,
):
    secret = {"value": "hunter-2", "secret": True}
    await ask(service, "PUT", "/projects/hello/vars/TOKEN", json=secret)
    path = "/projects/hello/store/value?key=k"
    await ask(service, "PUT", path, json={"value": ["hunter-2"]})
    sent = (await send(service, trigger="incoming", body={"n": 1})).json()
    session = await service.store.get_session(sent["sessions"][0])
    operation = RecordOutcome(event_id=sent["event"], value=b'"hunter-2"')
    await made(service.store, a_call(session, operation, entry=None))
    assert (await ask(service, "GET", path)).json()["value"] == ["hunter-2"]

    service.services.keys.values.use(service.services.box, (bytes([7]) * 32,))

    for asked in (path, f"/events/{sent['event']}/outcomes"):
        answer = await ask(service, "GET", asked)
        assert (answer.status_code, answer.json()["error"]["code"]) == (409, "value.unreadable")
        assert "hunter" not in answer.text
    assert (await ask(service, "PUT", path, json={"value": 1})).status_code == 200
    assert (await ask(service, "GET", path)).json()["value"] == 1
