"""The key that seals secret variables."""

from __future__ import annotations

import click

from hookline_cli.client import Service
from hookline_cli.display import note, print_json
from hookline_cli.options import json_option, with_service


@click.group("secret")
def command() -> None:
    """Manage the key that encrypts secrets; use `hookline var` to set their values."""


@command.command("rotate")
@json_option
@with_service
def rotate_key(service: Service, *, as_json: bool) -> None:
    """Create a new key, and encrypt all secret variables with it.

    Old keys stay in secret.key after the new one, because journals and older backups need them. Back up the file afterwards.
    """
    rotation = service.post("/secrets/rotate")
    if as_json:
        print_json(rotation)
    else:
        click.echo(f"new key: {rotation['key_id']}")
    note(
        f"secrets encrypted with the new key: {rotation['resealed']}; old keys kept: {rotation['former_keys']}; "
        "back up secret.key"
    )
