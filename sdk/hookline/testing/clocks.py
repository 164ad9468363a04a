"""The clocks of the standard library as a test sets them: what stands in for each while a project is under test."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import time
from collections.abc import Callable
from datetime import UTC, datetime, tzinfo
from typing import Any, Final, cast

_TELLING: Final = ("time", "monotonic", "perf_counter")
_OF_SECONDS: Final = ("gmtime", "localtime", "ctime")
_OF_A_MOMENT: Final = {"asctime": 0, "strftime": 1}  # where the moment stands in the arguments

Now = Callable[[], float | None]
"""The time in seconds since the epoch; None where that of the machine counts."""


def clocks_of(now: Now) -> dict[str, Callable[..., Any]]:
    """What takes the place of the functions of `time` that tell the time."""
    made: dict[str, Callable[..., Any]] = {}
    for name in _TELLING:
        made[name] = _telling(now, getattr(time, name), float)
        made[f"{name}_ns"] = _telling(now, getattr(time, f"{name}_ns"), _ns_of)
    for name in _OF_SECONDS:
        made[name] = _of_seconds(now, getattr(time, name))
    for name, place in _OF_A_MOMENT.items():
        made[name] = _of_a_moment(now, getattr(time, name), place, time.localtime)
    return made


def _telling(
    now: Now, real: Callable[[], float], in_its_unit: Callable[[float], float]
) -> Callable[[], float]:
    def read() -> float:
        seconds = now()
        return real() if seconds is None else in_its_unit(seconds)

    return read


def _ns_of(seconds: float) -> int:
    """Whole microseconds: of the present, a float holds no more."""
    return round(seconds * 1_000_000) * 1_000


def _of_seconds(now: Now, real: Callable[[float | None], Any]) -> Callable[[float | None], Any]:
    def read(seconds: float | None = None, /) -> Any:
        return real(now() if seconds is None else seconds)

    return read


def _of_a_moment(
    now: Now, real: Callable[..., str], place: int, moment_of: Callable[[float], Any]
) -> Callable[..., str]:
    def read(*given: Any) -> str:
        seconds = now() if len(given) == place else None
        return real(*given) if seconds is None else real(*given, moment_of(seconds))

    return read


def replace_now(now: Now) -> Callable[[], None]:
    """Let `datetime.now` and `datetime.utcnow` tell this time; gives the way back.

    The class stays what it is, whoever has it under whatever name. Nothing happens on a Python other than CPython.
    """
    changes = contextlib.ExitStack()
    members = _members_of(datetime)
    if members is None:
        return changes.close
    real_now, real_utcnow = members["now"], members["utcnow"]

    def told(cls: type[datetime], tz: tzinfo | None = None) -> datetime:
        seconds = now()
        if seconds is None:
            return real_now.__get__(None, cls)(tz)
        return cls.fromtimestamp(seconds, tz)

    def told_in_utc(cls: type[datetime]) -> datetime:
        seconds = now()
        if seconds is None:
            return real_utcnow.__get__(None, cls)()
        return cls.fromtimestamp(seconds, UTC).replace(tzinfo=None)

    for name, function in (("now", told), ("utcnow", told_in_utc)):
        changes.callback(_set_member, members, name, members[name])
        _set_member(members, name, classmethod(function))
    return changes.close


def _members_of(kind: type) -> dict[str, Any] | None:
    """The dictionary behind a class made in C, which lets nobody set its attributes."""
    behind = cast("list[object]", gc.get_referents(vars(kind)))
    if len(behind) != 1 or not isinstance(behind[0], dict) or not hasattr(ctypes, "pythonapi"):
        return None
    return cast("dict[str, Any]", behind[0])


def _set_member(members: dict[str, Any], name: str, value: object) -> None:
    members[name] = value
    ctypes.pythonapi.PyType_Modified(ctypes.py_object(datetime))  # it forgets what it remembered
