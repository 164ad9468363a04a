from __future__ import annotations

from datetime import timedelta

from hookline_service.model.sessions import LogKind, SessionState
from tests.builders.projects import a_project, a_release
from tests.builders.service import NOW, a_service
from tests.builders.sessions import a_record, a_session


async def test_the_front_page_says_what_this_is_to_anybody():
    async with a_service().client(token=None) as client:
        response = await client.get("/")

    assert response.status_code == 200
    assert "hookline deploy DIR" in response.text


async def test_the_status_counts_sessions_that_have_not_ended(tmp_path):
    service = a_service(home=tmp_path)
    release = a_release()
    await service.store.apply_release(release)
    states = (SessionState.CREATED, SessionState.WAITING, SessionState.WAITING)
    await service.store.add_sessions([a_session(release, state=state) for state in states])

    async with service.client() as client:
        status = (await client.get("/api/v1/status")).json()

    assert status["sessions"] == {"created": 1, "running": 0, "waiting": 2}
    assert status["projects"] == 1
    assert status["ready"] is True
    assert status["disk_free_bytes"] > 0


async def test_pruning_counts_first_and_deletes_when_told():
    service = a_service()
    release = a_release()
    await service.store.apply_release(release)
    await service.store.add_sessions(
        [a_session(release, state=SessionState.COMPLETED, ended_at=NOW - timedelta(days=8))]
    )

    async with service.client() as client:
        body = {"older_than_days": 7}
        counted = (await client.post("/api/v1/prune", json={**body, "dry_run": True})).json()
        pruned = (await client.post("/api/v1/prune", json=body)).json()
        again = (await client.post("/api/v1/prune", json=body)).json()

    assert counted == pruned == {"sessions": 1, "deployments": 0, "builds": 0}
    assert again["sessions"] == 0


async def test_logs_of_all_sessions_name_session_and_project():
    service = a_service()
    release = a_release(a_project(name="shop"))
    await service.store.apply_release(release)
    session = a_session(release)
    await service.store.add_sessions([session])
    await service.store.append(
        [],
        [
            a_record(session.id, 1, text="first"),
            a_record(session.id, 2, text="Second", kind=LogKind.ERROR),
        ],
    )

    async with service.client() as client:
        every = (await client.get("/api/v1/logs")).json()
        errors = (await client.get("/api/v1/logs?level=error&text=SECOND&project=shop")).json()
        later = (await client.get(f"/api/v1/logs?after={every['next']}")).json()
        wrong = await client.get("/api/v1/logs?project=nope")

    assert [(each["text"], each["project"]) for each in every["items"]] == [
        ("Second", "shop"),
        ("first", "shop"),
    ]
    assert [each["session"] for each in errors["items"]] == [session.id]
    assert every["end"] is True
    assert len(later["items"]) == 2  # `next` of a page that ended is the beginning
    assert wrong.status_code == 404
