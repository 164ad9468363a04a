"""A package index that lets in only who knows a name and password: real HTTP on loopback."""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote


class PackageIndex:
    """Serves the files of a directory as `/simple/NAME/`, with links as `links` says: relative, rooted or absolute."""

    def __init__(self, files: Path, *, user: str, password: str, links: str = "relative") -> None:
        self.files = files
        self.user, self.password = user, password
        self.links = links
        self.refused = 0
        index = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                login = base64.b64encode(f"{index.user}:{index.password}".encode()).decode()
                if self.headers.get("Authorization") != f"Basic {login}":
                    index.refused += 1
                    self.answer(401, b"who are you?")
                    return
                parts = [unquote(part) for part in self.path.split("/") if part]
                if parts[:1] == ["simple"] and len(parts) == 2:
                    self.answer(200, index.page_of(parts[1]), "text/html")
                elif parts[:1] == ["files"] and (index.files / parts[-1]).is_file():
                    self.answer(200, (index.files / parts[-1]).read_bytes())
                else:
                    self.answer(404, b"not found")

            def answer(
                self, status: int, body: bytes, kind: str = "application/octet-stream"
            ) -> None:
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                if status == 401:
                    self.send_header("WWW-Authenticate", 'Basic realm="packages"')
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            def do_HEAD(self) -> None:
                self.do_GET()

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - as the base class has it
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.place = f"127.0.0.1:{self.server.server_port}"

    @property
    def url(self) -> str:
        """The index with its name and password."""
        return f"http://{self.user}:{self.password}@{self.place}/simple"

    def page_of(self, name: str) -> bytes:
        start = {"relative": "../../", "rooted": "/", "absolute": f"http://{self.place}/"}[
            self.links
        ]
        found = [
            path.name for path in sorted(self.files.iterdir()) if path.name.startswith(f"{name}-")
        ]
        return "".join(f'<a href="{start}files/{each}">{each}</a><br>' for each in found).encode()


@contextmanager
def a_package_index(files: Path, **options: Any) -> Iterator[PackageIndex]:
    """An index that listens."""
    index = PackageIndex(files, **options)
    thread = threading.Thread(target=index.server.serve_forever, daemon=True)
    thread.start()
    try:
        yield index
    finally:
        index.server.shutdown()
        index.server.server_close()
        thread.join()
