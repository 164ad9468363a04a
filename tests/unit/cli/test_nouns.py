from __future__ import annotations

import io
import json
import re
from typing import Any

import pytest

from hookline_cli.main import run

SESSION = "ses_06fq8vgw3rfk7a6m1m0zq5h2bc"


def a_session(**changes: Any) -> dict[str, Any]:
    session: dict[str, Any] = {
        "id": SESSION,
        "project": "hello",
        "state": "completed",
        "entry_point": "hello.py:greet",
        "trigger": "greet",
        "created_at": "2026-11-21T08:00:00.000Z",
        "ended_at": None,
        "error": None,
        "result": "Hello",
    }
    return {**session, **changes}


def test_a_list_is_one_array_newest_first_over_all_pages(hookline, fake) -> None:
    fake.things["sessions"] = [a_session(id=f"ses_{n}") for n in range(5)]

    outcome = hookline("session", "list", "--json")

    assert [one["id"] for one in outcome.document] == ["ses_4", "ses_3", "ses_2", "ses_1", "ses_0"]


def test_limit_bounds_a_list_to_the_newest(hookline, fake) -> None:
    fake.things["sessions"] = [a_session(id=f"ses_{n}") for n in range(5)]

    outcome = hookline("session", "list", "--json", "--limit", "3")

    assert [one["id"] for one in outcome.document] == ["ses_4", "ses_3", "ses_2"]


@pytest.mark.parametrize("noun", ["project", "build", "deployment", "trigger", "schedule", "event", "session"])  # fmt: skip
def test_a_list_of_nothing_is_an_empty_array(hookline, noun: str) -> None:
    outcome = hookline(noun, "list", "--json")

    assert (outcome.code, outcome.document) == (0, [])


@pytest.mark.parametrize("noun", ["project", "build", "deployment", "trigger", "schedule", "event", "session"])  # fmt: skip
def test_a_table_shows_each_thing_on_its_line(hookline, fake, noun: str) -> None:
    fake.things[f"{noun}s"] = [{"id": "x_1", "name": "one"}, {"id": "x_2", "name": "two"}]

    outcome = hookline(noun, "list")

    assert len(outcome.out.splitlines()) == 3


@pytest.mark.parametrize("noun", ["project", "build", "deployment", "trigger", "schedule", "event"])
def test_one_thing_is_one_object(hookline, fake, noun: str) -> None:
    fake.things[f"{noun}s"] = [{"id": "x_1", "name": "one"}]

    outcome = hookline(noun, "get", "x_1", "--json")

    assert outcome.document.items() >= {"id": "x_1", "name": "one"}.items()


@pytest.mark.parametrize("noun", ["project", "build", "deployment", "trigger", "schedule", "event"])
def test_a_thing_that_is_missing_is_an_error_with_exit_code_1(hookline, noun: str) -> None:
    outcome = hookline(noun, "get", "x_1")

    assert outcome.code == 1
    assert outcome.err == f"error: {noun} 'x_1' not found\n"


def test_an_error_is_one_document_too_when_json_is_asked_for(hookline) -> None:
    outcome = hookline("project", "get", "nope", "--json")

    assert outcome.document["error"]["code"] == "project.not_found"


TRACEBACK = """\
Traceback (most recent call last):
  File "city.py", line 7, in on_event
    raise LookupError("no such city\\x1b[2J")
LookupError: no such city\x1b[2J
"""


def test_why_a_session_failed_is_shown_as_python_writes_it(hookline, fake) -> None:
    error = {
        "type": "LookupError",
        "message": "no such city\x1b[2J\nor country",
        "traceback": TRACEBACK,
    }
    fake.things["sessions"] = [a_session(id="ses_1", state="error", error=error, stop_reason="")]

    outcome = hookline("session", "get", "hello")

    fields, _, below = outcome.out.partition("\n\n")
    assert re.search(r"^error: +LookupError: no such city\\x1b\[2J$", fields, flags=re.MULTILINE)
    assert below == TRACEBACK.replace("\x1b", "\\x1b")


def test_a_failure_without_a_traceback_is_shown_whole(hookline, fake) -> None:
    error = {
        "type": "SessionLostError",
        "message": "its process is gone\nthree times",
        "traceback": "",
    }
    fake.things["sessions"] = [a_session(id="ses_1", state="error", error=error)]

    outcome = hookline("session", "get", "hello")

    assert re.search(
        r"^error: +SessionLostError: its process is gone\n +three times$",
        outcome.out,
        flags=re.MULTILINE,
    )
    assert "Traceback" not in outcome.out


