"""The live functions of the package `autokitteh`: those of `hookline`, with the package's own classes and errors.

They have the package's signatures, so that code written for it works as it is; a few accept more.
"""

from __future__ import annotations

import functools
import importlib
import sys
from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from datetime import datetime, timedelta
from types import ModuleType
from typing import Any, Final, NoReturn, ParamSpec, TypeVar

import hookline
from hookline.activities import register_no_activity
from hookline.errors import HooklineError

PACKAGE: Final = "autokitteh"

_Timeout = timedelta | float | None
_P = ParamSpec("_P")
_R = TypeVar("_R")


def own_event(event: hookline.Event) -> Any:
    """The event as the package's own class; as it is if the package was not imported."""
    kind = _own_class("event", "Event")
    if kind is None:
        return event
    return kind(data=_own_data(event.data), event_id=event.event_id, event_type=event.event_type)


def add_moved_names(module: ModuleType) -> None:
    """Let helpers be found also in the module where another release of the package has them."""
    moved = _MOVED.get(module.__name__)
    if moved is None or moved[0] in vars(module):
        return
    name, home = moved

    def __getattr__(wanted: str) -> Any:  # noqa: N807 - the name that Python looks for in a module
        if wanted != name:
            raise AttributeError(f"module {module.__name__!r} has no attribute {wanted!r}")
        return getattr(importlib.import_module(home), name)

    vars(module).setdefault("__getattr__", __getattr__)


