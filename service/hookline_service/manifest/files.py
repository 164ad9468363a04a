"""Which files make up a project, and their archive and digest."""

from __future__ import annotations

import hashlib
import io
import re
import tarfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from hookline.errors import InvalidError
from hookline_service.manifest.ignore_rules import IgnorePatterns
from hookline_service.manifest.tar_entries import TarUnreadableError, count_entries
from hookline_service.model.errors import Finding

MAX_PROJECT_BYTES = 10 * 1024 * 1024
MAX_FILES = 5000
MAX_PATH = 500
MANIFEST_NAMES = ("hookline.yaml", "autokitteh.yaml")

_SKIPPED_NAMES = frozenset({"__pycache__", "venv", "node_modules"})
_SKIPPED_SUFFIXES = (".pyc", ".pyo", "~")
_LENIENT_SUFFIXES = (".ak.yaml", ".ak.yml")
_ENVIRONMENT_MARK = "pyvenv.cfg"
_DIGEST_FORMAT = b"hookline-build-1\n"
_MAX_NAME = 255
_TEST_NAME = re.compile(r"test_.*\.py|.*_test\.py", re.DOTALL)
_SHOWN = 5
_ENTRIES_PER_FILE = 4  # directories count, too


class ArchiveInvalidError(InvalidError):
    """The bytes are not the archive of a project."""

    code = "archive.invalid"

    def __init__(self, problem: str) -> None:
        self.problem = problem
        super().__init__(f"the project's archive cannot be used: {problem}")

    @property
    def details(self) -> dict[str, object]:
        """See `HooklineError.details`."""
        return {"problem": self.problem}


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """The paths that belong to a project, sorted; and those that its `ignore` patterns leave out."""

    files: tuple[str, ...]
    ignored: tuple[str, ...]


def select_files(entries: Iterable[str], ignore: Iterable[str] = ()) -> Selection:
    """Which of these files belong to the project: all but what `is_skipped`, `is_manifest` and `ignore` name.

    Unlike AutoKitteh, names that begin with `_` belong to it, so that `__init__.py` and `_shared.py` work.

    Args:
        entries: Paths of files, relative to the project's directory, with `/`.
        ignore: The manifest's patterns; see `IgnorePatterns`.
    """
    paths = set(entries)
    environments = {f"{path.removesuffix(_ENVIRONMENT_MARK)}" for path in paths if _marks(path)}
    patterns = IgnorePatterns(ignore)
    files: list[str] = []
    ignored: list[str] = []
    for path in sorted(paths):
        if is_skipped(path) or is_manifest(path) or _is_below(path, environments):
            continue
        (ignored if patterns.leaves_out(path) else files).append(path)
    return Selection(files=tuple(files), ignored=tuple(ignored))


def is_skipped(path: str) -> bool:
    """True for a file or directory that never belongs to a project.

    Those are names that begin with a dot, caches, virtual environments, `node_modules`, compiled and swap files.
    """
    return any(
        part.startswith(".") or part in _SKIPPED_NAMES or part.endswith(_SKIPPED_SUFFIXES)
        for part in path.split("/")
    )


def is_test(path: str) -> bool:
    """True for a file of the project's own tests, by the names that pytest looks for."""
    *folders, name = path.split("/")
    return "tests" in folders or name == "conftest.py" or bool(_TEST_NAME.fullmatch(name))


def is_manifest(path: str) -> bool:
    """True for a manifest in the project's root: it may hold secrets, so it is not among the files."""
    return "/" not in path and (path in MANIFEST_NAMES or path.endswith(_LENIENT_SUFFIXES))


def find_manifest(entries: Iterable[str]) -> str | None:
    """The manifest among the files of a directory: `hookline.yaml` before `autokitteh.yaml` before `*.ak.yaml`."""
    names = sorted(path for path in entries if is_manifest(path))
    for name in MANIFEST_NAMES:
        if name in names:
            return name
    return names[0] if names else None


def check_sizes(
    sizes: Mapping[str, int], *, max_bytes: int = MAX_PROJECT_BYTES, max_files: int = MAX_FILES
) -> tuple[Finding, ...]:
    """What is too large, too many or wrongly named among files of these sizes in bytes."""
    findings = [_error("project.bad_path", path, problem) for path, problem in _bad_paths(sizes)]
    total = sum(sizes.values())
    if total > max_bytes:
        largest = sorted(sizes.items(), key=lambda item: (-item[1], item[0]))[:_SHOWN]
        listed = ", ".join(f"{path} ({_human(size)})" for path, size in largest)
        message = f"the project has {_human(total)}; the limit is {_human(max_bytes)}"
        hint = f"name what is not needed under `ignore`; the largest are {listed}"
        findings.append(_error("project.too_large", "", message, hint))
    if len(sizes) > max_files:
        message = f"the project has {len(sizes):,} files; the limit is {max_files:,}"
        hint = "name what is not needed under `ignore`"
        findings.append(_error("project.too_many_files", "", message, hint))
    return tuple(findings)


