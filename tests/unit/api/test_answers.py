"""The nouns of the API: what each route does, through the whole application in memory."""

from __future__ import annotations

from typing import Any

import pytest

from hookline_service.model.sessions import SessionState
from tests.builders.service import PROJECT, ServiceInMemory, a_service, a_tar

API = "/api/v1"


async def _call(service: ServiceInMemory, method: str, path: str, **options: Any):
    async with service.client() as client:
        return await client.request(method, API + path, **options)


async def _deployed() -> ServiceInMemory:
    service = a_service()
    await service.deploy()
    return service


async def _run(service: ServiceInMemory, count: int = 1) -> list[str]:
    ids: list[str] = []
    for _ in range(count):
        body = {"project": "hello", "entry_point": "main.py:on_call", "input": {"n": 1}}
        ids.append((await _call(service, "POST", "/sessions", json=body)).json()["id"])
    return ids


async def test_times_are_utc_with_milliseconds():
    service = await _deployed()

    project = (await _call(service, "GET", "/projects/hello")).json()

    assert project["created_at"] == "2026-11-20T08:00:00.000Z"


async def test_a_project_that_is_deleted_is_gone():
    service = await _deployed()

    deleted = await _call(service, "DELETE", "/projects/hello")

    assert (deleted.status_code, deleted.content) == (204, b"")
    assert (await _call(service, "GET", "/projects/hello")).status_code == 404


async def test_listings_page_by_the_last_id_without_losing_or_repeating_any():
    service = await _deployed()
    started = await _run(service, 7)
    seen: list[str] = []
    query: dict[str, Any] = {"limit": 3}
    while True:
        page = (await _call(service, "GET", "/sessions", params=query)).json()
        seen += [session["id"] for session in page["items"]]
        if page["next"] is None:
            break
        query["before"] = page["next"]

    assert seen == sorted(started, reverse=True)


async def test_sessions_are_filtered_by_trigger_name():
    service = await _deployed()
    await _run(service)
    body = {"project": "hello", "trigger": "incoming"}
    sent = (await _call(service, "POST", "/events", json=body)).json()

    page = await _call(service, "GET", "/sessions?project=hello&trigger=incoming")

    assert [each["id"] for each in page.json()["items"]] == sent["sessions"]


async def test_a_trigger_name_that_is_nowhere_is_told():
    service = await _deployed()

    response = await _call(service, "GET", "/sessions?trigger=incomming")

    assert response.status_code == 404


async def test_a_session_started_by_hand_is_not_durable_unless_asked():
    service = await _deployed()
    body = {"project": "hello", "entry_point": "main.py:on_call"}

    plain = (await _call(service, "POST", "/sessions", json=body)).json()
    durable = (await _call(service, "POST", "/sessions", json={**body, "durable": True})).json()

    assert (plain["durable"], durable["durable"]) == (False, True)
    assert plain["project"] == "hello"


@pytest.mark.parametrize("entry_point", ["main", "../x.py:f", "main.py:1", "/etc/x.py:f"])
async def test_an_entry_point_that_names_no_function_is_refused(entry_point):
    service = await _deployed()
    body = {"project": "hello", "entry_point": entry_point}

    response = await _call(service, "POST", "/sessions", json=body)

    assert (response.status_code, response.json()["error"]["code"]) == (400, "entry_point.invalid")


async def test_a_deployment_of_another_project_cannot_be_run():
    service = await _deployed()
    manifest = PROJECT["hookline.yaml"].replace("name: hello", "name: other")
    other = await service.deploy({**PROJECT, "hookline.yaml": manifest})
    body = {
        "project": "hello",
        "entry_point": "main.py:on_call",
        "deployment": other["deployment"],
    }

    response = await _call(service, "POST", "/sessions", json=body)

    assert response.json()["error"]["code"] == "deployment.not_found"


async def test_a_project_with_nothing_deployed_cannot_run():
    service = await _deployed()
    deployment = (await _call(service, "GET", "/deployments")).json()["items"][0]["id"]
    await _call(service, "POST", f"/deployments/{deployment}/deactivate")

    response = await _call(
        service, "POST", "/sessions", json={"project": "hello", "entry_point": "main.py:f"}
    )

    assert (response.status_code, response.json()["error"]["code"]) == (409, "project.not_deployed")


async def test_stopping_what_has_ended_is_a_conflict():
    service = await _deployed()
    (session,) = await _run(service)
    first = await _call(service, "POST", f"/sessions/{session}/stop", json={"force": True})

    second = await _call(service, "POST", f"/sessions/{session}/stop")

    assert (first.status_code, first.json()["state"]) == (202, "stopped")
    assert (second.status_code, second.json()["error"]["code"]) == (409, "session.final")


