from __future__ import annotations

import io
import tarfile
from pathlib import Path
from typing import Any

import pytest

from hookline_cli.deploy_client import trigger_lines
from hookline_cli.display import local_time
from hookline_cli.failures import FileUnusableError
from hookline_cli.json_values import JsonObject
from hookline_cli.project_files import find_manifest

RESULT: dict[str, Any] = {
    "project": "hello",
    "build": "bld_1",
    "deployment": "dep_1",
    "dry_run": False,
    "created_build": True,
    "environment": "env",
    "triggers": [{"name": "greet", "kind": "webhook", "url": "http://x/webhooks/abc"}],
    "warnings": [],
    "plan": [{"type": "create_project", "name": "hello", "detail": ""}],
}
FINDING = {
    "level": "error",
    "code": "manifest.unknown_key",
    "file": "hookline.yaml",
    "line": 4,
    "column": 7,
    "message": "unknown key 'shedule'",
    "hint": "did you mean `schedule`?",
    "source": '      shedule: "0 9 * * *"',
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    files = {
        "hookline.yaml": "project:\n  name: hello\n  ignore: [notes.txt]\n",
        "hello.py": "def greet(event): ...\n",
        "notes.txt": "not for the service",
        "lib/inner.py": "",
        ".git/config": "",
        ".venv/lib/x.py": "",
        "__pycache__/hello.pyc": "",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def test_what_belongs_to_a_project_is_sent(hookline, fake, project: Path) -> None:
    fake.deploy_events = [("result", RESULT)]

    hookline("deploy", str(project))

    request = fake.sent("POST", "/deployments")[0]
    with tarfile.open(fileobj=io.BytesIO(request.content)) as archive:
        names = sorted(archive.getnames())
    assert names == ["hello.py", "hookline.yaml", "lib/inner.py"]
    assert request.headers["content-type"] == "application/x-tar"
    assert dict(request.url.params) == {"dry_run": "0", "manifest": "hookline.yaml"}


def test_a_deploy_tells_its_urls_on_stdout_and_its_progress_on_stderr(
    hookline, fake, project
) -> None:
    fake.deploy_events = [("progress", {"text": "building the environment"}), ("result", RESULT)]

    outcome = hookline("deploy", str(project))

    assert outcome.code == 0
    assert "http://x/webhooks/abc" in outcome.out
    assert "building the environment" in outcome.err
    assert "+ create project hello" in outcome.err


def test_a_deploy_as_json_is_the_services_answer(hookline, fake, project: Path) -> None:
    fake.deploy_events = [("progress", {"text": "working"}), ("result", RESULT)]

    outcome = hookline("deploy", str(project), "--json")

    assert outcome.document == RESULT


def test_a_dry_run_says_that_nothing_was_changed(hookline, fake, project: Path) -> None:
    fake.deploy_events = [("result", {**RESULT, "dry_run": True, "deployment": None})]

    outcome = hookline("deploy", str(project), "--dry-run")

    assert fake.requests[0].url.params["dry_run"] == "1"
    assert "nothing was changed" in outcome.err


def test_findings_are_shown_with_line_caret_and_hint(hookline, fake, project: Path) -> None:
    error = {"kind": "invalid", "code": "project.invalid", "message": "the project has 1 error", "details": {"findings": [FINDING]}}  # fmt: skip
    fake.deploy_events = [("error", {"error": error})]

    outcome = hookline("deploy", str(project))

    assert outcome.code == 1
    assert outcome.err.endswith(
        "hookline.yaml:4:7: error: unknown key 'shedule'\n"
        '     4 |       shedule: "0 9 * * *"\n'
        "       |       ^\n"
        "  hint: did you mean `schedule`?\n"
        "error: the project has 1 error\n"
    )


def test_a_failed_deploy_as_json_carries_the_findings(hookline, fake, project: Path) -> None:
    error = {"kind": "invalid", "code": "project.invalid", "message": "m", "details": {"findings": [FINDING]}}  # fmt: skip
    fake.deploy_events = [("error", {"error": error})]

    outcome = hookline("deploy", str(project), "--json")

    assert outcome.document["error"]["details"]["findings"] == [FINDING]


def test_a_deploy_cut_off_is_not_taken_for_a_success(hookline, fake, project: Path) -> None:
    fake.deploy_events = [("progress", {"text": "working"})]

    outcome = hookline("deploy", str(project))

    assert outcome.code == 70


def test_a_directory_without_a_manifest_is_an_error(hookline, fake, tmp_path: Path) -> None:
    outcome = hookline("deploy", str(tmp_path))

    assert outcome.code == 1
    assert "holds no hookline.yaml or autokitteh.yaml" in outcome.err
    assert fake.requests == []


def test_another_manifest_is_named_by_an_option(hookline, fake, project: Path) -> None:
    (project / "autokitteh.yaml").write_text("version: v1\nproject:\n  name: other\n")
    fake.deploy_events = [("result", RESULT)]

    hookline("deploy", str(project), "--manifest", "autokitteh.yaml", "--project", "renamed")

    parameters = fake.requests[0].url.params
    assert (parameters["manifest"], parameters["project"]) == ("autokitteh.yaml", "renamed")


@pytest.mark.parametrize("name", ["nope.yaml", "../outside.yaml"])
def test_a_manifest_that_is_not_in_the_project_is_refused(
    hookline, project: Path, name: str
) -> None:
    (project.parent / "outside.yaml").write_text("project: {name: x}")

    outcome = hookline("deploy", str(project), "--manifest", name)

    assert outcome.code == 1


def test_a_link_to_a_directory_is_not_followed(hookline, fake, project: Path) -> None:
    (project / "loop").symlink_to(project)
    fake.deploy_events = [("result", RESULT)]

    outcome = hookline("deploy", str(project))

    assert outcome.code == 0


def test_the_plan_is_shown_by_the_manifest_command_too(hookline, fake, project: Path) -> None:
    fake.deploy_events = [("result", {**RESULT, "dry_run": True})]

    outcome = hookline("manifest", "plan", str(project / "hookline.yaml"), "--json")

    assert outcome.document == RESULT["plan"]


def test_a_sound_manifest_is_valid_without_a_service(hookline, fake, project: Path) -> None:
    outcome = hookline("manifest", "check", str(project), "--json")

    assert (outcome.code, outcome.document["valid"], fake.requests) == (0, True, [])


def test_a_faulty_manifest_is_told_with_its_place(hookline, project: Path) -> None:
    (project / "hookline.yaml").write_text("project:\n  name: hello\n  trigers: []\n")

    outcome = hookline("manifest", "check", str(project))

    assert outcome.code == 1
    assert "hookline.yaml:3:3: error:" in outcome.err
    assert "trigers: []\n       |   ^" in outcome.err


def test_a_faulty_manifest_as_json_is_one_document(hookline, project: Path) -> None:
    (project / "hookline.yaml").write_text("project: 7\n")

    outcome = hookline("manifest", "check", str(project / "hookline.yaml"), "--json")

    assert (outcome.code, outcome.document["valid"]) == (1, False)


def test_the_schema_is_json(hookline) -> None:
    outcome = hookline("manifest", "schema")

    assert outcome.document["type"] == "object"


def test_far_too_much_is_refused_before_it_is_read(hookline, fake, project: Path) -> None:
    with (project / "dump.bin").open("wb") as file:
        file.truncate(2 * 1024**3)

    outcome = hookline("deploy", str(project))

    assert outcome.code == 1
    assert "dump.bin" in outcome.err
    assert fake.requests == []


def test_the_lines_of_triggers_stay_aligned_whatever_the_length_of_their_names() -> None:
    triggers: list[JsonObject] = [
        {"name": "a", "kind": "webhook", "url": "http://x/1"},
        {"name": "a_name_of_more_than_twenty_letters", "kind": "webhook", "url": "http://x/2"},
        {"name": "s", "kind": "schedule", "url": None, "description": "every hour, UTC", "next_fire_at": "2026-12-01T08:00:00.000Z"},
    ]  # fmt: skip

    lines = trigger_lines(triggers)

    assert len({line.index("http") for line in lines[:2]} | {lines[2].index("every hour")}) == 1
    assert lines[2].endswith(f"every hour, UTC; next {local_time('2026-12-01T08:00:00.000Z')}")


@pytest.mark.parametrize(
    ("name", "meant"),
    [("hookline.yml", "hookline.yaml"), ("Hookline.yaml", "hookline.yaml"), ("hooklin.yaml", "hookline.yaml"), ("autokitteh.yml", "autokitteh.yaml")],
)  # fmt: skip
def test_a_manifest_under_a_name_of_its_own_is_told_how_to_be_named(
    name: str, meant: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_text("version: v1\n")

    with pytest.raises(FileUnusableError) as refused:
        find_manifest(tmp_path)

    assert f"rename {name} to {meant}, or name it by --manifest {name}" in refused.value.message