def _live(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """The function, with what the service refuses raised as the package's error."""
    name = function.__name__

    @functools.wraps(function)
    def call(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        try:
            return function(*args, **kwargs)
        except HooklineError as exc:
            _raise_own(name, exc)

    return call


def _raise_own(name: str, exc: HooklineError) -> NoReturn:
    kind = _own_class("errors", "AutoKittehError")
    if kind is None:
        raise exc
    raise kind(f"{name}: {exc}") from exc


def _own_class(module: str, name: str) -> Any:
    """A class of the package; None while the package is not imported."""
    return getattr(sys.modules.get(f"{PACKAGE}.{module}"), name, None)


def _own_data(value: Any) -> Any:
    """The same data; a dictionary that answers to attributes becomes the package's own kind."""
    kind = _own_class("attr_dict", "AttrDict")
    if kind is None or not isinstance(value, hookline.AttrDict):
        return value
    return kind(value)


@_live
def subscribe(source: str, filter: str = "") -> str:  # noqa: A002 - the package's name for it
    """Queue events of a connection or trigger from now on; returns an id for `next_event`."""
    return hookline.subscribe(source, filter)


@_live
def unsubscribe(subscription_id: str) -> None:
    """Drop the subscription, and what is queued for it."""
    hookline.unsubscribe(subscription_id)


@_live
def next_event(
    subscription_id: str | Sequence[str], *, timeout: _Timeout = None, full: bool = False
) -> Any:
    """The data of the next event, with `full` the event; None once the time is over."""
    event = hookline.next_event(subscription_id, timeout=timeout, full=True)
    if event is None:
        return None
    own = own_event(event)
    return own if full else own.data


@_live
def start(
    loc: str,
    data: Mapping[str, Any] | None = None,
    memo: Mapping[str, Any] | None = None,
    project: str = "",
) -> str:
    """Start a session; returns its id."""
    return hookline.start(loc, data, memo, project)


@_live
def signal(session_id: str, name: str, payload: Any = None) -> None:
    """Send a signal to a session."""
    hookline.signal(session_id, name, payload)


@_live
def next_signal(name: str | Sequence[str], *, timeout: _Timeout = None) -> Any:
    """The next signal of that name, or of one of those; None once the time is over."""
    found = hookline.next_signal(name, timeout=timeout)
    kind = _own_class("signals", "Signal")
    if found is None or kind is None:
        return found
    return kind(name=found.name, payload=_own_data(found.payload))


@_live
def outcome(v: Any, *, event_id: str | None = None) -> None:
    """Record what came of the event."""
    hookline.outcome(v, event_id=event_id)


@_live
def http_outcome(
    status_code: int = 200,
    body: Any = None,
    json: Any = None,
    headers: Any = None,
    more: bool = False,
    event_id: str | None = None,
) -> None:
    """Answer the HTTP request that is the event; the arguments may also be given by position."""
    hookline.http_outcome(
        status_code, body=body, json=json, headers=headers, more=more, event_id=event_id
    )


@_live
def get_value(key: str) -> Any:
    """The stored value, or None."""
    return _own_data(hookline.get_value(key))


@_live
def set_value(key: str, value: Any) -> None:
    """Store the value; None deletes it."""
    hookline.set_value(key, value)


@_live
def del_value(key: str) -> None:
    """Delete the value, if there is one."""
    hookline.del_value(key)


@_live
def add_values(key: str, value: float) -> Any:
    """Add to the number that is stored; returns the sum."""
    return hookline.add_values(key, value)


@_live
def check_and_set_value(key: str, expected_value: Any, new_value: Any) -> bool:
    """Store the value if the expected one is stored; whether it was."""
    return hookline.check_and_set_value(key, expected_value, new_value)


@_live
def list_values_keys() -> list[str]:
    """The keys of all stored values, sorted."""
    return hookline.list_values_keys()


@_live
def mutate_value(key: str, op: str, *args: Any) -> Any:
    """One of the operations by its name; `check_and_set` takes the new value before the expected one."""
    return _own_data(hookline.mutate_value(key, str(op), *args))


@_live
def publish_value(key: str) -> None:
    """Let everybody read the value."""
    hookline.publish_value(key)


@_live
def unpublish_value(key: str) -> None:
    """Let only the project read the value again."""
    hookline.unpublish_value(key)


def encode_jwt(payload: Mapping[str, int], connection: str, algorithm: str) -> str:
    """Sign with the connection's secret, which no session has.

    Raises:
        ConnectionInitError: always, until connections can be initialized.
    """
    del payload, algorithm
    raise _own_class("errors", "ConnectionInitError")(connection)


def refresh_oauth(integration: str, connection: str) -> tuple[str, datetime]:
    """A fresh token of the connection.

    Raises:
        OAuthRefreshError: always, until connections can be authorized.
    """
    problem = f"no {integration} connection can be authorized here yet; give it a token or key as its variable"
    raise _own_class("errors", "OAuthRefreshError")(connection, problem)


def install(*packages: str | tuple[str, str] | list[str]) -> None:
    """Do nothing if the packages can be imported.

    Raises:
        RuntimeError: one cannot; a session does not change its environment.
    """
    for package in packages:
        specifier, name = (package, package) if isinstance(package, str) else package
        name = name.partition("[")[0].strip()
        for mark in "=<>~!; ":
            name = name.partition(mark)[0]
        try:
            importlib.import_module(name)
        except ImportError as exc:
            raise RuntimeError(
                f"can't install {specifier!r} in a session: add it to requirements.txt, and deploy"
            ) from exc


class Store(MutableMapping[str, Any]):  # the values are whatever user code put there
    """The project's store as a dictionary; a missing key is None, and deleting one does nothing."""

    def __getitem__(self, key: str) -> Any:
        return get_value(key)

    def __setitem__(self, key: str, value: Any) -> None:
        set_value(key, value)

    def __delitem__(self, key: str) -> None:
        del_value(key)

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and bool(key) and get_value(key) is not None

    def __iter__(self) -> Iterator[str]:
        return iter(list_values_keys())

    def __len__(self) -> int:
        return len(list_values_keys())

    def get(self, key: str, default: Any = None) -> Any:
        """The value, or the default if there is none."""
        value = get_value(key)
        return default if value is None else value

    def setdefault(self, key: str, default: Any = None) -> Any:
        """The value; without one the default is stored, at once, and given."""
        if default is None or not check_and_set_value(key, None, default):
            return get_value(key)
        return default


_STORE: Final = Store()
_BY_MODULE: Final[Mapping[str, tuple[Callable[..., Any], ...]]] = {
    "activities": (register_no_activity,),
    "connections": (encode_jwt, refresh_oauth),
    "events": (next_event, start, subscribe, unsubscribe),
    "outcomes": (http_outcome, outcome),
    "packages": (install,),
    "signals": (next_signal, signal),
    "store": (
        add_values,
        check_and_set_value,
        del_value,
        get_value,
        list_values_keys,
        mutate_value,
        publish_value,
        set_value,
        unpublish_value,
    ),
}

# Where helpers stand in another release, by the module that misses them.
_MOVED: Final[Mapping[str, tuple[str, str]]] = {
    f"{PACKAGE}.anthropic": ("anthropic_pydantic_ai_provider", f"{PACKAGE}.pydantic"),
    f"{PACKAGE}.openai": ("openai_pydantic_ai_provider", f"{PACKAGE}.pydantic"),
}

_NOT_EXPORTED: Final = frozenset({"connections", "packages"})

# What to replace, by module and name; those of its modules are names of the package too, but for these two.
LIVE: Final[Mapping[str, Mapping[str, Any]]] = {
    **{
        f"{PACKAGE}.{module}": {function.__name__: function for function in functions}
        for module, functions in _BY_MODULE.items()
        if module != "store"
    },
    f"{PACKAGE}.store": {
        "Store": Store,
        "store": _STORE,
        **{function.__name__: function for function in _BY_MODULE["store"]},
    },
    PACKAGE: {
        "store": _STORE,
        **{
            function.__name__: function
            for module, functions in _BY_MODULE.items()
            if module not in _NOT_EXPORTED
            for function in functions
        },
    },
    **{module: {} for module in _MOVED},
}
