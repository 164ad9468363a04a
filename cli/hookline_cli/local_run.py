"""One session of a function in a file here, on a service that is made for it."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hookline import json_text
from hookline.errors import HooklineError
from hookline_cli.client import Service
from hookline_cli.deploy_client import send_project
from hookline_cli.display import note
from hookline_cli.failures import AnswerError, ArgumentInvalidError, FileUnusableError
from hookline_cli.findings import write_findings
from hookline_cli.follow import RetryDeadline, wait_final
from hookline_cli.json_values import JsonObject, objects_in
from hookline_cli.local_service import temporary_service
from hookline_cli.options import segment
from hookline_cli.paths import problem_of_file
from hookline_cli.project_files import (
    PackedProject,
    find_manifest,
    find_project_directory,
    pack_project,
    pack_without_manifest,
)
from hookline_cli.request_data import tell_of_missing_request
from hookline_cli.session_log import follow_to_end
from hookline_cli.settings import find_values
from hookline_service.manifest.files import pack
from hookline_service.manifest.keys import MAX_NAME
from hookline_service.manifest.parse import parse_manifest
from hookline_service.manifest.values import Manifest, ManifestVariable

_STOP_S = 5.0
_MADE_MANIFEST = "hookline.yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalRun:
    """What is to run: the request for a session, with `entry_point` as it was typed.

    `base` is a home in which packages are kept, see `temporary_service`; `as_json` writes the ended session and
    nothing else.
    """

    request: JsonObject
    base: str | None
    as_json: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalProject:
    """The project that a file belongs to; `manifest_file` is None when it has no manifest of its own."""

    directory: Path
    manifest_file: str | None
    entry_point: str

    @property
    def manifest_text(self) -> bytes:
        """The manifest, or the least one when there is none."""
        if self.manifest_file is not None:
            return (self.directory / self.manifest_file).read_bytes()
        return _least_manifest(_project_name(self.directory))

    def pack(self) -> PackedProject:
        """Its files, packed. Raises as `pack_project`."""
        if self.manifest_file is not None:
            return pack_project(self.directory, self.manifest_file)
        return pack_without_manifest(self.directory, self.manifest_text)


def find_local_project(target: str) -> LocalProject:
    """The project of FILE:FUNC: the nearest directory above the file with a manifest, else the file's own.

    Raises:
        ArgumentInvalidError: it is not of that form.
        FileUnusableError: there is no such file.
    """
    path, _, function = target.rpartition(":")
    if not path or not function:
        raise ArgumentInvalidError(target, "not of the form FILE:FUNC, as in orders.py:on_order")
    file = Path(path)
    problem = problem_of_file(file)
    if problem is None and not file.is_file():
        problem = "is not a file of a project"
    if problem is not None:
        raise FileUnusableError(file, problem)
    file = file.absolute()
    directory = find_project_directory(file.parent)
    manifest = None if directory is None else find_manifest(directory)
    directory = directory or file.parent
    entry_point = f"{file.relative_to(directory).as_posix()}:{function}"
    return LocalProject(directory=directory, manifest_file=manifest, entry_point=entry_point)


def run_locally(run: LocalRun, patience: RetryDeadline) -> JsonObject:
    """Run the session on a service of its own, writing its log as it comes; the session when it has ended.

    Raises:
        HooklineError: the project cannot be deployed, among others; see `send_project`.
    """
    project = find_local_project(str(run.request["entry_point"]))
    packed = project.pack()
    with temporary_service(run.base) as service:
        name = _deploy(service, project, packed)
        request = {**run.request, "project": name, "entry_point": project.entry_point}
        session = service.post("/sessions", request)
        try:
            final = follow_to_end(service, session, patience, as_json=run.as_json)
        except KeyboardInterrupt:
            _stop(service, str(session["id"]))
            raise
        tell_of_missing_request(service, request, final)
        return final


def _deploy(service: Service, project: LocalProject, packed: PackedProject) -> str:
    """Deploy it with values for its variables, and schedules that do not fire; the project's name."""
    manifest = parse_manifest(project.manifest_text, packed.manifest).manifest
    if manifest is not None:
        _give_values(service, manifest, project.directory)
    outcome = send_project(service, packed, project=None, dry_run=False)
    if project.manifest_file is not None:  # nobody wants to be warned of a manifest that we made
        write_findings(objects_in(outcome, "warnings"))
    name = str(outcome["project"])
    for schedule in service.list_newest("/schedules", limit=1000, project=name):
        path = f"/schedules/{segment(str(schedule['id']))}/pause"
        service.post(path, {"reason": "a local run"})
    for trigger in objects_in(outcome, "triggers"):
        if trigger.get("url"):
            note(f"webhook {trigger['name']}: {trigger['url']}")
    return name


def _give_values(service: Service, manifest: Manifest, directory: Path) -> None:
    """Set the variables that the manifest leaves without a value, where there is one at hand.

    They can be set only in a project that is there, so one without files is deployed first; if that is refused, the
    deploy of the whole project tells why.
    """
    wanted = _variables_without_value(manifest)
    values = find_values(wanted, directory)
    if not values:
        return
    with contextlib.suppress(AnswerError):
        send_project(service, _without_files(manifest), project=None, dry_run=False)
        for name, value in values.items():
            scope, variable = wanted[name]
            path = f"/projects/{segment(manifest.project)}/vars/{segment(variable.name)}"
            service.put(path, {"value": value, "secret": variable.is_secret}, scope=scope)


def _variables_without_value(manifest: Manifest) -> dict[str, tuple[str, ManifestVariable]]:
    """Scope and variable by the name that user code finds it under."""
    own = {one.name: ("", one) for one in manifest.variables if not one.text}
    of_connections = {
        f"{connection.name}__{one.name}": (connection.name, one)
        for connection in manifest.connections
        for one in connection.variables
        if not one.text
    }
    return of_connections | own


def _without_files(manifest: Manifest) -> PackedProject:
    connections = [
        {"name": one.name, "integration": one.integration} for one in manifest.connections
    ]
    text = _least_manifest(manifest.project, connections)
    archive = pack({_MADE_MANIFEST: text})
    return PackedProject(manifest=_MADE_MANIFEST, archive=archive, file_count=1)


def _least_manifest(name: str, connections: Sequence[JsonObject] = ()) -> bytes:
    return json_text.write(
        {"project": {"name": name, "connections": list(connections)}}, is_spaced=True
    ).encode()


def _project_name(directory: Path) -> str:
    """A project's name that resembles the directory's."""
    name = re.sub(r"[^A-Za-z0-9_]+", "_", directory.name).strip("_")
    name = name if name and not name[0].isdigit() else f"local_{name}".rstrip("_")
    return name[:MAX_NAME]


def _stop(service: Service, session_id: str) -> None:
    """Stop an interrupted session as a person would, so that its `finally` blocks run."""
    note("stopping the session; Ctrl-C again does not wait for it")
    with contextlib.suppress(HooklineError):
        service.post(f"/sessions/{session_id}/stop", {"reason": "interrupted"})
        wait_final(service, session_id, RetryDeadline(_STOP_S))
