"""The examples of docs/sdk.md run."""

from __future__ import annotations

import doctest
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import hookline
from hookline import host

PAGE = Path(__file__).resolve().parents[3] / "docs" / "sdk.md"
BLOCK = re.compile(r"^```(python|yaml)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TITLE = re.compile(r"# ([\w.]+)\n")
BLOCKS = BLOCK.findall(PAGE.read_text(encoding="utf-8"))


def run(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}  # noqa: TID251 - handed on
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=directory,
        env=environment,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for _, text in BLOCKS:
        title = TITLE.match(text)
        if title is not None:
            (tmp_path / title[1]).write_text(text, encoding="utf-8")
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --strict-markers\n")
    return tmp_path


@pytest.mark.slow
def test_the_tests_of_the_page_pass(project: Path):
    done = run(project, "-m", "pytest", "-q", "-W", "error", "-p", "hookline.testing.plugin")

    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 passed" in done.stdout


@pytest.mark.slow
def test_the_example_without_pytest_runs(project: Path):
    done = run(project, "by_hand.py")

    assert done.returncode == 0, done.stderr
    assert done.stdout == "eve@example.com tea? http://hookline.test/webhooks/decision?id=7\n"


def test_the_other_examples_of_the_page_are_python_and_do_what_they_show():
    host.uninstall()
    plain = [text for kind, text in BLOCKS if kind == "python" and ">>>" not in text]
    shown = [text for kind, text in BLOCKS if kind == "python" and ">>>" in text]

    for text in plain:
        compile(text, str(PAGE), "exec")
    runner, parser = doctest.DocTestRunner(), doctest.DocTestParser()
    for text in shown:
        runner.run(parser.get_doctest(text, {}, "sdk.md", str(PAGE), 0))

    assert len(plain) >= 9
    assert runner.summarize().failed == 0
    host.uninstall()


def test_every_name_of_the_sdk_is_on_the_page():
    text = PAGE.read_text(encoding="utf-8")

    missing = [name for name in hookline.__all__ if not re.search(rf"\b{name}\b", text)]

    assert missing == []
