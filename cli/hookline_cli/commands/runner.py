"""Runner hosts: the processes that run sessions."""

from __future__ import annotations

import re
from pathlib import Path

import click

from hookline_cli.client import Service
from hookline_cli.display import print_json, print_table
from hookline_cli.failures import ArgumentInvalidError
from hookline_cli.json_values import objects_in
from hookline_cli.options import json_option, with_service
from hookline_cli.paths import GivenFile
from hookline_cli.target import DEFAULT_HOME

_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,127}")  # of a directory, too


@click.group("runner")
def command() -> None:
    """List runner hosts, or start one."""


@command.command("list")
@json_option
@with_service
def list_runners(service: Service, *, as_json: bool) -> None:
    """List the runner hosts that are connected now."""
    runners = objects_in(service.get("/runners"), "items")
    if as_json:
        print_json(runners)
    else:
        print_table(
            runners,
            ["name", "id", "sandbox", "python", "busy", "capacity", "version"],
            empty="no runner hosts are connected; nothing can run",
        )


@command.command("start")
@click.option(
    "--home",
    envvar="HOOKLINE_HOME",
    metavar="DIR",
    default=DEFAULT_HOME,
    show_default=True,
    help="Home of the service on this machine.",
)
@click.option(
    "--name", default="extra", show_default=True, help="Name shown to people; unique per host."
)
@click.option(
    "--token-file",
    type=GivenFile(),
    help="File with the token for runner hosts.  [default: HOME/runner.token, else HOOKLINE_RUNNER_TOKEN]",
)
def start_runner(*, home: str, name: str, token_file: Path | None) -> None:
    """Start another runner host on this machine, until Ctrl-C. `hookline up` already includes one."""
    if not _NAME.fullmatch(name):
        problem = f"{name[:200]!r} cannot be the name of a runner host: letters, digits, _, - and ., and no . first"
        raise ArgumentInvalidError("--name", problem)
    from hookline_runner.host import main

    base = Path(home).expanduser().absolute()
    arguments = [
        "--socket",
        str(base / "run" / "runner.sock"),
        "--home",
        str(base / "runners" / name),
    ]
    arguments += ["--name", name]
    kept = base / "runner.token"
    if token_file is None and kept.is_file():
        token_file = kept
    if token_file is not None:
        arguments += ["--token-file", str(token_file)]
    click.get_current_context().exit(main(arguments))