async def test_only_a_finished_session_can_be_deleted():
    service = await _deployed()
    (session,) = await _run(service)
    early = await _call(service, "DELETE", f"/sessions/{session}")
    await service.engine.finish(session)  # pyright: ignore[reportArgumentType]

    late = await _call(service, "DELETE", f"/sessions/{session}")

    assert (early.status_code, late.status_code) == (409, 204)
    assert (await _call(service, "GET", f"/sessions/{session}")).status_code == 404


async def test_the_log_pages_forwards_by_seq():
    service = await _deployed()
    (session,) = await _run(service)
    for text in ("a", "b", "c"):
        await service.engine.print_line(session, text)  # pyright: ignore[reportArgumentType]

    first = (await _call(service, "GET", f"/sessions/{session}/log?limit=2")).json()
    rest = (await _call(service, "GET", f"/sessions/{session}/log?after={first['next']}")).json()

    texts = [record["text"] for record in first["items"] + rest["items"]]
    assert (texts, rest["next"]) == (["a", "b", "c"], None)


async def test_the_last_lines_come_first_when_asked():
    service = await _deployed()
    (session,) = await _run(service)
    for text in ("a", "b", "c"):
        await service.engine.print_line(session, text)  # pyright: ignore[reportArgumentType]

    page = (await _call(service, "GET", f"/sessions/{session}/log?order=desc&limit=1")).json()

    assert [record["text"] for record in page["items"]] == ["c"]


async def test_a_kind_of_log_that_does_not_exist_is_told():
    service = await _deployed()
    (session,) = await _run(service)

    response = await _call(service, "GET", f"/sessions/{session}/log?kinds=print,shout")

    assert response.status_code == 400
    assert "shout" in response.json()["error"]["message"]


async def test_waiting_answers_with_the_finished_session():
    service = await _deployed()
    (session,) = await _run(service)
    await service.engine.finish(session, SessionState.COMPLETED, result=b'{"a": [1]}')  # pyright: ignore[reportArgumentType]

    waited = (await _call(service, "GET", f"/sessions/{session}/wait?timeout_s=5")).json()

    assert (waited["state"], waited["result"]) == ("completed", {"a": [1]})


async def test_a_restart_is_a_new_session():
    service = await _deployed()
    (session,) = await _run(service)

    response = await _call(service, "POST", f"/sessions/{session}/restart")

    assert response.status_code == 201
    assert response.json()["id"] != session


async def test_secrets_are_stars_unless_revealed():
    service = await _deployed()

    masked = (await _call(service, "GET", "/projects/hello/vars?scope=")).json()["items"]
    shown = (await _call(service, "GET", "/projects/hello/vars?scope=&reveal=1")).json()["items"]

    assert {each["name"]: each["value"] for each in masked}["API_KEY"] == "********"
    assert {each["name"]: each["value"] for each in shown}["API_KEY"] == "s3cret"


async def test_a_variable_that_is_set_is_there_and_one_that_is_deleted_is_not():
    service = await _deployed()
    body = {"value": "1", "description": "a number"}

    put = await _call(service, "PUT", "/projects/hello/vars/X", json=body)
    gone = await _call(service, "DELETE", "/projects/hello/vars/X?scope=")
    again = await _call(service, "DELETE", "/projects/hello/vars/X")

    assert (put.status_code, put.json()["value"]) == (200, "1")
    assert (gone.status_code, again.status_code) == (204, 404)


async def test_a_dry_run_answers_200_and_names_no_deployment():
    service = a_service()

    response = await _call(service, "POST", "/deployments?dry_run=1", content=a_tar(PROJECT))

    assert response.status_code == 200
    assert response.json()["deployment"] is None
    assert response.json()["dry_run"] is True


async def test_an_invalid_project_is_told_with_every_finding():
    response = await _call(a_service(), "POST", "/deployments", content=a_tar({"x.py": ""}))

    error = response.json()["error"]
    assert (response.status_code, error["code"]) == (400, "project.invalid")
    assert error["details"]["findings"][0]["file"] == "hookline.yaml"


@pytest.mark.parametrize("content", [b"", b"not a tar", b"\0" * 5000, a_tar(PROJECT)[:700]])
async def test_bytes_that_are_no_project_are_refused(content):
    response = await _call(a_service(), "POST", "/deployments", content=content)

    assert response.status_code == 400


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "a/../../b", "C:/x"])
async def test_an_archive_that_leads_out_is_refused(name):
    archive = a_tar({**PROJECT, name: "x"})

    response = await _call(a_service(), "POST", "/deployments", content=archive)

    assert response.status_code == 400


