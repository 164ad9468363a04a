from __future__ import annotations

import json
from pathlib import Path

import httpx2
import pytest

from hookline.errors import InvalidError
from hookline_cli.failures import EXIT_CODES, exit_code_of
from hookline_cli.main import run
from hookline_cli.target import find_target
from tests.fakes.fake_service import TOKEN, URL, refusal


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "service.json").write_text(json.dumps({"url": "http://127.0.0.1:4711/"}))
    (tmp_path / "token").write_text("hkl_of-this-home\n")
    return tmp_path


def test_url_and_token_are_read_in_the_home(home: Path) -> None:
    target = find_target(home=str(home), url=None, token=None)

    assert target.url == "http://127.0.0.1:4711"
    assert target.token is not None
    assert target.token.reveal() == "hkl_of-this-home"


def test_a_token_given_is_taken_before_that_of_the_home(home: Path) -> None:
    target = find_target(home=str(home), url=None, token="another")

    assert target.token is not None
    assert target.token.reveal() == "another"


def test_the_token_of_the_home_is_not_sent_to_another_machine(home: Path) -> None:
    target = find_target(home=str(home), url="https://hooks.example.org", token=None)

    assert target.token is None


def test_the_token_of_the_home_serves_another_port_of_this_machine(home: Path) -> None:
    target = find_target(home=str(home), url="http://localhost:1", token=None)

    assert target.token is not None


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"url": 7}'])
def test_a_damaged_address_counts_as_no_service(
    hookline, home: Path, monkeypatch, content: str
) -> None:
    monkeypatch.delenv("HOOKLINE_URL")
    (home / "service.json").write_text(content)

    outcome = hookline("session", "list", "--home", str(home))

    assert outcome.code == 4
    assert "start it with `hookline up`" in outcome.err


def test_a_service_that_does_not_listen_is_told_with_the_cure(hookline, fake) -> None:
    fake.failures = [httpx2.ConnectError("refused")]

    outcome = hookline("session", "list")

    assert outcome.code == 4
    assert (
        outcome.err
        == f"error: no Hookline service is running at {URL}; start it with `hookline up`\n"
    )


@pytest.mark.parametrize(
    "failure",
    [httpx2.ReadTimeout("slow"), httpx2.ReadError("reset"), httpx2.UnsupportedProtocol("x")],
)
def test_a_broken_connection_is_unavailable(hookline, fake, failure: Exception) -> None:
    fake.failures = [failure]

    outcome = hookline("session", "list")

    assert outcome.code == 4
    assert "cannot be reached" in outcome.err


def test_a_wrong_token_is_told_with_the_cure_and_never_shown(hookline, monkeypatch) -> None:
    monkeypatch.setenv("HOOKLINE_TOKEN", "hkl_wrong")

    outcome = hookline("session", "list")

    assert outcome.code == 3
    assert "HOOKLINE_TOKEN" in outcome.err
    assert "hkl_wrong" not in outcome.err


@pytest.mark.parametrize(
    ("status", "kind", "code"),
    [
        (400, "invalid", 1),
        (404, "not_found", 1),
        (409, "conflict", 1),
        (401, "unauthenticated", 3),
        (403, "forbidden", 3),
        (429, "rate_limited", 4),
        (503, "unavailable", 4),
        (500, "internal", 70),
    ],
)
def test_the_kind_of_an_answer_decides_the_exit_code(
    hookline, fake, status: int, kind: str, code: int
) -> None:
    fake.handle_request = lambda _request: refusal(status, kind, "some.code", "no")

    outcome = hookline("session", "list")

    assert outcome.code == code
    assert outcome.err.startswith("error: no")


@pytest.mark.parametrize("content", [b"<html>", b"{}", b'{"error": "x"}', b"[]"])
def test_an_answer_of_something_else_is_not_taken_for_one_of_hookline(
    hookline, fake, content: bytes
) -> None:
    fake.handle_request = lambda _request: httpx2.Response(502, content=content)

    outcome = hookline("session", "list")

    assert outcome.code == 4
    assert "check HOOKLINE_URL" in outcome.err


