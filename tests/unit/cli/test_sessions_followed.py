from __future__ import annotations

import json

import httpx2
import pytest

from tests.unit.cli.test_nouns import SESSION, a_session


def records(count: int) -> list[dict[str, object]]:
    return [
        {"seq": n, "at": "2026-11-21T08:00:00.123Z", "attempt": 1, "kind": "print", "level": "", "text": f"line {n}"}
        for n in range(1, count + 1)
    ]  # fmt: skip


def texts(output: str) -> list[str]:
    return [line.split("   ", 1)[1] for line in output.splitlines() if "   " in line]


def test_the_log_is_written_in_order(hookline, fake) -> None:
    fake.logs[SESSION] = records(3)

    outcome = hookline("session", "log", SESSION)

    assert texts(outcome.out) == ["line 1", "line 2", "line 3"]


def test_the_log_as_json_is_one_array_of_all_records(hookline, fake) -> None:
    fake.logs[SESSION] = records(2500)

    outcome = hookline("session", "log", SESSION, "--json")

    assert [one["seq"] for one in outcome.document] == list(range(1, 2501))


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--limit", "2"], [4, 5]),
        (["--limit", "2", "--order", "desc"], [5, 4]),
        (["--order", "desc"], [5, 4, 3, 2, 1]),
        (["--limit", "1200"], [1, 2, 3, 4, 5]),
        (["--kind", "error"], []),
    ],
)
def test_the_log_is_cut_and_turned(hookline, fake, options: list[str], expected: list[int]) -> None:
    fake.logs[SESSION] = records(5)

    outcome = hookline("session", "log", SESSION, "--json", *options)

    assert [one["seq"] for one in outcome.document] == expected


def test_control_characters_of_a_session_do_not_reach_the_terminal(hookline, fake) -> None:
    fake.logs[SESSION] = [{**records(1)[0], "text": "\x1b[2Jgone\x07"}]

    outcome = hookline("session", "log", SESSION, "--plain")

    assert outcome.out == "\\x1b[2Jgone\\x07\n"


def test_a_log_record_says_its_level_and_an_error_that_it_is_one(hookline, fake) -> None:
    fake.logs[SESSION] = [
        {**records(1)[0], "kind": "log", "level": "WARNING", "text": "careful"},
        {**records(1)[0], "seq": 2, "kind": "error", "text": "Boom\n  at hello.py:3"},
    ]

    outcome = hookline("session", "log", SESSION)

    assert "warning: careful" in outcome.out
    assert "error: Boom\n" + " " * 17 + "at hello.py:3" in outcome.out


def test_each_record_comes_once_though_the_connection_breaks(hookline, fake) -> None:
    fake.things["sessions"] = [a_session()]
    fake.logs[SESSION] = records(7)
    fake.records_per_connection = 2

    outcome = hookline("session", "log", SESSION, "--follow")

    assert texts(outcome.out) == [f"line {n}" for n in range(1, 8)]
    assert outcome.err.count("connection lost") == 3


def test_a_followed_log_as_json_is_one_object_a_line(hookline, fake) -> None:
    fake.things["sessions"] = [a_session()]
    fake.logs[SESSION] = records(2)

    outcome = hookline("session", "log", SESSION, "-f", "--json")

    assert [json.loads(line)["seq"] for line in outcome.out.splitlines()] == [1, 2]


@pytest.mark.parametrize(
    ("state", "code", "told"),
    [
        ({"state": "completed"}, 0, f"session {SESSION} completed\nresult: Hello\n"),
        (
            {"state": "error", "error": {"type": "ValueError", "message": "no name"}},
            1,
            f"session {SESSION} error: ValueError: no name\n",
        ),
        (
            {"state": "stopped", "stop_reason": "enough"},
            1,
            f"session {SESSION} stopped: enough\n",
        ),
    ],
)
def test_watching_ends_with_the_status_and_succeeds_only_if_it_completed(
    hookline, fake, state: dict[str, object], code: int, told: str
) -> None:
    fake.things["sessions"] = [a_session(**state)]
    fake.logs[SESSION] = records(1)

    outcome = hookline("session", "watch", SESSION)

    assert outcome.code == code
    assert outcome.out.endswith(told)


