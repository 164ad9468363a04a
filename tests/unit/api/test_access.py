from __future__ import annotations

from dataclasses import replace

import pytest

from hookline_service.api.access import HostRule
from hookline_service.api.application import ENDPOINTS
from hookline_service.settings import Settings
from tests.builders.service import TOKEN, a_service

CLOSED = sorted({"/api/v1" + each.path for each in ENDPOINTS if not each.is_open} | {"/metrics"})


@pytest.mark.parametrize("path", [*CLOSED, "/nope", "/api/v1/nope", "/api"])
async def test_without_the_token_nothing_is_told(path):
    async with a_service().client(token=None) as client:
        response = await client.get(path)

    assert response.status_code == 401
    assert response.headers["www-authenticate"].startswith("Bearer")
    assert response.json()["error"]["code"] == "token.refused"


@pytest.mark.parametrize("token", ["x", TOKEN[:-1], TOKEN + "x", TOKEN.upper()])
async def test_a_wrong_token_is_as_good_as_none(token):
    async with a_service().client(token=token) as client:
        response = await client.get("/api/v1/projects")

    assert response.status_code == 401


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/api/v1/openapi.json"])
async def test_health_and_the_description_of_the_api_need_no_token(path):
    async with a_service().client(token=None) as client:
        response = await client.get(path)

    assert response.status_code == 200


async def test_a_foreign_host_is_refused_even_with_the_token():
    async with a_service().client(host="evil.example:9980") as client:
        response = await client.get("/api/v1/projects")

    assert response.status_code == 403
    assert response.json()["error"]["code"] == "host.forbidden"


async def test_webhooks_are_reached_by_any_name():
    service = a_service()
    deployed = await service.deploy()
    path = deployed["triggers"][0]["url"].partition("9980")[2]

    async with service.client(token=None, host="hooks.example.org") as client:
        response = await client.post(path)

    assert response.status_code == 202


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST:1",
        "app.localhost",
        "127.0.0.1:9980",
        "[::1]:9980",
        "192.168.1.5",
        "hooks.example.org",
        "other.example.org:80",
    ],
)
def test_own_names_and_addresses_are_accepted(host):
    settings = replace(
        Settings(),
        public_url="https://hooks.example.org",
        allowed_hosts=("other.example.org",),
    )

    assert HostRule(settings).accepts(host)


@pytest.mark.parametrize(
    "host",
    [
        "",
        ":80",
        "evil.example",
        "127.0.0.1.evil.example",
        "localhost.evil",
        "[::1",
        "[x]",
        "a b",
        "evil@localhost",
        "localhost/evil",
        "localhost?x",
        "localhost:80:80",
        "user:pw@127.0.0.1",
        "\xff",
    ],
)
def test_every_other_name_is_not(host):
    assert not HostRule(Settings()).accepts(host)


async def test_answers_carry_headers_that_protect_browsers():
    async with a_service().client() as client:
        response = await client.get("/api/v1/projects")

    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["cache-control"] == "no-store"
    assert "access-control-allow-origin" not in response.headers


@pytest.mark.parametrize(
    ("token", "text"),
    [(None, "send the token as"), ("hkl_wrong-token-0123456789", "this token is not that of")],
)
async def test_a_wrong_token_is_told_from_none(token, text):
    async with a_service().client(token=token) as client:
        response = await client.get("/api/v1/projects")

    assert response.status_code == 401
    assert text in response.json()["error"]["message"]
