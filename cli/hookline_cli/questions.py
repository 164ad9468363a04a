"""Questions before something is done that cannot be undone."""

from __future__ import annotations

import click

from hookline_cli.display import note


def confirm(question: str) -> None:
    """Ask on stderr, and return only if the answer is yes.

    Raises:
        click.Abort: the answer is no, or there is none.
    """
    try:
        is_agreed = click.confirm(question, err=True)
    except click.Abort as exc:
        if isinstance(exc.__context__, EOFError):
            note("\nnobody answered; give --yes to skip the question")
        raise
    if not is_agreed:
        raise click.Abort
