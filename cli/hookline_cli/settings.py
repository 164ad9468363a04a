"""What the command line takes from its environment besides the options of its commands."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from hookline_cli.failures import FileUnusableError
from hookline_cli.paths import read_file

VALUES_FILE = ".env"

# What belongs to a service that is kept, and must not reach one that lives for a single run.
_OF_A_KEPT_SERVICE = frozenset(
    {
        "HOOKLINE_ALLOWED_HOSTS",
        "HOOKLINE_HOME",
        "HOOKLINE_HOST",
        "HOOKLINE_PORT",
        "HOOKLINE_PUBLIC_URL",
        "HOOKLINE_SECRET_KEY",
        "HOOKLINE_TOKEN",
        "HOOKLINE_URL",
    }
)
_ASSIGNMENT = re.compile(r"(?:export\s+)?([A-Za-z_]\w*)\s*=\s*(.*)", re.ASCII)


def find_values(
    names: Iterable[str], directory: Path, environment: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Values for variables of these names: from the environment, else from the file `.env` in the directory.

    Args:
        names: the variables wanted; those that stand nowhere are left out.
        directory: the project's.
        environment: stands in for the process environment in tests.

    Raises:
        FileUnusableError: there is a `.env`, and it cannot be read.
    """
    given = os.environ if environment is None else environment
    written = read_values(directory / VALUES_FILE)
    both = {name: given.get(name, written.get(name)) for name in names}
    return {name: value for name, value in both.items() if value is not None}


def read_values(path: Path) -> dict[str, str]:
    """The `NAME=value` lines of a file; none when there is no such file.

    A value may stand in single or double quotes; without them, a ` #` begins a comment. Other lines are passed over.

    Raises:
        FileUnusableError: it cannot be read.
    """
    if not path.exists():
        return {}
    try:
        text = read_file(path).decode("utf-8")
    except UnicodeDecodeError as exc:
        raise FileUnusableError(path, "is not UTF-8") from exc
    matches = (_ASSIGNMENT.fullmatch(line.strip()) for line in text.splitlines())
    return {match[1]: _unquoted(match[2]) for match in matches if match}


def temporary_service_environment(
    environment: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """The environment of a service that lives for one run: this one, without what belongs to a service that is kept."""
    given = os.environ if environment is None else environment
    return {name: value for name, value in given.items() if name not in _OF_A_KEPT_SERVICE}


def _unquoted(value: str) -> str:
    quote = value[:1]
    if quote in {'"', "'"} and (end := value.find(quote, 1)) > 0:
        return value[1:end]
    return re.split(r"(?:^|\s)#", value, maxsplit=1)[0].strip()
