"""`hookline test`: pytest in the project's directory, with its arguments and its exit code."""

from __future__ import annotations

from pathlib import Path

import pytest

from hookline_cli.project_tests import Needs

pytestmark = pytest.mark.slow

_TEST = """
import hookline
from hookline.testing import webhook_event


def test_it_greets(hookline_project):
    hookline_project.store["name"] = "Ada"
    session = hookline_project.run("main.py:greet", webhook_event())
    assert session.result == "Hello, Ada"


def test_it_fails():
    assert False
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "hookline.yaml").write_text("project: {name: hello}\n")
    (tmp_path / "main.py").write_text(
        "import hookline\n\n\ndef greet(event):\n    return 'Hello, ' + hookline.get_value('name')\n"
    )
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_main.py").write_text(_TEST)
    return tmp_path


def test_the_exit_code_is_that_of_pytest(hookline, project: Path) -> None:
    failed = hookline("test", "--dir", str(project / "tests"))
    passed = hookline("test", "--dir", str(project), "-k", "greets", "-q")

    assert (failed.code, passed.code) == (1, 0)


def test_a_directory_without_a_project_is_refused(hookline, tmp_path: Path) -> None:
    outcome = hookline("test", "--dir", str(tmp_path))

    assert outcome.code == 1
    assert "there is no manifest above it" in outcome.err


@pytest.mark.parametrize(("python", "requirements"), [("3.99", ""), ("", "no-such-package\n")])
def test_what_is_not_here_needs_an_environment(python: str, requirements: str) -> None:
    assert not Needs(python=python, requirements=requirements).is_met_here
