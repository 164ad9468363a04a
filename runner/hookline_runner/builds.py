"""Builds on this host's disk: the project's files as deployed, content-addressed by the build's id."""

from __future__ import annotations

import errno
import io
import os
import re
import tarfile
from dataclasses import asdict, dataclass
from math import inf
from pathlib import Path, PurePosixPath

from hookline_runner import fast_json, write_points
from hookline_runner.errors import ArchiveError
from hookline_runner.idle_directories import list_idle, mark_used, remove_idle
from hookline_runner.removal import remove_anything

_MAX_FILES = 20_000
_MAX_BYTES = 256 * 1024 * 1024
_MAX_NAME_BYTES = 1000
_BUILD_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildSpec:
    """What a build asks of its environment: `python` version or "", text of requirements.txt."""

    python: str
    requirements: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """A build whose files are on this host."""

    id: str
    directory: Path
    spec: BuildSpec

    @property
    def files(self) -> Path:
        """The project's files."""
        return self.directory / "files"


class Builds:
    """The builds under one directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    @property
    def directory(self) -> Path:
        """Where they are."""
        return self._directory

    def find(self, build_id: str) -> Build | None:
        """The build of that id, if its files are here; it is in use now."""
        directory = self._path_of(build_id)
        mark_used(directory)
        return self._read(build_id)

    def list_idle(self, before_s: float) -> list[str]:
        """Ids of builds that nobody has used since a time."""
        return [name for name in list_idle(self._directory, before_s) if _BUILD_ID.fullmatch(name)]

    def remove_idle(self, build_id: str, before_s: float) -> bool:
        """Remove a build unless somebody has used it since a time; whether it is gone."""
        return remove_idle(self._path_of(build_id), before_s)

    def list_specs(self) -> list[BuildSpec]:
        """What the builds that are here ask of their environments."""
        names = [name for name in list_idle(self._directory, inf) if _BUILD_ID.fullmatch(name)]
        return [build.spec for name in names if (build := self._read(name)) is not None]

    def _read(self, build_id: str) -> Build | None:
        directory = self._path_of(build_id)
        try:
            spec = fast_json.read((directory / "build.json").read_bytes())
            return Build(id=build_id, directory=directory, spec=BuildSpec(**spec))
        except (OSError, ValueError, TypeError):
            return None

    def keep(self, build_id: str, spec: BuildSpec, archive: bytes) -> Build:
        """Unpack a build's archive; a build that is here already is left as it is. Raises `ArchiveError`."""
        found = self.find(build_id)
        if found is not None:
            return found
        directory = self._path_of(build_id)
        unpacking = directory.with_name(f"{build_id}.unpacking-{os.getpid()}")
        remove_anything(str(unpacking))
        try:
            (unpacking / "files").mkdir(parents=True)
            unpack_archive(archive, unpacking / "files")
            (unpacking / "build.json").write_bytes(fast_json.write(asdict(spec)))
            remove_anything(str(directory))  # a broken one, or `find` would have found it
            write_points.reach("runner host build: before rename")
            unpacking.rename(directory)
            write_points.reach("runner host build: after rename")
        finally:
            remove_anything(str(unpacking))
        return Build(id=build_id, directory=directory, spec=spec)

    def _path_of(self, build_id: str) -> Path:
        if not _BUILD_ID.fullmatch(build_id):
            raise ArchiveError(build_id, "not the id of a build")
        return self._directory / build_id


def unpack_archive(archive: bytes, directory: Path) -> None:
    """Write the regular files of an uncompressed tar below an existing directory. Raises `ArchiveError`.

    Links, devices, absolute names and names that lead outside are refused; nothing is written for them.
    """
    try:
        with tarfile.open(fileobj=io.BytesIO(archive), mode="r:") as tar:
            members = tar.getmembers()
            _check_members(members)
            for member in members:
                content = tar.extractfile(member)
                if content is not None:
                    _write_file(directory / member.name, member.name, content.read())
    except (tarfile.TarError, ValueError, ArithmeticError) as exc:  # what its numbers may lead to
        raise ArchiveError("", f"not a tar archive: {exc}") from exc


def _check_members(members: list[tarfile.TarInfo]) -> None:
    if len(members) > _MAX_FILES:
        raise ArchiveError("", f"{len(members)} files are more than the {_MAX_FILES} allowed")
    if (total := sum(member.size for member in members)) > _MAX_BYTES:
        raise ArchiveError("", f"{total} bytes are more than the {_MAX_BYTES} allowed")
    for member in members:
        name = member.name
        if not (member.isreg() or member.isdir()):
            raise ArchiveError(name, "only regular files are allowed, no links or devices")
        parts = PurePosixPath(name).parts
        if not parts or name.startswith("/") or ".." in parts or "\0" in name:
            raise ArchiveError(name, "names must be relative and stay inside the project")
        if len(os.fsencode(name)) > _MAX_NAME_BYTES:
            raise ArchiveError(name[:80] + "…", "the name is too long")


def _write_file(target: Path, name: str, content: bytes) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as exc:
        raise ArchiveError(name, "the same name is used for a file and a directory") from exc
    except OSError as exc:
        if exc.errno != errno.ENAMETOOLONG:
            raise
        raise ArchiveError(name[:80] + "…", "a part of the name is too long") from exc