def pack(files: Mapping[str, bytes]) -> bytes:
    """An uncompressed tar of these files; the same files give the same bytes.

    Raises:
        ArchiveInvalidError: a path leads out of the project or cannot be a file's name.
    """
    for path, problem in _bad_paths(files):
        raise ArchiveInvalidError(f"{path!r} {problem}")
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path in sorted(files):
            member = tarfile.TarInfo(path)
            member.size = len(files[path])
            member.mode = 0o644
            archive.addfile(member, io.BytesIO(files[path]))
    return buffer.getvalue()


def unpack(
    archive: bytes, *, max_bytes: int = MAX_PROJECT_BYTES, max_files: int = MAX_FILES
) -> dict[str, bytes]:
    """The files of an archive by path, sorted; nothing is written anywhere.

    Directories are passed over.

    Raises:
        ArchiveInvalidError: it is no tar, is damaged or cut short; it holds a link, a device, a path that leads out, a
            path twice; or it is over a limit.
    """
    files: dict[str, bytes] = {}
    try:
        unread = count_entries(archive, most=_ENTRIES_PER_FILE * max_files)
        with tarfile.open(fileobj=io.BytesIO(archive), mode="r:") as tar:
            left = max_bytes
            for member in tar:
                unread -= 1
                if member.isdir():
                    continue
                files[member.name] = _content(tar, member, files, left)
                left -= member.size
                if len(files) > max_files:
                    raise ArchiveInvalidError(f"it has more than {max_files:,} files")
    except TarUnreadableError as exc:
        raise ArchiveInvalidError(str(exc)) from exc
    except (tarfile.TarError, ValueError, EOFError, OverflowError, RecursionError) as exc:
        raise ArchiveInvalidError("it is not a tar archive, or is cut short") from exc
    if unread:
        raise ArchiveInvalidError("a header in it is damaged")
    for path, problem in _bad_paths(files):
        raise ArchiveInvalidError(f"{path!r} {problem}")
    return dict(sorted(files.items()))


def digest(manifest: bytes, files: Mapping[str, bytes], python: str, requirements: str) -> str:
    """SHA-256 in hex over everything a build consists of: equal input, equal digest, and the other way round.

    Args:
        manifest: What `canonical_json` gave.
        files: The project's files.
        python: The version asked for, or empty.
        requirements: Text of the requirements, or empty.
    """
    state = hashlib.sha256(_DIGEST_FORMAT)
    pieces: list[bytes] = [manifest, python.encode(), requirements.encode()]
    for path in sorted(files):
        pieces += [path.encode(), files[path]]
    for piece in pieces:
        state.update(len(piece).to_bytes(8, "big"))
        state.update(piece)
    return state.hexdigest()


def _content(
    tar: tarfile.TarFile, member: tarfile.TarInfo, files: Mapping[str, bytes], left: int
) -> bytes:
    if not member.isreg() or member.issparse():
        raise ArchiveInvalidError(f"{member.name!r} is not a regular file")
    if member.name in files:
        raise ArchiveInvalidError(f"{member.name!r} is in it twice")
    if member.size > left:
        raise ArchiveInvalidError("its files are larger than a project may be")
    reader = tar.extractfile(member)
    content = b"" if reader is None else reader.read(member.size)
    if len(content) != member.size:
        raise ArchiveInvalidError(f"it is cut short in {member.name!r}")
    return content


def _bad_paths(paths: Iterable[str]) -> list[tuple[str, str]]:
    """Paths that cannot be a project's, each with the reason as the end of a sentence."""
    known = set(paths)
    found: list[tuple[str, str]] = []
    for path in sorted(known):
        problem = _path_problem(path)
        if not problem and any(parent in known for parent in _parents(path)):
            problem = "lies below another file"
        if problem:
            found.append((path, problem))
    return found


def _path_problem(path: str) -> str:
    parts = path.split("/")
    if ".." in parts or path.startswith("/") or (len(path) > 1 and path[1] == ":"):
        return "leads out of the project"
    if "" in parts or "." in parts:
        return "has an empty part"
    if "\\" in path or not path.isprintable():
        return "holds a character that no file of a project may have in its name"
    if len(path.encode()) > MAX_PATH or any(len(part.encode()) > _MAX_NAME for part in parts):
        return "is too long"
    return ""


def _parents(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[:depth]) for depth in range(1, len(parts))]


def _marks(path: str) -> bool:
    return path.endswith("/" + _ENVIRONMENT_MARK)


def _is_below(path: str, directories: set[str]) -> bool:
    return bool(directories) and any(f"{parent}/" in directories for parent in _parents(path))


def _human(size: int) -> str:
    return f"{size / 1024 / 1024:.1f} MB" if size >= 100 * 1024 else f"{size / 1024:.1f} kB"


def _error(code: str, file: str, message: str, hint: str = "") -> Finding:
    text = f"the path {message}" if code == "project.bad_path" else message
    return Finding(level="error", code=code, file=file, line=0, column=0, message=text, hint=hint)
