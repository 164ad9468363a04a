"""From a declared endpoint to an answer: parse, call, render; and every failure in the one error shape."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Awaitable, Callable
from typing import Any, cast

from pydantic import BaseModel, ValidationError
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from hookline.errors import HooklineError
from hookline_runner import fast_json
from hookline_service.api.bodies import declared_size, read_body
from hookline_service.api.endpoints import JSON_LIMIT_BYTES, AnyEndpoint, Call, NoBody, Outcome
from hookline_service.api.errors import (
    RequestInvalidError,
    UnexpectedError,
    error_body,
    error_headers,
    status_of,
)
from hookline_service.api.services import ApiServices
from hookline_service.api.values import is_too_deep

logger = logging.getLogger(__name__)

_JSON = "application/json"
_NO_CONTENT = 204
_MAX_PROBLEMS = 20
_CLIENT_GONE = 499


def make_handler(
    endpoint: AnyEndpoint, services: ApiServices
) -> Callable[[Request], Awaitable[Response]]:
    """The Starlette endpoint that serves a declared one."""

    async def serve(request: Request) -> Response:
        try:
            call = await _parse(endpoint, services, request)
            return _render(endpoint, await endpoint.handle(call))
        except HooklineError as exc:
            return error_response(exc)
        except ClientDisconnect:
            return Response(status_code=_CLIENT_GONE)
        except Exception as exc:  # noqa: BLE001 (the supervised place of requests)
            return unexpected_response(exc, endpoint.name)

    return serve


def error_response(error: HooklineError) -> Response:
    """The answer that reports an error."""
    return Response(
        error_body(error), status_of(error), headers=error_headers(error), media_type=_JSON
    )


def unexpected_response(error: Exception, place: str) -> Response:
    """The answer for an error that nobody foresaw; the error itself goes to the log and nowhere else."""
    incident = secrets.token_hex(6)
    facts = {"incident": incident, "place": place}
    logger.error("request failed", exc_info=error, extra=facts)
    return error_response(UnexpectedError(incident))


def json_response(value: object, status: int = 200) -> Response:
    """An answer of JSON values."""
    return Response(fast_json.write(value, default=str), status, media_type=_JSON)


async def _parse(endpoint: AnyEndpoint, services: ApiServices, request: Request) -> Call[Any, Any]:
    query = _validate(endpoint.query, _query_values(request), "query")
    return Call(
        services=services,
        request=request,
        path={name: str(value) for name, value in request.path_params.items()},
        query=query,
        body=await _parse_body(endpoint, services, request),
    )


def _query_values(request: Request) -> dict[str, str]:
    values: dict[str, str] = {}
    for name, value in request.query_params.multi_items():
        if name in values:
            raise RequestInvalidError("query", [(name, "given more than once")])
        values[name] = value
    return {name: value for name, value in values.items() if value or name == "scope"}


async def _parse_body(endpoint: AnyEndpoint, services: ApiServices, request: Request) -> object:
    if request.method in {"GET", "HEAD"}:
        return NoBody()
    settings = services.settings
    limit = settings.deploy_limit_bytes if endpoint.body is bytes else JSON_LIMIT_BYTES
    declared = declared_size(request.scope["headers"])
    raw = await read_body(request.receive, declared, limit, settings.body_timeout_s)
    if endpoint.body is bytes:
        return raw
    try:
        value: object = fast_json.read_given(raw) if raw.strip() else {}
    except ValueError as exc:
        raise RequestInvalidError("body", [("", f"not JSON: {exc}")]) from exc
    if is_too_deep(value, raw):
        raise RequestInvalidError("body", [("", "nested too deeply")])
    return _validate(cast("type[BaseModel]", endpoint.body), value, "body")


def _validate(model: type[BaseModel], value: object, place: str) -> BaseModel:
    try:
        return model.model_validate(value, strict=False)
    except ValidationError as exc:
        problems = [
            (".".join(str(part) for part in error["loc"]), error["msg"])
            for error in exc.errors(include_url=False, include_context=False, include_input=False)
        ]
        raise RequestInvalidError(place, problems[:_MAX_PROBLEMS]) from exc


def _render(endpoint: AnyEndpoint, outcome: Outcome) -> Response:
    if isinstance(outcome, Response):
        return outcome
    if outcome is None:
        return Response(status_code=_NO_CONTENT)
    return json_response(outcome.model_dump(), endpoint.status)
