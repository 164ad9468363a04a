from __future__ import annotations

from typing import Any

import pytest

from hookline_triggers.event_fields import Place, closest, guarded, look_up, view_of

DATA: dict[str, Any] = {
    "method": "POST",
    "raw_url": "/webhooks/x?token=abc",
    "headers": {"X-Github-Event": "push", "Authorization": "Bearer abc", "X-Api-Key": "k"},
    "url": {"query": {"ref": "main", "access_token": "abc"}},
    "body": {
        "bytes": b"abc",
        "text": "whatever it is",
        "form": None,
        "json": {
            "kind": "push",
            "n": 5,
            "half": 0.5,
            "yes": True,
            "nothing": None,
            "items": [{"id": 1}, {"id": 2}],
            "many": {f"k{number}": number for number in range(9)},
            "none": {},
            "long": "word " * 100,
            "password": "hunter2",
            "pin": 1234,
        },
    },
}


def _view(*place: str | int, data: dict[str, Any] = DATA) -> str:
    where: Place = place
    return view_of(where, look_up(data, where))


@pytest.mark.parametrize(
    ("place", "view"),
    [
        (("method",), '"POST"'),
        (("body", "json", "kind"), '"push"'),
        (("body", "json", "n"), "5"),
        (("body", "json", "half"), "0.5"),
        (("body", "json", "yes"), "true"),
        (("body", "json", "nothing"), "null"),
        (("body", "json", "items"), "a list of 2"),
        (("body", "json", "items", 1, "id"), "2"),
        (("body", "json", "many"), 'a map with "k0", "k1", "k2", "k3", "k4" and 4 more'),
        (("body", "json", "none"), "an empty map"),
        (("body", "bytes"), "3 bytes"),
        (("body", "form"), "null, because the body is not a form"),
    ],
)
def test_a_short_value_is_shown_and_others_are_named(place: Place, view: str) -> None:
    assert _view(*place) == view


def test_a_long_text_is_cut() -> None:
    assert _view("body", "json", "long") == '"' + ("word " * 100)[:59] + '…"'


@pytest.mark.parametrize(
    ("place", "view"),
    [
        (("body", "json", "Kind"), 'missing: `data.body.json` has no "Kind", but "kind"'),
        (("body", "json", "kinds"), 'missing: `data.body.json` has no "kinds", but "kind"'),
        (("url", "query", "q"), 'missing: `data.url.query` has no "q"; it has "ref", "access_token"'),
        (("body", "json", "none", "a"), 'missing: `data.body.json.none` has no "a"; it is empty'),
        (("body", "json", "kind", "a"), "missing: `data.body.json.kind` is a text"),
        (("body", "json", "nothing", "a"), "missing: `data.body.json.nothing` is null"),
        (("body", "form", "a"), "missing: `data.body.form` is null, because the body is not a form"),
        (("body", "json", "items", 7), "missing: `data.body.json.items` is a list of 2"),
        (("body", "json", "items", "id"), "missing: `data.body.json.items` is a list, and its items are asked for by number"),
        (("headers", "X-A"), 'missing: `data.headers` has no "X-A"; it has "X-Github-Event", "Authorization", "X-Api-Key"'),
    ],
)  # fmt: skip
def test_what_is_missing_is_told_with_what_is_there(place: Place, view: str) -> None:
    assert _view(*place) == view


@pytest.mark.parametrize(
    "place",
    [
        ("headers", "Authorization"),
        ("headers", "X-Api-Key"),
        ("url", "query", "access_token"),
        ("body", "json", "password"),
        ("body", "json", "pin"),
        ("body", "text"),
        ("raw_url",),
    ],
)
def test_what_is_likely_to_be_a_secret_is_not_shown(place: Place) -> None:
    view = _view(*place)

    assert not any(secret in view for secret in ("abc", "hunter2", "1234", '"k"', "whatever"))


@pytest.mark.parametrize(
    "name",
    [
        *("password", "db_passwd", "clientSecret", "X-Gitlab-Token", "apiKey", "api-key", "private_key"),
        *("Authorization", "Proxy-Authorization", "Cookie", "Set-Cookie", "X-Hub-Signature-256", "sig"),
        *("password_confirmation", "userPwd", "x-auth", "auth_code", "X-Functions-Key", "jwt", "PHPSESSID_sid"),
        *("credentials", "sessionId", "access_key", "passphrase", "otp"),
    ],
)  # fmt: skip
def test_names_of_secrets_are_known(name: str) -> None:
    assert "s" * 10 not in _view("a", name, data={"a": {name: "s" * 10}})


@pytest.mark.parametrize("name", ["author", "key", "kind", "spinner", "signal", "design", "passed", "compass_id", "state"])  # fmt: skip
def test_names_of_other_things_hide_nothing(name: str) -> None:
    assert _view("a", name, data={"a": {name: "shown"}}) == '"shown"'


def test_what_lies_below_the_name_of_a_secret_is_one_too() -> None:
    assert "abc" not in _view("tokens", 0, "value", data={"tokens": [{"value": "abc"}]})


@pytest.mark.parametrize(
    "text",
    [
        "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
        "xoxb-263594206564-FGqddMF8t08v8N7Oq4i57vs1",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N",
        "a94a8fe5ccb19ba61c4c0873d391e987982fbbd3",
        "3f2504e0-4f89-11d3-9a0c-0305e82c3301",
        "AKIAIOSFODNN7EXAMPLE7Q2",
        "Bearer short",
        "Basic dTpw",
        "https://user:pw@host/",
        "https://host/a?token=abc",
    ],
)
def test_words_that_nobody_makes_up_and_credentials_are_left_out(text: str) -> None:
    left = guarded(f"see {text} there")

    assert "…" in left
    assert not any(
        part in left for part in ("16C7e4", "FGqdd", "SFODNN", "eyJzd", "8fe5", "e0-4f", "short", "dTpw", "pw", "abc")
    )  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        "push",
        "refs/heads/feature-2024-new-thing",
        "application/x-www-form-urlencoded; charset=utf-8",
        "2026-11-20T08:00:00.000Z",
        "OrderCreatedV2Final",
        "com.example.orders.created.v1",
        "an order of 1234567890123456 pieces",
        "Straße 12, 10115 Berlin",
    ],
)
def test_what_people_write_stays(text: str) -> None:
    assert guarded(text) == text


@pytest.mark.parametrize(
    ("wanted", "meant"),
    [
        ("Push", "push"),
        ("pusch", "push"),
        ("pull-request", "pull_request"),
        ("order", ""),
        ("", ""),
    ],
)
def test_the_name_that_was_probably_meant_is_found(wanted: str, meant: str) -> None:
    assert closest(wanted, ["ping", "push", "pull_request"]) == meant
