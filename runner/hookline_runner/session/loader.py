"""Imports the project's modules: before anything installed, from compiled code, for the session's whole life."""

from __future__ import annotations

import _imp
import os
import sys
from collections.abc import Callable, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import CodeType, ModuleType
from typing import Final

from hookline_runner.compiled import CodeCache
from hookline_runner.session.branches import INSIDE, current

_INIT: Final = "__init__.py"
# What the import system itself does with cached code.
_fix_file_name: Final[Callable[[CodeType, str], None]] = vars(_imp)["_fix_co_filename"]


class ProjectFinder(MetaPathFinder):
    """Finds modules below the project's directory, ahead of every other finder."""

    def __init__(self, project_dir: str, cache: CodeCache, *, rewritten: bool) -> None:
        self._root = project_dir.rstrip("/")
        self._cache = cache
        self._rewritten = rewritten
        self._codes: dict[str, tuple[tuple[int, int], CodeType]] = {}
        self.found: set[str] = set()  # names of modules given out

    def use(self, *, rewritten: bool) -> None:
        """Which variant to load from now on."""
        if self._rewritten is not rewritten:
            self._rewritten = rewritten
            self._codes.clear()

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """See `importlib.abc.MetaPathFinder.find_spec`."""
        del target
        if path is None:
            return self._spec_in(self._root, fullname, fullname)
        for directory in path:
            if directory == self._root or directory.startswith(self._root + "/"):
                spec = self._spec_in(directory, fullname.rpartition(".")[2], fullname)
                if spec is not None:
                    return spec
        return None

    def code_of(self, file: str) -> CodeType:
        """The compiled module in this file. Raises `OSError`, `SyntaxError`, `ValueError`."""
        found = os.stat(file)  # noqa: PTH116 - a hot path: no Path objects
        signature = (found.st_mtime_ns, found.st_size)
        known = self._codes.get(file)
        if known is not None and known[0] == signature:
            return known[1]
        relative = file[len(self._root) + 1 :]
        code = self._cache.find_trusted(
            relative, found.st_size, found.st_mtime_ns, rewritten=self._rewritten
        )
        if code is None:
            with open(file, "rb") as source:  # noqa: PTH123 - as above
                text = source.read()
            code = self._cache.get(text, relative, rewritten=self._rewritten)
        _fix_file_name(code, file)
        self._codes[file] = (signature, code)
        return code

    def _spec_in(self, directory: str, name: str, fullname: str) -> ModuleSpec | None:
        base = f"{directory}/{name}"
        file = f"{base}.py"
        if os.path.isfile(file):  # noqa: PTH113 - as above
            return self._spec(fullname, file, None)
        if not os.path.isdir(base):  # noqa: PTH112 - as above
            return None
        file = f"{base}/{_INIT}"
        if os.path.isfile(file):  # noqa: PTH113 - as above
            return self._spec(fullname, file, base)
        if directory == self._root and not _holds_modules(base):
            return None  # a directory of data: an installed package of that name may be meant
        self.found.add(fullname)
        spec = ModuleSpec(fullname, None, is_package=True)
        spec.submodule_search_locations = [base]
        return spec

    def _spec(self, fullname: str, file: str, package_dir: str | None) -> ModuleSpec:
        self.found.add(fullname)
        spec = ModuleSpec(
            fullname, _ProjectLoader(self, file), origin=file, is_package=package_dir is not None
        )
        spec.has_location = True
        if package_dir is not None:
            spec.submodule_search_locations = [package_dir]
        return spec


class _ProjectLoader(Loader):
    """Runs one module of the project."""

    def __init__(self, finder: ProjectFinder, file: str) -> None:
        self._finder = finder
        self._file = file

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """The import system's own kind of module."""
        del spec
        return None

    def exec_module(self, module: ModuleType) -> None:
        """Run the module's statements; nothing is recorded while a module loads."""
        code = self._finder.code_of(self._file)
        token = current.set(INSIDE)
        try:
            exec(code, vars(module))  # noqa: S102 - this is how modules are run
        finally:
            current.reset(token)

    def get_source(self, fullname: str) -> str:
        """The module's source, for tracebacks and `inspect`."""
        del fullname
        with open(self._file, encoding="utf-8", errors="replace") as source:  # noqa: PTH123 - as above
            return source.read()

    def get_filename(self, fullname: str) -> str:
        """Where the module's source is."""
        del fullname
        return self._file

    def get_data(self, path: str) -> bytes:
        """A file beside the module, for `pkgutil`."""
        with open(path, "rb") as file:  # noqa: PTH123 - as above
            return file.read()


class ModuleSet:
    """The project's share of `sys.modules` and `sys.path`."""

    __slots__ = ("_finder", "_root")

    def __init__(self, project_dir: str, finder: ProjectFinder) -> None:
        self._root = project_dir.rstrip("/")
        self._finder = finder

    def install(self) -> None:
        """Give the project's modules precedence, over installed ones that were imported before as well."""
        sys.meta_path.insert(0, self._finder)
        sys.path.insert(0, self._root)
        for name in self._top_level_names():
            if name in sys.modules and name not in sys.stdlib_module_names:
                self._drop(name)

    def uninstall(self) -> None:
        """Forget everything that was imported from the project."""
        if self._finder in sys.meta_path:
            sys.meta_path.remove(self._finder)
        if self._root in sys.path:
            sys.path.remove(self._root)
        sys.path_importer_cache.pop(self._root, None)
        for name in self._finder.found:
            sys.modules.pop(name, None)
        self._finder.found.clear()

    def _top_level_names(self) -> list[str]:
        names: list[str] = []
        with os.scandir(self._root) as entries:
            for entry in entries:
                if entry.name.endswith(".py"):
                    names.append(entry.name[:-3])
                elif entry.is_dir() and entry.name.isidentifier():
                    names.append(entry.name)
        return names

    def _drop(self, name: str) -> None:
        if self._finder.find_spec(name) is None:
            return
        for loaded in list(sys.modules):
            if loaded == name or loaded.startswith(name + "."):
                del sys.modules[loaded]


def _holds_modules(directory: str) -> bool:
    try:
        with os.scandir(directory) as entries:
            return any(entry.name.endswith(".py") for entry in entries)
    except OSError:
        return False