def test_a_session_without_an_error_says_so(hookline, fake) -> None:
    fake.things["sessions"] = [a_session(id="ses_1", error=None)]

    outcome = hookline("session", "get", "hello")

    assert re.search(r"^error: +-$", outcome.out, flags=re.MULTILINE)


def test_where_a_session_is_expected_a_project_means_its_latest(hookline, fake) -> None:
    fake.things["sessions"] = [a_session(id="ses_1"), a_session(id="ses_2"), a_session(id="ses_3", project="other")]  # fmt: skip

    outcome = hookline("session", "get", "hello", "--json")

    assert outcome.document["id"] == "ses_2"


def test_of_children_the_one_that_started_them_is_meant(hookline, fake) -> None:
    fake.things["sessions"] = [
        a_session(id="ses_1", parent="ses_elsewhere"),
        a_session(id="ses_2", parent="ses_1"),
        a_session(id="ses_3", parent="ses_2"),
        a_session(id="ses_elsewhere", project="other"),
    ]

    outcome = hookline("session", "get", "hello", "--json")

    assert outcome.document["id"] == "ses_1"


def test_a_child_without_its_parent_is_meant_itself(hookline, fake) -> None:
    fake.things["sessions"] = [a_session(id="ses_2", parent="ses_gone")]

    outcome = hookline("session", "get", "hello", "--json")

    assert outcome.document["id"] == "ses_2"


def test_a_project_without_sessions_has_no_latest(hookline) -> None:
    outcome = hookline("session", "get", "hello")

    assert outcome.code == 1
    assert "no session yet" in outcome.err


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("ses_x", "session 'ses_x' not found; `hookline session list` shows the ids"),
        ("helo", "'helo' is neither the id of a session nor the name of a project"),
    ],
)
@pytest.mark.parametrize("verb", ["get", "log", "activities", "wait", "watch", "stop", "restart"])
def test_a_session_that_there_is_not_is_told_as_such(hookline, fake, verb, name, message) -> None:
    fake.absent_projects = {name}

    outcome = hookline("session", verb, name)

    assert (outcome.code, outcome.err) == (1, f"error: {message}\n")


def test_a_project_may_be_named_like_a_session(hookline, fake) -> None:
    fake.things["sessions"] = [a_session(id="ses_1", project="ses_x")]

    outcome = hookline("session", "get", "ses_x", "--json")

    assert outcome.document["id"] == "ses_1"


@pytest.mark.parametrize("verb", ["activate", "deactivate", "test"])
def test_a_deployment_is_switched(hookline, fake, verb: str) -> None:
    fake.things["deployments"] = [{"id": "dep_1", "state": "inactive"}]

    outcome = hookline("deployment", verb, "dep_1", "--json")

    assert outcome.document["done"] == verb


def test_a_schedule_is_named_by_project_and_trigger(hookline, fake) -> None:
    fake.things["schedules"] = [{"name": "hello/nightly", "paused": False}]

    outcome = hookline("schedule", "pause", "hello/nightly", "--reason", "holiday", "--json")

    sent = fake.sent("POST", "/schedules/hello/nightly/pause")
    assert outcome.document["done"] == "pause"
    assert json.loads(sent[0].content) == {"reason": "holiday"}


@pytest.mark.parametrize(
    ("noun", "thing", "words", "line"),
    [
        ("deployments", {"id": "dep_1", "project": "hello", "state": "active"}, ["deployment", "activate", "dep_1"],
         "dep_1 of hello: active\n"),
        ("schedules", {"id": "trg_1", "project": "hello", "name": "nightly", "paused": True, "pause_reason": "holiday"},
         ["schedule", "pause", "trg_1"], "hello/nightly: paused (holiday)\n"),
        ("schedules", {"id": "trg_1", "project": "hello", "name": "nightly", "paused": False, "next_fire_at": None},
         ["schedule", "resume", "trg_1"], "hello/nightly: fires next at -\n"),
    ],
)  # fmt: skip
def test_what_was_changed_is_told_on_one_line(
    hookline, fake, noun: str, thing: dict[str, object], words: list[str], line: str
) -> None:
    fake.things[noun] = [thing]

    assert hookline(*words).out == line


