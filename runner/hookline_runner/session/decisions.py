"""What to do with a call: make it directly, or record it.

The order is fixed: sleep, inhibit mark, (being inside an activity: the gate knows), activity mark, the SDK, what the
author registered, values that ride, deterministic library code, the project's own code. Everything else is an activity.

Against the table we inherit, more is recorded, never less, but for what only builds or changes objects of this
process (locks, buffers, exceptions, logger settings): recording those would lose them on resumption.
"""

from __future__ import annotations

import asyncio
import builtins
import collections
import contextlib
import functools
import inspect
import json
import os
import pathlib
import random
import sys
import time
import types
import typing
import warnings
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final, cast

import hookline
from hookline.activities import (
    ACTIVITY_MARK,
    INHIBIT_MARK,
    POLICY_MARK,
    ActivityPolicy,
    no_activity,
)
from hookline.awaiting import AIO_MARK
from hookline_runner.session.call_lists import (
    DIRECT_FUNCTIONS,
    DIRECT_MODULES,
    ENVIRONMENT_READS,
    LOOP_ACTIVITIES,
    MODULE_ALIASES,
    OBJECT_METHODS,
    RECORDED_METHODS,
    RIDING_FUNCTIONS,
    RIDING_MODULES,
)
from hookline_runner.session.display import clean_text

_SDK_PACKAGES: Final = frozenset({"hookline", "hookline_runner", "autokitteh"})
_CACHE_LIMIT: Final = 20_000
_IN_CALLER: Final = frozenset(
    map(
        id,
        (
            collections.namedtuple,  # noqa: PYI024 - it is recognised, not used
            inspect.currentframe,
            vars(sys)["_getframe"],
            typing.NamedTuple,
            typing.NewType,
            typing.TypedDict,
            typing.TypeVar,
            warnings.warn,
        ),
    )
)
_SLEEPS: Final = frozenset(map(id, (time.sleep, hookline.sleep)))
_ASYNC_SLEEP: Final = id(asyncio.sleep)
_ENTER_CONTEXT: Final = contextlib.AsyncExitStack.enter_async_context
_DESCRIPTOR_KINDS: Final = (
    types.MethodDescriptorType,
    types.WrapperDescriptorType,
    types.ClassMethodDescriptorType,
)
_METHOD_KINDS: Final = (types.MethodType, types.BuiltinFunctionType, types.MethodWrapperType)


class Action(IntEnum):
    """What the gate does with a call."""

    DIRECT = 0
    ACTIVITY = 1
    RIDING = 2
    SLEEP = 3
    ASYNC_SLEEP = 4
    INHIBIT = 5
    SHUFFLE = 6  # rides, and changes its argument
    DRAW = 7  # rides, and is made on resumption too, so that the generator moves on
    NEW_RANDOM = 8  # direct; a seeded generator is direct from then on
    IN_CALLER = 9  # direct, and looks at its caller's frame
    MARK = 10  # direct, and changes decisions
    WAIT = 11  # direct; awaited on the spot, its form for event loops is called instead
    ENTER = 12  # direct, and enters its argument as `async with` does


@dataclass(frozen=True, slots=True, eq=False)
class Decision:
    """An action, and how the call is named in the journal."""

    action: Action
    name: str
    name_json: str
    is_async: bool = False
    policy: ActivityPolicy | None = None


