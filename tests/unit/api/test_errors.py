from __future__ import annotations

import orjson
import pytest

from hookline import errors
from hookline_service.api.errors import (
    STATUS_BY_KIND,
    BodyTooLargeError,
    MethodNotAllowedError,
    RequestInvalidError,
    TokenMissingError,
    error_body,
    error_headers,
    status_of,
)

KINDS = [
    errors.InvalidError,
    errors.NotFoundError,
    errors.ConflictError,
    errors.UnauthenticatedError,
    errors.ForbiddenError,
    errors.RateLimitedError,
    errors.UnavailableError,
    errors.UserCodeError,
    errors.InternalError,
]


def test_every_kind_has_a_row():
    assert {kind.kind for kind in KINDS} == set(STATUS_BY_KIND)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_told_in_the_one_shape(kind):
    told = orjson.loads(error_body(kind("what happened")))

    assert told == {
        "error": {
            "code": kind.code,
            "kind": kind.kind,
            "message": "what happened",
            "details": {},
        }
    }


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (RequestInvalidError("query", [("limit", "too large")]), 400),
        (TokenMissingError(), 401),
        (MethodNotAllowedError("PUT", ["GET"]), 405),
        (BodyTooLargeError(10), 413),
        (errors.RateLimitedError("slow down"), 429),
    ],
)
def test_errors_of_http_have_their_own_status(error, status):
    assert status_of(error) == status


def test_an_invalid_request_names_every_field():
    error = RequestInvalidError("query", [("limit", "too large"), ("before", "too long")])

    assert error.message == "query limit: too large (and 1 more)"
    assert error.details["fields"] == [
        {"field": "limit", "problem": "too large"},
        {"field": "before", "problem": "too long"},
    ]


def test_a_rate_limit_says_when_to_come_back():
    assert error_headers(errors.RateLimitedError("x", retry_after_s=1.2)) == {"Retry-After": "2"}
