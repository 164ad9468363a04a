"""The one table from kinds of errors to HTTP, and the errors of HTTP itself."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from hookline.errors import (
    ForbiddenError,
    HooklineError,
    InvalidError,
    NotFoundError,
    RateLimitedError,
    UnauthenticatedError,
)
from hookline_runner import fast_json

STATUS_BY_KIND: Mapping[str, int] = {
    "invalid": 400,
    "not_found": 404,
    "conflict": 409,
    "unauthenticated": 401,
    "forbidden": 403,
    "rate_limited": 429,
    "unavailable": 503,
    "user_code": 422,
    "internal": 500,
}
STATUS_BY_CODE: Mapping[str, int] = {
    "request.method_not_allowed": 405,
    "request.timeout": 408,
    "request.too_large": 413,
    "body.too_large_decoded": 413,
    "body.coding_unknown": 415,
}
INTERNAL_ERROR = 500


class RequestInvalidError(InvalidError):
    """A part of the request cannot be used; `fields` says which and why."""

    code = "request.invalid"

    def __init__(self, place: str, problems: Sequence[tuple[str, str]]) -> None:
        name, problem = problems[0]
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        where = f"{place} {name}".strip()
        super().__init__(f"{where}: {problem}{more}")
        self.place = place
        self.problems = tuple(problems)

    @property
    def details(self) -> dict[str, object]:
        """Where it is wrong (`query`, `body`, `path`), and each field with its problem."""
        fields = [{"field": name, "problem": problem} for name, problem in self.problems]
        return {"in": self.place, "fields": fields}


class RouteNotFoundError(NotFoundError):
    """There is nothing under this path."""

    code = "route.not_found"

    def __init__(self, path: str) -> None:
        super().__init__(f"there is nothing at {path[:200]!r}; see /api/v1/openapi.json")


class MethodNotAllowedError(InvalidError):
    """The path exists, but not with this method."""

    code = "request.method_not_allowed"

    def __init__(self, method: str, allowed: Sequence[str]) -> None:
        super().__init__(f"{method[:20]} is not possible here; use {' or '.join(allowed)}")
        self.allowed = tuple(allowed)

    @property
    def details(self) -> dict[str, object]:
        """The methods that are possible."""
        return {"allowed": list(self.allowed)}


class BodyTooLargeError(InvalidError):
    """The body is above the limit."""

    code = "request.too_large"

    def __init__(self, limit_bytes: int) -> None:
        super().__init__(f"the body is larger than {limit_bytes} bytes")
        self.limit_bytes = limit_bytes

    @property
    def details(self) -> dict[str, object]:
        """The limit."""
        return {"limit_bytes": self.limit_bytes}


class BodyTimeoutError(InvalidError):
    """The body did not arrive in time."""

    code = "request.timeout"

    def __init__(self, timeout_s: float) -> None:
        super().__init__(f"the body did not arrive within {timeout_s:g} seconds")


class TokenMissingError(UnauthenticatedError):
    """The request carries no token, or a wrong one."""

    code = "token.refused"

    def __init__(self, *, is_given: bool = False) -> None:
        problem = (
            "this token is not that of the service"
            if is_given
            else "send the token as `Authorization: Bearer TOKEN`"
        )
        super().__init__(f"{problem}; it is in the file `token` of the service's home")


class HostForbiddenError(ForbiddenError):
    """The request was addressed to a host name that the service does not accept."""

    code = "host.forbidden"

    def __init__(self, host: str) -> None:
        super().__init__(
            f"the host {host[:200]!r} is not one of this service; add it to HOOKLINE_ALLOWED_HOSTS"
        )


class UnexpectedError(HooklineError):
    """Something failed that should not have; the cause is in the log under this incident, and only there."""

    code = "internal"

    def __init__(self, incident: str) -> None:
        super().__init__(f"an internal error; the service's log names incident {incident}")
        self.incident = incident

    @property
    def details(self) -> dict[str, object]:
        """The key to the log."""
        return {"incident": self.incident}


def status_of(error: HooklineError) -> int:
    """The HTTP status of an error."""
    return STATUS_BY_CODE.get(error.code) or STATUS_BY_KIND.get(error.kind, INTERNAL_ERROR)


def error_object(error: HooklineError) -> dict[str, Any]:
    """The one shape of errors, as JSON values."""
    return {
        "error": {
            "code": error.code,
            "kind": error.kind,
            "message": error.message,
            "details": error.details,
        }
    }


def error_body(error: HooklineError) -> bytes:
    """The one shape of errors, as JSON text."""
    return fast_json.write(error_object(error), default=str)


def error_headers(error: HooklineError) -> dict[str, str]:
    """Headers that belong to an error besides its body."""
    if isinstance(error, UnauthenticatedError):
        return {"WWW-Authenticate": 'Bearer realm="hookline"'}
    if isinstance(error, RateLimitedError):
        return {"Retry-After": str(max(1, math.ceil(error.retry_after_s)))}
    if isinstance(error, MethodNotAllowedError):
        return {"Allow": ", ".join(error.allowed)}
    if isinstance(error, BodyTooLargeError | BodyTimeoutError):
        return {"Connection": "close"}  # what is left of the body is not waited for
    return {}
