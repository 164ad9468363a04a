"""Where the `hookline` program begins: finds the command, runs it, turns failures into exit codes."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hookline import json_text
from hookline.errors import HooklineError
from hookline_cli.failures import (
    ArgumentInvalidError,
    FileUnusableError,
    ManifestInvalidError,
    SessionNotCompletedError,
    error_document,
    exit_code_of,
)

if TYPE_CHECKING:
    import httpx2

SHORT_COMMANDS = (
    "init",
    "up",
    "dev",
    "test",
    "deploy",
    "run",
    "logs",
    "status",
    "doctor",
    "backup",
    "restore",
    "prune",
    "version",
    "completion",
)
NOUN_COMMANDS = (
    "project",
    "build",
    "deployment",
    "trigger",
    "schedule",
    "event",
    "session",
    "store",
    "var",
    "secret",
    "manifest",
    "runner",
)
_INTERRUPTED = 130
_INTERNAL = 70


class _CommandTable(click.Group):
    """The top group; a command's module is imported only when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Every command, in the order in which the help shows them."""
        del ctx
        return [*SHORT_COMMANDS, *NOUN_COMMANDS]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of this name."""
        if cmd_name not in self.list_commands(ctx):
            return None
        command = importlib.import_module(f"hookline_cli.commands.{cmd_name}").command
        return command if isinstance(command, click.Command) else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that the first argument names; of a misspelt one, an error that names what is like it."""
        known = self.list_commands(ctx)
        near = get_close_matches(args[0], known, n=1) if args[0] not in known else []
        if near:
            ctx.fail(f"No such command {args[0]!r}. Did you mean {near[0]!r}?")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands in two groups."""
        for title, names in (("Commands", SHORT_COMMANDS), ("Nouns", NOUN_COMMANDS)):
            rows: list[tuple[str, str]] = []
            for name in names:
                command = self.get_command(ctx, name)
                if command is not None:
                    rows.append((name, command.get_short_help_str(limit=90)))
            with formatter.section(title):
                formatter.write_dl(rows)


@click.command(
    cls=_CommandTable,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Start with `hookline init my_project`, `hookline up`, and `hookline deploy my_project`.",
)
@click.version_option(package_name="hookline", message="hookline %(version)s")
def cli() -> None:
    """Hooks in, durable Python sessions out."""


def main() -> None:
    """Run the program with the arguments of the process and exit."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str], transport: httpx2.BaseTransport | None = None) -> int:
    """Run one command and return the exit code of the process.

    Args:
        arguments: The command line behind the program's name.
        transport: Carries requests instead of the network; commands find it as the object of their context.
    """
    try:
        outcome = cli.main(
            args=list(arguments),
            prog_name="hookline",
            standalone_mode=False,
            auto_envvar_prefix="HOOKLINE",
            obj=transport,
        )
        sys.stdout.flush()
    except click.ClickException as exc:
        exc.show()
        return exc.exit_code
    except HooklineError as exc:
        _report(exc, wants_json="--json" in arguments)
        return exit_code_of(exc)
    except BrokenPipeError:
        _discard_output()
        return 0
    except (KeyboardInterrupt, click.Abort) as exc:
        told = exc.args or getattr(exc.__cause__, "args", ())  # click makes an Abort of either
        if told:
            click.echo(told[0], err=True)
        return _INTERRUPTED
    except Exception as exc:
        if "--debug" in sys.orig_argv:
            raise
        return _report_unexpected(exc, arguments)
    return outcome if isinstance(outcome, int) else 0


def _report_unexpected(error: Exception, arguments: Sequence[str]) -> int:
    """Tell of an error that nobody foresaw; the exit code."""
    spoilt = next((one for one in arguments if json_text.whole_text(one) != one), None)
    if isinstance(error, UnicodeError) and spoilt is not None:
        _report(ArgumentInvalidError(ascii(spoilt), "it is not UTF-8"), wants_json=False)
        return 1
    if isinstance(error, OSError) and error.filename is not None:
        place = Path(os.fsdecode(error.filename))
        _report(FileUnusableError(place, error.strerror or "cannot be used"), wants_json=False)
        return 1
    click.echo(
        f"internal error: {type(error).__name__}: {error}\n"
        "This is a defect of Hookline; please report it with the command you ran.",
        err=True,
    )
    return _INTERNAL


def _report(error: HooklineError, *, wants_json: bool) -> None:
    if isinstance(error, SessionNotCompletedError):
        return  # its status was the answer asked for
    if wants_json and not isinstance(error, ManifestInvalidError):
        click.echo(json_text.write(error_document(error), indent=2))
    from hookline_cli.findings import describe_failure

    describe_failure(error)


def _discard_output() -> None:
    """Send what is still buffered nowhere, so that the interpreter's own flush at exit is silent."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
