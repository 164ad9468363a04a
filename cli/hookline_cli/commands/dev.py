"""Work on a project: deployed again at each change, its sessions followed."""

from __future__ import annotations

from pathlib import Path

import click

from hookline_cli.display import note
from hookline_cli.options import TargetOptions, project_files_options, with_target
from hookline_cli.paths import resolved


@click.command(
    "dev", short_help="Deploy a project at each change of a file, and follow its new sessions."
)
@project_files_options
@click.option(
    "--port",
    envvar="HOOKLINE_PORT",
    help="Port for a service started by this command; 0 takes a free one.  [default: 9980]",
)
@with_target
def command(
    options: TargetOptions,
    *,
    directory: Path,
    manifest: str | None,
    project: str | None,
    port: str | None,
) -> None:
    """Deploy the project in DIRECTORY whenever one of its files changes, and follow its new sessions, until Ctrl-C.

    If a deploy fails, you see every finding, and the previous deployment stays active. When no service
    runs on the home, one is started as `hookline up` does, and ends with this command.
    """
    from hookline_cli.dev_loop import Development, develop, service_at_hand

    development = Development(directory=resolved(directory), manifest=manifest, project=project)
    try:
        with service_at_hand(options, port) as service:
            develop(service, development)
    except KeyboardInterrupt:
        note("\nstopped")
