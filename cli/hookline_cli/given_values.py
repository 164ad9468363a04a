"""Values of variables that are given with a deploy: by option, from a file, or asked for."""

from __future__ import annotations

import dataclasses
import io
import sys
import tarfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import click

from hookline import json_text
from hookline_cli.client import Service
from hookline_cli.display import note
from hookline_cli.failures import AnswerError, ArgumentInvalidError, FileUnusableError
from hookline_cli.json_values import objects_in
from hookline_cli.options import segment
from hookline_cli.paths import read_file
from hookline_cli.project_files import PackedProject
from hookline_service.manifest.values import Manifest, ManifestVariable

_NAMED = 5


def gather_values(
    service: Service,
    packed: PackedProject,
    *,
    given: Iterable[str],
    files: Iterable[Path],
    project: str | None,
    asks: bool,
) -> dict[str, str]:
    """The values by `NAME` or `CONNECTION/NAME`; options come before files, and later files before earlier ones.

    With `asks`, and on a terminal, required variables that have no value anywhere are asked for.

    Raises:
        ArgumentInvalidError: an option is not `NAME=VALUE`.
        FileUnusableError: a file cannot be read.
    """
    values: dict[str, str] = {}
    for file in files:
        values |= _from_file(file, packed.declared)
    values |= dict(_from_option(each) for each in given)
    if asks and packed.declared is not None and _can_ask():
        name = project or packed.declared.project
        values |= _asked_for(service, name, packed.declared, values)
    return values


def with_values(packed: PackedProject, values: Mapping[str, str]) -> PackedProject:
    """The project as it is sent with these values."""
    if not values:
        return packed
    from hookline_service.use_cases.given_variables import GIVEN_FILE

    content = json_text.write_bytes(values)
    member = tarfile.TarInfo(GIVEN_FILE)
    member.size = len(content)
    buffer = io.BytesIO(packed.archive)
    with tarfile.open(fileobj=buffer, mode="a:", format=tarfile.PAX_FORMAT) as archive:
        archive.addfile(member, io.BytesIO(content))
    return dataclasses.replace(packed, archive=buffer.getvalue())


def _from_option(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if equals:
        return name, value
    if not _can_ask():
        problem = (
            f"{text!r} has no value: write --var {text}=VALUE, or put it into a file for --env-file"
        )
        raise ArgumentInvalidError("--var", problem)
    return name, _ask(name, is_secret=True)


def _from_file(path: Path, declared: Manifest | None) -> dict[str, str]:
    """What the file sets of that which the manifest declares; the names of the rest are told, for it is often shared."""
    from dotenv import dotenv_values

    try:
        text = read_file(path).decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        raise FileUnusableError(path, "is not UTF-8") from exc
    found = dotenv_values(stream=io.StringIO(text), interpolate=False)
    known = {key for key, _ in _declared_variables(declared)}
    values = {name: value for name, value in found.items() if value is not None and name in known}
    others = [name for name in found if name not in values]
    if others:
        shown = ", ".join(others[:_NAMED]) + (", …" if len(others) > _NAMED else "")
        note(f"{path}: not declared by the manifest, so not used: {shown}")
    return values


def _declared_variables(declared: Manifest | None) -> Iterable[tuple[str, ManifestVariable]]:
    """The variables by the name under which a value can be given."""
    if declared is None:
        return
    for variable in declared.variables:
        yield variable.name, variable
    for connection in declared.connections:
        for variable in connection.variables:
            yield f"{connection.name}/{variable.name}", variable


def _asked_for(
    service: Service, project: str, declared: Manifest, values: Mapping[str, str]
) -> dict[str, str]:
    missing = [
        (key, variable)
        for key, variable in _declared_variables(declared)
        if variable.is_required and not variable.text and not values.get(key)
    ]
    stored = _stored(service, project) if missing else set[str]()
    asked: dict[str, str] = {}
    for key, variable in missing:
        if key not in stored:
            if variable.description:
                note(f"{key}: {variable.description}")
            asked[key] = _ask(key, is_secret=variable.is_secret)
    return {key: value for key, value in asked.items() if value}


def _stored(service: Service, project: str) -> set[str]:
    """The variables of the project that have a value."""
    if not project:
        return set()
    try:
        answer = service.get(f"/projects/{segment(project)}/vars")
    except AnswerError as exc:
        if exc.answer_code != "project.not_found":
            raise
        return set()
    return {
        f"{one['scope']}/{one['name']}" if one.get("scope") else str(one["name"])
        for one in objects_in(answer, "items")
        if one.get("value")
    }


def _can_ask() -> bool:
    return sys.stdin.isatty() and sys.stderr.isatty()


def _ask(name: str, *, is_secret: bool) -> str:
    return str(click.prompt(name, hide_input=is_secret, default="", show_default=False, err=True))