def test_a_backfill_carries_both_ends(hookline, fake) -> None:
    fake.things["schedules"] = [{"id": "trg_1"}]

    hookline("schedule", "backfill", "trg_1", "--start", "2026-01-01T00:00Z", "--end", "2026-02-01T00:00Z")  # fmt: skip

    sent = fake.sent("POST", "/schedules/trg_1/backfill")
    assert json.loads(sent[0].content) == {"start": "2026-01-01T00:00Z", "end": "2026-02-01T00:00Z"}


def test_next_fires_are_told_without_a_service(hookline, fake) -> None:
    outcome = hookline("schedule", "next", "30 2 * * *", "--timezone", "Europe/Prague", "--count", "2", "--from", "2026-03-28T12:00Z", "--json")  # fmt: skip

    assert outcome.document == ["2026-03-29T03:00:00+02:00", "2026-03-30T02:30:00+02:00"]
    assert fake.requests == []


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["61 * * * *"], "61"),
        (["@daily", "--timezone", "Europe/Prag"], "Europe/Prag"),
        (["@daily", "--from", "noon"], "noon"),
    ],
)
def test_a_bad_schedule_is_told_with_the_fault(
    hookline, arguments: list[str], problem: str
) -> None:
    outcome = hookline("schedule", "next", *arguments)

    assert outcome.code == 1
    assert problem in outcome.err


def test_a_trigger_is_found_by_project_and_name(hookline, fake) -> None:
    fake.things["triggers"] = [{"id": "trg_1", "name": "greet", "project": "hello"}]

    outcome = hookline("trigger", "get", "hello/greet", "--json")

    assert outcome.document["id"] == "trg_1"


def test_a_trigger_is_shown_with_what_it_makes_of_the_last_day(hookline, fake) -> None:
    fake.things["triggers"] = [{"id": "trg_1", "name": "greet", "project": "hello"}]
    fake.matches = {"matched": 0, "summary": ["matched 0 of 3 events", "nearest miss: \x1b[2Jevt"]}

    told = hookline("trigger", "get", "trg_1")
    document = hookline("trigger", "get", "hello/greet", "--json").document

    assert told.out.splitlines()[-2:] == ["matched 0 of 3 events", "nearest miss: \\x1b[2Jevt"]
    assert document["last_day"] == fake.matches


def test_a_trigger_is_shown_when_nobody_has_time_for_its_events(hookline, fake) -> None:
    fake.things["triggers"] = [{"id": "trg_1", "name": "greet", "project": "hello"}]

    told = hookline("trigger", "get", "trg_1")
    document = hookline("trigger", "get", "trg_1", "--json").document

    assert told.code == 0
    assert "greet" in told.out
    assert "another trigger is looked at" in told.err
    assert document["last_day"] is None


def test_an_unknown_trigger_name_is_an_error(hookline) -> None:
    outcome = hookline("trigger", "get", "hello/nope")

    assert outcome.code == 1
    assert "'nope'" in outcome.err


def test_an_event_is_sent_with_its_data(hookline, fake, tmp_path) -> None:
    file = tmp_path / "data.json"
    file.write_text('{"n": 1}')

    outcome = hookline("event", "send", "hello", "greet", "--data", f"@{file}", "--type", "post")

    sent = fake.sent("POST", "/events")
    assert json.loads(sent[0].content) == {"project": "hello", "source": "greet", "type": "post", "data": {"n": 1}}  # fmt: skip
    assert outcome.out == "event: evt_1\nsession: ses_1\n"


def test_an_event_is_dispatched_again(hookline, fake) -> None:
    outcome = hookline("event", "redispatch", "evt_1", "--deployment", "dep_1", "--json")

    assert outcome.document["event"] == "evt_2"
    assert json.loads(fake.requests[-1].content) == {"deployment": "dep_1"}


def test_what_an_event_did_is_told(hookline, fake) -> None:
    fake.sent_event = {"event": "evt_1", "sessions": [], "woken": ["ses_2"], "duplicate": False}
    fake.sent_event["reason"] = "trigger 'greet': filter: false"

    outcome = hookline("event", "send", "hello", "greet")

    assert outcome.out == "event: evt_1\nwoken: ses_2\n"
    assert "no session started: trigger 'greet': filter: false" in outcome.err


