"""What is given as a path and cannot be used is refused with what it is and what would be right."""

from __future__ import annotations

import os
import shlex
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from hookline_cli.paths import read_file
from tests.unit.cli.conftest import CommandLine

MANIFEST = "project:\n  name: hello\n"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)  # relative, for a socket's path may not be long
    os.mkfifo("pipe")
    Path("file").write_text("x")
    Path("loop").symlink_to("loop")
    Path("empty").mkdir()
    for name in ("a", "b/c"):
        (Path("shop") / name).mkdir(parents=True)
        (Path("shop") / name / "autokitteh.yaml").write_text(MANIFEST)
    Path("odd").mkdir()
    os.mkfifo("odd/hookline.yaml")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket")
        yield


DIRECTORY_TAKERS = [["deploy"], ["dev"], ["test", "--dir"], ["init"], ["manifest", "check"], ["manifest", "plan"],
                    ["session", "export", "hello", "--output"], ["session", "replay", "hello", "--dir"]]  # fmt: skip
FILE_TAKERS = [["restore"], ["runner", "start", "--token-file"], ["deploy", "shop/a", "--env-file"],
               ["backup", "--force"], ["build", "download", "bld_1", "--force", "-o"], ["manifest", "check"]]  # fmt: skip


@pytest.mark.usefixtures("place")
@pytest.mark.parametrize("words", DIRECTORY_TAKERS, ids=" ".join)
@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("/dev/zero", "is a device"),
        ("pipe", "is a named pipe"),
        ("socket", "is a socket"),
        ("loop", "symbolic links"),
        ("file/below", "ot a directory"),
        ("x" * 5000, "ile name too long"),
    ],
)
def test_what_is_no_directory_is_named_as_what_it_is(
    hookline: CommandLine, words: list[str], given: str, told: str
) -> None:
    outcome = hookline(*words, given)

    assert outcome.code in {1, 2}, outcome.err
    assert told in outcome.err
    assert given in outcome.err


@pytest.mark.usefixtures("place")
@pytest.mark.parametrize("words", FILE_TAKERS, ids=" ".join)
@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("/dev/zero", "is a device"),
        ("pipe", "is a named pipe"),
        ("socket", "is a socket"),
        ("loop", "symbolic links"),
        ("file/below", "ot a directory"),
    ],
)
def test_what_is_no_file_is_named_as_what_it_is(
    hookline: CommandLine, words: list[str], given: str, told: str
) -> None:
    outcome = hookline(*words, given)

    assert outcome.code in {1, 2}, outcome.err
    assert told in outcome.err
    assert given in outcome.err


@pytest.mark.usefixtures("place")
@pytest.mark.parametrize("option", ["--body", "--event"])
@pytest.mark.parametrize(
    ("given", "told"),
    [("empty", "is a directory; give a file"), ("/dev/zero", "is a device; give a file"), ("pipe", "is a named pipe"),
     ("socket", "is a socket"), ("loop", "symbolic links"), ("gone", "no such file")],
)  # fmt: skip
def test_a_value_is_not_read_from_what_is_no_file(
    hookline: CommandLine, option: str, given: str, told: str
) -> None:
    outcome = hookline("run", "hello", "hello.py:f", option, f"@{given}")

    assert (outcome.code, told in outcome.err) == (1, True), outcome.err


@pytest.mark.usefixtures("place")
@pytest.mark.parametrize("given", ["/dev/null", "pipe", "loop", "empty", "socket", "gone.py"])
def test_a_local_run_needs_a_file_of_code(hookline: CommandLine, given: str) -> None:
    outcome = hookline("run", "--local", f"{given}:f")

    assert outcome.code == 1
    assert outcome.err.startswith(f"error: {given}: ")


@pytest.mark.usefixtures("place")
@pytest.mark.parametrize(
    ("given", "is_hinted"), [("gone", True), ("go ne", True), ("pipe", False), ("loop", False)]
)
def test_a_project_that_is_not_there_can_be_made(
    hookline: CommandLine, given: str, is_hinted: bool
) -> None:
    outcome = hookline("deploy", given)

    hint = f"; `hookline init {shlex.quote(given)}` makes a project there"
    assert outcome.code == 2
    assert (hint in outcome.err.replace("\n", " ")) == is_hinted


def test_a_stream_that_a_shell_has_made_is_read() -> None:
    reader, writer = os.pipe()
    os.write(writer, b"given")
    os.close(writer)

    content = read_file(Path(f"/dev/fd/{reader}"))

    os.close(reader)
    assert content == b"given"


def test_nothing_is_read_from_the_null_device() -> None:
    assert read_file(Path(os.devnull)) == b""


@pytest.mark.usefixtures("place")
def test_a_manifest_that_is_no_file_is_named(hookline: CommandLine) -> None:
    outcome = hookline("deploy", "odd")

    assert (outcome.code, outcome.err) == (
        1,
        "error: odd/hookline.yaml: is a named pipe; give a file\n",
    )


@pytest.mark.usefixtures("place")
@pytest.mark.parametrize(
    ("given", "told"),
    [("shop", "that do: shop/a, shop/b/c"), ("shop/b", "that do: shop/b/c"), ("shop/a/lib", "lies in is"),
     ("empty", "`hookline init`")],
)  # fmt: skip
def test_the_folders_that_have_a_manifest_are_told(
    hookline: CommandLine, given: str, told: str
) -> None:
    Path(given).mkdir(exist_ok=True)

    outcome = hookline("deploy", given)

    assert (outcome.code, told in outcome.err) == (1, True), outcome.err


@pytest.mark.usefixtures("place")
def test_links_that_lead_to_no_file_are_told_and_left_out(hookline: CommandLine) -> None:
    Path("shop/a/round").symlink_to("round")
    Path("shop/a/away").symlink_to("../b")

    outcome = hookline("deploy", "shop/a")

    assert "shop/a/round: not sent" in outcome.err
    assert "shop/a/away: not sent" in outcome.err


@pytest.mark.usefixtures("place")
def test_what_takes_a_backup_is_never_a_device(hookline: CommandLine) -> None:
    Path("link").symlink_to(os.devnull)

    outcome = hookline("backup", "link", "--force")

    assert outcome.code == 1
    assert Path("link").is_symlink()


@pytest.mark.parametrize(
    "name", ["../x", "../../x", "/x", ".", "..", "", "a/b", "a b", "a\n", "x" * 129, "Ä"]
)
def test_a_runner_host_has_no_name_that_leads_elsewhere(
    hookline: CommandLine, tmp_path: Path, name: str
) -> None:
    outcome = hookline("runner", "start", "--home", str(tmp_path / "home"), "--name", name)

    assert (outcome.code, "cannot be the name of a runner host" in outcome.err) == (1, True)
    assert list(tmp_path.iterdir()) == []
