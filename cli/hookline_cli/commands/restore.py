"""Put a backup in the place of a database."""

from __future__ import annotations

import errno
from pathlib import Path

import click

from hookline_cli.display import note
from hookline_cli.failures import FileUnusableError
from hookline_cli.paths import GivenFile
from hookline_cli.questions import confirm
from hookline_cli.target import DEFAULT_HOME

_FILE = GivenFile()
_OF_THE_DISK = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})


@click.command("restore")
@click.argument("file", type=_FILE)
@click.option(
    "--home",
    envvar="HOOKLINE_HOME",
    metavar="DIR",
    default=DEFAULT_HOME,
    show_default=True,
    help="Home of the service.",
)
@click.option(
    "--secret-key",
    type=_FILE,
    help="The `secret.key` that was kept with the backup; its keys are added.",
)
@click.option("-y", "--yes", is_flag=True, help="Do not ask for confirmation.")
def command(*, file: Path, home: str, secret_key: Path | None, yes: bool) -> None:
    """Restore the database of the home from the backup in FILE, while no service runs on it.

    The file is checked first, then you are asked to confirm. The previous database is kept beside the new one.
    """
    from hookline_service.app import restore_database

    place = Path(home).expanduser().absolute()
    try:
        restored = restore_database(place, file, secret_key, None if yes else _ask)
    except OSError as exc:
        given = place if exc.errno in _OF_THE_DISK else file  # where the error names no file
        raise FileUnusableError(
            Path(exc.filename or given), exc.strerror or "cannot be used"
        ) from exc
    if restored.former is not None:
        note(f"the former database is {restored.former}")
    if not (place / "secret.key").exists():
        note(
            f"{place}/secret.key is missing: put it beside the database, or secrets cannot be decrypted"
        )
    note(f"restored {place}; start it with `hookline up`")


def _ask(database: Path) -> None:
    question = f"Replace the database of {database.parent}? It is kept beside the new one."
    confirm(question)
