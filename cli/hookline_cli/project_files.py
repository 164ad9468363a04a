"""The files of a project on disk, packed for the service."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import islice
from pathlib import Path

from hookline_cli.failures import FileUnusableError
from hookline_service.manifest.values import Manifest

_MOST_BYTES = 512 * 1024 * 1024
_MOST_FILES = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class PackedProject:
    """A project as it is sent: the manifest's name within it, an uncompressed tar, the number of files.

    `declared` is what the manifest says, as far as it could be read.
    """

    manifest: str
    archive: bytes
    file_count: int
    declared: Manifest | None = None


def find_manifest(directory: Path, given: str | None = None) -> str:
    """The manifest's name within the project.

    Raises:
        FileUnusableError: there is none, or the one given is not inside the project.
    """
    from hookline_service.manifest import files

    if given is not None:
        path = directory / given
        if not path.is_file():
            raise FileUnusableError(path, "no such file")
        if not path.resolve().is_relative_to(directory.resolve()):
            raise FileUnusableError(path, f"is not inside the project {directory}")
        return Path(given).as_posix()
    names = [entry.name for entry in directory.iterdir() if entry.is_file()]
    found = files.find_manifest(names)
    if found is None:
        known = " or ".join(files.MANIFEST_NAMES)
        raise FileUnusableError(directory, f"holds no {known}; {_way_out(names)}")
    return found


def _way_out(names: list[str]) -> str:
    """What to do about a manifest that is there under a name of its own, such as `hookline.yml`."""
    stems = {"hookline", "autokitteh"}
    likely = [name for name in sorted(names) if _is_yaml(name) and _stem(name) in stems]
    likely += get_close_matches("hookline.yaml", sorted(set(names) - set(likely)), n=1, cutoff=0.8)
    if not likely:
        return "name another by --manifest"
    meant = "autokitteh.yaml" if _stem(likely[0]) == "autokitteh" else "hookline.yaml"
    return f"rename {likely[0]} to {meant}, or name it by --manifest {likely[0]}"


def _is_yaml(name: str) -> bool:
    return name.lower().endswith((".yaml", ".yml"))


def _stem(name: str) -> str:
    return name.rpartition(".")[0].lower()


def pack_project(directory: Path, given: str | None) -> PackedProject:
    """Everything in the directory that belongs to the project, with its manifest.

    Raises:
        FileUnusableError: there is no manifest, or a file cannot be read.
        ProjectInvalidError: there is far too much, or a file has a name that no project may hold.
    """
    manifest = find_manifest(directory, given)
    return _pack(directory, manifest, _read(directory / manifest))


def pack_without_manifest(directory: Path, text: bytes) -> PackedProject:
    """Everything in a directory that has no manifest but this one, which is made up. Raises as `pack_project`."""
    from hookline_service.manifest.files import MANIFEST_NAMES, MAX_FILES

    if next(islice(_walk(directory), MAX_FILES, None), None) is not None:
        problem = f"has no {MANIFEST_NAMES[0]} and more than {MAX_FILES:,} files; is it a project?"
        raise FileUnusableError(directory, problem)
    return _pack(directory, MANIFEST_NAMES[0], text)


def _pack(directory: Path, manifest: str, text: bytes) -> PackedProject:
    from hookline_service.manifest import files, parse

    parsed = parse.parse_manifest(text, manifest).manifest
    selection = files.select_files(_walk(directory), parsed.ignore if parsed else ())
    _check_sizes({path: _size(directory / path) for path in selection.files})
    contents = {path: _read(directory / path) for path in selection.files}
    contents[manifest] = text
    archive = files.pack(contents)
    return PackedProject(
        manifest=manifest, archive=archive, file_count=len(contents), declared=parsed
    )


def find_project_directory(start: Path) -> Path | None:
    """The nearest directory with a manifest: this one, or one above it."""
    return next((one for one in (start, *start.parents) if has_manifest(one)), None)


def has_manifest(directory: Path) -> bool:
    """Whether there is a manifest in the directory; false for one that may not be looked into."""
    from hookline_service.manifest import files

    try:
        names = [entry.name for entry in directory.iterdir() if entry.is_file()]
    except OSError:
        return False
    return files.find_manifest(names) is not None


def _check_sizes(sizes: Mapping[str, int]) -> None:
    """Refuse what no service takes before it is read; the service has a limit of its own."""
    from hookline_service.manifest.files import check_sizes
    from hookline_service.model.errors import ProjectInvalidError

    findings = check_sizes(sizes, max_bytes=_MOST_BYTES, max_files=_MOST_FILES)
    if findings:
        raise ProjectInvalidError(findings)


def _walk(directory: Path) -> Iterator[str]:
    """Paths of regular files below the directory, with `/`; what never belongs to a project is not entered."""
    from hookline_service.manifest.files import is_skipped

    pending = [""]
    while pending:
        base = pending.pop()
        try:
            entries = list(os.scandir(directory / base))
        except OSError as exc:
            raise FileUnusableError(directory / base, exc.strerror or "cannot be read") from exc
        for entry in entries:
            name = f"{base}{entry.name}"
            if is_skipped(entry.name):
                continue
            if entry.is_dir(follow_symlinks=False):
                pending.append(name + "/")
            elif entry.is_file():
                yield name


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as exc:
        raise FileUnusableError(path, exc.strerror or "cannot be read") from exc


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as exc:
        raise FileUnusableError(path, exc.strerror or "cannot be read") from exc
