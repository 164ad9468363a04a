"""Imports that nothing provides, found before a session stumbles over them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from pathlib import Path

import hookline
from hookline_runner.analysis import analyse
from hookline_service.manifest.bindings import ModuleBindings
from hookline_service.manifest.default_packages import CLIENT_HELPERS
from hookline_service.manifest.modules import (
    ImportFacts,
    ModuleFacts,
    ProjectModules,
    read_modules,
)

SDK_PACKAGE = "hookline"
AUTOKITTEH = "autokitteh"
ALWAYS_PROVIDED = frozenset({"__future__", "__main__", SDK_PACKAGE, AUTOKITTEH})

_DISTRIBUTIONS = {
    "bs4": "beautifulsoup4",
    "cv2": "opencv-python-headless",
    "dateutil": "python-dateutil",
    "discord": "discord.py",
    "docx": "python-docx",
    "dotenv": "python-dotenv",
    "github": "PyGithub",
    "google.generativeai": "google-generativeai",
    "googleapiclient": "google-api-python-client",
    "jwt": "PyJWT",
    "OpenSSL": "pyOpenSSL",
    "PIL": "Pillow",
    "psycopg2": "psycopg2-binary",
    "serial": "pyserial",
    "simple_salesforce": "simple-salesforce",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "slack_sdk": "slack-sdk",
    "telegram": "python-telegram-bot",
    "yaml": "PyYAML",
}
_COMPARED = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class UnmetImport:
    """An import that will fail, of a module or of a name in one (`is_name`); not `is_sure` if it only seems so."""

    fact: ImportFacts
    message: str
    hint: str = ""
    is_name: bool = False
    is_sure: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportSources:
    """What a project's imports can be met from; `provided` None: the environment is not known.

    `bindings` tell more of the project's modules than `facts`; None: the facts are all there is to know.
    """

    project: ProjectModules
    bindings: ModuleBindings | None
    facts: Mapping[str, ModuleFacts]
    stdlib: Collection[str]
    provided: Collection[str] | None


def find_unmet_imports(path: str, sources: ImportSources) -> Iterator[UnmetImport]:
    """The imports of this file that nothing provides; those for type checkers only do not count."""
    for fact in sources.facts[path].imports:
        if not fact.is_type_checking:
            yield from _check_relative(path, fact, sources) if fact.level else _check(fact, sources)


def find_reachable(entry_paths: Collection[str], sources: ImportSources) -> frozenset[str]:
    """The project's files that these files import, themselves included, however deep."""
    reached: set[str] = set()
    waiting = [path for path in entry_paths if path in sources.facts]
    while waiting:
        path = waiting.pop()
        if path in reached:
            continue
        reached.add(path)
        for fact in sources.facts[path].imports:
            waiting += [one for one in _targets(path, fact, sources.project) if one not in reached]
    return frozenset(reached)


def _targets(path: str, fact: ImportFacts, project: ProjectModules) -> list[str]:
    base = _absolute(path, fact)
    if base is None:
        return []
    parts = base.split(".")
    modules = [".".join(parts[:depth]) for depth in range(1, len(parts) + 1)]
    modules += [f"{base}.{name}" if base else name for name in fact.names]
    found = [project.path_of(module) for module in modules]
    return [one for one in found if one is not None]


def _absolute(path: str, fact: ImportFacts) -> str | None:
    """The module's name from the root; None if a relative import leads out."""
    if not fact.level:
        return fact.module
    package = path.split("/")[:-1]
    if fact.level > len(package):
        return None
    base = package[: len(package) - fact.level + 1]
    return ".".join([*base, *([fact.module] if fact.module else [])])


def _check(fact: ImportFacts, sources: ImportSources) -> Iterator[UnmetImport]:
    top = fact.module.partition(".")[0]
    if sources.project.has(top):
        elsewhere = top in sources.stdlib or top in (sources.provided or ())
        if sources.project.path_of(top) is not None or not elsewhere:
            yield from _check_in(fact.module, fact, sources, owner="the project")
    elif top == SDK_PACKAGE:
        yield from _check_in(fact.module, fact, _sdk_sources(), owner="Hookline")
    elif not _is_provided(top, sources):
        message = f"nothing provides the module {fact.module!r}"
        yield UnmetImport(fact=fact, message=message, hint=_cure(fact.module, sources))
    elif top == AUTOKITTEH and sources.provided is not None and top not in sources.provided:
        yield from _check_client_helper(fact)


