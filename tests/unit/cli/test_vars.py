from __future__ import annotations

import io
import json
import re

import pytest


def test_a_variable_is_set_to_the_value_given(hookline, fake) -> None:
    outcome = hookline("var", "set", "hello", "GREETING", "Ahoj", "--description", "first word")

    assert outcome.code == 0
    assert fake.variables["hello"]["GREETING"] == {"name": "GREETING", "scope": "", "value": "Ahoj", "secret": False, "description": "first word"}  # fmt: skip


def test_a_value_left_out_is_read_from_stdin_without_its_line_end(
    hookline, fake, monkeypatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("s3cret\n"))

    hookline("var", "set", "hello", "TOKEN", "--secret")

    assert fake.variables["hello"]["TOKEN"]["value"] == "s3cret"
    assert fake.variables["hello"]["TOKEN"]["secret"] is True


def test_a_secret_stays_secret_when_set_again(hookline, fake) -> None:
    hookline("var", "set", "hello", "TOKEN", "one", "--secret")

    hookline("var", "set", "hello", "TOKEN", "two")

    assert fake.variables["hello"]["TOKEN"]["secret"] is True


def test_the_value_of_a_secret_is_never_told_when_it_is_set(hookline) -> None:
    outcome = hookline("var", "set", "hello", "TOKEN", "hunter2hunter2", "--secret")

    assert "hunter2" not in outcome.out + outcome.err


@pytest.mark.parametrize(("options", "shown"), [([], "********"), (["--reveal"], "two")])
def test_a_secret_is_masked_unless_revealed(hookline, options: list[str], shown: str) -> None:
    hookline("var", "set", "hello", "TOKEN", "two", "--secret")

    outcome = hookline("var", "get", "hello", "TOKEN", *options)

    assert outcome.out == shown + "\n"


def test_variables_are_one_array(hookline) -> None:
    hookline("var", "set", "hello", "A", "1")
    hookline("var", "set", "hello", "B", "2")

    outcome = hookline("var", "list", "hello", "--json")

    assert [one["name"] for one in outcome.document] == ["A", "B"]


def test_a_variable_that_is_missing_is_an_error(hookline) -> None:
    outcome = hookline("var", "get", "hello", "NOPE", "--json")

    assert outcome.code == 1
    assert json.loads(outcome.out)["error"]["code"] == "var.not_found"


def test_a_variable_is_deleted(hookline, fake) -> None:
    hookline("var", "set", "hello", "A", "1")

    outcome = hookline("var", "delete", "hello", "A")

    assert outcome.code == 0
    assert fake.variables["hello"] == {}


def test_a_variable_of_a_connection_is_named_by_scope(hookline, fake) -> None:
    hookline("var", "set", "hello", "KEY", "v", "--connection", "my_slack")

    assert fake.requests[-1].url.params["scope"] == "my_slack"


def test_a_variable_of_a_connection_is_not_taken_for_the_projects_own(hookline, fake) -> None:
    hookline("var", "set", "hello", "KEY", "of-chat", "--connection", "chat", "--secret")

    assert "has no variable" in hookline("var", "get", "hello", "KEY").err

    hookline("var", "set", "hello", "KEY", "own")
    assert fake.variables["hello"]["KEY"]["secret"] is False
    assert hookline("var", "get", "hello", "KEY").out == "own\n"
    assert re.search(r"KEY +chat +[*]{8}", hookline("var", "list", "hello").out)


def test_a_variable_may_be_set_before_its_project_is_there(hookline, fake) -> None:
    fake.absent_projects.add("gate")

    outcome = hookline("var", "set", "gate", "TOKEN", "s3cret")

    assert outcome.code == 0
    assert fake.variables["gate"]["TOKEN"]["value"] == "s3cret"
    assert "made project gate; nothing is deployed yet" in outcome.err


def test_a_mistyped_project_is_not_made(hookline, fake) -> None:
    fake.things["projects"] = [{"id": "prj_1", "name": "hello"}]
    fake.absent_projects.add("hallo")

    outcome = hookline("var", "set", "hallo", "TOKEN", "s3cret")

    assert outcome.code == 1
    assert "did you mean 'hello'?" in outcome.err
    assert fake.variables == {}


def test_a_project_can_be_made_before_its_first_deploy(hookline, fake) -> None:
    outcome = hookline("project", "create", "gate")

    assert outcome.code == 0
    assert fake.things["projects"][0]["name"] == "gate"
