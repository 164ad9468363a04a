"""Values that projects publish: read by anybody, without a token."""

from __future__ import annotations

import logging
import re
import secrets
from typing import Final

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from hookline.errors import HooklineError
from hookline_service.api.errors import INTERNAL_ERROR, status_of
from hookline_service.clock import Clock
from hookline_service.model.ids import ProjectId
from hookline_service.model.plain_values import plain_json
from hookline_service.storage.protocols import ValueStore

logger = logging.getLogger(__name__)

PUBLISHED_PREFIX: Final = "/store/"
_PROJECT_ID: Final = re.compile(r"prj_[0-9a-hjkmnp-tv-z]{26}")


def create_published(store: ValueStore, clock: Clock) -> ASGIApp:
    """The application for `/store/PROJECT_ID/KEY`.

    Answers 200 with the value as JSON and a newline, 404 when nothing is published there, 400 for what is no project's id.
    """

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            response = await _answer(store, clock, scope)
        except HooklineError as exc:
            logger.exception("published value not read", extra={"error_code": exc.code})
            response = _text(status_of(exc), "the service cannot read values now")
        except Exception:
            incident = secrets.token_hex(6)
            logger.exception("published value failed", extra={"incident": incident})
            response = _text(INTERNAL_ERROR, f"an internal error; incident {incident}")
        await response(scope, receive, send)

    return serve


async def _answer(store: ValueStore, clock: Clock, scope: Scope) -> Response:
    if scope["method"] not in {"GET", "HEAD"}:
        response = _text(405, "only GET and HEAD are possible here")
        response.headers["allow"] = "GET, HEAD"
        return response
    project_id, _, key = scope["path"][len(PUBLISHED_PREFIX) :].partition("/")
    if _PROJECT_ID.fullmatch(project_id) is None:
        return _text(400, "the path is /store/PROJECT_ID/KEY, with the id of a project (prj_…)")
    found = await store.find_published(ProjectId(project_id), key, clock.now()) if key else None
    if found is None:
        return _text(404, "Not Found")
    headers = {"cache-control": "no-cache"}
    body = plain_json(found.value) + b"\n"
    return Response(body, media_type="application/json", headers=headers)


def _text(status: int, text: str) -> Response:
    return Response(text, status_code=status, media_type="text/plain; charset=utf-8")
