"""The package `autokitteh` in a session: its functions are live from the moment it is imported.

The installed package is left as it is, but for the functions that are inert outside a server: as soon as one of its modules
has run, they are replaced by those of `autokitteh_functions`. So what imports from it, be it a module of the project or
of the package, gets the live ones. An environment without the package gets our own modules under its name.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, Final

from hookline import Event
from hookline_runner.session import autokitteh_functions, autokitteh_stand_in
from hookline_runner.session.autokitteh_functions import LIVE, PACKAGE


def watch_imports() -> None:
    """From now on `autokitteh` is live when it is imported; for the life of the process."""
    if not any(type(finder) is AutoKittehFinder for finder in sys.meta_path):
        sys.meta_path.insert(0, AutoKittehFinder())


def own_event(event: Event) -> Any:
    """The event as the package's own class, when the project uses the package."""
    return autokitteh_functions.own_event(event)


class AutoKittehFinder(MetaPathFinder):
    """Finds the package's modules as the other finders do, and makes them live once they have run."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """See `importlib.abc.MetaPathFinder.find_spec`.

        Raises:
            ImportError: it is a module that only the installed package has.
        """
        if fullname.partition(".")[0] != PACKAGE:
            return None
        spec = self._found_elsewhere(fullname, path, target)
        if spec is None:
            return _stand_in_spec(fullname)
        if fullname in LIVE and spec.loader is not None and hasattr(spec.loader, "exec_module"):
            spec.loader = _LiveLoader(spec.loader)
        return spec

    def _found_elsewhere(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None
    ) -> ModuleSpec | None:
        for finder in sys.meta_path:
            if finder is not self:
                spec = finder.find_spec(fullname, path, target)
                if spec is not None:
                    return spec
        return None


class _LiveLoader(Loader):
    """Runs a module as its own loader does, then replaces its inert functions."""

    def __init__(self, loader: Loader) -> None:
        self._loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """See `importlib.abc.Loader.create_module`."""
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        """See `importlib.abc.Loader.exec_module`."""
        self._loader.exec_module(module)
        make_live(module)

    def __getattr__(self, name: str) -> Any:
        """Sources, resources and files, for those who ask."""
        return getattr(self._loader, name)


class _StandInLoader(Loader):
    """Fills one of our own modules."""

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """The import system's own kind of module."""
        del spec
        return None

    def exec_module(self, module: ModuleType) -> None:
        """Put the names in place; those of the package last, for they hide the sub-module `store`."""
        if module.__name__ == PACKAGE:
            for name in autokitteh_stand_in.SUB_MODULES:
                importlib.import_module(name)
        vars(module).update(autokitteh_stand_in.MODULES[module.__name__])


def make_live(module: ModuleType) -> None:
    """Replace the module's functions that do nothing outside a server; names that it lacks stay away."""
    names = vars(module)
    for name, function in LIVE.get(module.__name__, {}).items():
        if name in names:
            names[name] = function
    autokitteh_functions.add_moved_names(module)


_STAND_IN_LOADER: Final = _StandInLoader()


def _stand_in_spec(fullname: str) -> ModuleSpec | None:
    """One of our own modules; only if the package is not there, or is ours."""
    package = sys.modules.get(PACKAGE)
    is_ours = package is None or getattr(package.__spec__, "loader", None) is _STAND_IN_LOADER
    if not is_ours:
        return None
    if fullname in autokitteh_stand_in.MODULES:
        is_package = fullname == PACKAGE
        return ModuleSpec(fullname, _STAND_IN_LOADER, origin="hookline", is_package=is_package)
    if fullname.removeprefix(f"{PACKAGE}.") in autokitteh_stand_in.CLIENT_MODULES:
        raise ImportError(
            f"{fullname} comes with the package autokitteh and the libraries it uses: "
            "add `autokitteh[all]` to requirements.txt",
            name=fullname,
        )
    return None
