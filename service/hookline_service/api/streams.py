"""Server-sent events: a live answer that ends when its producer does, or when the client goes away."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Awaitable, Callable

import anyio
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from hookline.errors import HooklineError
from hookline_runner import fast_json
from hookline_service.api.errors import UnexpectedError, error_object

logger = logging.getLogger(__name__)

_COMMENT = b": keep-alive\n\n"


class EventSender:
    """Sends events to one client, one at a time."""

    __slots__ = ("_is_quiet", "_lock", "_send")

    def __init__(self, send: Send) -> None:
        self._send = send
        self._lock = anyio.Lock()
        self._is_quiet = True

    async def event(self, name: str, data: object, *, event_id: str = "") -> None:
        """Send one event with JSON data."""
        await self.events(event_bytes(name, data, event_id=event_id))

    async def events(self, encoded: bytes) -> None:
        """Send events that `event_bytes` made."""
        async with self._lock:
            self._is_quiet = False
            await self._send({"type": "http.response.body", "body": encoded, "more_body": True})

    async def keep_alive(self, every_s: float) -> None:
        """For ever: a comment after each stretch of silence."""
        while True:
            self._is_quiet = True
            await anyio.sleep(every_s)
            if self._is_quiet:
                await self.events(_COMMENT)


def event_bytes(name: str, data: object, *, event_id: str = "") -> bytes:
    """One event as it goes over the wire."""
    head = f"id: {event_id}\nevent: {name}\n" if event_id else f"event: {name}\n"
    return head.encode() + b"data: " + fast_json.write(data, default=str) + b"\n\n"


class EventStream(Response):
    """An answer of server-sent events, written by `produce`; its errors become a last event `error`."""

    media_type = "text/event-stream"

    def __init__(
        self, produce: Callable[[EventSender], Awaitable[None]], heartbeat_s: float
    ) -> None:
        super().__init__(headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._produce = produce
        self._heartbeat_s = heartbeat_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the stream."""
        start = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
        await send(start)
        if scope["method"] == "HEAD":
            await send({"type": "http.response.body", "body": b""})
            return
        is_gone = False

        async def watch_client() -> None:
            nonlocal is_gone
            while (await receive())["type"] != "http.disconnect":
                pass
            is_gone = True
            group.cancel_scope.cancel()

        sender = EventSender(send)
        async with anyio.create_task_group() as group:
            group.start_soon(watch_client, name="watch client")
            group.start_soon(sender.keep_alive, self._heartbeat_s, name="keep stream alive")
            await self._run(sender)
            group.cancel_scope.cancel()
        if not is_gone:
            await send({"type": "http.response.body", "body": b""})

    async def _run(self, sender: EventSender) -> None:
        try:
            await self._produce(sender)
        except HooklineError as exc:
            await sender.event("error", error_object(exc))
        except OSError:
            logger.debug("client left a stream")
        except Exception:
            incident = secrets.token_hex(6)
            logger.exception("stream failed", extra={"incident": incident})
            await sender.event("error", error_object(UnexpectedError(incident)))
