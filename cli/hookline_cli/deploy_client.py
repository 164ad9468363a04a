"""Sending a project to the service: progress while it works, then what came of it."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Generator, Sequence

import click

from hookline_cli.client import Service, error_of
from hookline_cli.display import local_time, note
from hookline_cli.failures import InternalAnswerError
from hookline_cli.findings import write_findings
from hookline_cli.json_values import JsonObject, as_object, object_of, objects_in
from hookline_cli.project_files import PackedProject

_SIGNS = {
    "create": ("+", "green"),
    "set": ("+", "green"),
    "update": ("~", "yellow"),
    "delete": ("-", "red"),
}
# A build of a Python environment may be silent for long; the service sends heartbeats meanwhile.
_SILENCE_S = 120.0


def send_project(
    service: Service, packed: PackedProject, *, project: str | None, dry_run: bool
) -> JsonObject:
    """The service's answer to a deploy, with its progress told on stderr.

    Raises:
        AnswerError: the project has errors, among others; carries the findings.
    """
    events = service.events(
        "POST",
        "/deployments",
        query={"dry_run": dry_run, "manifest": packed.manifest, "project": project},
        headers={"Content-Type": "application/x-tar"},
        content=packed.archive,
        silence_s=_SILENCE_S,
    )
    with contextlib.closing(events), _progress(f"sending {packed.file_count} files") as tell:
        for event in events:
            if event.is_heartbeat:
                continue
            data = as_object(event.data)
            if event.name == "progress":
                tell(str(data.get("text", "")))
            elif event.name == "error":
                raise error_of(object_of(data.get("error")) or data)
            elif event.name in {"result", "answer"}:
                return data
    raise InternalAnswerError("the service ended the deploy without a result")


def write_outcome(outcome: JsonObject) -> None:
    """Tell a person what a deploy did, or would do."""
    write_findings(objects_in(outcome, "warnings"))
    _write_plan(objects_in(outcome, "plan"), is_dry_run=bool(outcome.get("dry_run")))
    if outcome.get("dry_run"):
        note("nothing was changed (dry run)")
        return
    name = click.style(str(outcome.get("project")), bold=True)
    built = "" if outcome.get("created_build", True) else " (unchanged)"
    click.echo(f"deployed {name}: {outcome.get('deployment')}, build {outcome.get('build')}{built}")
    for line in trigger_lines(objects_in(outcome, "triggers")):
        click.echo(line)


def trigger_lines(triggers: Sequence[JsonObject]) -> list[str]:
    """A line for each trigger: its kind, its name, and its URL or, in words, when it fires."""
    width = max((len(str(one["name"])) for one in triggers), default=0)
    lines: list[str] = []
    for trigger in triggers:
        about = str(trigger.get("url") or trigger.get("description") or "")
        if trigger.get("next_fire_at"):
            about += f"; next {local_time(trigger['next_fire_at'])}"
        lines.append(f"  {trigger['kind']:<10} {trigger['name']:<{width}} {about}".rstrip())
    return lines


def _write_plan(plan: list[JsonObject], *, is_dry_run: bool) -> None:
    if not plan:
        note("no changes" if is_dry_run else "the manifest changed nothing")
    for step in plan:
        kind = str(step.get("type", ""))
        sign, colour = _SIGNS.get(kind.partition("_")[0], (" ", "white"))
        words = [kind.replace("_", " "), str(step.get("name") or ""), str(step.get("detail") or "")]
        note(f"  {click.style(sign, fg=colour)} {' '.join(word for word in words if word)}")


@contextlib.contextmanager
def _progress(first: str) -> Generator[Callable[[str], None]]:
    """A way to tell progress: a spinner on a terminal, lines elsewhere."""
    if not sys.stderr.isatty():
        yield note
        return
    from rich.console import Console

    with Console(stderr=True).status(first) as status:
        yield status.update
