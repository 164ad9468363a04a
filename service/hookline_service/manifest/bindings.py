"""Whether a module of the project can have a name at all: decided from its source, and only where that leaves no doubt."""

from __future__ import annotations

import re
import symtable
import warnings
from collections.abc import Mapping
from typing import Final

# Words of code that gives its module names which nothing in the source binds.
_DYNAMIC = re.compile(
    rb"\b(?:exec|eval|globals|locals|vars|setattr|modules|global_enum|__dict__|__import__|__getattr__|_convert_"
    rb"|_getframe|currentframe|f_globals|getmodule)\b|\bimport[ \t\r\n\\]{0,20}\*"
)
_REPLACES_MODULES = re.compile(rb"\bsys\.modules\b|\bimport modules\b")
_SET_FROM_OUTSIDE = (
    re.compile(rb"(?<!\bself)(?<!\bcls)\.\s?(\w+)\s{0,4}(?::[^=\n]{0,200})?=(?!=)"),
    re.compile(rb"\b(?:setattr|__dict__|patch)\b[^\n]{0,200}?[\"'](\w+)[\"']"),
)


MOST_BYTES: Final = 256 * 1024
"""Larger sources are parsed by runner hosts alone, where memory and time are limited."""


class ModuleBindings:
    """The names that the modules of a project can have; reads each file at most once, and only when asked."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self._files = files
        self._outside: frozenset[bytes] | None = None
        self._bound: dict[str, frozenset[str] | None] = {}

    def surely_lacks(self, path: str, name: str) -> bool:
        """Whether the module of this file has no such name, whatever is called; false in doubt.

        In doubt are packages, large files, what the service's Python cannot parse, code that binds names dynamically, and names
        that any file of the project sets on some object from outside.
        """
        if path not in self._bound:
            self._bound[path] = _bound_names(path, self._files.get(path))
        bound = self._bound[path]
        if bound is None or name in bound:
            return False
        if self._outside is None:
            self._outside = _names_set_from_outside(self._files)
        return not self._outside & {name.encode("utf-8", "surrogatepass"), _ANY}


_ANY = b"*"


def _bound_names(path: str, source: bytes | None) -> frozenset[str] | None:
    """The names that the source binds in its module; None if it does not tell."""
    if source is None or path.endswith("__init__.py") or len(source) > MOST_BYTES:
        return None
    if _DYNAMIC.search(source):
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            table = symtable.symtable(source, path, "exec")  # pyright: ignore[reportArgumentType] - bytes are taken too
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    bound: set[str] = set()
    waiting = [table]
    while waiting:
        scope = waiting.pop()
        waiting += scope.get_children()
        is_module = scope.get_type() == "module"
        bound |= {one.get_name() for one in scope.get_symbols() if _binds(one, is_module=is_module)}
    return frozenset(bound)


def _binds(symbol: symtable.Symbol, *, is_module: bool) -> bool:
    """Whether the module gets the name here: at its top level, or by `global` and `:=` further in."""
    if symbol.is_declared_global():
        return True
    return is_module and (symbol.is_assigned() or symbol.is_imported() or symbol.is_namespace())


def _names_set_from_outside(files: Mapping[str, bytes]) -> frozenset[bytes]:
    """Names that some file sets on some object, which may be a module; `_ANY` if a file puts modules in place."""
    names: set[bytes] = set()
    for path, content in files.items():
        if path.endswith(".py"):
            if _REPLACES_MODULES.search(content):
                names.add(_ANY)
            for pattern in _SET_FROM_OUTSIDE:
                names.update(pattern.findall(content))
    return frozenset(names)
