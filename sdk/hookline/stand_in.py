"""What the SDK does where there is no service: on a laptop, in a shell, in a project's own tests.

The store is a real one, in memory. Nothing else runs beside this process, so nothing can come: waiting ends at once.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any, Final, cast

from hookline.errors import CallRefusedError, HooklineError
from hookline.store_rules import DELETED, UNCHANGED, apply
from hookline.values import decode, encode

_KEPT_OUTCOMES: Final = 1_000


@dataclass(frozen=True, slots=True)
class _Kept:
    """A value as bytes, and the time after which it is gone."""

    text: bytes
    expires_at: float | None


class MemoryStore:
    """A project's store in memory. Values are kept as bytes, so that what is read is never what was written."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._kept: dict[str, _Kept] = {}
        self.published: set[str] = set()

    def use(self, arguments: Mapping[str, object]) -> Any:
        """The result of the operation `store` with these arguments. Raises `CallRefusedError` as a service does."""
        operation, key = str(arguments["op"]), str(arguments["key"])
        match operation:
            case "list":
                return sorted(key for key in list(self._kept) if self._get(key) is not None)
            case "publish":
                self.published.add(key)
                return None
            case "unpublish":
                self.published.discard(key)
                return None
            case _:
                return self._apply(operation, key, arguments)

    def as_dict(self) -> dict[str, Any]:
        """A copy of all it holds."""
        held = {key: self._get(key) for key in list(self._kept)}
        return {key: value for key, value in held.items() if value is not None}

    def _apply(self, operation: str, key: str, arguments: Mapping[str, object]) -> Any:
        operands = [_copy(one) for one in cast("Sequence[object]", arguments["operands"])]
        try:
            after, result = apply(operation, self._get(key), operands)
        except HooklineError as exc:  # as a service says it
            raise CallRefusedError(exc.code, str(exc)) from None
        if after is DELETED:
            self._kept.pop(key, None)
        elif after is not UNCHANGED:
            ttl_s = cast("float | None", arguments.get("ttl_s"))
            expires_at = None if ttl_s is None else self._now() + ttl_s
            self._kept[key] = _Kept(encode(after), expires_at)
        return result

    def _get(self, key: str) -> Any:
        kept = self._kept.get(key)
        if kept is None:
            return None
        if kept.expires_at is not None and kept.expires_at <= self._now():
            del self._kept[key]
            return None
        return decode(kept.text)


class StandInHost:
    """See `hookline.host.Host`, for a process without a service.

    Attributes:
        store: What was stored.
        outcomes: The last outcomes, as pairs of event id (None: of the event that is handled) and value.
        signals: The last signals, as triples of session id, name and payload; nobody gets them.
    """

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.outcomes: deque[tuple[str | None, Any]] = deque(maxlen=_KEPT_OUTCOMES)
        self.signals: deque[tuple[str, str, Any]] = deque(maxlen=_KEPT_OUTCOMES)
        self._numbers = count(1)

    def call(self, operation: str, arguments: Mapping[str, object]) -> object:
        """See `Host.call`."""
        match operation:
            case "store":
                return self.store.use(arguments)
            case "subscribe":
                return f"sub_stand_in_{next(self._numbers)}"
            case "start_session":
                return f"ses_stand_in_{next(self._numbers)}"
            case "outcome":
                event = cast("str | None", arguments["event"])
                self.outcomes.append((event, _copy(arguments["value"])))
            case "signal":
                session, name = str(arguments["session"]), str(arguments["name"])
                self.signals.append((session, name, _copy(arguments["payload"])))
            case _:
                pass
        return None

    def wait(
        self, operation: str, arguments: Mapping[str, object], timeout_s: float | None
    ) -> object:
        """None, at once: nobody is there from whom something could come."""
        del operation, arguments, timeout_s

    async def wait_async(
        self, operation: str, arguments: Mapping[str, object], timeout_s: float | None
    ) -> object:
        """See `wait`."""
        return self.wait(operation, arguments, timeout_s)

    def sleep(self, seconds: float) -> None:
        """See `Host.sleep`."""
        time.sleep(seconds)  # noqa: TID251 - a plain sleep is what is asked for

    async def sleep_async(self, seconds: float) -> None:
        """See `Host.sleep_async`."""
        import asyncio  # noqa: PLC0415 - a tenth of a second's import which only this needs

        await asyncio.sleep(seconds)


def _copy(value: object) -> Any:
    return decode(encode(value))
