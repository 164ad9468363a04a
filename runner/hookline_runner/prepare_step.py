"""The part of preparing a build that needs the project's own interpreter: analysis, compilation, what is importable.

Runs in the project's environment and inside the sandbox, as ``bootstrap.py prepare FILES CODE``; the facts end up
in ``CODE/facts.json``. Standard library only.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import sysconfig
import threading
from collections.abc import Callable, Iterable, Sequence
from importlib.machinery import all_suffixes
from pathlib import Path

from hookline_runner.analysis import Facts, analyse
from hookline_runner.compiled import compile_project
from hookline_runner.source_faults import TOO_DEEP, judge

FACTS_FILE = "facts.json"
_TOO_DEEP = {"line": 1, "column": 1, "message": TOO_DEEP, "source": ""}
_ROOM = 6
_STACK_BYTES = 256 * 1024 * 1024
_OWN_PACKAGES = frozenset({"hookline"})
_NOT_MODULES = frozenset({"__pycache__", "_virtualenv"})


def main(arguments: Sequence[str]) -> int:
    """Analyse and compile the files of the first argument into the directory named second."""
    files_dir, code_dir = arguments
    sources = _read_sources(Path(files_dir))
    judgements = {path: judge(source) for path, source in sources.items()}
    modules = _with_room(lambda: _analyse_and_compile(sources, code_dir))
    for path, judgement in judgements.items():
        modules[path]["error"] = judgement.error or modules[path]["error"]
        modules[path]["warnings"] = judgement.warnings
    facts = {
        "modules": modules,
        "provided": sorted(provided_modules(_package_directories())),
        "stdlib": sorted(sys.stdlib_module_names),
        "python": platform.python_version(),
    }
    target = Path(code_dir) / FACTS_FILE
    partial = target.with_suffix(".part")
    partial.write_text(json.dumps(facts), encoding="utf-8")
    partial.rename(target)
    return 0


def _analyse_and_compile(sources: dict[str, bytes], code_dir: str) -> Facts:
    modules = analyse(sources)
    for path in compile_project(sources, code_dir):
        modules[path]["error"] = modules[path]["error"] or dict(_TOO_DEEP)
    return modules


def _with_room(work: Callable[[], Facts]) -> Facts:
    """The result of the work, done where deeper nesting fits than Python itself compiles.

    A tree takes more levels as objects, and rewritten, than its source; what Python takes must not fail for that.
    """
    results: list[Facts] = []
    limit, stack_bytes = sys.getrecursionlimit(), threading.stack_size(_STACK_BYTES)
    sys.setrecursionlimit(limit * _ROOM)
    try:
        thread = threading.Thread(target=lambda: results.append(work()), name="deep nesting")
        thread.start()
        thread.join()
    finally:
        sys.setrecursionlimit(limit)
        threading.stack_size(stack_bytes)
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
