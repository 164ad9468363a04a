"""Commands of those who run the service: logs, status, prune, doctor, restore."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest


def test_logs_are_written_the_oldest_first_over_all_pages(hookline) -> None:
    outcome = hookline("logs", "--json")

    assert [each["text"] for each in outcome.document] == [f"line {n}" for n in range(1, 6)]


def test_logs_name_project_and_session_and_the_day(hookline) -> None:
    outcome = hookline("logs", "shop", "--limit", "1")

    assert "2026-03-05\n" in outcome.out
    assert "shop 000005   line 5" in outcome.out


def test_logs_are_looked_through(hookline, fake) -> None:
    hookline("logs", "--since", "2h", "--grep", "line 2", "--level", "warning", "--json")

    params = fake.requests[-1].url.params
    assert (params["text"], params["level"]) == ("line 2", "warning")
    assert params["since"].endswith("+00:00")


def test_a_time_that_is_none_is_refused(hookline, fake) -> None:
    outcome = hookline("logs", "--since", "yesterday")

    assert outcome.code == 1
    assert "--since: 'yesterday' is neither a duration" in outcome.err
    assert fake.requests == []


def test_the_status_is_shown(hookline) -> None:
    outcome = hookline("status")

    assert outcome.code == 0
    assert "0 created, 1 running, 7 waiting" in outcome.out
    assert "5.0 GiB free" in outcome.out


def test_a_service_that_is_not_ready_is_said_to_be_so(hookline, fake) -> None:
    fake.sent_event = {"ready": False, "reason": "no runner host is connected"}

    outcome = hookline("status")

    assert outcome.code == 4
    assert "not ready: no runner host is connected" in outcome.out


def test_pruning_asks_first(hookline, fake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))

    outcome = hookline("prune")

    assert outcome.code == 130
    assert "Delete 3 sessions, 2 deployments, 1 build?" in outcome.err
    assert [json.loads(each.content)["dry_run"] for each in fake.requests] == [True]


def test_pruning_deletes_when_told(hookline, fake) -> None:
    outcome = hookline("prune", "--older-than", "1", "-y")

    assert outcome.out == "3 sessions, 2 deployments, 1 build deleted\n"
    assert json.loads(fake.requests[-1].content) == {"older_than_days": 1.0, "dry_run": False}


def test_nothing_is_asked_when_there_is_nothing_to_delete(hookline, fake) -> None:
    fake.has_past = False

    outcome = hookline("prune")

    assert outcome.code == 0
    assert outcome.out == "nothing to delete\n"
    assert [json.loads(each.content)["dry_run"] for each in fake.requests] == [True]


@pytest.mark.parametrize(
    "command",
    [("prune",), ("event", "redispatch", "--project", "hello"), ("project", "delete", "hello")],
)
def test_a_question_that_nobody_can_answer_names_the_option_that_answers_it(
    hookline, fake, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    fake.things["projects"] = [{"id": "hello", "name": "hello"}]
    monkeypatch.setattr("sys.stdin", io.StringIO(""))

    outcome = hookline(*command)

    assert outcome.code == 130
    assert outcome.err.endswith("\nnobody answered; give --yes to skip the question\n")


def test_the_doctor_finds_nothing_wrong_with_a_fresh_machine(hookline, tmp_path: Path) -> None:
    outcome = hookline("doctor", "--home", str(tmp_path / "none"), "--json")

    levels = {each["name"]: each["level"] for each in outcome.document}
    assert outcome.code == 0
    assert levels["home"] == levels["program"] == levels["service"] == "ok"
    assert {"disk", "sandbox", "uv"} <= set(levels)


def test_the_doctor_names_what_is_wrong_and_what_would_be_right(
    hookline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOOKLINE_RETENTION_DAY", "3")
    home = tmp_path / "home"
    home.mkdir(mode=0o755)
    (home / "hookline.db").touch()
    (home / "token").write_text("hkl_x")
    (home / "token").chmod(0o644)

    outcome = hookline("doctor", "--home", str(home))

    assert outcome.code == 1
    assert f"chmod 700 {home}" in outcome.out
    assert "secret.key is not there" in outcome.out
    assert f"chmod 600 {home}/token" in outcome.out
    assert "did you mean HOOKLINE_RETENTION_DAYS?" in outcome.out


def test_the_doctor_tells_of_a_service_that_is_not_ready(hookline, fake, tmp_path: Path) -> None:
    fake.sent_event = {"ready": False, "reason": "the disk is full"}

    outcome = hookline("doctor", "--home", str(tmp_path))

    assert outcome.code == 1
    assert "not ready: the disk is full" in outcome.out


def test_a_backup_that_is_none_is_refused(hookline, tmp_path: Path) -> None:
    file = tmp_path / "backup.db"
    file.write_text("nothing of the kind")

    outcome = hookline("restore", str(file), "--home", str(tmp_path / "home"))

    assert outcome.code == 1
    assert "is not a Hookline database" in outcome.err
    assert not (tmp_path / "home" / "hookline.db").exists()


@pytest.mark.parametrize("number", ["nan", "1e400", "-1"])
def test_a_number_of_days_that_is_none_is_refused(hookline, fake, number: str) -> None:
    outcome = hookline("prune", "-y", "--older-than", number)

    assert outcome.code == 2
    assert "--older-than" in outcome.err
    assert fake.requests == []


@pytest.mark.parametrize(
    ("option", "value", "told"),
    [
        ("--url", "http://[::1", "not the URL of a service"),
        ("--url", "http://127.0.0.1:99999", "not the URL of a service"),
        ("--url", "127.0.0.1:8000", "not the URL of a service"),
        ("--token", "secret-a\nb", "characters that no token has"),
    ],
)
def test_an_address_or_token_that_cannot_be_one_is_refused_and_not_shown(
    hookline, fake, option: str, value: str, told: str
) -> None:
    outcome = hookline("status", option, value)

    assert outcome.code == 1
    assert told in outcome.err
    assert "secret-a" not in outcome.err
    assert fake.requests == []


def test_a_time_out_of_the_calendar_is_refused(hookline) -> None:
    outcome = hookline("schedule", "next", "0 9 * * *", "--from", "0001-01-01T00:00+14:00")

    assert outcome.code == 1
    assert "too far away" in outcome.err


@pytest.mark.parametrize("name", ["hookline.db", "hookline.db-wal", "secret.key", "token"])
def test_a_backup_never_takes_the_place_of_a_services_own_file(
    hookline, fake, tmp_path: Path, name: str
) -> None:
    for each in ("hookline.db", name):
        (tmp_path / each).write_text("precious")
    (tmp_path / "link").symlink_to(tmp_path / name)

    for target in (name, "link"):
        outcome = hookline("backup", str(tmp_path / target), "--force")
        assert outcome.code == 1
        assert "a service's own file" in outcome.err

    assert (tmp_path / name).read_text() == "precious"
    assert fake.requests == []
