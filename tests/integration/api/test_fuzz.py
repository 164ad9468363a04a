"""Requests made at random from the API's own description: whatever comes, the service never fails."""

from __future__ import annotations

import string
from typing import Any

import anyio
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from hookline_service.api.application import ENDPOINTS
from hookline_service.api.endpoints import AnyEndpoint, NoBody
from hookline_service.storage.sqlite import open_sqlite_store
from tests.builders.service import PROJECT, ServiceInMemory, a_service, a_tar

JUNK = st.one_of(
    st.text(max_size=30),
    st.text(string.printable, max_size=10),
    st.integers().map(str),
    st.floats().map(str),
    st.sampled_from(
        ["", "..", "%00", "\0", "null", "'", '"', "/", "é", "\U0001f600", "-1", "1e999"]
    ),
    st.sampled_from([str(2**63), str(2**63 - 1), str(-(2**63)), "9" * 400, "x" * 5000]),
)
TIMES = st.one_of(
    st.datetimes().map(lambda at: at.isoformat() + "Z"),
    st.sampled_from(["9999-12-31T23:59:59+23:59", "0001-01-01T00:00:00-23:59", "2026-01-01"]),
)
JSON = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**63), 2**63 - 1),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.text(st.characters(exclude_categories=["Cs"]), max_size=8), inner, max_size=3
        ),
    ),
    max_leaves=8,
)
MOSTLY = st.sampled_from([True, True, True, True, False])
RAW = st.one_of(
    st.binary(max_size=200), st.sampled_from([b"{", b"[]", b"null", b'"\\ud800"', b"[" * 5000])
)


async def _known(service: ServiceInMemory) -> dict[str, list[str]]:
    """Values that mean something, by the names of parameters and fields."""
    deployed = await service.deploy()
    async with service.client() as client:
        event = (await client.post(deployed["triggers"][0]["url"], json={"a": 1})).headers[
            "hookline-event-id"
        ]
    session = str(service.engine.started[0][0].id)
    trigger = {each.definition.name: each.id for each in await service.store.list_triggers(None)}
    return {
        "project": ["hello"],
        "name": ["nightly", "GREETING", "API_KEY"],
        "deployment": [deployed["deployment"]],
        "build": [deployed["build"]],
        "trigger": [trigger["incoming"], trigger["nightly"], "incoming", "nightly"],
        "schedule": [trigger["nightly"]],
        "event": [event],
        "session": [session],
        "before": [event, session],
        "entry_point": ["main.py:on_call"],
        "expression": ["@hourly", "*/5 * * * *", "0 0 30 2 *", "@every 1ns"],
        "timezone": ["Europe/Prague", "UTC", "../../etc/passwd"],
        "state": ["created", "error"],
        "order": ["asc", "desc"],
        "limit": ["1", "1000"],
        "timeout_s": ["0", "0.01", "nan"],
        "manifest": ["hookline.yaml"],
        "kinds": ["print,log"],
        "reason": ["because"],
        "start": ["2026-11-01T00:00:00Z"],
        "end": ["2026-11-05T00:00:00Z"],
        "from": ["2026-11-01T00:00:00Z", "2199-12-31T00:00:00Z", "1970-01-01T00:00:00Z"],
    }


@st.composite
def _requests(draw: st.DrawFn, known: dict[str, list[str]]):
    endpoint: AnyEndpoint = draw(st.sampled_from(ENDPOINTS))

    def value(name: str) -> str:
        if draw(MOSTLY):
            return draw(st.sampled_from(known.get(name, ["1"])))
        return draw(st.one_of(JUNK, TIMES))

    path = {name: value(name).encode("utf-8", "replace").decode() for name in endpoint.parameters}
    names = [field.alias or name for name, field in endpoint.query.model_fields.items()]
    query = (
        {
            name: value(name).encode("utf-8", "replace").decode()
            for name in draw(st.sets(st.sampled_from(names)))
        }
        if names
        else {}
    )
    if "wait" in endpoint.path:
        query["timeout_s"] = draw(st.sampled_from(["0", "0.01", "x", "-1", "nan"]))
    body: dict[str, Any] = {}
    if endpoint.body is bytes:
        body["content"] = draw(
            st.one_of(RAW, st.just(a_tar(PROJECT)), st.just(a_tar(PROJECT)[:1000]))
        )
    elif endpoint.body is not NoBody:
        content = {
            name: draw(st.sampled_from(known.get(name, ["1"])) if draw(MOSTLY) else JSON)
            for name in endpoint.body.model_fields
            if draw(MOSTLY)
        }
        body = {"json": content} if draw(MOSTLY) else {"content": draw(RAW)}
    return endpoint, path, query, body


def _quoted(text: str) -> str:
    return "".join(f"%{byte:02X}" for byte in text.encode()) or "%20"


@pytest.mark.slow
def test_no_request_makes_the_service_fail(tmp_path):
    async def run() -> None:
        store = await open_sqlite_store(tmp_path / "hookline.db")
        service = a_service(store, scratch=tmp_path)
        try:
            known = await _known(service)
            async with service.client() as client:

                async def send(request: Any) -> tuple[int, str]:
                    endpoint, path, query, body = request
                    target = endpoint.path
                    for name, text in path.items():
                        target = target.replace("{" + name + "}", _quoted(text))
                    response = await client.request(
                        endpoint.method, "/api/v1" + target, params=query, **body
                    )
                    return response.status_code, response.text

                await anyio.to_thread.run_sync(_drive, known, send)
        finally:
            await store.aclose()

    anyio.run(run)


def _drive(known: dict[str, list[str]], send: Any) -> None:
    @settings(
        max_examples=600,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        database=None,
    )
    @given(_requests(known))
    def attempt(request: Any) -> None:
        status, text = anyio.from_thread.run(send, request)

        assert status < 500, text

    attempt()
