"""The loop of `hookline dev`: deploy, watch the files, follow the sessions."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path

import click
import watchfiles

from hookline.errors import HooklineError
from hookline_cli.client import Service
from hookline_cli.deploy_client import send_project, write_outcome
from hookline_cli.display import clock_time, note
from hookline_cli.failures import (
    FileUnusableError,
    NotHooklineError,
    ServiceNotRunningError,
    ServiceUnreachableError,
)
from hookline_cli.findings import describe_failure, write_findings
from hookline_cli.json_values import objects_in
from hookline_cli.local_service import own_service
from hookline_cli.options import TargetOptions
from hookline_cli.project_files import PackedProject, pack_project
from hookline_cli.session_feed import SessionFeed
from hookline_cli.target import DEFAULT_HOME
from hookline_service.clock import SystemClock
from hookline_service.manifest.files import is_skipped

_LOST = (ServiceNotRunningError, ServiceUnreachableError, NotHooklineError)
_QUIET_MS = 150  # editors write several files, and some of them twice
_LONGEST_WAIT_MS = 1500
_TICK_MS = 250


@dataclass(frozen=True, slots=True, kw_only=True)
class Development:
    """What is developed: the directory, the manifest's name in it if given, a name that takes the place of its own."""

    directory: Path
    manifest: str | None
    project: str | None


@contextlib.contextmanager
def service_at_hand(options: TargetOptions, port: str | None) -> Generator[Service]:
    """The service meant; when none runs there and no URL was given, one of this command's own on the home.

    Raises:
        ServiceNotRunningError: nothing runs at the URL given.
        HooklineError: no service can be started, because the port is taken, say.
    """
    with contextlib.ExitStack() as stack:
        try:
            service = stack.enter_context(options.connect())
            service.get("/version")
        except _LOST:
            if options.url is not None:
                raise
            home = Path(options.home or DEFAULT_HOME).expanduser().absolute()
            url = stack.enter_context(own_service(home, {} if port is None else {"port": port}))
            note(f"no service was running; this one at {url} (home {home}) ends with this command")
            service = stack.enter_context(options.connect())
        yield service


def develop(service: Service, development: Development) -> None:
    """Deploy now and whenever a file changes, and write what the project's new sessions do, until interrupted.

    Raises:
        FileUnusableError: the directory cannot be watched.
    """
    bench = _Bench(development)
    changes = _watch(development.directory)
    next(changes)  # from here on no change is missed
    bench.work(service, is_changed=True)
    for is_changed in changes:
        bench.work(service, is_changed=is_changed)


def _watch(directory: Path) -> Iterator[bool]:
    """True whenever files of the project have changed and are quiet again, false now and then."""

    def is_ours(_: watchfiles.Change, path: str) -> bool:
        place = Path(path)
        return place.is_relative_to(directory) and not is_skipped(
            place.relative_to(directory).as_posix()
        )

    try:
        for changes in watchfiles.watch(
            directory,
            watch_filter=is_ours,
            debounce=_LONGEST_WAIT_MS,
            step=_QUIET_MS,
            rust_timeout=_TICK_MS,
            yield_on_timeout=True,
        ):
            yield bool(changes)
    except OSError as exc:
        raise FileUnusableError(directory, f"cannot be watched: {exc}") from exc


@dataclass(slots=True)
class _Bench:
    """What was deployed, and whose sessions are followed."""

    development: Development
    _digest: bytes = b""
    _is_stale: bool = False
    _feed: SessionFeed | None = None
    _is_lost: bool = False

    def work(self, service: Service, *, is_changed: bool) -> None:
        """Deploy if something is new, and write what sessions did; a service that is away is tried again next time."""
        self._is_stale = self._is_stale or is_changed
        try:
            service.refresh()
            if self._is_stale:
                self._deploy(service)
            for line in self._feed.read(service) if self._feed else ():
                click.echo(line)
        except _LOST as exc:
            if not self._is_lost:
                note(f"connection lost ({exc.message}); trying again")
            self._is_lost = True
        else:
            if self._is_lost:
                note("connected again")
            self._is_lost = False

    def _deploy(self, service: Service) -> None:
        """Deploy what differs from before; what cannot be deployed is told, and nothing is changed by it."""
        try:
            packed = pack_project(self.development.directory, self.development.manifest)
            digest = hashlib.sha256(packed.manifest.encode() + packed.archive).digest()
            if digest != self._digest:
                self._send(service, packed)
            self._digest = digest
        except _LOST:
            raise
        except HooklineError as exc:
            self._digest = b""
            describe_failure(exc)
            stays = "; the deployment before it stays active" if self._feed else ""
            note(f"not deployed{stays}. Waiting for a change")
        self._is_stale = False

    def _send(self, service: Service, packed: PackedProject) -> None:
        outcome = send_project(service, packed, project=self.development.project, dry_run=False)
        name = str(outcome["project"])
        if self._feed is None or self._feed.project != name:
            write_outcome(outcome)
            self._feed = SessionFeed(project=name)
            self._feed.begin(service)
            note("watching the files; sessions show up here. Stop:  Ctrl-C")
        else:
            write_findings(objects_in(outcome, "warnings"))
            now = clock_time(SystemClock().now().isoformat())
            note(f"{now}   deployed {name} again: {outcome.get('build')}")
