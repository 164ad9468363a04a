"""Which modules a zygote imports before it forks: what the project's files import, but never the project's own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

_MAX_CHARACTERS = 64 * 1024  # a zygote gets them in one message
_NEVER = frozenset({"hookline", "hookline_runner", "__future__", "__main__", "antigravity", "this"})


def preloads_of(facts: Mapping[str, Any]) -> tuple[str, ...]:  # Any: JSON of `prepare_step`
    """Modules to import, in the order the files name them, as `module` or `module:name` (perhaps a sub-module).

    Only those of the standard library where the project sets variables of the environment before it imports others:
    these read them when they are imported.

    Args:
        facts: what `prepare_step` found out about the project and its environment.
    """
    try:
        return _choose(facts)
    except (KeyError, TypeError, AttributeError):  # foreign code in the environment wrote the facts
        return ()


def _choose(facts: Mapping[str, Any]) -> tuple[str, ...]:  # Any: as above
    sets_variables = any(module.get("sets_environment") for module in facts["modules"].values())
    provided = () if sets_variables else facts["provided"]
    available = {*provided, *facts["stdlib"]} - _NEVER
    own = {path.removesuffix(".py").partition("/")[0] for path in facts["modules"]}
    found: dict[str, None] = {}
    for module in facts["modules"].values():
        for name in _imported_names(module):
            top = name.partition(":")[0].partition(".")[0]
            if top in available and top not in own:
                found[name] = None
    return tuple(_within_limit(found))


def _within_limit(names: Iterable[str]) -> Iterator[str]:
    """The first of the names, as many as fit into the message to the zygote."""
    left = _MAX_CHARACTERS
    for name in names:
        left -= len(ascii(name)) + 4
        if left < 0:
            return
        yield name


def _imported_names(module: Mapping[str, Any]) -> Iterator[str]:  # Any: as above
    for entry in module["imports"]:
        if entry["level"] == 0 and not entry["type_checking"]:
            yield entry["module"]
            yield from (f"{entry['module']}:{name}" for name in entry["names"] if name != "*")
