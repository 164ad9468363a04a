"""Completion of commands and options in the shell."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(*, shell: str) -> None:
    """Write the completion script for a shell, to be evaluated by it.

    For bash: put `eval "$(hookline completion bash)"` into ~/.bashrc.
    """
    root = click.get_current_context().find_root()
    maker = get_completion_class(shell)
    if maker is not None:
        script = maker(root.command, {}, "hookline", "_HOOKLINE_COMPLETE")
        click.echo(script.source())