def test_many_events_are_dispatched_again(hookline, fake) -> None:
    outcome = hookline(
        "event", "redispatch", "--project", "hello", "--trigger", "greet", "--type", "post",
        "--since", "2026-11-20T08:00:00Z", "--limit", "5", "--deployment", "dep_1", "--yes",
    )  # fmt: skip

    assert json.loads(fake.requests[-1].content) == {
        "project": "hello",
        "trigger": "greet",
        "type": "post",
        "since": "2026-11-20T08:00:00Z",
        "limit": 5,
        "deployment": "dep_1",
    }
    assert outcome.out == "5 events dispatched again; 4 sessions started, 1 woken\n"
    assert "1 event left out" in outcome.err


def test_many_events_are_counted_before_anything_is_done(hookline, fake) -> None:
    outcome = hookline("event", "redispatch", "--project", "hello", "--dry-run")

    assert [json.loads(one.content)["dry_run"] for one in fake.requests] == [True]
    assert outcome.out == "5 events would be dispatched again\n"


def test_nothing_is_dispatched_again_unless_somebody_says_so(hookline, fake, monkeypatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))

    outcome = hookline("event", "redispatch", "--project", "hello")

    assert outcome.code == 130
    assert "Dispatch 5 events again?" in outcome.err
    assert [json.loads(one.content)["dry_run"] for one in fake.requests] == [True]


def test_nothing_is_asked_when_no_event_is_there_to_dispatch_again(hookline, fake) -> None:
    fake.has_past = False

    outcome = hookline("event", "redispatch", "--project", "hello")

    assert outcome.code == 0
    assert outcome.out == "no events to dispatch again\n"
    assert [json.loads(one.content)["dry_run"] for one in fake.requests] == [True]


@pytest.mark.parametrize("arguments", [[], ["evt_1", "--project", "hello"]])
def test_one_event_or_many_are_dispatched_again(hookline, fake, arguments: list[str]) -> None:
    outcome = hookline("event", "redispatch", *arguments)

    assert outcome.code == 2
    assert fake.requests == []


def test_values_of_a_store_are_listed_read_set_and_deleted(hookline, fake) -> None:
    hookline("store", "set", "hello", "a/b", '{"n": 1}', "--ttl", "60")
    hookline("store", "set", "hello", "c", '"text"')
    listed = hookline("store", "list", "hello")
    read = hookline("store", "get", "hello", "a/b")
    hookline("store", "delete", "hello", "a/b")
    missing = hookline("store", "get", "hello", "a/b")

    assert listed.out == "a/b\nc\n"
    assert read.document == {"n": 1}
    assert (missing.code, fake.stored) == (1, {"c": {"value": "text"}})
    assert "has no 'a/b'" in missing.err


def test_a_signal_is_sent_with_its_payload(hookline, fake) -> None:
    hookline("session", "signal", SESSION, "go", "--payload", "[1]")

    assert fake.requests[-1].url.path.endswith(f"/sessions/{SESSION}/signals")
    assert json.loads(fake.requests[-1].content) == {"name": "go", "payload": [1]}


def test_data_that_is_no_json_is_refused_before_anything_is_sent(hookline, fake) -> None:
    outcome = hookline("event", "send", "hello", "greet", "--data", "{n: 1}")

    assert outcome.code == 1
    assert "--data: not JSON" in outcome.err
    assert fake.requests == []


def test_deleting_a_project_asks_first(hookline, fake, monkeypatch) -> None:
    fake.things["projects"] = [{"id": "prj_1", "name": "hello"}]
    monkeypatch.setattr("click.termui.visible_prompt_func", lambda _text: "n")

    outcome = hookline("project", "delete", "hello")

    assert outcome.code == 130
    assert fake.things["projects"]


def test_a_project_is_deleted_without_asking_when_told_so(hookline, fake) -> None:
    fake.things["projects"] = [{"id": "prj_1", "name": "hello"}]

    outcome = hookline("project", "delete", "hello", "--yes")

    assert outcome.code == 0
    assert fake.things["projects"] == []


@pytest.mark.parametrize("noun", ["build", "deployment", "session"])
def test_a_thing_is_deleted_by_id(hookline, fake, noun: str) -> None:
    fake.things[f"{noun}s"] = [{"id": "x_1"}]

    outcome = hookline(noun, "delete", "x_1")

    assert outcome.code == 0
    assert fake.things[f"{noun}s"] == []


def test_a_session_is_stopped_with_its_reason(hookline, fake) -> None:
    fake.things["sessions"] = [a_session()]

    hookline("session", "stop", SESSION, "--reason", "wrong input", "--force")

    assert json.loads(fake.requests[-1].content) == {"reason": "wrong input", "force": True}


