"""What a test changes in its process while a project is under test, and puts back after it."""

from __future__ import annotations

import asyncio
import builtins
import os
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import ModuleType
from typing import Any, cast

from hookline.testing.clocks import clocks_of, replace_now
from hookline.testing.hosting import ProjectHost
from hookline.testing.loop import VirtualLoop

_MISSING = object()


class Patches:
    """Attributes, variables and the working directory, with the way back."""

    def __init__(self) -> None:
        self._back = ExitStack()
        self._clocks: dict[int, tuple[object, object]] = {}  # by id of the real function of `time`

    def undo(self) -> None:
        """Put everything back, the last change first."""
        self._back.close()

    def set_attribute(self, owner: Any, name: str, value: object) -> None:
        """Change an attribute of a module or class."""
        before = cast("dict[str, object]", vars(owner)).get(name, _MISSING)
        setattr(owner, name, value)
        if before is _MISSING:
            self._back.callback(delattr, owner, name)
        else:
            self._back.callback(setattr, owner, name, before)

    def set_variable(self, name: str, value: str) -> None:
        """Change a variable of the environment."""
        before = os.environ.get(name)  # noqa: TID251 - user code finds its variables there
        os.environ[name] = value  # noqa: TID251 - as above
        self._back.callback(_restore_variable, name, before)

    def enter_directory(self, directory: Path) -> None:
        """Make it the working directory, and the first in which modules are looked for."""
        before = Path.cwd()
        os.chdir(directory)
        self._back.callback(os.chdir, before)
        sys.path.insert(0, str(directory))
        self._back.callback(_remove_path, str(directory))

    def forget_modules(self, known: set[str], is_own: Callable[[ModuleType], bool]) -> None:
        """At the end, forget the project's modules that were loaded meanwhile."""

        def forget() -> None:
            for name, module in list(sys.modules.items()):
                if name not in known and is_own(module):
                    del sys.modules[name]

        self._back.callback(forget)

    def watch_time(self, host: ProjectHost) -> None:
        """In a handler's thread the time is the test's, in its event loops too."""
        real_sleep = time.sleep  # noqa: TID251 - it is replaced here
        real_loop = asyncio.new_event_loop

        def now() -> float | None:
            return host.clock.now if host.is_in_session() else None

        def sleep(seconds: float, /) -> None:
            if not host.is_in_session():
                real_sleep(seconds)
                return
            if seconds < 0:
                raise ValueError("sleep length must be non-negative")
            host.sleep(seconds)

        def new_event_loop() -> asyncio.AbstractEventLoop:
            session = host.running
            return (
                real_loop() if session is None or not host.is_in_session() else VirtualLoop(session)
            )

        for name, value in {**clocks_of(now), "sleep": sleep}.items():
            self._clocks[id(getattr(time, name))] = (getattr(time, name), value)
            self.set_attribute(time, name, value)
        self._back.callback(replace_now(now))
        for module in (asyncio, asyncio.events):
            self.set_attribute(module, "new_event_loop", new_event_loop)

    def watch_time_in(self, module: ModuleType) -> None:
        """Replace what the module had imported by name from `time` before it was replaced there."""
        for name, value in list(vars(module).items()):
            real, clock = self._clocks.get(id(value), (None, None))
            if clock is not None and value is real:
                self.set_attribute(module, name, clock)

    def watch_prints(self, host: ProjectHost) -> None:
        """What a session prints is noted, and printed."""
        real_print = builtins.print

        def noted_print(*values: object, **options: Any) -> None:
            session, file = host.running, options.get("file")
            if session is not None and (file is None or file is sys.stdout):
                end = _text(options.get("end"), "\n")
                text = _text(options.get("sep"), " ").join(map(str, values)) + end
                session.prints.append(text.removesuffix("\n"))
            real_print(*values, **options)

        self.set_attribute(builtins, "print", noted_print)


def _text(given: object, usual: str) -> str:
    return usual if given is None else str(given)


def _restore_variable(name: str, value: str | None) -> None:
    if value is None:
        os.environ.pop(name, None)  # noqa: TID251 - as above
    else:
        os.environ[name] = value  # noqa: TID251 - as above


def _remove_path(directory: str) -> None:
    if directory in sys.path:
        sys.path.remove(directory)
