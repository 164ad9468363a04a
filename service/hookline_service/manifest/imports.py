"""Imports that nothing provides, found before a session stumbles over them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from hookline_service.manifest.modules import ImportFacts, ModuleFacts, ProjectModules

ALWAYS_PROVIDED = frozenset({"__future__", "__main__", "hookline", "autokitteh"})

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
    """An import that will fail, or a name that its module does not seem to have (`is_name`)."""

    fact: ImportFacts
    message: str
    hint: str = ""
    is_name: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportSources:
    """What a project's imports can be met from; `provided` None: the environment is not known."""

    project: ProjectModules
    facts: Mapping[str, ModuleFacts]
    stdlib: Collection[str]
    provided: Collection[str] | None


def find_unmet_imports(path: str, sources: ImportSources) -> Iterator[UnmetImport]:
    """The imports of this file that nothing provides; those for type checkers only do not count."""
    for fact in sources.facts[path].imports:
        if fact.is_type_checking:
            continue
        unmet = _check_relative(path, fact, sources) if fact.level else _check(fact, sources)
        if unmet is not None:
            yield unmet


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


def _check(fact: ImportFacts, sources: ImportSources) -> UnmetImport | None:
    top = fact.module.partition(".")[0]
    if sources.project.has(top):
        elsewhere = top in sources.stdlib or top in (sources.provided or ())
        if sources.project.path_of(top) is None and elsewhere:
            return None
        return _check_in_project(fact.module, fact, sources)
    if top in sources.stdlib or top in ALWAYS_PROVIDED:
        return None
    if sources.provided is None or top in sources.provided:
        return None
    message = f"nothing provides the module {fact.module!r}"
    return UnmetImport(fact=fact, message=message, hint=_cure(fact.module, sources))


def _check_relative(path: str, fact: ImportFacts, sources: ImportSources) -> UnmetImport | None:
    module = _absolute(path, fact)
    if module is not None:
        return _check_in_project(module, fact, sources)
    written = "." * fact.level + fact.module
    hint = "files in the project's root are no package; write the import without dots"
    return UnmetImport(fact=fact, message=f"{written!r} leads out of the project", hint=hint)


def _check_in_project(module: str, fact: ImportFacts, sources: ImportSources) -> UnmetImport | None:
    project = sources.project
    if not project.has(module):
        known = [name for name in project.names() if "." in name or "." not in module]
        hint = _did_you_mean(module, known)
        return UnmetImport(fact=fact, message=f"the project has no module {module!r}", hint=hint)
    path = project.path_of(module)
    facts = sources.facts.get(path) if path is not None else ModuleFacts()
    if facts is None or facts.is_open:
        return None
    for name in fact.names:
        if name == "*" or name in facts.names or name.startswith("__"):
            continue
        if not project.has(f"{module}.{name}"):
            message = f"the module {module!r} has no name {name!r}"
            hint = _did_you_mean(name, list(facts.names))
            return UnmetImport(fact=fact, message=message, hint=hint, is_name=path is not None)
    return None


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
