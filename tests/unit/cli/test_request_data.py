from __future__ import annotations

import json


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
