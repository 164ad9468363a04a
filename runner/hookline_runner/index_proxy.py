"""A proxy of package indexes for code that must not know their passwords: it asks for files, and nothing else.

Runs as a program of its own (`python -m hookline_runner.index_proxy`) while packages are built. It listens on loopback, at
one port for each index; who asks must know a token, which is worth nothing once the program has ended. Names and passwords
come in by the environment of the program, which no sandbox shows.
"""

from __future__ import annotations

import base64
import hmac
import http.server
import os
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from email.message import Message
from http.client import HTTPException
from typing import IO, Final

from hookline_runner import fast_json
from hookline_runner.processes import die_with_parent

VARIABLE: Final = "HOOKLINE_INDEX_PROXY"
USER: Final = "installer"
_TIMEOUT_S: Final = 60.0
_CHUNK_BYTES: Final = 64 * 1024
_MOST_PAGE_BYTES: Final = 64 * 1024 * 1024
_PASSED_ON: Final = (
    "Accept",
    "Range",
    "If-Range",
    "If-None-Match",
    "If-Modified-Since",
    "User-Agent",
)
_PASSED_BACK: Final = (
    *("Content-Type", "Content-Range", "Accept-Ranges", "ETag", "Last-Modified", "Cache-Control"),
)
_PAGES: Final = ("text/html", "application/vnd.pypi.simple", "application/json")


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Redirects are for who asked: a password must not follow one to another server."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: Message,
        newurl: str,
    ) -> None:
        """See `urllib.request.HTTPRedirectHandler.redirect_request`."""
        del req, fp, code, msg, headers, newurl


class _Proxy(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, origin: str, login: str, token: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.origin = origin
        self.login = login  # the header by which the index lets in, "" for none
        self.token = token
        self.origins: Mapping[str, str] = {}
        self.opener = urllib.request.build_opener(_NoRedirects)


class _Handler(http.server.BaseHTTPRequestHandler):
    server: _Proxy  # pyright: ignore[reportIncompatibleVariableOverride] - what it is made by
    protocol_version = "HTTP/1.1"
    timeout = _TIMEOUT_S

    def do_GET(self) -> None:
        """Ask the index for the same."""
        self._serve(has_body=True)

    def do_HEAD(self) -> None:
        """The same without the file."""
        self._serve(has_body=False)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of the standard library
        """Say nothing: what is asked for may be private."""

    def _serve(self, *, has_body: bool) -> None:
        expected = _basic(USER, self.server.token)
        if not hmac.compare_digest(self.headers.get("Authorization", ""), expected):
            self._refuse(401, "this is for the installer", {"WWW-Authenticate": "Basic"})
        elif not self.path.startswith("/"):
            self._refuse(400, "a path is needed", {})
        else:
            self._ask(has_body=has_body)

    def _ask(self, *, has_body: bool) -> None:
        headers = {name: value for name in _PASSED_ON if (value := self.headers.get(name))}
        headers["Accept-Encoding"] = "identity"
        if self.server.login:
            headers["Authorization"] = self.server.login
        request = urllib.request.Request(  # noqa: S310 - origins are of the web: see `index_access`
            self.server.origin + self.path, headers=headers, method="GET" if has_body else "HEAD"
        )
        try:
            answer = self.server.opener.open(request, timeout=_TIMEOUT_S)
        except urllib.error.HTTPError as exc:
            answer = exc
        except (OSError, ValueError, HTTPException) as exc:
            self._refuse(502, f"{self.server.origin} cannot be reached: {exc}", {})
            return
        with answer:
            self._pass_back(answer.status or 502, answer.headers, answer, has_body=has_body)

    def _pass_back(self, status: int, headers: Message, body: IO[bytes], *, has_body: bool) -> None:
        told = {name: value for name in _PASSED_BACK if (value := headers.get(name))}
        if location := headers.get("Location"):
            told["Location"] = self._by_proxies(location.encode()).decode()
        if headers.get_content_type().startswith(_PAGES) and has_body:
            page = self._by_proxies(body.read(_MOST_PAGE_BYTES))
            self._answer(status, {**told, "Content-Length": str(len(page))})
            self.wfile.write(page)
            return
        length = headers.get("Content-Length")
        self.close_connection = self.close_connection or length is None
        ends = {"Connection": "close"} if length is None else {"Content-Length": length}
        self._answer(status, told | ends)
        while has_body and (chunk := body.read(_CHUNK_BYTES)):
            self.wfile.write(chunk)

    def _by_proxies(self, text: bytes) -> bytes:
        """Links to the indexes lead through their proxies, too."""
        for origin, proxy in self.server.origins.items():
            text = text.replace(origin.encode() + b"/", proxy.encode() + b"/")
        return text

    def _refuse(self, status: int, reason: str, headers: Mapping[str, str]) -> None:
        text = reason.encode()
        self._answer(
            status, {**headers, "Content-Type": "text/plain", "Content-Length": str(len(text))}
        )
        if self.command != "HEAD":
            self.wfile.write(text)

    def _answer(self, status: int, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()


def _basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def main(arguments: Sequence[str]) -> int:
    """Serve until it is killed. The first line on stderr says by JSON at which URL the proxy of each origin is."""
    del arguments
    die_with_parent()
    order = fast_json.read(os.environ.pop(VARIABLE).encode())  # noqa: TID251 - how it is told passwords
    proxies: list[_Proxy] = []
    for each in order["origins"]:
        login = _basic(each["user"], each["password"]) if each["user"] else ""
        proxies.append(_Proxy(each["url"], login, order["token"]))
    for proxy in proxies:
        proxy.origins = {each.origin: f"http://127.0.0.1:{each.server_port}" for each in proxies}
        threading.Thread(target=proxy.serve_forever, daemon=True).start()
    places = {
        proxy.origin: f"http://{USER}:{order['token']}@127.0.0.1:{proxy.server_port}"
        for proxy in proxies
    }
    sys.stderr.write(fast_json.write(places).decode() + "\n")
    sys.stderr.flush()
    threading.Event().wait()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