def _check_client_helper(fact: ImportFacts) -> Iterator[UnmetImport]:
    """Hookline stands in for the core of the package, but not for its helpers."""
    wanted = [fact.module, *(f"{fact.module}.{name}" for name in fact.names)]
    for module in wanted:
        parts = module.split(".")
        if len(parts) > 1 and parts[1] in CLIENT_HELPERS:
            message = f"{'.'.join(parts[:2])!r} comes with the package autokitteh, which the project does not ask for"
            hint = "add `autokitteh[all]` to requirements.txt"
            yield UnmetImport(fact=fact, message=message, hint=hint)
            return


def _is_provided(top: str, sources: ImportSources) -> bool:
    """Whether the environment has it, or may have it."""
    if top in ALWAYS_PROVIDED or top in sources.stdlib:
        return True
    return sources.provided is None or top in sources.provided


def _check_relative(path: str, fact: ImportFacts, sources: ImportSources) -> Iterator[UnmetImport]:
    module = _absolute(path, fact)
    if module is not None:
        yield from _check_in(module, fact, sources, owner="the project")
        return
    written = "." * fact.level + fact.module
    hint = "files in the project's root are not a package; write the import without dots"
    yield UnmetImport(fact=fact, message=f"{written!r} leads out of the project", hint=hint)


def _check_in(
    module: str, fact: ImportFacts, sources: ImportSources, *, owner: str
) -> Iterator[UnmetImport]:
    """The import from modules whose files are known: the project's, or the SDK's."""
    project = sources.project
    if not project.has(module):
        known = [name for name in project.names() if "." in name or "." not in module]
        hint = _did_you_mean(module, known)
        yield UnmetImport(fact=fact, message=f"{owner} has no module {module!r}", hint=hint)
        return
    path = project.path_of(module)
    facts = sources.facts.get(path) if path is not None else ModuleFacts()
    if facts is None or facts.is_open:
        return
    for name in fact.names:
        is_met = name == "*" or name in facts.names or name.startswith("__")
        if not is_met and not project.has(f"{module}.{name}"):
            yield UnmetImport(
                fact=fact,
                message=f"the module {module!r} has no name {name!r}",
                hint=_did_you_mean(name, list(facts.names)),
                is_name=path is not None,
                is_sure=path is None
                or sources.bindings is None
                or sources.bindings.surely_lacks(path, name),
            )


@cache
def _sdk_sources() -> ImportSources:
    """The SDK as user code gets it, read and never run."""
    root = Path(hookline.__file__).parent
    files = {
        path.relative_to(root.parent).as_posix(): path.read_bytes()
        for path in sorted(root.rglob("*.py"))
    }
    return ImportSources(
        project=ProjectModules(files),
        bindings=None,
        facts=read_modules(analyse(files)),
        stdlib=(),
        provided=None,
    )


def _cure(module: str, sources: ImportSources) -> str:
    top = module.partition(".")[0]
    beside = [name for name in sources.project.names() if name.endswith(f".{module}")]
    if beside:
        return f"modules count from the project's root: did you mean `{beside[0]}`?"
    known = [*sources.project.names(), *sources.stdlib, *(sources.provided or ())]
    near = _nearest(top, known, cutoff=0.8)
    distribution = _DISTRIBUTIONS.get(module) or _DISTRIBUTIONS.get(top)
    if near and distribution is None:
        return f"did you mean `{near[0]}`? Otherwise add a package that has it to requirements.txt"
    if distribution is not None:
        return f"add `{distribution}` to requirements.txt"
    return "add the package that has it to requirements.txt"


def _did_you_mean(name: str, known: list[str]) -> str:
    near = _nearest(name, known, cutoff=0.6)
    return f"did you mean `{near[0]}`?" if near else ""


def _nearest(name: str, known: list[str], *, cutoff: float) -> list[str]:
    """The name most like this one among those that begin alike, which keeps the search short."""
    alike = [one for one in known if one[:1].lower() == name[:1].lower()]
    return get_close_matches(name[:_COMPARED], alike, n=1, cutoff=cutoff)