class DecisionTable:
    """Decides for callables, and remembers by function, class, or pair of method and instance class."""

    __slots__ = ("_by_id", "_by_method", "_by_slot", "_modules", "_prefix", "_refs", "_seeded")

    def __init__(self, project_dir: str) -> None:
        self._prefix = project_dir.rstrip("/") + "/"
        self._by_id: dict[int, Decision] = {}
        self._refs: dict[int, weakref.ref[Any]] = {}
        self._by_method: dict[tuple[Any, type], Decision] = {}
        self._by_slot: dict[tuple[type, str], Decision] = {}
        self._modules: dict[str, bool] = {}
        self._seeded: weakref.WeakSet[random.Random] = weakref.WeakSet()

    def decide(self, func: Any) -> Decision:
        """The decision for something called.

        Raises:
            TypeError: it cannot be called.
        """
        decision = self._by_id.get(id(func))
        if decision is not None:
            return decision
        kind = cast("type[Any]", type(func))
        if kind is types.MethodType:
            return self._decide_method(func)
        if kind is types.BuiltinFunctionType:
            return self._decide_builtin(func)
        if not callable(func):
            raise TypeError(f"{kind.__name__!r} object is not callable")
        decision = self._judge(func)
        if kind is types.FunctionType or isinstance(func, type):
            self._remember(func, decision)
        return decision

    def note_seeded(self, generator: random.Random) -> None:
        """This generator gives the same numbers every time: its methods are direct."""
        self._seeded.add(generator)

    def forget(self) -> None:
        """Marks or registrations changed: decide anew."""
        self._by_id.clear()
        self._refs.clear()
        self._by_method.clear()
        self._by_slot.clear()

    def _decide_method(self, func: types.MethodType) -> Decision:
        function, owner = func.__func__, func.__self__
        if isinstance(owner, random.Random):
            return self._decide_draw(func, owner)
        if type(function) is not types.FunctionType:
            return self._judge(func)
        key = (function, type(owner) if not isinstance(owner, type) else owner)
        decision = self._by_method.get(key)
        if decision is None:
            decision = self._judge(func)
            if len(self._by_method) > _CACHE_LIMIT:
                self._by_method.clear()
            self._by_method[key] = decision
        return decision

    def _decide_builtin(self, func: Any) -> Decision:
        owner = func.__self__
        if isinstance(owner, random.Random):
            return self._decide_draw(func, owner)
        if owner is None or isinstance(owner, types.ModuleType | type):
            decision = self._judge(func)
            if not isinstance(owner, type):
                self._remember(func, decision)
            return decision
        key = (cast("type[Any]", type(owner)), str(func.__name__))
        decision = self._by_slot.get(key)
        if decision is None:
            decision = self._judge(func)
            if len(self._by_slot) > _CACHE_LIMIT:
                self._by_slot.clear()
            self._by_slot[key] = decision
        return decision

    def _decide_draw(self, func: Any, generator: random.Random) -> Decision:
        name = func.__name__
        if isinstance(generator, random.SystemRandom):
            action = Action.SHUFFLE if name == "shuffle" else Action.RIDING
        elif name in {"seed", "setstate", "getstate"} or generator in self._seeded:
            action = Action.DIRECT
        else:
            action = Action.SHUFFLE if name == "shuffle" else Action.DRAW
        return _decision(action, func)

    def _remember(self, func: Any, decision: Decision) -> None:
        key = id(func)

        def evict(ref: weakref.ref[Any]) -> None:
            if self._refs.get(key) is ref:
                del self._refs[key]
                self._by_id.pop(key, None)

        try:
            self._refs[key] = weakref.ref(func, evict)
        except TypeError:
            return
        self._by_id[key] = decision

    def _judge(self, func: Any) -> Decision:
        if isinstance(func, functools.partial):
            inner = cast("functools.partial[Any]", func).func
            return self.decide(inner)
        for rule in (_by_mark, _by_registration, _by_kind, self._by_list, self._by_origin):
            action = rule(func)
            if action is not None:
                return _decision(action, func)
        return _decision(Action.ACTIVITY, func)

    def _by_list(self, func: Any) -> Action | None:
        module = _module_of(func)
        name = _name_of(func)
        if (module, name) in RECORDED_METHODS:
            return Action.ACTIVITY
        if (
            (module, name) in RIDING_FUNCTIONS
            or module in RIDING_MODULES
            or _is_pure_path(func, module)
        ):
            return Action.RIDING
        owner = type(_owner_of(func)).__name__
        if (
            module in DIRECT_MODULES
            or (module, name) in DIRECT_FUNCTIONS
            or (module, owner) in DIRECT_FUNCTIONS
        ):
            return Action.DIRECT
        return None

    def _by_origin(self, func: Any) -> Action | None:
        name = _raw_module_of(func)
        if not name and isinstance(func, types.FunctionType):
            is_ours = func.__code__.co_filename.startswith(self._prefix)
            return Action.DIRECT if is_ours else None
        known = self._modules.get(name)
        if known is None:
            module = sys.modules.get(name)
            file = getattr(module, "__file__", None) or ""
            known = str(file).startswith(self._prefix)
            if module is not None:
                self._modules[name] = known
        return Action.DIRECT if known else None


def _by_mark(func: Any) -> Action | None:
    if id(func) in _SLEEPS:
        return Action.SLEEP
    if id(func) == _ASYNC_SLEEP:
        return Action.ASYNC_SLEEP
    if _mark(func, INHIBIT_MARK) is True:
        return Action.INHIBIT
    marked = _mark(func, ACTIVITY_MARK)
    if isinstance(marked, bool):
        return Action.ACTIVITY if marked else Action.DIRECT
    root, _, rest = _raw_module_of(func).partition(".")
    if root in _SDK_PACKAGES:
        return _sdk_action(func, rest)
    return None


def _sdk_action(func: Any, module: str) -> Action:
    if module == "activities":
        return Action.MARK
    return Action.WAIT if aio_twin(func) is not None else Action.DIRECT


def aio_twin(func: Any) -> Any:
    """The coroutine function that does the same as a waiting function of the SDK; None if it has none."""
    if _mark(func, "__wrapped__") is not None:  # the author's own, around one of the SDK
        return None
    return _mark(func, AIO_MARK)


def _mark(func: Any, name: str) -> object:
    """The mark, without waking a `__getattr__` of an object that answers everything."""
    return _static(func.__func__ if isinstance(func, types.MethodType) else func, name)


