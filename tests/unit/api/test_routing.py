from __future__ import annotations

import pytest

from hookline_service.api.application import ENDPOINTS
from tests.builders.service import a_service


async def test_an_unknown_path_is_told_in_the_one_shape():
    async with a_service().client() as client:
        response = await client.get("/api/v1/nope")

    assert response.status_code == 404
    assert response.json()["error"]["code"] == "route.not_found"


async def test_a_wrong_method_names_the_right_ones():
    async with a_service().client() as client:
        response = await client.patch("/api/v1/sessions")

    assert response.status_code == 405
    assert response.headers["allow"] == "GET, HEAD, OPTIONS, POST"
    assert response.json()["error"]["details"]["allowed"] == ["GET", "HEAD", "OPTIONS", "POST"]


async def test_options_lists_the_methods():
    async with a_service().client() as client:
        response = await client.options("/api/v1/projects/hello")

    assert response.status_code == 204
    assert response.headers["allow"] == "DELETE, GET, HEAD, OPTIONS"


async def test_head_is_get_without_a_body():
    async with a_service().client() as client:
        head, get = await client.head("/api/v1/version"), await client.get("/api/v1/version")

    assert head.status_code == 200
    assert head.content == b""
    assert head.headers["content-length"] == get.headers["content-length"]


@pytest.mark.parametrize(
    "path", ["/api/v1/projects/", "/api/v1//projects", "/api/v1/projects/../x"]
)
async def test_paths_mean_what_they_say(path):
    async with a_service().client() as client:
        response = await client.get(path)

    assert response.status_code == 404


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("limit=x", "limit"),
        ("state=asleep", "state"),
        ("colour=red", "colour"),
        ("limit=1&limit=2", "limit"),
        ("before=" + "x" * 65, "before"),
    ],
)
async def test_a_query_that_cannot_be_used_names_its_field(query, field):
    async with a_service().client() as client:
        response = await client.get(f"/api/v1/sessions?{query}")

    error = response.json()["error"]
    assert response.status_code == 400
    assert error["code"] == "request.invalid"
    assert [each["field"] for each in error["details"]["fields"]] == [field]


@pytest.mark.parametrize(
    "body", [b"{", b"[]", b"1", b'{"project": 5}', b"\xff", b'{"project":"\\ud800"}']
)
async def test_a_body_that_cannot_be_used_is_refused(body):
    async with a_service().client() as client:
        response = await client.post("/api/v1/sessions", content=body)

    assert response.status_code == 400
    assert response.json()["error"]["code"] == "request.invalid"


async def test_a_body_over_the_limit_is_refused_before_it_is_read():
    async def endless():
        raise AssertionError("it was read")
        yield b""

    async with a_service().client() as client:
        response = await client.post(
            "/api/v1/sessions", content=endless(), headers={"Content-Length": "1048577"}
        )

    assert response.status_code == 413
    assert response.headers["connection"] == "close"


async def test_a_body_that_grows_over_the_limit_is_refused():
    async def chunks():
        for _ in range(20):
            yield b" " * 100_000

    async with a_service().client() as client:
        response = await client.post("/api/v1/sessions", content=chunks())

    assert response.status_code == 413


async def test_a_failure_that_nobody_foresaw_tells_nothing_of_the_inside(caplog):
    service = a_service()
    service.runners.hosts = [object()]  # pyright: ignore[reportAttributeAccessIssue]

    async with service.client() as client:
        response = await client.get("/api/v1/runners")

    error = response.json()["error"]
    assert response.status_code == 500
    assert "object" not in response.text
    assert error["details"]["incident"] == caplog.records[-1].incident


def test_every_route_has_its_own_name():
    names = [endpoint.name for endpoint in ENDPOINTS]

    assert len(set(names)) == len(names)
