"""The files of a project on disk, packed for the service."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import islice
from pathlib import Path

from hookline_cli.display import note
from hookline_cli.failures import FileUnusableError
from hookline_cli.paths import problem_of_directory, problem_of_file, read_file, resolved
from hookline_service.manifest.values import Manifest

_MOST_BYTES = 512 * 1024 * 1024
_MOST_FILES = 100_000
_SHOWN = 8
_DEEPEST = 4
_MOST_FOLDERS = 2000


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
        problem = problem_of_file(path)
        if problem is not None:
            raise FileUnusableError(path, problem)
        if not resolved(path).is_relative_to(resolved(directory)):
            raise FileUnusableError(path, f"is not inside the project {directory}")
        return Path(given).as_posix()
    names, spoilt = _names_in(directory)
    found = files.find_manifest(names)
    if found is not None:
        return found
    if (spoilt_manifest := files.find_manifest(spoilt)) is not None:
        path = directory / spoilt_manifest
        raise FileUnusableError(path, problem_of_file(path) or "cannot be read")
    known = " or ".join(files.MANIFEST_NAMES)
    raise FileUnusableError(directory, f"holds no {known}; {_way_out(directory, names)}")


def _names_in(directory: Path) -> tuple[list[str], list[str]]:
    """The names of the files in the directory, and of all else.

    Raises:
        FileUnusableError: it is no directory, or may not be read.
    """
    problem = problem_of_directory(directory)
    if problem is not None:
        raise FileUnusableError(directory, problem)
    names: tuple[list[str], list[str]] = ([], [])
    try:
        with os.scandir(directory) as entries:
            for entry in entries:
                names[0 if _is_file(entry) else 1].append(entry.name)
    except OSError as exc:
        raise FileUnusableError(directory, exc.strerror or "cannot be read") from exc
    return names


def _is_file(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file()
    except OSError:  # a link that leads in a circle
        return False


def _way_out(directory: Path, names: list[str]) -> str:
    """What to do: take the folder that has a manifest, or name one that is there under a name of its own."""
    likely = _likely_manifest(names)
    if likely is not None:
        meant = "autokitteh.yaml" if _stem(likely) == "autokitteh" else "hookline.yaml"
        return f"rename {likely} to {meant}, or name it by --manifest {likely}"
    if folders := _projects_below(directory):
        shown = ", ".join(str(directory / one) for one in folders[:_SHOWN])
        more = f" and {len(folders) - _SHOWN} more" if len(folders) > _SHOWN else ""
        return f"give one of the folders below it that do: {shown}{more}"
    above = find_project_directory(resolved(directory).parent)
    if above is not None:
        return f"the project that it lies in is {above}"
    return "name another by --manifest, or make a project with `hookline init`"


def _projects_below(directory: Path) -> list[str]:
    """The nearest folders below that hold a manifest, by their paths in the directory; it looks neither deep nor long."""
    from hookline_service.manifest.files import find_manifest as manifest_among, is_skipped

    found: list[str] = []
    level = [""]
    left = _MOST_FOLDERS
    for _ in range(_DEEPEST):
        below: list[str] = []
        for base in level[:left]:
            try:
                entries = list(os.scandir(directory / base))
            except OSError:
                continue
            if base and manifest_among(one.name for one in entries if _is_file(one)):
                found.append(base.rstrip("/"))
                continue
            folders = (one.name for one in entries if one.is_dir(follow_symlinks=False))
            below += [f"{base}{name}/" for name in folders if not is_skipped(name)]
        left -= len(level)
        level = sorted(below)
        if left <= 0:
            break
    return sorted(found)


def _likely_manifest(names: list[str]) -> str | None:
    """The file that is meant to be the manifest, such as `hookline.yml`."""
    stems = {"hookline", "autokitteh"}
    likely = [name for name in sorted(names) if _is_yaml(name) and _stem(name) in stems]
    likely += get_close_matches("hookline.yaml", sorted(set(names) - set(likely)), n=1, cutoff=0.8)
    return likely[0] if likely else None


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
    links: list[str] = []
    ignore = parsed.ignore if parsed else ()
    selection = files.select_files(_walk(directory, links), ignore)
    _tell_of_links(directory, files.select_files(links, ignore).files)
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
        names, _ = _names_in(directory)
    except FileUnusableError:
        return False
    return files.find_manifest(names) is not None


def _check_sizes(sizes: Mapping[str, int]) -> None:
    """Refuse what no service takes before it is read; the service has a limit of its own."""
    from hookline_service.manifest.files import check_sizes
    from hookline_service.model.errors import ProjectInvalidError

    findings = check_sizes(sizes, max_bytes=_MOST_BYTES, max_files=_MOST_FILES)
    if findings:
        raise ProjectInvalidError(findings)


def _tell_of_links(directory: Path, links: Sequence[str]) -> None:
    for link in links[:_SHOWN]:
        note(f"{directory / link}: not sent, for it is a link that leads to no file")
    if len(links) > _SHOWN:
        note(f"{directory}: {len(links) - _SHOWN} more links are not sent")


def _walk(directory: Path, links: list[str] | None = None) -> Iterator[str]:
    """Paths of regular files below the directory, with `/`; what never belongs to a project is not entered.

    Links that lead to no file are put into `links`.
    """
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
            elif _is_file(entry):
                yield name
            elif entry.is_symlink() and links is not None:
                links.append(name)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as exc:
        raise FileUnusableError(path, exc.strerror or "cannot be read") from exc


def _read(path: Path) -> bytes:
    return read_file(path)
