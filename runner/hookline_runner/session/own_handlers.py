"""Handlers of signals that the session's own code sets: called where nothing is torn if they raise."""

from __future__ import annotations

import functools
import signal
from collections.abc import Callable
from types import FrameType
from typing import Any, Final

from hookline_runner.session.stopping import StopSwitch, codes_above, send_again

_plain_set: Final = signal.signal
_plain_get: Final = signal.getsignal
_ASYNCIO: Final = "asyncio.unix_events"  # what it sets does nothing: it hears of signals by a descriptor, each time


class OwnHandlers:
    """Stands in for `signal.signal` and `signal.getsignal` for the length of a session."""

    __slots__ = ("_stop",)

    def __init__(self, stop: StopSwitch) -> None:
        self._stop = stop

    def install(self) -> None:
        """From here on handlers that are set wait until nothing of ours runs."""
        stop = self._stop

        @functools.wraps(_plain_set)
        def set_handler(signalnum: int, handler: Any) -> Any:
            if callable(handler) and getattr(handler, "__module__", None) != _ASYNCIO:
                handler = _Deferring(handler, stop)
            return _given(_plain_set(signalnum, handler))

        @functools.wraps(_plain_get)
        def get_handler(signalnum: int) -> Any:
            return _given(_plain_get(signalnum))

        signal.signal = set_handler
        signal.getsignal = get_handler

    @staticmethod
    def uninstall() -> None:
        """Give the functions back."""
        signal.signal = _plain_set
        signal.getsignal = _plain_get


class _Deferring:
    """Calls a handler; where something would be torn by what it raises, a moment later."""

    __slots__ = ("_stop", "handler")

    def __init__(self, handler: Callable[[int, FrameType | None], Any], stop: StopSwitch) -> None:
        self.handler = handler
        self._stop = stop

    def __call__(self, signum: int, frame: FrameType | None) -> None:
        running, _ = codes_above(None, frame)
        if self._stop.is_shielded(running):
            send_again(signum)
        else:
            self.handler(signum, frame)


def _given(handler: Any) -> Any:
    return handler.handler if isinstance(handler, _Deferring) else handler
