from __future__ import annotations

import pytest

from hookline_service.model.sessions import SessionState
from tests.builders.asgi_stream import open_stream
from tests.builders.service import PROJECT, ServiceInMemory, a_service, a_tar


async def _started(**settings) -> tuple[ServiceInMemory, str]:
    service = a_service(**settings)
    deployed = await service.deploy()
    async with service.client() as client:
        await client.post(deployed["triggers"][0]["url"])
    return service, service.engine.started[0][0].id


def _log(session_id: str, query: str = "") -> str:
    return f"/api/v1/sessions/{session_id}/log{query}"


async def test_a_live_log_gives_what_is_there_what_comes_and_the_end():
    service, session_id = await _started()
    await service.engine.print_line(session_id, "before")

    async with open_stream(service.app, _log(session_id)) as answer:
        state = await answer.next_event()
        before = await answer.next_event()
        await service.engine.print_line(session_id, "while")
        live = await answer.next_event()
        await service.engine.finish(session_id, result=b"42")
        rest = await answer.rest()

    assert state is not None
    assert before is not None
    assert live is not None
    assert (state.name, state.data["state"]) == ("state", "created")
    assert (before.name, before.data["text"], before.id) == ("log", "before", "1")
    assert (live.data["text"], live.id) == ("while", "2")
    assert [event.name for event in rest] == ["state", "end"]
    assert (rest[-1].data["state"], rest[-1].data["result"]) == ("completed", 42)


async def test_the_answer_is_an_event_stream_that_no_proxy_holds_back():
    service, session_id = await _started()
    await service.engine.finish(session_id)

    async with open_stream(service.app, _log(session_id)) as answer:
        await answer.rest()

    headers = dict(answer.start["headers"])
    assert headers[b"content-type"].startswith(b"text/event-stream")
    assert headers[b"x-accel-buffering"] == b"no"
    assert b"content-length" not in headers


@pytest.mark.parametrize(
    ("query", "headers"),
    [("?after=2", {}), ("", {"Last-Event-ID": "2"}), ("?after=1", {"Last-Event-ID": "2"})],
)
async def test_a_stream_that_broke_goes_on_where_it_was(query, headers):
    service, session_id = await _started()
    for text in ("one", "two", "three"):
        await service.engine.print_line(session_id, text)
    await service.engine.finish(session_id)

    async with open_stream(service.app, _log(session_id, query), headers=headers) as answer:
        events = await answer.rest()

    assert [event.data["text"] for event in events if event.name == "log"] == ["three"]


@pytest.mark.parametrize("given", ["x", "-1", "9" * 30, "²"])
async def test_a_last_event_id_that_means_nothing_is_passed_over(given):
    service, session_id = await _started()
    await service.engine.print_line(session_id, "one")
    await service.engine.finish(session_id)
    headers = {"Last-Event-ID": given}

    async with open_stream(service.app, _log(session_id), headers=headers) as answer:
        events = await answer.rest()

    assert [event.name for event in events] == ["log", "state", "end"]


async def test_a_long_log_comes_whole_and_in_order():
    service, session_id = await _started()
    for number in range(1200):
        await service.engine.print_line(session_id, str(number))
    await service.engine.finish(session_id)

    async with open_stream(service.app, _log(session_id)) as answer:
        events = await answer.rest()

    texts = [event.data["text"] for event in events if event.name == "log"]
    assert texts == [str(number) for number in range(1200)]


async def test_only_the_kinds_asked_for_are_sent():
    service, session_id = await _started()
    await service.engine.print_line(session_id, "one")
    await service.engine.finish(session_id)

    async with open_stream(service.app, _log(session_id, "?kinds=error")) as answer:
        events = await answer.rest()

    assert [event.name for event in events] == ["state", "end"]


async def test_silence_is_broken_by_comments():
    service, session_id = await _started(event_stream_heartbeat_s=0.01)

    async with open_stream(service.app, _log(session_id)) as answer:
        names = [event.name if (event := await answer.next_event()) else "" for _ in range(3)]

    assert names == ["state", ":", ":"]


async def test_a_client_that_leaves_ends_the_stream():
    service, session_id = await _started()

    async with open_stream(service.app, _log(session_id)) as answer:
        await answer.next_event()
        answer.leave()

        assert await answer.rest() == []


async def test_an_unknown_session_is_not_found_before_the_stream_begins():
    service = a_service()

    async with open_stream(service.app, _log("ses_nope")) as answer:
        pass

    assert answer.start["status"] == 404


async def test_a_deploy_tells_its_progress_and_its_result():
    service = a_service()
    archive = a_tar(PROJECT)

    async with open_stream(
        service.app, "/api/v1/deployments", method="POST", body=archive
    ) as answer:
        events = await answer.rest()

    assert {event.name for event in events[:-1]} == {"progress"}
    assert "building the environment" in [event.data.get("text") for event in events]
    assert events[-1].name == "result"
    assert events[-1].data["project"] == "hello"


async def test_a_deploy_that_fails_ends_its_stream_with_the_error():
    service = a_service()
    archive = a_tar({"hookline.yaml": "version: v9\n"})

    async with open_stream(
        service.app, "/api/v1/deployments", method="POST", body=archive
    ) as answer:
        events = await answer.rest()

    assert events[-1].name == "error"
    assert events[-1].data["error"]["code"] == "project.invalid"
    assert events[-1].data["error"]["details"]["findings"]


async def test_a_failure_of_the_inside_ends_the_stream_without_telling_it(caplog):
    service = a_service()
    service.preparer.answer = RuntimeError("secret detail")
    archive = a_tar(PROJECT)

    async with open_stream(
        service.app, "/api/v1/deployments", method="POST", body=archive
    ) as answer:
        events = await answer.rest()

    assert events[-1].data["error"]["code"] == "internal"
    assert "secret detail" not in str(events)
    assert caplog.records


async def test_a_session_that_is_stopped_ends_its_stream():
    service, session_id = await _started()

    async with open_stream(service.app, _log(session_id)) as answer:
        await answer.next_event()
        await service.engine.finish(session_id, SessionState.STOPPED, stop_reason="enough")
        events = await answer.rest()

    assert events[-1].data["stop_reason"] == "enough"


async def test_a_record_looks_the_same_live_and_listed():
    service, session_id = await _started()
    await service.engine.print_line(session_id, "one")
    await service.engine.finish(session_id)
    async with service.client() as client:
        listed = (await client.get(_log(session_id))).json()["items"]

    async with open_stream(service.app, _log(session_id)) as answer:
        events = await answer.rest()

    assert [event.data for event in events if event.name == "log"] == listed
