"""What is in an archive that was sent for deploying: manifest, files, requirements, and the build's id."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Protocol

from hookline_service.manifest.encoding import canonical_json
from hookline_service.manifest.files import (
    check_sizes,
    digest,
    find_manifest,
    pack,
    select_files,
    unpack,
)
from hookline_service.manifest.parse import parse_manifest
from hookline_service.manifest.requirements import read_requirements
from hookline_service.manifest.values import Manifest, has_errors
from hookline_service.model.errors import Finding, ProjectInvalidError
from hookline_service.model.ids import BuildId, build_id_of
from hookline_service.use_cases.given_variables import GIVEN_FILE, read_given, with_given


class ArchiveRequest(Protocol):
    """The part of a request that says what is to be read."""

    @property
    def archive(self) -> bytes:
        """A tar of the project's directory."""
        ...

    @property
    def manifest_name(self) -> str | None:
        """The manifest in it; None takes the one that is there."""
        ...

    @property
    def project(self) -> str | None:
        """A name that takes the place of the manifest's."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A project as it was sent.

    `planned` is the manifest with the values of variables that were given beside it; `given` says of which (scope, name).
    `archive` holds the project's files without its manifest. `stored_manifest` is the manifest as canonical JSON, with
    the requirements as they were read; `default_packages` are those of them that the project did not write. `findings`
    are those of reading the manifest and of the files' sizes; a manifest that names no project is among them, and then
    there is nothing to be put in force.
    """

    manifest: Manifest
    planned: Manifest
    given: frozenset[tuple[str, str]]
    files: dict[str, bytes]
    archive: bytes
    stored_manifest: bytes
    requirements: str
    default_packages: tuple[str, ...]
    has_bad_requirements: bool
    build_id: BuildId
    findings: tuple[Finding, ...]

    @property
    def file_count(self) -> int:
        """How many files belong to the project."""
        return len(self.files)


def read_source(request: ArchiveRequest, limit_bytes: int) -> Source:
    """The project in the archive. Takes time in the order of its size, so call it in a thread.

    Raises:
        ArchiveInvalidError: it is no archive of a project, or larger than `limit_bytes`.
        ProjectInvalidError: it has no manifest that could be read.
    """
    everything = unpack(request.archive, max_bytes=limit_bytes)
    given = read_given(everything.pop(GIVEN_FILE, None))
    name = request.manifest_name or find_manifest(everything)
    if name is None or name not in everything:
        raise ProjectInvalidError((_no_manifest(name),))
    parsed = parse_manifest(everything[name], name, project=request.project)
    manifest = parsed.manifest
    if manifest is None:
        raise ProjectInvalidError(parsed.findings)
    selected = select_files(everything, manifest.ignore).files
    files = {path: everything[path] for path in selected if path != name}
    sizes = {path: len(content) for path, content in files.items()}
    planned, undeclared = with_given(manifest, given)
    findings = [*parsed.findings, *undeclared, *check_sizes(sizes, max_bytes=limit_bytes)]
    if not manifest.project and not has_errors(parsed.findings):
        findings.append(_no_project(name))
    source = _source(manifest, files, tuple(findings))
    return dataclasses.replace(source, planned=planned, given=frozenset(given))


def _source(manifest: Manifest, files: dict[str, bytes], findings: tuple[Finding, ...]) -> Source:
    read = read_requirements(manifest, files)
    stored = dataclasses.replace(manifest, requirements=tuple(read.text.splitlines()))
    requirements = stored.requirements_text
    stored_manifest = canonical_json(stored)
    return Source(
        manifest=manifest,
        planned=manifest,
        given=frozenset(),
        files=files,
        archive=pack(files),
        stored_manifest=stored_manifest,
        requirements=requirements,
        default_packages=read.defaults,
        has_bad_requirements=has_errors(read.findings),
        build_id=build_id_of(digest(stored_manifest, files, manifest.python, requirements)),
        findings=findings,
    )


def _no_manifest(name: str | None) -> Finding:
    message = f"there is no {name} in the project" if name else "the project has no manifest"
    return Finding(
        level="error",
        code="manifest.missing",
        file=name or "hookline.yaml",
        line=0,
        column=0,
        message=message,
        hint="write a hookline.yaml in the project's directory, or name the manifest",
    )


def _no_project(name: str) -> Finding:
    return Finding(
        level="error",
        code="manifest.no_project",
        file=name,
        line=0,
        column=0,
        message="the manifest names no project, so there is nothing to deploy",
        hint="write `project:` and under it, indented, `name: my_project`",
    )
