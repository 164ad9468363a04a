"""The part of preparing a build that needs the project's own interpreter: analysis, compilation, what is importable.

Runs in the project's environment and inside the sandbox, as ``bootstrap.py prepare FILES CODE MEMORY_BYTES``; the facts end up
in ``CODE/facts.json``. Standard library only.
"""

from __future__ import annotations

import json
import os
import platform
import resource
import sys
import sysconfig
import threading
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from importlib.machinery import all_suffixes
from pathlib import Path

from hookline_runner.analysis import Facts, analyse
from hookline_runner.compiled import compile_project
from hookline_runner.large_sources import LARGE_BYTES, LargeSources
from hookline_runner.source_faults import TOO_DEEP, judge

FACTS_FILE = "facts.json"
_TOO_DEEP = {"line": 1, "column": 1, "message": TOO_DEEP, "source": ""}
_ROOM = 6
_STACK_BYTES = 256 * 1024 * 1024
_OWN_PACKAGES = frozenset({"hookline"})
_NOT_MODULES = frozenset({"__pycache__", "_virtualenv"})


def main(arguments: Sequence[str]) -> int:
    """Analyse and compile the files of the first argument into the directory named second, within so many bytes of memory."""
    files_dir, code_dir, memory = arguments
    memory_bytes = int(memory)
    _limit_memory(memory_bytes)
    modules = _examine_all(_read_sources(Path(files_dir)), code_dir, LargeSources(memory_bytes))
    facts = {
        "modules": modules,
        "provided": sorted(provided_modules(_package_directories())),
        "stdlib": sorted(sys.stdlib_module_names),
        "python": platform.python_version(),
    }
    target = Path(code_dir) / FACTS_FILE
    unfinished = target.with_suffix(".part")
    unfinished.write_text(json.dumps(facts), encoding="utf-8")
    unfinished.rename(target)
    return 0


def _limit_memory(memory_bytes: int) -> None:
    """Let this process, and each that it makes, have that much and the room for deep nesting."""
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    limit = memory_bytes + _STACK_BYTES
    if hard == resource.RLIM_INFINITY or limit < hard:
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))


def _examine_all(sources: dict[str, bytes], code_dir: str, large: LargeSources) -> Facts:
    """The facts about each file. Large ones come last, one by one: what is wrong with them must not keep others from theirs."""
    found: Facts = {}
    small = [path for path, source in sources.items() if len(source) < LARGE_BYTES]

    def examine_small() -> Facts:
        for path in small:
            found[path] = (
                large.not_reached() if large.is_late else _examine(path, sources[path], code_dir)
            )
        return found

    _with_room(examine_small)
    for path in sources.keys() - set(small):
        work = partial(_examine, path, sources[path], code_dir)
        found[path] = large.examine(partial(_with_room, work))
    return {path: found[path] for path in sources}


def _examine(path: str, source: bytes, code_dir: str) -> Facts:
    judgement = judge(source)
    facts = analyse({path: source})[path]
    if compile_project({path: source}, code_dir):
        facts["error"] = facts["error"] or dict(_TOO_DEEP)
    facts["error"] = judgement.error or facts["error"]
    facts["warnings"] = judgement.warnings
    return facts


def _with_room(work: Callable[[], Facts]) -> Facts:
    """The result of the work, done where deeper nesting fits than Python itself compiles.

    A tree takes more levels as objects, and rewritten, than its source; what Python takes must not fail for that.
    """
    results: list[Facts] = []
    failures: list[BaseException] = []

    def keep() -> None:
        try:
            results.append(work())
        except BaseException as exc:  # noqa: BLE001 - raised again by whoever waits
            failures.append(exc)

    limit, stack_bytes = sys.getrecursionlimit(), threading.stack_size(_STACK_BYTES)
    sys.setrecursionlimit(limit * _ROOM)
    try:
        thread = threading.Thread(target=keep, name="deep nesting")
        thread.start()
        thread.join()
    finally:
        sys.setrecursionlimit(limit)
        threading.stack_size(stack_bytes)
    if failures:
        raise failures[0]
    return results[0]


def provided_modules(directories: Iterable[Path]) -> set[str]:
    """Top-level names that can be imported from these directories, and our own."""
    names = set(_OWN_PACKAGES)
    for directory in directories:
        try:
            entries = list(os.scandir(directory))
        except OSError:
            continue
        names.update(filter(None, map(_module_name, entries)))
    return names


def _module_name(entry: os.DirEntry[str]) -> str | None:
    """The module that a directory entry provides: a package, a namespace, a source file or an extension."""
    name = entry.name
    if entry.is_dir():
        module = name
    else:
        suffix = next((suffix for suffix in all_suffixes() if name.endswith(suffix)), None)
        if suffix is None:
            return None
        module = name[: -len(suffix)]
    return module if module.isidentifier() and module not in _NOT_MODULES else None


def _package_directories() -> list[Path]:
    """What is on the path besides the standard library."""
    standard = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib")}
    return [
        Path(place)
        for place in sys.path
        if place
        and place not in standard
        and not place.endswith((".zip", "lib-dynload"))
        and Path(place) != Path(__file__).parent
    ]


def _read_sources(root: Path) -> dict[str, bytes]:
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(root.rglob("*.py"))
        if path.is_file()
    }