def test_a_page_that_is_no_json_is_not_taken_for_an_answer(hookline, fake) -> None:
    fake.handle_request = lambda _request: httpx2.Response(200, content=b"<html>")

    outcome = hookline("session", "list")

    assert outcome.code == 4


def test_the_token_goes_with_each_request(hookline, fake) -> None:
    hookline("project", "list")

    assert fake.requests[0].headers["authorization"] == f"Bearer {TOKEN}"


def test_names_cannot_lead_to_another_route(hookline, fake) -> None:
    hookline("project", "get", "../sessions?x=1")

    assert fake.requests[0].url.raw_path == b"/api/v1/projects/..%2Fsessions%3Fx%3D1"


@pytest.mark.parametrize(
    "arguments",
    [["nope"], ["session"], ["session", "nope"], ["session", "list", "--nope"], ["schedule", "next"], ["session", "list", "--limit", "0"]],
)  # fmt: skip
def test_a_wrong_use_of_the_command_line_has_exit_code_2(hookline, arguments: list[str]) -> None:
    outcome = hookline(*arguments)

    assert outcome.code == 2


def test_a_listing_option_has_its_environment_variable(hookline, fake, monkeypatch) -> None:
    monkeypatch.setenv("HOOKLINE_SESSION_LIST_PROJECT", "hello")

    hookline("session", "list")

    assert fake.requests[0].url.params["project"] == "hello"


def test_a_defect_is_told_as_one_without_a_traceback(hookline, fake) -> None:
    fake.failures = [RuntimeError("surprise")]

    outcome = hookline("session", "list")

    assert outcome.code == 70
    assert "internal error: RuntimeError: surprise" in outcome.err
    assert "Traceback" not in outcome.err


@pytest.mark.parametrize(("failure", "code"), [(BrokenPipeError, 0), (KeyboardInterrupt, 130)])
def test_a_closed_pipe_and_an_interrupt_are_quiet(
    hookline, fake, monkeypatch, failure: type[BaseException], code: int
) -> None:
    monkeypatch.setattr("hookline_cli.main._discard_output", lambda: None)
    fake.failures = [failure()]  # type: ignore[list-item]

    outcome = hookline("session", "list")

    assert (outcome.code, outcome.err.strip()) == (code, "")


def test_every_kind_of_error_has_an_exit_code() -> None:
    kinds = {
        kind.kind
        for kind in _all_subclasses(Exception)
        if hasattr(kind, "kind") and hasattr(kind, "code")
    }

    assert {kind for kind in kinds if isinstance(kind, str)} <= set(EXIT_CODES)
    assert exit_code_of(InvalidError("x")) == 1


def test_a_backup_is_written_whole_and_only_for_its_owner(hookline, tmp_path: Path) -> None:
    file = tmp_path / "copy.db"

    outcome = hookline("backup", str(file))

    assert outcome.code == 0
    assert file.read_bytes() == b"SQLite format 3\x00"
    assert file.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["copy.db"]


def test_a_file_that_exists_is_not_overwritten_unless_forced(hookline, tmp_path: Path) -> None:
    file = tmp_path / "build.tar"
    file.write_text("mine")

    refused = hookline("build", "download", "bld_1", "-o", str(file))
    forced = hookline("build", "download", "bld_1", "-o", str(file), "--force")

    assert (refused.code, forced.code) == (1, 0)
    assert file.read_bytes() == b"tar"


def test_a_directory_that_is_missing_is_told(hookline, tmp_path: Path) -> None:
    outcome = hookline("backup", str(tmp_path / "nope" / "copy.db"))

    assert outcome.code == 1
    assert f"there is no directory {tmp_path}/nope" in outcome.err


def test_a_download_that_breaks_leaves_no_file(hookline, fake, tmp_path: Path) -> None:
    fake.failures = [httpx2.ReadError("reset")]

    outcome = hookline("backup", str(tmp_path / "copy.db"))

    assert outcome.code == 4
    assert list(tmp_path.iterdir()) == []


def test_help_needs_no_service() -> None:
    assert run(["--help"]) == 0


def _all_subclasses(kind: type) -> set[type]:
    direct = set(kind.__subclasses__())
    return direct.union(*(_all_subclasses(one) for one in direct))
