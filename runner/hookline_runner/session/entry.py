"""The function that a session runs: found, called, and its coroutine run to the end."""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable, Coroutine
from types import FunctionType, ModuleType
from typing import Any, cast

from hookline import AttrDict, Event
from hookline.errors import EntryPointError
from hookline.request_values import read_request
from hookline.values import with_article
from hookline_runner.session.autokitteh import own_event


def split_entry_point(entry_point: str) -> tuple[str, str]:
    """`sub/file.py:name` → (`sub.file`, `name`).

    Raises:
        EntryPointError: it does not look like that.
    """
    path, separator, name = entry_point.replace(" ", ":", 1).rpartition(":")
    if not separator or not name or not path.endswith(".py"):
        raise EntryPointError(f"entry point {entry_point!r} is not of the form path.py:name")
    return path.removesuffix(".py").strip("/").replace("/", "."), name


def load_module(name: str) -> ModuleType:
    """Import the module of the project. Raises whatever its code raises."""
    if name in sys.stdlib_module_names and name in sys.modules:
        return _load_beside(name)
    return importlib.import_module(name)


def _load_beside(name: str) -> ModuleType:
    """A project's module that is called like a loaded one of the standard library, which others still need."""
    for finder in sys.meta_path:
        spec = finder.find_spec(name, None)
        if spec is not None and spec.loader is not None:
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            return module
    return importlib.import_module(name)


def get_handler(module: ModuleType, name: str) -> Callable[..., Any]:
    """The callable of that name.

    Raises:
        EntryPointError: there is none, or it cannot be called.
    """
    missing = object()
    handler = getattr(module, name, missing)
    if handler is missing:
        raise EntryPointError(
            f'entry point "{name}" not found after evaluation of {module.__name__}'
        )
    if not callable(handler):
        raise EntryPointError(
            f'entry point "{name}" of {module.__name__} is {with_article(type(handler).__name__)}, not a function'
        )
    return cast("Callable[..., Any]", handler)


def wants_session_id(handler: Callable[..., Any]) -> bool:
    """Whether it has a parameter called `session_id` that can be given by name."""
    if type(handler) is FunctionType and not hasattr(handler, "__wrapped__"):
        code = handler.__code__
        last = code.co_argcount + code.co_kwonlyargcount
        return "session_id" in code.co_varnames[code.co_posonlyargcount : last]
    try:
        parameter = inspect.signature(handler).parameters.get("session_id")
    except (TypeError, ValueError):
        return False
    return parameter is not None and parameter.kind in {
        parameter.POSITIONAL_OR_KEYWORD,
        parameter.KEYWORD_ONLY,
    }


def make_event(facts: dict[str, Any], body: bytes | None) -> Any:
    """The event as the handler gets it; a webhook's raw body stands in `data.body.bytes`.

    A project that has imported `autokitteh` gets an event of that package.
    """
    data: Any = facts.get("data")
    if data is None:
        data = {}
    if isinstance(data, dict):
        data = AttrDict(read_request(cast("dict[str, Any]", data)))
        if body is not None:
            content: dict[str, Any] = data.setdefault("body", {})
            content["bytes"] = body or None
    return own_event(Event(data=data, event_id=facts.get("id"), event_type=facts.get("type")))


def run_coroutine(
    coroutine: Coroutine[Any, Any, Any],
    make_loop: Callable[[], asyncio.AbstractEventLoop] | None,
    on_main_task: Callable[[asyncio.AbstractEventLoop], None],
) -> Any:
    """Run it to its end in a loop of its own, as `asyncio.run` does."""
    with asyncio.Runner(loop_factory=make_loop, debug=False) as runner:
        on_main_task(runner.get_loop())
        return runner.run(coroutine)
