"""Start the service with its runner host."""

from __future__ import annotations

import click

from hookline_cli.display import note


@click.command("up")
@click.option(
    "--home",
    envvar="HOOKLINE_HOME",
    metavar="DIR",
    help="Directory for all data.  [default: ~/.hookline]",
)
@click.option("--host", envvar="HOOKLINE_HOST", help="Address to listen on.  [default: 127.0.0.1]")
@click.option(
    "--port", envvar="HOOKLINE_PORT", help="Port to listen on; 0 takes a free one.  [default: 9980]"
)
@click.option(
    "--public-url",
    envvar="HOOKLINE_PUBLIC_URL",
    metavar="URL",
    help="Base of webhook URLs behind a proxy.",
)
@click.option(
    "--sandbox",
    envvar="HOOKLINE_SANDBOX",
    metavar="auto|required|off",
    help="Whether user code runs in bubblewrap.  [default: auto]",
)
@click.option(
    "--capacity",
    envvar="HOOKLINE_CAPACITY",
    metavar="N",
    help="Sessions that run at the same time.  [default: as many as fit into memory]",
)
@click.option(
    "--log-level",
    envvar="HOOKLINE_LOG_LEVEL",
    metavar="LEVEL",
    help="debug, info, warning or error.  [default: info]",
)
@click.option(
    "--forget-lost-secrets",
    "forgets_lost_secrets",
    is_flag=True,
    help="Empty the secrets that were encrypted with a lost key, instead of refusing to start.",
)
def command(*, forgets_lost_secrets: bool, **options: str | None) -> None:
    """Start the service with its runner, until Ctrl-C.

    Every other setting is an environment variable: see docs/operations.md.
    """
    from hookline_service.settings import load_settings

    settings = load_settings(options)
    from hookline_service.app import run_service  # slow to import: a wrong setting is told before

    def tell(url: str) -> None:
        home = settings.home
        address = "" if home == load_settings({}, {}).home else f" --home {home}"
        origin = "HOOKLINE_TOKEN" if settings.token else f"{home}/token"
        note(f"deploy a project:  hookline deploy{address} DIR      stop:  Ctrl-C")
        note(f"Hookline is up at {url} (home {home}, token in {origin})")

    click.get_current_context().exit(
        run_service(settings, tell, forgets_lost_secrets=forgets_lost_secrets)
    )
