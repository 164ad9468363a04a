"""The one tree of errors: a kind decides how a failure is reported and whether it is retried."""

from __future__ import annotations

from typing import ClassVar


class HooklineError(Exception):
    """Root of everything Hookline raises on purpose.

    A subclass builds its message from typed attributes and has a stable public `code`.
    `kind` names the row of the table that decides HTTP status, exit code and retries.
    """

    kind: ClassVar[str] = "internal"
    code: ClassVar[str] = "internal"

    @property
    def message(self) -> str:
        """The sentence shown to a person."""
        return str(self)

    @property
    def details(self) -> dict[str, object]:
        """Typed attributes for machines; JSON values only, never a secret."""
        return {}


class InvalidError(HooklineError):
    """The request cannot be carried out as written; the sender must change it."""

    kind = "invalid"
    code = "invalid"


class NotFoundError(HooklineError):
    """The thing asked for does not exist."""

    kind = "not_found"
    code = "not_found"


class ConflictError(HooklineError):
    """The request is valid, but the current state does not allow it."""

    kind = "conflict"
    code = "conflict"


class UnauthenticatedError(HooklineError):
    """The request has no valid token."""

    kind = "unauthenticated"
    code = "unauthenticated"


class ForbiddenError(HooklineError):
    """The caller is known but does not have permission."""

    kind = "forbidden"
    code = "forbidden"


class RateLimitedError(HooklineError):
    """Too much at once; try again after `retry_after_s` seconds."""

    kind = "rate_limited"
    code = "rate_limited"

    def __init__(self, message: str, *, retry_after_s: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class UnavailableError(HooklineError):
    """A required part cannot be reached now; trying later may help."""

    kind = "unavailable"
    code = "unavailable"


class UserCodeError(HooklineError):
    """A user's function failed."""

    kind = "user_code"
    code = "user_code"


class InternalError(HooklineError):
    """An invariant broke: a bug in Hookline itself."""

    kind = "internal"
    code = "internal"


class SessionInterrupt(BaseException):
    """Ends a session from outside its code; not an `Exception`, so that `except Exception` does not catch it."""

    code: ClassVar[str] = "session.interrupted"


class SessionStoppedError(SessionInterrupt):
    """Somebody asked the session to stop; `finally` blocks run, and nothing else should."""

    code = "session.stopped"

    def __init__(self, reason: str = "") -> None:
        super().__init__(
            f"the session was stopped: {reason}" if reason else "the session was stopped"
        )
        self.reason = reason


class NonDeterminismError(SessionInterrupt):
    """When the session resumed, the code made a different call from the one recorded at this point.

    `position` is the entry's number as `hookline session activities` shows it, with its task if that is not the main flow.
    """

    code = "session.nondeterministic"

    def __init__(self, *, position: str, recorded: str, actual: str) -> None:
        super().__init__(
            "the code does not repeat what it did before; it was changed, or is not deterministic\n"
            f"  at entry: {position}\n"
            f"  recorded: {recorded}\n"
            f"  actual:   {actual}"
        )
        self.position = position
        self.recorded = recorded
        self.actual = actual


class ResultTooLargeError(UserCodeError):
    """The result of a recorded call is larger than a journal entry can be."""

    code = "activity.result_too_large"

    def __init__(self, *, name: str, size_bytes: int, limit_bytes: int) -> None:
        super().__init__(
            f"{name} returned {size_bytes} bytes, and a recorded result may have {limit_bytes}: "
            "return less, or write it to a file or a bucket and return its name"
        )
        self.name = name
        self.size_bytes = size_bytes
        self.limit_bytes = limit_bytes

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild_too_large, (self.name, self.size_bytes, self.limit_bytes))


def _rebuild_too_large(name: str, size_bytes: int, limit_bytes: int) -> ResultTooLargeError:
    return ResultTooLargeError(name=name, size_bytes=size_bytes, limit_bytes=limit_bytes)


class EntryPointError(UserCodeError):
    """The function that the session should run cannot be loaded from its module."""

    code = "session.entry_point"


class StuckError(UserCodeError):
    """Every task of the session is waiting for something that can no longer happen."""

    code = "session.stuck"


class CallRefusedError(HooklineError):
    """The service refused a session's call; `code` says why, for example `subscription.source_not_found`."""

    kind = "conflict"
    code = "session.call_refused"

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code  # pyright: ignore[reportAttributeAccessIssue] - here the code is the refusal's own

    def __reduce__(self) -> tuple[object, ...]:
        return (CallRefusedError, (self.code, str(self)))


class ActivityTimeoutError(UserCodeError, TimeoutError):
    """A try of an activity took longer than its `timeout` allows."""

    code = "activity.timeout"

    def __init__(self, name: str, timeout_s: float) -> None:
        super().__init__(f"{name} took longer than {timeout_s:g} seconds")
        self.name = name
        self.timeout_s = timeout_s

    def __reduce__(self) -> tuple[object, ...]:
        return (ActivityTimeoutError, (self.name, self.timeout_s))
