"""Pages of the documentation that are made from the program: the commands, and the errors with their codes."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import textwrap
from collections.abc import Iterator
from typing import TypeVar

import click

from hookline.errors import HooklineError, SessionInterrupt
from hookline_cli.failures import EXIT_CODES, AnswerError
from hookline_cli.main import NOUN_COMMANDS, SHORT_COMMANDS, cli
from hookline_connections.names import HELPER_VARIABLES
from hookline_service.manifest.finding_codes import FINDING_CODES

_ErrorT = TypeVar("_ErrorT", bound=BaseException)

PACKAGES = (
    "hookline",
    "hookline_triggers",
    "hookline_connections",
    "hookline_runner",
    "hookline_service",
    "hookline_cli",
)
_MADE = "<!-- Made by scripts/docs; change the program instead. -->"
_CLI_INTRODUCTION = """\
# The command line

`hookline <noun> <verb>`, and short commands for the most common tasks.

- Data goes to stdout, messages to stderr. `--json` writes one JSON document: an object for one
  thing, an array for many, the newest first; an error is an object with the key `error`. A followed
  log is one object per line.
- Commands talk to the service given by `--url` (`HOOKLINE_URL`) and `--token` (`HOOKLINE_TOKEN`),
  or otherwise to the one running on the home directory (`--home`, `HOOKLINE_HOME`, by default
  `~/.hookline`).
- Where a session is expected, the name of a project means its latest session (for a child, the
  session that started it).
- Each option can also be set by the environment variable shown beside it.

| exit code | meaning |
|---|---|
| 0 | done; for `session wait`, `session watch` and `run --wait`: the session completed |
| 1 | refused: not valid, not found, or in conflict with the current state; or the session did not complete |
| 2 | the command line was not understood |
| 3 | the token is missing or wrong, or does not permit this |
| 4 | the service cannot be reached or is busy, or the `--timeout` has expired; trying later may help |
| 70 | a bug in Hookline; please report it |
| 130 | interrupted |
"""
_ERRORS_INTRODUCTION = """\
# Errors

Each error has a stable code, and a kind that determines everything else. Over HTTP an error is
`{"error": {"code", "kind", "message", "details"}}`. `details` holds data for programs; for a
project that cannot be deployed, all findings with file, line and column.

| kind | HTTP | exit code | retried |
|---|---|---|---|
"""
_INTERRUPTS_INTRODUCTION = """\
## What ends a session

These are not `Exception`s, so that `except Exception` in a workflow does not catch them.
"""
_FINDINGS_INTRODUCTION = """\
## Findings

