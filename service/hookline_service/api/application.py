"""The HTTP face of the service: the API by Starlette, webhooks past it."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from hookline.errors import HooklineError
from hookline_service.api import (
    builds,
    deployments,
    events,
    logs,
    metrics,
    projects,
    schedules,
    secrets,
    session_history,
    sessions,
    status,
    store,
    system,
    triggers,
    variables,
)
from hookline_service.api.access import AccessGate, HostRule
from hookline_service.api.endpoints import BASE, AnyEndpoint
from hookline_service.api.errors import (
    MethodNotAllowedError,
    RequestInvalidError,
    RouteNotFoundError,
)
from hookline_service.api.openapi import openapi_document
from hookline_service.api.published import PUBLISHED_PREFIX
from hookline_service.api.services import ApiServices
from hookline_service.api.serving import error_response, json_response, make_handler
from hookline_service.api.webhooks import WEBHOOK_PREFIX
from hookline_service.use_cases.tokens import TokenCheck

ENDPOINTS: tuple[AnyEndpoint, ...] = (
    *projects.ENDPOINTS,
    *variables.ENDPOINTS,
    *secrets.ENDPOINTS,
    *deployments.ENDPOINTS,
    *builds.ENDPOINTS,
    *triggers.ENDPOINTS,
    *schedules.ENDPOINTS,
    *events.ENDPOINTS,
    *sessions.ENDPOINTS,
    *session_history.ENDPOINTS,
    *store.ENDPOINTS,
    *system.ENDPOINTS,
    *status.ENDPOINTS,
    *logs.ENDPOINTS,
)
OPEN_PATHS = frozenset(
    {"/", "/healthz", "/readyz", f"{BASE}/openapi.json"}
    | {BASE + endpoint.path for endpoint in ENDPOINTS if endpoint.is_open}
)
_METHOD_NOT_ALLOWED = 405
_NOT_FOUND = 404


def create_api(services: ApiServices) -> ASGIApp:
    """The API as an ASGI application: everything but webhooks."""
    routes = [_route(endpoint, services) for endpoint in ENDPOINTS]
    routes += [_document_route(), *_system_routes(services)]
    gate = Middleware(
        AccessGate,
        hosts=HostRule(services.settings),
        token=TokenCheck(services.token),
        open_paths=OPEN_PATHS,
    )
    app = Starlette(
        routes=routes,
        middleware=[gate],
        exception_handlers={HTTPException: _report_http, HooklineError: _report_known},
    )
    app.router.redirect_slashes = False
    return app


def mount(api: ASGIApp, webhooks: ASGIApp, published: ASGIApp) -> ASGIApp:
    """One application: what is under /webhooks/ and /store/ goes to `webhooks` and `published`, the rest to `api`."""

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"] if scope["type"] == "http" else ""
        if path.startswith(WEBHOOK_PREFIX):
            await webhooks(scope, receive, send)
        elif path.startswith(PUBLISHED_PREFIX):
            await published(scope, receive, send)
        else:
            await api(scope, receive, send)

    return serve


def _route(endpoint: AnyEndpoint, services: ApiServices) -> Route:
    handler = make_handler(endpoint, services)
    return Route(BASE + endpoint.path, handler, methods=[endpoint.method], name=endpoint.name)


def _document_route() -> Route:
    document = openapi_document(ENDPOINTS)

    async def openapi(_: Request) -> Response:
        return json_response(document)

    return Route(f"{BASE}/openapi.json", openapi, methods=["GET"])


def _system_routes(services: ApiServices) -> list[Route]:
    return [
        Route("/", system.front_handler(services), methods=["GET"]),
        Route("/healthz", system.health_handler(), methods=["GET"]),
        Route("/readyz", system.ready_handler(services), methods=["GET"]),
        Route("/metrics", metrics.metrics_handler(services), methods=["GET"]),
    ]


async def _report_known(_: Request, error: Exception) -> Response:
    if not isinstance(error, HooklineError):
        raise error
    return error_response(error)


async def _report_http(request: Request, error: Exception) -> Response:
    """Answer what the router refuses (no such path, wrong method) in the one shape of errors."""
    if not isinstance(error, HTTPException):
        raise error
    if error.status_code == _METHOD_NOT_ALLOWED:
        allowed = _allowed_methods(request.app.routes, request.scope)
        if request.method == "OPTIONS":
            return Response(status_code=204, headers={"Allow": ", ".join(allowed)})
        return error_response(MethodNotAllowedError(request.method, allowed))
    if error.status_code == _NOT_FOUND:
        return error_response(RouteNotFoundError(request.scope["path"]))
    return error_response(RequestInvalidError("request", [("", error.detail)]))


def _allowed_methods(routes: Sequence[Route], scope: Scope) -> list[str]:
    found: set[str] = {"OPTIONS"}
    for route in routes:
        match, _ = route.matches(scope)
        if match is not Match.NONE:
            found |= route.methods or set()
    return sorted(found)
