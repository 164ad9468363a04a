"""The way in for webhooks: a bare ASGI application, because every event of every provider comes through here."""

from __future__ import annotations

import logging
import math
import secrets
from collections.abc import Sequence
from typing import Any, Protocol

import anyio
from starlette.types import ASGIApp, Receive, Scope, Send

from hookline.errors import HooklineError, RateLimitedError
from hookline_runner import write_points
from hookline_service.api.bodies import (
    BodiesTooLargeError,
    BodyBudget,
    BodyShare,
    ClientGoneError,
    declared_size,
    read_body,
)
from hookline_service.api.errors import (
    INTERNAL_ERROR,
    BodyTimeoutError,
    BodyTooLargeError,
    status_of,
)
from hookline_service.api.sync_answers import answer_caller
from hookline_service.api.webhook_counts import WebhookCounts
from hookline_service.dispatcher.events import Accepted
from hookline_service.model.errors import log_level_of
from hookline_service.settings import Settings
from hookline_triggers.webhook import check_codings, event_meta, has_codings

logger = logging.getLogger(__name__)

WEBHOOK_PREFIX = "/webhooks/"
_PREFIX_LENGTH = len(WEBHOOK_PREFIX)
_ACCEPTED = 202
_NOT_FOUND = 404
_QUICKLY_DECODED_BYTES = 1024 * 1024

Headers = list[tuple[bytes, bytes]]

_TEXT = (b"content-type", b"text/plain; charset=utf-8")
_NO_CACHE = (b"cache-control", b"no-cache")
_CLOSE = (b"connection", b"close")
_EMPTY = (b"content-length", b"0")
_BODY_EMPTY = {"type": "http.response.body", "body": b""}


class WebhookDispatching(Protocol):
    """What webhooks ask of the dispatcher."""

    async def has_webhook(self, slug: str) -> bool:
        """True if a trigger in force has this slug."""
        ...

    async def accept_webhook(
        self,
        slug: str,
        meta: dict[str, Any],  # Any: the JSON of a request
        headers: Sequence[tuple[bytes, bytes]],
        body: bytes,
    ) -> Accepted | None:
        """Record a request; None when no trigger in force has this slug. Returns when it is on disk.

        For a synchronous webhook it brings a waiter for the answer, which must be closed.
        """
        ...


def create_webhooks(
    dispatcher: WebhookDispatching, settings: Settings, counts: WebhookCounts
) -> ASGIApp:
    """The application for everything under `/webhooks/`.

    Answers 202 once the event is on disk, 404 for an unknown slug, whose body is not read, 408 and 413 for a slow or
    large body, 400 and 415 for one whose `Content-Encoding` cannot be undone, and 429 or 503 when the service cannot take more now; nothing but the 202 means that the event was kept.
    `counts` is told of each.
    A synchronous webhook is answered by its sessions: see `answer_caller`.
    """
    patience_s = settings.sync_webhook_timeout_s
    limit = settings.webhook_limit_bytes
    timeout_s = settings.body_timeout_s
    budget = BodyBudget(settings.queue_limit_bytes)

    async def take(scope: Scope, receive: Receive) -> Accepted | None:
        slug = scope["path"][_PREFIX_LENGTH:].partition("/")[0]
        if not await dispatcher.has_webhook(slug):
            return None
        headers: Headers = scope["headers"]
        with BodyShare(budget) as share:
            body = await read_body(receive, declared_size(headers), limit, timeout_s, share)
            await _check_codings(headers, body, limit)
            meta = event_meta(scope["method"], _target(scope), slug, headers)
            return await dispatcher.accept_webhook(slug, meta, headers, body)

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            accepted = await take(scope, receive)
            if accepted is not None:
                counts.accept(is_new=accepted.recorded.is_new)
            if accepted is not None and accepted.answers is not None:
                answers = accepted.answers
                await answer_caller(answers, receive, send, patience_s, send_timeout_s=timeout_s)
                return
        except ClientGoneError:
            return
        except HooklineError as exc:
            counts.refuse(status_of(exc))
            await _refuse(send, exc)
            return
        except Exception as exc:  # noqa: BLE001 (the supervised place of requests)
            counts.refuse(INTERNAL_ERROR)
            await _fail(send, exc)
            return
        if accepted is None:
            counts.refuse(_NOT_FOUND)
            await _answer(send, _NOT_FOUND, b"Not Found", _end_of_unread(scope["headers"]))
            return
        await _confirm(send, accepted.recorded.event_id.encode())

    return serve


async def _check_codings(headers: Headers, body: bytes, limit: int) -> None:
    """Refuse a body that cannot be decoded within the limit; others need not wait where the limit is large."""
    if not has_codings(headers):
        return
    if limit <= _QUICKLY_DECODED_BYTES:
        check_codings(headers, body, limit)
    else:
        await anyio.to_thread.run_sync(check_codings, headers, body, limit)


async def _confirm(send: Send, event_id: bytes) -> None:
    write_points.reach("service 202: before sending")
    names = (b"hookline-event-id", b"autokitteh-event-id")
    headers = [_NO_CACHE, _EMPTY, *((name, event_id) for name in names)]
    await send({"type": "http.response.start", "status": _ACCEPTED, "headers": headers})
    await send(_BODY_EMPTY)
    write_points.reach("service 202: after sending")


def _target(scope: Scope) -> bytes:
    """Path and query as received."""
    raw_path: bytes = scope["raw_path"]
    query: bytes = scope["query_string"]
    return raw_path + b"?" + query if query else raw_path


def _end_of_unread(headers: Headers) -> Headers:
    """The header that closes a connection on which a body comes that nobody reads; none if there is no body."""
    is_empty = (declared_size(headers) or 0) == 0
    return [] if is_empty and all(name != b"transfer-encoding" for name, _ in headers) else [_CLOSE]


async def _refuse(send: Send, error: HooklineError) -> None:
    extra: Headers = []
    if isinstance(error, BodiesTooLargeError | BodyTooLargeError | BodyTimeoutError):
        extra.append(_CLOSE)
    if isinstance(error, RateLimitedError):
        extra.append((b"retry-after", str(max(1, math.ceil(error.retry_after_s))).encode()))
    status = status_of(error)
    if status >= INTERNAL_ERROR:
        facts = {"error_code": error.code, "reason": error.message}
        logger.log(log_level_of(error), "webhook not taken", extra=facts)
    text = "the service cannot take events now" if status >= INTERNAL_ERROR else error.message
    await _answer(send, status, text.encode(), extra)


async def _fail(send: Send, error: Exception) -> None:
    incident = secrets.token_hex(6)
    logger.error("webhook failed", exc_info=error, extra={"incident": incident})
    await _answer(send, INTERNAL_ERROR, f"an internal error; incident {incident}".encode(), [])


async def _answer(send: Send, status: int, text: bytes, extra: Headers) -> None:
    headers = [_TEXT, _NO_CACHE, (b"content-length", str(len(text)).encode()), *extra]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": text})
