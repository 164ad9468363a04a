"""Running a project's own tests: pytest with Hookline and what the project requires, in an environment made for it."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import distribution, version
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from hookline_cli.display import note
from hookline_cli.failures import FileUnusableError, TestEnvironmentError
from hookline_cli.json_values import as_object, object_of
from hookline_cli.local_service import local_directory
from hookline_cli.paths import resolved
from hookline_cli.project_files import find_project_directory
from hookline_cli.replaying import requirements_in

_LONGEST_INSTALL_S = 900
_MARK = "complete"


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What the tests of a project need: a Python version ("" for this one), and requirements as in a file."""

    python: str
    requirements: str

    @property
    def is_met_here(self) -> bool:
        """True if this interpreter has all of it."""
        return not self.python and not self.requirements.strip() and _has_pytest()


def run_tests(directory: Path, arguments: Sequence[str], base: str | None) -> int:
    """The exit status of pytest, run in the project's directory with these arguments.

    Args:
        directory: somewhere in a project.
        arguments: for pytest.
        base: a home in whose `local` directory environments are kept, by what they hold.

    Raises:
        FileUnusableError: there is no project here.
        TestEnvironmentError: the requirements cannot be installed.
    """
    project = find_project_directory(resolved(directory))
    if project is None:
        raise FileUnusableError(directory, "is not in a project: there is no manifest above it")
    python, requirements = requirements_in(project)
    needs = Needs(python=python, requirements=requirements)
    interpreter = (
        Path(sys.executable)
        if needs.is_met_here
        else _interpreter_for(needs, local_directory(base))
    )
    command = [str(interpreter), "-m", "pytest", *arguments]
    return subprocess.run(command, cwd=directory, check=False).returncode


def _has_pytest() -> bool:
    return importlib.util.find_spec("pytest") is not None


def _interpreter_for(needs: Needs, kept: Path) -> Path:
    ours = _ourselves()
    key = hashlib.sha256(
        "\n".join([needs.python or sys.version, needs.requirements, *ours]).encode()
    ).hexdigest()[:16]
    place = kept / "tests" / key
    interpreter = place / "bin" / "python"
    if not (place / _MARK).exists():
        note("installing what the tests need (once for these requirements)")
        _make(place, needs, ours)
        (place / _MARK).touch()
    return interpreter


def _make(place: Path, needs: Needs, ours: Sequence[str]) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    _uv("venv", "--clear", "--python", needs.python or sys.executable, str(place))
    file = place / "requirements.txt"
    file.write_text(needs.requirements, "utf-8")
    interpreter = str(place / "bin" / "python")
    _uv("pip", "install", "--python", interpreter, "-r", str(file), "pytest", *ours)


def _ourselves() -> list[str]:
    """How this very Hookline is installed once more: from where it came, or by its version."""
    try:
        origin = as_object(distribution("hookline").read_text("direct_url.json") or "")
    except ValueError:
        origin = {}
    url = str(origin.get("url", ""))
    if url.startswith("file:"):
        path = url2pathname(urlsplit(url).path)
        is_editable = bool((object_of(origin.get("dir_info")) or {}).get("editable"))
        return ["--editable", path] if is_editable else [path]
    return [f"hookline=={version('hookline')}"]


def _uv(*arguments: str) -> None:
    from uv import find_uv_bin

    try:
        done = subprocess.run(
            [os.fspath(find_uv_bin()), "--quiet", *arguments],
            capture_output=True,
            text=True,
            timeout=_LONGEST_INSTALL_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as exc:
        raise TestEnvironmentError(str(exc)) from exc
    if done.returncode:
        raise TestEnvironmentError(done.stderr.strip())
