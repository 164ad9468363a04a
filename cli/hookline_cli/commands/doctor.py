"""Look for what keeps Hookline from working here."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from hookline_cli.display import print_json
from hookline_cli.options import TargetOptions, json_option, with_target
from hookline_cli.target import DEFAULT_HOME

_SIGNS = {"ok": ("ok", "green"), "warning": ("warning", "yellow"), "error": ("error", "red")}


@click.command("doctor")
@json_option
@with_target
def command(options: TargetOptions, *, as_json: bool) -> None:
    """Check this machine for problems that keep Hookline from working; exit code 1 if there are any.

    Checks the home, the disk, the keys, the sandbox, Python and uv, and the service if one is running. Changes nothing.
    """
    from hookline_cli.checks import check_machine

    home = Path(options.home or DEFAULT_HOME).expanduser().absolute()
    checks = check_machine(home, options)
    if as_json:
        print_json([asdict(check) for check in checks])
    else:
        for check in checks:
            word, colour = _SIGNS[check.level]
            click.echo(
                f"{click.style(f'{word:<8}', fg=colour)} {check.name + ':':<12} {check.text}"
            )
            if check.hint:
                click.echo(f"{'':<22} {check.hint}")
    if any(check.level == "error" for check in checks):
        click.get_current_context().exit(1)
