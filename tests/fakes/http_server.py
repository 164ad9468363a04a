"""An HTTP server of its own process, on loopback: for handlers that use a real client library."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

_PROGRAM = """
import http.server, json, sys, time
log = open(sys.argv[1], "a", buffering=1)
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        log.write(self.path + "\\n")
        time.sleep(float(self.path.partition("?")[2] or 0))
        body = json.dumps({"path": self.path}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    do_POST = do_GET
    def log_message(self, *args):
        pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
print(server.server_port, flush=True)
server.serve_forever()
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpServer:
    """`GET /name?SECONDS` is answered after that time."""

    port: int
    requests: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def asked(self) -> list[str]:
        """The paths asked for, in the order in which requests came."""
        return self.requests.read_text().split()


@contextlib.contextmanager
def http_server(directory: Path) -> Generator[HttpServer]:
    """A server that ends with the block."""
    requests = directory / "requests"
    requests.touch()
    command = [sys.executable, "-c", _PROGRAM, str(requests)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield HttpServer(port=int(process.stdout.readline()), requests=requests)
        process.kill()
