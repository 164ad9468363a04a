"""Code objects of a project's modules, compiled once per build and kept in a directory.

Each module has two variants: rewritten, for durable sessions, and plain. A file of the directory is named by what
its content depends on (source, path, interpreter, rewriter), so nothing ever needs to be invalidated. The runner host
fills the directory when it prepares a build; a session process only reads it, and compiles what it lacks.
Standard library only.
"""

from __future__ import annotations

import ast
import contextlib
import hashlib
import importlib.util
import marshal
import os
import sys
import tempfile
import warnings
from collections.abc import Iterable, Mapping
from types import CodeType
from typing import Final, cast

from hookline_runner.rewriting import REWRITER_VERSION, rewrite
from hookline_runner.source_faults import NOT_COMPILED

_STAMP: Final = importlib.util.MAGIC_NUMBER + f"{sys.version_info[:2]}|{REWRITER_VERSION}|".encode()
_REWRITING_DEPTH: Final = 20_000
_SUFFIX: Final = {True: ".gated", False: ".plain"}


def compile_source(source: bytes, path: str, *, rewritten: bool) -> CodeType:
    """Compile one module; `path` becomes the file name of its code.

    Raises:
        SyntaxError: the source is not Python.
        ValueError: the source holds a null character.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its author sees them at deploy: see `source_faults`
        tree = ast.parse(source, path)
        if rewritten:
            tree = _rewrite_deep(tree)
        return compile(tree, path, "exec", dont_inherit=True)


def _rewrite_deep(tree: ast.Module) -> ast.Module:
    """Rewrite as deep a tree as the compiler takes: rewriting needs several frames of Python where it needs one."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(limit + _REWRITING_DEPTH)
    try:
        return rewrite(tree)
    finally:
        sys.setrecursionlimit(limit)


def compile_project(files: Mapping[str, bytes], code_dir: str) -> list[str]:
    """Compile every `.py` file (path relative to the project → source) in both variants into `code_dir`.

    Returns:
        The paths that do not compile.
    """
    cache = CodeCache(code_dir)
    failed: list[str] = []
    for path, source in files.items():
        if not path.endswith(".py"):
            continue
        try:
            cache.add(source, path)
        except NOT_COMPILED:
            failed.append(path)
    return failed


class CodeCache:
    """The compiled modules of one directory, with those already loaded kept in memory."""

    __slots__ = ("_directory", "_loaded", "_trusted")

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._loaded: dict[str, CodeType] = {}
        self._trusted: dict[tuple[str, int, int], tuple[str, str]] = {}

    def trust(self, files: Mapping[str, bytes], mtime_ns: int) -> None:
        """Copies of these files (path relative to the project → content) that carry this time need not be read."""
        for path, source in files.items():
            if path.endswith(".py"):
                plain, gated = (_entry_name(source, path, rewritten=flag) for flag in (False, True))
                self._trusted[path, len(source), mtime_ns] = (plain, gated)

    def find_trusted(
        self, path: str, size: int, mtime_ns: int, *, rewritten: bool
    ) -> CodeType | None:
        """The code of such a copy, if it is in memory."""
        names = self._trusted.get((path, size, mtime_ns))
        return None if names is None else self._loaded.get(names[rewritten])

    def get(self, source: bytes, path: str, *, rewritten: bool) -> CodeType:
        """The code of this source, from memory, from disk or compiled now. Raises as `compile_source`."""
        name = _entry_name(source, path, rewritten=rewritten)
        code = self._loaded.get(name)
        if code is None:
            code = self._read(name)
            if code is None:
                code = compile_source(source, path, rewritten=rewritten)
            self._loaded[name] = code
        return code

    def add(self, source: bytes, path: str) -> None:
        """Put both variants of a module on disk, unless they are there. Raises as `compile_source`."""
        for rewritten in (True, False):
            name = _entry_name(source, path, rewritten=rewritten)
            target = os.path.join(self._directory, name)  # noqa: PTH118 - a hot path: no Path objects
            if not os.path.exists(target):  # noqa: PTH110 - as above
                code = compile_source(source, path, rewritten=rewritten)
                _write_whole(target, marshal.dumps(code))

    def preload(self) -> int:
        """Load everything on disk into memory, for a process that will be forked; how many modules that were."""
        names: Iterable[str] = ()
        with contextlib.suppress(OSError):
            names = os.listdir(self._directory)  # noqa: PTH208 - as above
        for name in names:
            if name.endswith(tuple(_SUFFIX.values())) and name not in self._loaded:
                code = self._read(name)
                if code is not None:
                    self._loaded[name] = code
        return len(self._loaded)

    def _read(self, name: str) -> CodeType | None:
        try:
            with open(os.path.join(self._directory, name), "rb") as file:  # noqa: PTH118, PTH123 - as above
                return cast("CodeType", marshal.loads(file.read()))  # noqa: S302 - written by `add` alone
        except (OSError, ValueError, EOFError, TypeError):
            return None


_caches: dict[str, CodeCache] = {}


def open_cache(directory: str) -> CodeCache:
    """The cache of that directory; the same object each time, so that a forked process inherits what is loaded."""
    cache = _caches.get(directory)
    if cache is None:
        cache = _caches[directory] = CodeCache(directory)
    return cache


def _entry_name(source: bytes, path: str, *, rewritten: bool) -> str:
    digest = hashlib.sha256(_STAMP)
    digest.update(path.encode("utf-8", "surrogateescape"))
    digest.update(b"\0")
    digest.update(source)
    return digest.hexdigest() + _SUFFIX[rewritten]


def _write_whole(target: str, data: bytes) -> None:
    """Another process may write the same file at the same time; readers see a whole one."""
    directory = os.path.dirname(target)  # noqa: PTH120 - as above
    os.makedirs(directory, exist_ok=True)  # noqa: PTH103 - as above
    descriptor, temporary = tempfile.mkstemp(dir=directory, suffix=".part")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        os.replace(temporary, target)  # noqa: PTH105 - as above
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(temporary)  # noqa: PTH108 - as above
        raise