async def test_a_deployment_in_force_cannot_be_deleted():
    service = await _deployed()
    deployment = (await _call(service, "GET", "/deployments")).json()["items"][0]["id"]
    early = await _call(service, "DELETE", f"/deployments/{deployment}")
    await _call(service, "POST", f"/deployments/{deployment}/deactivate")

    late = await _call(service, "DELETE", f"/deployments/{deployment}")

    assert (early.json()["error"]["code"], late.status_code) == ("deployment.busy", 204)


async def test_a_deactivated_projects_webhooks_are_gone_until_it_is_activated_again():
    service = a_service()
    deployed = await service.deploy()
    url, deployment = deployed["triggers"][0]["url"], deployed["deployment"]
    async with service.client() as client:
        await client.post(f"{API}/deployments/{deployment}/deactivate")
        without = await client.post(url)
        await client.post(f"{API}/deployments/{deployment}/activate")
        again = await client.post(url)

    assert (without.status_code, again.status_code) == (404, 202)


async def test_a_build_can_be_downloaded_and_in_use_not_deleted():
    service = a_service()
    build = (await service.deploy())["build"]

    archive = await _call(service, "GET", f"/builds/{build}/archive")
    deleted = await _call(service, "DELETE", f"/builds/{build}")

    assert archive.headers["content-type"] == "application/x-tar"
    assert b"main.py" in archive.content
    assert deleted.json()["error"]["code"] == "build.in_use"


async def test_a_schedule_can_be_paused_and_resumed_by_name_and_by_id():
    service = await _deployed()
    paused = (
        await _call(service, "POST", "/schedules/hello/nightly/pause", json={"reason": "r"})
    ).json()

    resumed = (await _call(service, "POST", f"/schedules/{paused['id']}/resume")).json()

    assert (paused["paused"], paused["pause_reason"]) == (True, "r")
    assert resumed["paused"] is False


async def test_firing_by_hand_starts_a_session_now():
    service = await _deployed()

    fired = await _call(service, "POST", "/schedules/hello/nightly/fire")

    assert fired.status_code == 202
    assert len(fired.json()["sessions"]) == 1


async def test_a_backfill_needs_times_with_an_offset():
    service = await _deployed()
    body = {"start": "2026-11-01T00:00:00", "end": "2026-11-02T00:00:00Z"}

    response = await _call(service, "POST", "/schedules/hello/nightly/backfill", json=body)

    assert response.status_code == 400
    assert response.json()["error"]["details"]["fields"][0]["field"] == "start"


@pytest.mark.parametrize(
    "query", ["expression=nonsense", "expression=@daily&timezone=Mars/Base", "timezone=UTC"]
)
async def test_an_expression_without_meaning_is_told(query):
    response = await _call(a_service(), "GET", f"/schedule-times?{query}")

    assert response.status_code == 400


async def test_times_of_an_expression_start_where_asked():
    query = "expression=@hourly&count=1&from=2030-01-01T00:30:00%2B01:00"

    response = await _call(a_service(), "GET", f"/schedule-times?{query}")

    assert response.json()["times"] == ["2030-01-01T00:00:00.000Z"]


async def test_a_redispatched_event_is_a_copy_that_names_the_original():
    service = await _deployed()
    body = {"project": "hello", "trigger": "incoming", "body": "x"}
    sent = (await _call(service, "POST", "/events", json=body)).json()

    again = (await _call(service, "POST", f"/events/{sent['event']}/redispatch")).json()

    copy = (await _call(service, "GET", f"/events/{again['event']}")).json()
    assert copy["redispatch_of"] == sent["event"]
    assert copy["data"]["body"]["text"] == "x"


async def test_readiness_follows_the_runner_hosts():
    service = a_service()
    async with service.client(token=None) as client:
        healthy = await client.get("/healthz")
        ready = await client.get("/readyz")

    assert (healthy.status_code, ready.status_code) == (200, 200)


async def test_the_service_is_not_ready_while_writes_are_refused():
    service = a_service()
    async with service.client(token=None) as client:
        service.store.refuse = True
        refused = await client.get("/readyz")
        healthy = await client.get("/healthz")
        service.store.refuse = False
        ready = await client.get("/readyz")

    assert (refused.status_code, healthy.status_code, ready.status_code) == (503, 200, 200)
    reason = "the database cannot be used now: the fake refuses"
    assert refused.json() == {"status": "not ready", "reason": reason}


async def test_metrics_are_in_prometheus_format():
    async with a_service().client() as client:
        response = await client.get("/metrics")

    assert "# TYPE hookline_store_pending_bytes gauge\n" in response.text