def _static(func: Any, name: str) -> Any:
    """An attribute that the object really has, or None."""
    try:
        return object.__getattribute__(func, name)
    except AttributeError:
        return None


def _owner_of(func: Any) -> Any:
    """What a method is bound to; None for anything else."""
    return func.__self__ if isinstance(func, _METHOD_KINDS) else None


def _by_registration(func: Any) -> Action | None:
    registered = no_activity()
    theirs = getattr(sys.modules.get("autokitteh.activities"), "_no_activity", None)
    if theirs:
        registered |= theirs
    if not registered:
        return None
    owner = _owner_of(func)
    classes: tuple[type, ...] = ()
    if owner is not None:
        classes = owner.__mro__ if isinstance(owner, type) else type(owner).__mro__
    candidates = (func, _static(func, "__func__"), _static(func, "__objclass__"), *classes)
    return Action.DIRECT if any(_is_in(candidate, registered) for candidate in candidates) else None


def _is_in(candidate: Any, registered: frozenset[object]) -> bool:
    try:
        return candidate is not None and candidate in registered
    except TypeError:  # it cannot be hashed, so it was never registered
        return False


def _by_kind(func: Any) -> Action | None:
    """Callables that are recognised themselves, or by what they belong to."""
    if id(func) in _IN_CALLER:
        return Action.IN_CALLER
    if isinstance(func, types.MethodType) and func.__func__ is _ENTER_CONTEXT:
        return Action.ENTER
    name = _name_of(func)
    if getattr(builtins, name, None) is func or name in OBJECT_METHODS:
        return Action.DIRECT
    if isinstance(func, type):
        return _by_class(func)
    return _by_owner(_owner_of(func), name)


def _by_class(cls: type) -> Action | None:
    if issubclass(cls, random.Random):
        return Action.NEW_RANDOM if cls.__module__ == "random" else None
    return Action.DIRECT if issubclass(cls, BaseException) else None


def _by_owner(owner: object, name: str) -> Action | None:
    if owner is os.environ:
        return Action.RIDING if name in ENVIRONMENT_READS else Action.DIRECT
    if isinstance(owner, asyncio.AbstractEventLoop):
        if name in LOOP_ACTIVITIES:
            return Action.ACTIVITY
        return Action.RIDING if name == "time" else Action.DIRECT
    return None


def _is_pure_path(func: Any, module: str) -> bool:
    """Paths without a look at the file system."""
    if not module.startswith("pathlib"):
        return False
    if isinstance(func, type):
        return issubclass(func, pathlib.PurePath)
    return str(_static(func, "__qualname__")).startswith("PurePath.")


def _raw_module_of(func: Any) -> str:
    """The module a callable counts as part of; for a method, the one that defines it."""
    if isinstance(func, types.FunctionType | type):
        return str(func.__module__ or "")
    if isinstance(func, types.MethodType):
        return _raw_module_of(func.__func__)
    if isinstance(func, _DESCRIPTOR_KINDS):
        return str(func.__objclass__.__module__)
    if isinstance(func, _METHOD_KINDS):
        return _module_of_builtin(func)
    return str(_static(func, "__module__") or type(func).__module__)


def _module_of_builtin(func: Any) -> str:
    owner = func.__self__
    if owner is None or isinstance(owner, types.ModuleType):
        return str(getattr(func, "__module__", None) or getattr(owner, "__name__", ""))
    cls = owner if isinstance(owner, type) else type(owner)
    for base in cls.__mro__:
        if func.__name__ in vars(base):
            return str(base.__module__)
    return str(cls.__module__)


def _module_of(func: Any) -> str:
    raw = _raw_module_of(func)
    alias = MODULE_ALIASES.get(raw.lstrip("_"))
    return alias or raw.lstrip("_").replace("._", ".")


def _name_of(func: Any) -> str:
    """The last part of the qualified name."""
    name: object
    if isinstance(func, type | types.MethodType):
        name = func.__qualname__
    else:
        name = _static(func, "__qualname__") or _static(func, "__name__")
    if not isinstance(name, str):
        name = type(func).__qualname__
    return clean_text(str(name).rpartition(".")[2])


def _decision(action: Action, func: Any) -> Decision:
    name = _name_of(func)
    policy = _mark(func, POLICY_MARK) if action is Action.ACTIVITY else None
    if not isinstance(policy, ActivityPolicy):
        policy = None
    return Decision(action, name, json.dumps(name), _is_coroutine_function(func), policy)


def _is_coroutine_function(func: Callable[..., Any]) -> bool:
    if inspect.iscoroutinefunction(func):
        return True
    if isinstance(func, types.FunctionType | types.BuiltinFunctionType | types.MethodType | type):
        return False
    return inspect.iscoroutinefunction(getattr(type(func), "__call__", None))  # noqa: B004 - what it is, not whether
