"""The manifest's text to values, with everything that is wrong in it found in one go."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from hookline_service.manifest import document
from hookline_service.manifest.exports import parse_exports
from hookline_service.manifest.keys import MAX_VARIABLES, ROOT_KEYS
from hookline_service.manifest.reports import Reports
from hookline_service.manifest.sections import Reading, Section
from hookline_service.manifest.triggers import parse_trigger
from hookline_service.manifest.values import (
    Manifest,
    ManifestConnection,
    ManifestVariable,
    ParsedManifest,
    Position,
    sort_findings,
)
from hookline_service.model.secret import Secret

Value = TypeVar("Value")

_LENIENT_NAME = re.compile(r"(?:^|[/\\])(?:autokitteh\.ya?ml|[^/\\]+\.ak\.ya?ml)$", re.IGNORECASE)


def parse_manifest(
    text: str | bytes, file_name: str, *, project: str | None = None
) -> ParsedManifest:
    """The manifest in this text, and everything that is wrong with it.

    Args:
        text: The file's content.
        file_name: Its name: `autokitteh.yaml` and `*.ak.yaml` are read with AutoKitteh's leniency, all else
            strictly. Findings carry it.
        project: A name that takes the place of `project.name`.

    Never raises for what the text holds; takes bounded time and memory.
    """
    reports = Reports(file_name)
    decoded = document.decode(text, reports)
    root = None
    if decoded is not None:
        reports.lines = document.source_lines(decoded)
        root = document.compose(decoded, reports)
    manifest = None
    if root is not None:
        reading = Reading(reports=reports, is_lenient=is_lenient(file_name))
        section = Section(reading, root, ROOT_KEYS, what="the manifest", allows_private=True)
        manifest = _parse_root(reading, section, project)
    return ParsedManifest(manifest=manifest, findings=sort_findings(reports.findings))


def is_lenient(file_name: str) -> bool:
    """True for the names that AutoKitteh's manifests have."""
    return _LENIENT_NAME.search(file_name) is not None


def _parse_root(reading: Reading, root: Section, project_name: str | None) -> Manifest:
    is_durable = _parse_version(reading, root) != "v2"
    project = root.section("project")
    if project is None:
        _report_no_project(reading, root)
        return _finish(reading, Manifest(project=project_name or ""))
    project.note("project")
    name = project.text("name") or ""
    if not project.has("name") and project_name is None:
        project.missing("name")
    connections = _named(
        project.sections("connections", "a connection"),
        "connections",
        _parse_connection,
    )
    triggers = _named(
        project.sections("triggers", "a trigger"),
        "triggers",
        lambda section, path: parse_trigger(
            section,
            name=path.removeprefix("triggers."),
            is_durable=is_durable,
            is_lenient=reading.is_lenient,
        ),
        keeps_nameless=True,
    )
    manifest = Manifest(
        project=project_name or name,
        display_name=project.text("display_name") or "",
        python=project.spelling("python") or "",
        requirements=_parse_requirements(project),
        ignore=tuple(project.texts("ignore", path="project.ignore")),
        process=project.text("process") or "fork",
        concurrency=project.count("concurrency"),
        variables=_parse_variables(project, "vars"),
        connections=tuple(connections),
        triggers=tuple(triggers),
        exports=parse_exports(reading, project),
    )
    return _finish(reading, manifest)


def _finish(reading: Reading, manifest: Manifest) -> Manifest:
    return replace(
        manifest,
        file=reading.reports.file,
        is_lenient=reading.is_lenient,
        positions=dict(reading.positions),
    )


def _parse_version(reading: Reading, root: Section) -> str:
    if not root.is_given("version"):
        if reading.is_lenient:
            message = "no `version`; the file is read as v1"
            reading.reports.warning("manifest.no_version", root.position, message)
        return "v1"
    return root.text("version") or "v1"


def _report_no_project(reading: Reading, root: Section) -> None:
    if root.is_given("project") and not (reading.is_lenient and root.is_null("project")):
        return
    if reading.is_lenient:
        message = "the manifest names no project, so there is nothing to deploy"
        reading.reports.warning("manifest.no_project", root.position, message)
        return
    hint = "write `project:` and under it, indented, `name: my_project`"
    reading.reports.error(
        "manifest.missing_key", root.position, "the manifest needs `project`", hint=hint
    )


def _parse_requirements(project: Section) -> str | tuple[str, ...] | None:
    if not project.has("requirements"):
        return None
    if project.is_scalar("requirements"):
        return project.text("requirements")
    return tuple(project.texts("requirements", path="project.requirements"))


def _named(
    sections: list[Section],
    base: str,
    parse: Callable[[Section, str], Value | None],
    *,
    keeps_nameless: bool = False,
) -> list[Value]:
    """Parse each map of a list; a name may stand once.

    With `keeps_nameless` an item whose name is at fault gets one that nobody can write, so that the rest of it is checked.
    """
    found: list[Value] = []
    seen: dict[str, Position] = {}
    for index, section in enumerate(sections):
        name = section.text("name")
        if not section.has("name"):
            section.missing("name")
        if name and name in seen:
            section.duplicate(name, seen[name])
        is_named = bool(name) and name not in seen
        path = f"{base}.{name if is_named else f'#{index}'}"
        if is_named or keeps_nameless:
            section.note(path)
        seen.setdefault(name or "", section.place("name"))
        value = parse(section, path)
        if value is not None and (name or keeps_nameless):
            found.append(value)
    return found


def _parse_connection(section: Section, path: str) -> ManifestConnection | None:
    variables = _parse_variables(section, f"{path}.vars")
    if not section.has("integration"):
        section.missing("integration")
    name, integration = section.text("name"), section.text("integration")
    if not name or not integration:
        return None
    return ManifestConnection(name=name, integration=integration, variables=variables)


def _parse_variables(owner: Section, base: str) -> tuple[ManifestVariable, ...]:
    sections = owner.sections("vars", "a variable")
    if len(sections) > MAX_VARIABLES:
        owner.wrong("vars", f"has {len(sections)} items; up to {MAX_VARIABLES} fit")
    return tuple(_named(sections, base, _parse_variable))


def _parse_variable(section: Section, _path: str) -> ManifestVariable | None:
    name = section.text("name")
    value: str | Secret | None = section.spelling("value")
    if section.is_lenient:
        value = value or ""
    is_secret = section.flag("secret", default=False)
    if is_secret and value is not None:
        value = Secret(value)
    return ManifestVariable(
        name=name or "",
        value=value,
        is_secret=is_secret,
        description=section.text("description") or "",
        is_required=section.flag("required", default=False),
    )
