"""Who gets in: the host that is addressed, the token that is shown, and headers that browsers heed."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hookline_service.api.errors import HostForbiddenError, TokenMissingError
from hookline_service.api.serving import error_response
from hookline_service.settings import Settings
from hookline_service.use_cases.tokens import TokenCheck

# RFC 9112, 3.2: a host and perhaps a port, without anything else that an authority may have elsewhere.
_HOST = re.compile(r"(?P<name>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:[0-9]*)?", re.ASCII)
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class HostRule:
    """Which `Host` headers are accepted: addresses, localhost, and the names that were configured.

    A page on a foreign name that is made to resolve to this machine (DNS rebinding) sends that foreign name.
    """

    __slots__ = ("_names",)

    def __init__(self, settings: Settings) -> None:
        public = urlsplit(settings.public_url).hostname or ""
        self._names = frozenset(
            {"localhost", settings.host.lower(), public, *settings.allowed_hosts}
        ) - {""}

    def accepts(self, header: str) -> bool:
        """True when this service goes by the name in the header."""
        match = _HOST.fullmatch(header)
        if match is None:
            return False
        name = match["name"].strip("[]").lower()
        if name.rstrip(".") in self._names or name.endswith(".localhost"):
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True


class AccessGate:
    """Middleware: refuses foreign hosts, and requests for closed paths without the token."""

    def __init__(
        self, app: ASGIApp, *, hosts: HostRule, token: TokenCheck, open_paths: frozenset[str]
    ) -> None:
        self._app = app
        self._hosts = hosts
        self._token = token
        self._open_paths = open_paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request through, or answer it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        app = self._refusal(scope) or self._app
        await app(scope, receive, send_with_headers)

    def _refusal(self, scope: Scope) -> ASGIApp | None:
        host = b""
        authorization = b""
        for name, value in scope["headers"]:
            if name == b"host":
                host = value
            elif name == b"authorization":
                authorization = value
        if not self._hosts.accepts(host.decode("latin-1")):
            return error_response(HostForbiddenError(host.decode("latin-1")))
        if scope["path"] in self._open_paths or self._token.accepts(authorization):
            return None
        return error_response(TokenMissingError(is_given=bool(authorization)))