def test_waiting_ends_when_the_session_does(hookline, fake) -> None:
    fake.things["sessions"] = [a_session(state="running", final="completed")]
    fake.waits_until_final = 3

    outcome = hookline("session", "wait", SESSION, "--json")

    assert (outcome.code, outcome.document["state"]) == (0, "completed")


def test_waiting_outlives_a_lost_service(hookline, fake) -> None:
    fake.things["sessions"] = [a_session(state="running", final="completed")]
    broken = [httpx2.ConnectError("refused"), httpx2.ReadTimeout("slow")]
    original = fake.handle_request
    answers = 0

    def flaky(request: httpx2.Request) -> httpx2.Response:
        nonlocal answers
        answers += 1
        if answers > 1 and broken:
            raise broken.pop()
        return original(request)

    fake.handle_request = flaky  # type: ignore[method-assign]

    outcome = hookline("session", "wait", SESSION)

    assert outcome.code == 0
    assert outcome.err.count("connection lost") == 1
    assert "connected again" in outcome.err


def test_a_session_that_errs_gives_its_object_and_exit_code_1(hookline, fake) -> None:
    fake.things["sessions"] = [a_session(state="error", error={"type": "E", "message": "m"})]

    outcome = hookline("session", "wait", SESSION, "--json")

    assert outcome.code == 1
    assert outcome.document["state"] == "error"


@pytest.mark.parametrize("verb", ["wait", "watch"])
def test_time_that_is_up_is_an_error_of_its_own(hookline, fake, verb: str) -> None:
    fake.things["sessions"] = [a_session(state="running")]
    fake.silent_streams = True

    outcome = hookline("session", verb, SESSION, "--timeout", "0.05")

    assert outcome.code == 4
    assert "is still running after 0.05 s" in outcome.err


def test_run_writes_the_id_of_the_session(hookline, fake) -> None:
    fake.things["sessions"] = [a_session(name="next")]

    outcome = hookline("run", "hello", "hello.py:greet", "--event", '{"name": "Ada"}', "--durable")

    assert outcome.out == SESSION + "\n"
    assert json.loads(fake.requests[-1].content) == {"project": "hello", "entry_point": "hello.py:greet", "durable": True, "input": {"name": "Ada"}}  # fmt: skip


def test_run_leaves_durability_to_the_service_unless_told(hookline, fake) -> None:
    fake.things["sessions"] = [a_session(name="next")]

    hookline("run", "hello", "hello.py:greet")

    assert "durable" not in json.loads(fake.requests[-1].content)


def test_run_and_wait_shows_the_log_and_the_status(hookline, fake) -> None:
    fake.things["sessions"] = [a_session(name="next")]
    fake.logs[SESSION] = records(1)

    outcome = hookline("run", "hello", "hello.py:greet", "--wait")

    assert outcome.code == 0
    assert "line 1" in outcome.out
    assert f"session {SESSION} completed" in outcome.out


def test_run_and_wait_as_json_is_the_final_session(hookline, fake) -> None:
    fake.things["sessions"] = [a_session(name="next")]

    outcome = hookline("run", "hello", "hello.py:greet", "--wait", "--json")

    assert outcome.document["state"] == "completed"


def test_run_in_a_project_that_is_missing_is_an_error(hookline) -> None:
    outcome = hookline("run", "nope", "hello.py:greet", "--wait")

    assert outcome.code == 1
    assert "project 'nope' not found" in outcome.err


def test_runner_start_goes_to_the_home_of_the_service(hookline, monkeypatch, tmp_path) -> None:
    told: list[list[str]] = []
    monkeypatch.setattr("hookline_runner.host.main", lambda arguments: told.append(arguments) or 4)

    outcome = hookline("runner", "start", "--home", str(tmp_path), "--name", "second")

    assert outcome.code == 4
    assert told == [["--socket", f"{tmp_path}/run/runner.sock", "--home", f"{tmp_path}/runners/second", "--name", "second"]]  # fmt: skip
