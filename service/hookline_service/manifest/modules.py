"""What the runner's analysis says of a project's modules, as values; and which modules a project has."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeGuard

Facts = Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class SyntaxFault:
    """What the interpreter of the project's environment says of one place, be it an error or a warning.

    `is_size` says that the file takes too much to be judged.
    """

    line: int
    column: int
    message: str
    source: str
    is_size: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class NameFacts:
    """What a module's name is: `function`, `async`, `class`, `value` or `import`.

    `event`: `ok`, `unknown`, or why it cannot be called with one event.
    """

    kind: str
    line: int
    event: str = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportFacts:
    """One import: see `analyse` of the runner."""

    module: str
    names: tuple[str, ...]
    level: int
    line: int
    column: int
    is_lazy: bool
    is_guarded: bool
    is_type_checking: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleFacts:
    """What is known of one file."""

    error: SyntaxFault | None = None
    warnings: tuple[SyntaxFault, ...] = ()
    names: Mapping[str, NameFacts] = field(default_factory=dict[str, NameFacts])
    imports: tuple[ImportFacts, ...] = ()

    @property
    def is_open(self) -> bool:
        """True if the module may have names that reading it does not tell."""
        is_unread = self.error is not None and not (self.names or self.imports)
        return is_unread or "*" in self.names or "__getattr__" in self.names


def read_modules(analysis: Mapping[str, object]) -> dict[str, ModuleFacts]:
    """The facts by path; what is not of the expected form is left out."""
    return {path: _module(facts) for path, facts in analysis.items() if _is_facts(facts)}


class ProjectModules:
    """The modules that a project's files make importable from its root."""

    def __init__(self, paths: Iterable[str]) -> None:
        self._paths: dict[str, str] = {}
        self._packages: set[str] = set()
        for path in sorted(paths):
            if path.endswith(".py"):
                self._add(path)

    def path_of(self, module: str) -> str | None:
        """The file of a module; of a package its `__init__.py`, if it has one."""
        return self._paths.get(module)

    def has(self, module: str) -> bool:
        """True for a module, a package, and a directory that holds modules."""
        return module in self._paths or module in self._packages

    def is_package(self, module: str) -> bool:
        """True if other modules can lie below this one."""
        return module in self._packages

    def names(self) -> list[str]:
        """All importable names, with dots."""
        return sorted(self._paths.keys() | self._packages)

    def _add(self, path: str) -> None:
        parts = path.removesuffix(".py").split("/")
        for depth in range(1, len(parts)):
            self._packages.add(".".join(parts[:depth]))
        is_package = parts[-1] == "__init__"
        name = ".".join(parts[:-1] if is_package else parts)
        if name and (is_package or name not in self._paths):
            self._paths[name] = path


def _module(facts: Facts) -> ModuleFacts:
    error, names, imports = facts.get("error"), facts.get("names"), facts.get("imports")
    told = facts.get("warnings")
    return ModuleFacts(
        error=_syntax_fault(error) if _is_facts(error) else None,
        warnings=tuple(_syntax_fault(one) for one in told if _is_facts(one))
        if _is_list(told)
        else (),
        names={name: _name(one) for name, one in names.items() if _is_facts(one)}
        if _is_facts(names)
        else {},
        imports=tuple(_import(one) for one in imports if _is_facts(one))
        if _is_list(imports)
        else (),
    )


def _syntax_fault(facts: Facts) -> SyntaxFault:
    return SyntaxFault(
        line=_number(facts.get("line")),
        column=_number(facts.get("column")),
        message=_text(facts.get("message")),
        source=_text(facts.get("source")),
        is_size=facts.get("size") is True,
    )


def _name(facts: Facts) -> NameFacts:
    return NameFacts(
        kind=_text(facts.get("kind")),
        line=_number(facts.get("line")),
        event=_text(facts.get("event")) or "unknown",
    )


def _import(facts: Facts) -> ImportFacts:
    names = facts.get("names")
    return ImportFacts(
        module=_text(facts.get("module")),
        names=tuple(name for name in names if isinstance(name, str)) if _is_list(names) else (),
        level=_number(facts.get("level")),
        line=_number(facts.get("line")),
        column=_number(facts.get("column")),
        is_lazy=facts.get("lazy") is True,
        is_guarded=facts.get("in_try") is True,
        is_type_checking=facts.get("type_checking") is True,
    )


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0


def _is_facts(value: object) -> TypeGuard[Facts]:
    return isinstance(value, Mapping)


def _is_list(value: object) -> TypeGuard[list[object]]:
    return isinstance(value, list)