`hookline deploy` and `hookline manifest check` report these for a project's files. Errors of the
first table, such as `schedule.invalid`, can be findings too.
"""
_LINE = 100
_TWO_COLUMNS = ("| code | meaning |", "|---|---|")


def cli_reference() -> str:
    """docs/cli.md."""
    root = click.Context(cli, info_name="hookline", auto_envvar_prefix="HOOKLINE")
    parts = [_MADE, "", _CLI_INTRODUCTION]
    for name in (*SHORT_COMMANDS, *NOUN_COMMANDS):
        command = cli.get_command(root, name)
        if command is not None:
            parts += _describe(command, name, root)
    return "\n".join(parts).rstrip() + "\n"


def error_reference() -> str:
    """docs/errors.md."""
    kinds = "\n".join(_kind_row(kind, code) for kind, code in EXIT_CODES.items())
    rows = [f"| `{code}` | `{kind}` | {meaning} |" for code, kind, meaning in list_errors()]
    table = ["| code | kind | meaning |", "|---|---|---|", *rows]
    ends = [f"| `{code}` | {meaning} |" for code, meaning in list_interrupts()]
    found = [f"| `{code}` | {meaning} |" for code, meaning in sorted(FINDING_CODES.items())]
    parts = [_MADE, "", _ERRORS_INTRODUCTION + kinds, "", *table, ""]
    parts += [_INTERRUPTS_INTRODUCTION, *_TWO_COLUMNS, *ends, ""]
    parts += [_FINDINGS_INTRODUCTION, *_TWO_COLUMNS, *found]
    return "\n".join(parts) + "\n"


def _kind_row(kind: str, exit_code: int) -> str:
    from hookline_service.api.errors import STATUS_BY_KIND

    status = STATUS_BY_KIND.get(kind, "–")
    is_retried = "yes" if kind in {"rate_limited", "unavailable"} else "no"
    if kind == "user_code":
        is_retried = "as set by the trigger's `retries`"
    return f"| `{kind}` | {status} | {exit_code} | {is_retried} |"


def list_interrupts() -> list[tuple[str, str]]:
    """Code and meaning of everything that ends a session from outside its code, by code."""
    _import_everything()
    found = {SessionInterrupt, *_subclasses(SessionInterrupt)}
    public = (one for one in found if "code" in vars(one))
    return sorted((one.code, _meaning(one)) for one in public)


def list_errors() -> list[tuple[str, str, str]]:
    """Code, kind and meaning of every error the program can name, by code."""
    _import_everything()
    found: dict[str, tuple[str, str, str]] = {}
    for (
        package
    ) in PACKAGES:  # where the program repeats a code of the service, the service explains it
        for error in _subclasses(HooklineError):
            is_public = not error.__name__.startswith("_") and error is not AnswerError
            if is_public and error.__module__.partition(".")[0] == package:
                found.setdefault(error.code, (error.code, error.kind, _meaning(error)))
    return [found[code] for code in sorted(found)]


def _meaning(error: type[BaseException]) -> str:
    return inspect.cleandoc(error.__doc__ or "").partition("\n")[0]


def _import_everything() -> None:
    for package in PACKAGES:
        for module in _modules_of(package):
            importlib.import_module(module)


def _describe(command: click.Command, name: str, parent: click.Context) -> list[str]:
    context = click.Context(command, info_name=name, parent=parent)
    depth = "#" * (context.command_path.count(" ") + 1)
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    parts = [f"{depth} {context.command_path}", "", _wrapped(command.help or ""), ""]
    if isinstance(command, click.Group):
        if command.epilog:
            parts += [_wrapped(command.epilog), ""]
        for verb in command.list_commands(context):
            inner = command.get_command(context, verb)
            if inner is not None:
                parts += _describe(inner, verb, context)
        return parts
    parts += ["```", usage, "```", ""]
    rows = [_option_row(one, context) for one in command.params if isinstance(one, click.Option)]
    if rows:
        parts += ["| option | variable | meaning |", "|---|---|---|", *rows, ""]
    return parts


def _wrapped(text: str) -> str:
    """The text with each paragraph in lines of the documentation's length."""
    paragraphs = inspect.cleandoc(text).split("\n\n")
    return "\n\n".join(
        textwrap.fill(one, _LINE, break_long_words=False, break_on_hyphens=False)
        for one in paragraphs
    )


def _option_row(option: click.Option, context: click.Context) -> str:
    record = option.get_help_record(context)
    names, meaning = record or ("", "")
    variable = option.envvar or f"{context.auto_envvar_prefix}_{(option.name or '').upper()}"
    shown = meaning.replace("|", "\\|").replace("  [", " [")
    return f"| `{names.replace('|', chr(92) + '|')}` | `{variable}` | {shown} |"


def _modules_of(package: str) -> Iterator[str]:
    root = importlib.import_module(package)
    yield package
    for module in pkgutil.walk_packages(root.__path__, package + "."):
        if not module.name.endswith("__main__"):
            yield module.name


def _subclasses(kind: type[_ErrorT]) -> Iterator[type[_ErrorT]]:
    for inner in kind.__subclasses__():
        yield inner
        yield from _subclasses(inner)


def connections_table() -> str:
    """The variables that helpers of integrations read, as a Markdown table for docs/autokitteh.md."""
    rows = [
        f"| `{name}` | {', '.join(f'`{variable}`' for variable in variables)} |\n"
        for name, variables in sorted(HELPER_VARIABLES.items())
    ]
    return f"| integration | variables |\n|---|---|\n{''.join(rows)}"
