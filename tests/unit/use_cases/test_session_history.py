from __future__ import annotations

from base64 import b64decode
from dataclasses import replace
from typing import Any

import pytest

from hookline_service.model.ids import SessionId
from hookline_service.use_cases.journal_values import JournalCipher
from tests.builders.service import ServiceInMemory, a_service
from tests.builders.sessions import an_entry

SECRET = "a long secret"


@pytest.fixture
async def service() -> ServiceInMemory:
    service = a_service()
    deployed = await service.deploy()
    async with service.client() as client:
        await client.put("/api/v1/projects/hello/vars/API_KEY", json={"value": SECRET})
        await client.post(deployed["triggers"][0]["url"], content=f'{{"k":"{SECRET}"}}'.encode())
    return service


def the_session(service: ServiceInMemory) -> SessionId:
    return service.engine.started[0][0].id


async def get(service: ServiceInMemory, path: str, session: str = "") -> Any:
    async with service.client() as client:
        return await client.get(f"/api/v1/sessions/{session or the_session(service)}/{path}")


async def record(service: ServiceInMemory, *, count: int = 1) -> None:
    session = service.engine.started[0][0]
    vault = JournalCipher(service.services.box, session.project_id)
    sealed = vault.seal(session.id, f'["{SECRET}"]'.encode())
    entries = [an_entry(session.id, 1, encoding="sealed:json", value=sealed)]
    entries += [an_entry(session.id, seq, value=b"%d" % seq) for seq in range(2, count + 1)]
    await service.services.store.append(entries, [])


async def test_a_history_has_everything_that_the_function_was_given(service: ServiceInMemory):
    history = (await get(service, "history?secrets=open")).json()

    assert history["entry_point"] == "main.py:on_call"
    assert history["project"] == "hello"
    assert history["event"]["type"] == "post"
    assert history["event"]["data"]["body"]["json"] == {"k": SECRET}
    assert b64decode(history["body"]) == f'{{"k":"{SECRET}"}}'.encode()
    assert history["variables"]["API_KEY"] == SECRET
    assert history["variables"]["GREETING"] == "hi"


async def test_secrets_are_covered_unless_they_are_asked_for(service: ServiceInMemory):
    await record(service)

    history = await get(service, "history")
    journal = (await get(service, "journal")).json()

    assert SECRET not in history.text
    url = history.json()["variables"]["incoming__webhook_url"]
    assert url.rpartition("/")[2] == "*" * 26
    triggers = await service.services.store.list_triggers(None)
    assert not any(one.slug and one.slug in history.text for one in triggers)
    assert history.json()["variables"]["API_KEY"] == "*" * len(SECRET)
    assert b64decode(journal["items"][0]["value"]) == b'["*************"]'
    assert journal["items"][0]["encoding"] == "json"


async def test_open_values_are_what_was_recorded(service: ServiceInMemory):
    await record(service)

    journal = (await get(service, "journal?secrets=open")).json()

    assert b64decode(journal["items"][0]["value"]) == f'["{SECRET}"]'.encode()


async def test_a_secret_that_was_changed_since_is_not_given_away(service: ServiceInMemory):
    await record(service)
    async with service.client() as client:
        await client.put("/api/v1/projects/hello/vars/API_KEY", json={"value": "another one"})

    refused = await get(service, "journal")

    assert refused.status_code == 409
    assert refused.json()["error"]["code"] == "session.secret_changed"
    assert SECRET not in refused.text


async def test_a_journal_is_read_page_by_page(service: ServiceInMemory):
    await record(service, count=65)
    seen: list[int] = []
    after: int | None = 0
    while after is not None:
        page = (await get(service, f"journal?limit=30&after={after}")).json()
        seen += [one["seq"] for one in page["items"]]
        after = page["next"]

    assert seen == list(range(1, 66))


@pytest.mark.parametrize("path", ["history", "journal"])
async def test_a_session_that_is_not_durable_has_no_history(service: ServiceInMemory, path: str):
    plain = replace(service.engine.started[0][0], id=SessionId("ses_plain"), is_durable=False)
    await service.services.store.add_sessions([plain])

    refused = await get(service, path, "ses_plain")

    assert refused.status_code == 409
    assert refused.json()["error"]["code"] == "session.not_durable"


@pytest.mark.parametrize("path", ["history", "journal"])
async def test_nobody_without_the_token_reads_a_history(service: ServiceInMemory, path: str):
    async with service.client(token=None) as client:
        refused = await client.get(f"/api/v1/sessions/{the_session(service)}/{path}")

    assert refused.status_code == 401


async def test_a_fork_names_where_it_comes_from(service: ServiceInMemory):
    await record(service)
    async with service.client() as client:
        path = f"/api/v1/sessions/{the_session(service)}/fork"
        forked = await client.post(path, json={"entries": 1, "edits": {"data.method": "PUT"}})
        refused = await client.post(path, json={"entries": 1, "build": "b", "deployment": "d"})

    assert forked.status_code == 201
    assert forked.json()["forked_from"] == the_session(service)
    assert refused.status_code == 400


async def test_a_secret_too_short_for_texts_is_covered_by_its_name(service: ServiceInMemory):
    async with service.client() as client:
        await client.put("/api/v1/projects/hello/vars/API_KEY", json={"value": "1234"})

    covered = (await get(service, "history")).json()["variables"]["API_KEY"]
    opened = (await get(service, "history?secrets=open")).json()["variables"]["API_KEY"]

    assert (covered, opened) == ("****", "1234")
