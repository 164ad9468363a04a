"""Values of variables that a person gives with a deploy, beside the manifest's."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Final, cast

from hookline import json_text
from hookline_service.manifest.files import ArchiveInvalidError
from hookline_service.manifest.keys import is_variable_name
from hookline_service.manifest.values import Manifest, ManifestVariable
from hookline_service.model.errors import Finding
from hookline_service.model.likeness import nearest
from hookline_service.model.secret import Secret
from hookline_service.use_cases.variables import MAX_VALUE_BYTES

GIVEN_FILE: Final = ".hookline/variables.json"
"""The member of the archive that holds them: a JSON object of `NAME` or `CONNECTION/NAME` to a text.

No file of a project has such a path, because names that begin with a dot are left out of projects.
"""

Given = Mapping[tuple[str, str], str]
"""Values by scope ("" for the project's own, else the name of a connection) and name."""


def read_given(content: bytes | None) -> Given:
    """The values in the member; none if there is no such member.

    Raises:
        ArchiveInvalidError: it is no such object.
    """
    if content is None:
        return {}
    try:
        pairs: object = json_text.read_given(content)
    except ValueError as exc:
        raise ArchiveInvalidError(f"{GIVEN_FILE} is not JSON") from exc
    if not isinstance(pairs, dict):
        raise ArchiveInvalidError(f"{GIVEN_FILE} is not a JSON object")
    given: dict[tuple[str, str], str] = {}
    for key, value in cast("dict[str, object]", pairs).items():
        scope, _, name = key.rpartition("/")
        if not isinstance(value, str) or "\0" in value:
            raise ArchiveInvalidError(f"{GIVEN_FILE}: the value of {key[:200]!r} is not a text")
        if len(value.encode("utf-8", "surrogatepass")) > MAX_VALUE_BYTES:
            raise ArchiveInvalidError(
                f"{GIVEN_FILE}: the value of {key[:200]!r} has more than {MAX_VALUE_BYTES} bytes"
            )
        given[scope, name] = value
    return given


def with_given(manifest: Manifest, given: Given) -> tuple[Manifest, tuple[Finding, ...]]:
    """The manifest as if it had these values, and an error for each that it has no place for.

    A connection takes any variable, for what it needs depends on its integration; one that it does not declare is secret.
    """
    if not given:
        return manifest, ()
    scopes = {"", *(one.name for one in manifest.connections)}
    declared = {one.name for one in manifest.variables}
    findings = [
        _unknown(manifest, scope, name)
        for scope, name in given
        if scope not in scopes or (not scope and name not in declared) or not is_variable_name(name)
    ]
    connections = tuple(
        dataclasses.replace(one, variables=_filled(one.variables, one.name, given))
        for one in manifest.connections
    )
    filled = dataclasses.replace(
        manifest,
        variables=_filled(manifest.variables, "", given),
        connections=connections,
    )
    return filled, tuple(findings)


def _filled(
    variables: tuple[ManifestVariable, ...], scope: str, given: Given
) -> tuple[ManifestVariable, ...]:
    values = {name: value for (whose, name), value in given.items() if whose == scope}
    filled: list[ManifestVariable] = []
    for one in variables:
        value = values.pop(one.name, None)
        if value is not None:
            kept = Secret(value) if one.is_secret else value
            one = dataclasses.replace(one, value=kept)  # noqa: PLW2901 - the same variable, with its value
        filled.append(one)
    if scope:
        filled += [
            ManifestVariable(name=name, value=Secret(value), is_secret=True)
            for name, value in values.items()
            if is_variable_name(name)
        ]
    return tuple(filled)


def _unknown(manifest: Manifest, scope: str, name: str) -> Finding:
    label = f"{scope}/{name}" if scope else name
    connections = [one.name for one in manifest.connections]
    known = [one.name for one in manifest.variables] + [f"{each}/NAME" for each in connections]
    if scope and scope not in connections:
        message = f"a value was given for {label!r}, but there is no connection {scope!r}"
        near = nearest(scope, connections)
        close = f"{near}/{name}" if near else ""
    else:
        message = f"a value was given for {label!r}, which the manifest does not declare"
        close = nearest(name, known)
    hint = f"did you mean {close!r}?" if close else "declare it under `vars`"
    if not close and known:
        hint += f"; there are {', '.join(known)}"
    return Finding(
        level="error",
        code="var.undeclared",
        file=manifest.file,
        line=0,
        column=0,
        message=message,
        hint=hint,
    )
