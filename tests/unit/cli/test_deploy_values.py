"""Values of variables that go with a deploy."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.fake_service import FakeService

RESULT: dict[str, Any] = {"project": "gate", "deployment": "dep_1", "build": "bld_1"}
MANIFEST = """
project:
  name: gate
  vars:
    - {name: WEBHOOK_SECRET, secret: true, required: true, description: as GitHub has it}
    - {name: LIMIT, value: "5"}
  connections:
    - name: chat
      integration: slack
      vars: [{name: BOT_TOKEN, secret: true, required: true}]
"""


@pytest.fixture
def project(tmp_path: Path, fake: FakeService) -> Path:
    (tmp_path / "hookline.yaml").write_text(MANIFEST)
    fake.deploy_events = [("result", RESULT)]
    return tmp_path


@pytest.fixture
def on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What a person types, a line for each question."""
    typed: list[str] = []

    monkeypatch.setattr("hookline_cli.given_values._can_ask", lambda: True)
    monkeypatch.setattr("click.termui.hidden_prompt_func", lambda _: typed.pop(0))
    return typed


def _sent(fake: FakeService) -> dict[str, str] | None:
    content = fake.sent("POST", "/deployments")[-1].content
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        if ".hookline/variables.json" not in archive.getnames():
            return None
        member = archive.extractfile(".hookline/variables.json")
        assert member is not None
        return json.loads(member.read())


def test_without_values_nothing_is_sent_beside_the_project(hookline, fake, project: Path) -> None:
    hookline("deploy", str(project))

    assert _sent(fake) is None


def test_values_of_options_are_sent_with_the_project(hookline, fake, project: Path) -> None:
    options = ("--var", "WEBHOOK_SECRET=a=b", "--var", "chat/BOT_TOKEN=xoxb", "--var", "LIMIT=")

    outcome = hookline("deploy", str(project), *options)

    assert outcome.code == 0
    assert _sent(fake) == {"WEBHOOK_SECRET": "a=b", "chat/BOT_TOKEN": "xoxb", "LIMIT": ""}


def test_a_file_gives_what_the_manifest_declares(hookline, fake, project: Path) -> None:
    env = project / ".env"
    env.write_text(
        '# comment\nexport WEBHOOK_SECRET="s p#c" # why\nLIMIT=${HOME}\nOTHER=1\nEMPTY\n',
        "utf-8-sig",
    )

    outcome = hookline("deploy", str(project), "--env-file", str(env))

    assert _sent(fake) == {"WEBHOOK_SECRET": "s p#c", "LIMIT": "${HOME}"}
    assert "not used: OTHER, EMPTY" in outcome.err
    assert "s p#c" not in outcome.err + outcome.out


def test_an_option_comes_before_a_file(hookline, fake, project: Path) -> None:
    env = project / ".env"
    env.write_text("LIMIT=1\n")

    hookline("deploy", str(project), "--var", "LIMIT=2", "--env-file", str(env))

    assert _sent(fake) == {"LIMIT": "2"}


def test_an_option_without_a_value_is_refused_where_nobody_can_be_asked(
    hookline, fake, project: Path
) -> None:
    outcome = hookline("deploy", str(project), "--var", "LIMIT")

    assert outcome.code == 1
    assert "--var: 'LIMIT' has no value: write --var LIMIT=VALUE" in outcome.err
    assert not fake.sent("POST", "/deployments")


def test_a_person_is_asked_for_what_is_required_and_has_no_value(
    hookline, fake, project: Path, on_a_terminal: list[str]
) -> None:
    fake.absent_projects.add("gate")
    on_a_terminal += ["s3cret", "xoxb"]

    hookline("deploy", str(project))

    assert _sent(fake) == {"WEBHOOK_SECRET": "s3cret", "chat/BOT_TOKEN": "xoxb"}


def test_nobody_is_asked_for_what_is_stored_or_given(
    hookline, fake, project: Path, on_a_terminal: list[str]
) -> None:
    hookline("var", "set", "gate", "BOT_TOKEN", "xoxb", "--connection", "chat", "--secret")

    hookline("deploy", str(project), "--var", "WEBHOOK_SECRET=s3cret")

    assert on_a_terminal == []
    assert _sent(fake) == {"WEBHOOK_SECRET": "s3cret"}
