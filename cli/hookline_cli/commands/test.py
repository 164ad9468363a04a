"""Run a project's tests."""

from __future__ import annotations

from pathlib import Path

import click

from hookline_cli.paths import GivenDirectory


@click.command("test", context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.option(
    "--dir",
    "directory",
    type=GivenDirectory(),
    default=".",
    show_default=True,
    help="A directory of the project.",
)
@click.option(
    "--home", envvar="HOOKLINE_HOME", metavar="DIR", help="Home in which the environments are kept."
)
def command(*, arguments: tuple[str, ...], directory: Path, home: str | None) -> None:
    """Run the project's tests with pytest; ARGUMENTS go to it. Needs no service.

    They run in a separate environment with the project's requirements, pytest and Hookline. The environment is kept for
    the next run. The exit code is that of pytest.
    """
    from hookline_cli.project_tests import run_tests

    click.get_current_context().exit(run_tests(directory, arguments, home))
