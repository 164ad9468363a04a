from __future__ import annotations

import json

import pytest

from tests.fakes.fake_service import FakeService
from tests.unit.cli.conftest import CommandLine
from tests.unit.cli.test_sessions_followed import SESSION, a_session, records


def test_a_function_gets_the_data_of_a_request(hookline, fake) -> None:
    hookline(
        "run", "shop", "main.py:greet", "--body", '{"a": 1}', "--header", "X-GitHub-Event: push",
        "--query", "name=Ada & Bob", "--method", "put",
    )  # fmt: skip

    data = json.loads(fake.sent("POST", "/sessions")[0].content)["input"]
    assert data["method"] == "PUT"
    assert data["body"]["json"] == {"a": 1}
    assert data["body"]["bytes"] is None
    assert data["headers"]["X-Github-Event"] == "push"
    assert data["url"]["query"] == {"name": "Ada & Bob"}


def test_without_parts_of_a_request_there_is_no_data(hookline, fake) -> None:
    hookline("run", "shop", "main.py:greet")

    assert "input" not in json.loads(fake.sent("POST", "/sessions")[0].content)


def test_an_event_and_a_request_are_not_mixed(hookline) -> None:
    assert hookline("run", "shop", "main.py:f", "--event", "{}", "--body", "x").code == 2


def test_a_header_without_a_value_is_refused(hookline) -> None:
    outcome = hookline("run", "shop", "main.py:f", "--header", "X-A")

    assert outcome.code == 1
    assert "--header: 'X-A' is not of the form NAME:VALUE" in outcome.err


@pytest.mark.parametrize(
    ("options", "kind", "state", "is_told"),
    [
        ((), "webhook", "error", True),
        (("--query", "name=Ada"), "webhook", "error", False),
        (("--event", "{}"), "webhook", "error", False),
        ((), "schedule", "error", False),
        ((), "webhook", "completed", False),
    ],
)
def test_a_webhooks_function_that_failed_without_a_request_is_told_how_to_get_one(
    hookline, fake, options: tuple[str, ...], kind: str, state: str, is_told: bool
) -> None:
    fake.things["sessions"] = [a_session(state=state, name="next")]
    fake.things["triggers"] = [{"project": "hello", "kind": kind, "call": "hello.py:greet"}]
    fake.logs[SESSION] = records(1)

    outcome = hookline("run", "hello", "hello.py:greet", "--wait", *options)

    assert ("hint: a webhook calls this function" in outcome.err) is is_told
    assert outcome.code == (1 if state == "error" else 0)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--header", "a:b\nc"], "no line break"),
        (["--header", "a:b\r\nX-Evil: 1"], "no line break"),
        (["--header", "a:\x1b[1m"], "no other control character"),
        (["--header", "a b:c"], "no spaces"),
        (["--header", "a\n:c"], "no spaces"),
        (["--header", "Ä:c"], "no spaces"),
        (["--method", "G T"], "is not a method"),
        (["--method", ""], "is not a method"),
        (["--method", "PUT\n"], "is not a method"),
    ],
)
def test_a_request_that_could_not_be_sent_is_refused(
    hookline: CommandLine, fake: FakeService, options: list[str], told: str
) -> None:
    outcome = hookline("run", "hello", "hello.py:f", *options)

    assert (outcome.code, told in outcome.err) == (1, True), outcome.err
    assert fake.requests == []