def test_a_session_that_runs_is_asked_to_stop(hookline, fake) -> None:
    fake.things["sessions"] = [a_session(state="running")]

    outcome = hookline("session", "stop", SESSION)

    assert outcome.code == 0
    assert outcome.out == ""
    assert f"asked {SESSION} to stop" in outcome.err


def test_whoever_stops_following_a_session_is_told_that_it_goes_on(hookline, fake) -> None:
    fake.things["sessions"] = [a_session(state="running")]
    fake.failures = [KeyboardInterrupt()]

    outcome = hookline("session", "watch", SESSION)

    assert outcome.code == 130
    assert f"{SESSION} is still running; `hookline session stop {SESSION}` ends it" in outcome.err


def test_a_session_is_restarted(hookline, fake) -> None:
    fake.things["sessions"] = [a_session()]

    outcome = hookline("session", "restart", SESSION, "--json")

    assert outcome.document["done"] == "restart"


def test_a_restart_tells_the_new_session_and_how_to_follow_it(hookline, fake) -> None:
    fake.things["sessions"] = [a_session()]

    outcome = hookline("session", "restart", SESSION)

    assert outcome.out == f"{SESSION}\n"
    assert f"`hookline session watch {SESSION}`" in outcome.err


def test_activities_are_listed_in_order(hookline, fake) -> None:
    fake.things["activities"] = [{"position": 3, "name": "compose"}, {"position": 7, "name": "send"}]  # fmt: skip

    outcome = hookline("session", "activities", SESSION, "--json")

    assert [(one["number"], one["name"]) for one in outcome.document] == [(1, "compose"), (2, "send")]  # fmt: skip


@pytest.mark.parametrize(
    ("is_durable", "told"),
    [(True, "no activities are recorded of this session"), (False, "is not durable, so nothing of it is recorded; start it with `hookline run --durable`")],
)  # fmt: skip
def test_a_session_without_activities_says_why(hookline, fake, is_durable: bool, told: str) -> None:
    fake.things["sessions"] = [a_session(durable=is_durable)]
    fake.things["activities"] = []

    outcome = hookline("session", "activities", SESSION)

    assert told in outcome.err
    assert outcome.code == 0


def test_activities_are_shown_with_their_place(hookline, fake) -> None:
    fake.things["activities"] = [{"position": 0, "name": "compose", "file": "hello.py", "line": 12, "result": "x"}]  # fmt: skip

    outcome = hookline("session", "activities", SESSION)

    assert "hello.py:12" in outcome.out


@pytest.mark.parametrize(("activity", "shown"), [
    ({"kind": "sleep", "wake_at": "2026-11-20T08:00:00Z"}, "until 2026-11-20 "),
    ({"kind": "wait", "wake_at": "2026-11-20T08:00:00Z"}, "until 2026-11-20 "),
    ({"kind": "wait", "wake_at": None}, "waits"),
    ({"kind": "wait", "wake_at": "2026-11-20T08:00:00Z", "error": "hangs up"}, "hangs up"),
    ({"kind": "call", "result": "x" * 500}, "x" * 79 + "…  "),
    ({"kind": "call", "error": {"code": "a.b", "message": "not there"}}, "  not there  "),
])  # fmt: skip
def test_an_activity_is_shown_as_what_it_is(hookline, fake, activity, shown) -> None:
    fake.things["activities"] = [{"name": "next_event", "file": "a.py", "line": 1, **activity}]

    outcome = hookline("session", "activities", SESSION)

    assert shown in outcome.out


def test_runners_are_listed(hookline, fake) -> None:
    fake.things["runners"] = [{"id": "run_1", "name": "local", "sandbox": "bubblewrap"}]

    outcome = hookline("runner", "list", "--json")

    assert outcome.document[0]["sandbox"] == "bubblewrap"


def test_the_version_of_program_and_service_is_told(hookline) -> None:
    outcome = hookline("version", "--json")

    assert outcome.document["service"] == "9.8.7"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_written_for_each_shell(hookline, shell: str) -> None:
    outcome = hookline("completion", shell)

    assert "_HOOKLINE_COMPLETE" in outcome.out


@pytest.mark.parametrize(
    ("typed", "meant"), [("sesion", "session"), ("depoly", "deploy"), ("scheduel", "schedule")]
)
def test_a_misspelt_command_is_refused_with_the_one_like_it(
    typed: str, meant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([typed, "list"]) == 2

    assert f"Did you mean '{meant}'?" in capsys.readouterr().err
