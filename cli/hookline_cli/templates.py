"""Projects to begin with: the examples, copied under a name of one's own."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hookline import json_text
from hookline_cli.failures import ArgumentInvalidError, FileUnusableError
from hookline_cli.paths import resolved
from hookline_service.manifest.keys import MAX_NAME, is_symbol

MANIFEST: Final = "hookline.yaml"
SCHEMA_FILE: Final = ".hookline/manifest.schema.json"
DEFAULT: Final = "hello"
TEMPLATES: Final[Mapping[str, tuple[str, str]]] = {
    "hello": ("hello", "a function behind a URL, and one on a schedule"),
    "webhook": ("orders", "each delivery once, step by step, with retries"),
    "cron": ("daily_report", "a schedule that catches up on missed runs"),
    "approval": ("approval", "waits for a decision, for days if need be"),
    "answer": ("answer", "a webhook whose caller gets the session's answer"),
    "batch": ("batch", "a parent that starts children and sums up"),
    "counter": ("counter", "sessions that share values"),
    "fan_out": ("fan_out", "many calls at once with asyncio.gather"),
    "retries": ("flaky_call", "a call that is tried again, with growing pauses"),
}
"""By name: the example, and what it shows."""

_MODELINE = f"# yaml-language-server: $schema={SCHEMA_FILE}\n"
_GITIGNORE = ".env\n.venv/\n__pycache__/\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewProject:
    """The files of a new project by path, and its name."""

    name: str
    files: Mapping[str, bytes]


def new_project(template: str, name: str, schema: object) -> NewProject:
    """A project of this name made of the template, with the manifest's schema for editors."""
    example, _ = TEMPLATES[template]
    files = _files_of(_examples() / example)
    manifest = files[MANIFEST].decode()
    renamed = re.sub(rf"(?m)^(  name: ){example}$", rf"\g<1>{name}", manifest, count=1)
    files[MANIFEST] = (_MODELINE + renamed).encode()
    files[SCHEMA_FILE] = (json_text.write(schema, indent=2) + "\n").encode()
    files[".gitignore"] = _GITIGNORE.encode()
    return NewProject(name=name, files=files)


def project_name_of(directory: Path) -> str:
    """The name of a project in this directory: the directory's, with `_` for what a name cannot hold.

    Raises:
        ArgumentInvalidError: nothing of it could stand in a name.
    """
    name = re.sub(r"\W+", "_", resolved(directory).name, flags=re.ASCII).strip("_")
    name = f"_{name}" if name[:1].isdigit() else name
    return check_name(name[:MAX_NAME])


def check_name(name: str) -> str:
    """The name, if a project may have it.

    Raises:
        ArgumentInvalidError: it may not.
    """
    if not is_symbol(name):
        problem = (
            f"{name[:200]!r} cannot be a project's name: letters, digits and _, "
            f"not beginning with a digit, and at most {MAX_NAME} characters"
        )
        raise ArgumentInvalidError("--name", problem)
    return name


def write_project(directory: Path, project: NewProject) -> None:
    """Write the files, or none of them if one is there already; a .gitignore that is there stays.

    Raises:
        FileUnusableError: a file is there already, or cannot be written.
    """
    files = {directory / path: content for path, content in project.files.items()}
    if (directory / ".gitignore").exists():
        del files[directory / ".gitignore"]
    for path in files:
        if path.exists() or path.is_symlink():
            raise FileUnusableError(path, "is there already; name another directory")
    with contextlib.ExitStack() as undo:
        for path, content in files.items():
            try:
                _write(path, content, undo)
            except OSError as exc:
                raise FileUnusableError(path, exc.strerror or "cannot be written") from exc
        undo.pop_all()


def _write(path: Path, content: bytes, undo: contextlib.ExitStack) -> None:
    """Write a new file; `undo` takes it away again, with the directories that were made for it."""
    for folder in reversed(path.parents):
        if not folder.exists():
            folder.mkdir(exist_ok=True)
            undo.callback(_ignoring_errors, folder.rmdir)
    with path.open("xb") as file:
        undo.callback(_ignoring_errors, path.unlink)
        file.write(content)


def _ignoring_errors(step: Callable[[], object]) -> None:
    with contextlib.suppress(OSError):
        step()


def _examples() -> Path:
    """Where the examples are: in the installed package, else in the checkout that it is imported from."""
    package = Path(__file__).resolve().parent
    installed = package / "examples"
    return installed if installed.is_dir() else package.parents[1] / "examples"


def _files_of(directory: Path) -> dict[str, bytes]:
    return {
        path.relative_to(directory).as_posix(): path.read_bytes()
        for path in sorted(directory.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }
