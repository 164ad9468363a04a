"""Restate: its server from npm, its Python SDK on hypercorn; one node, defaults."""

from __future__ import annotations

import http.client
import json
import os
import socket
import time
from pathlib import Path
from typing import Self

from bench.load import Client, LoadResult, post, run_load
from bench.paths import PEERS, ROOT
from bench.processes import free_port, memory_mb, tree
from bench.server import Server

_BINARY = PEERS / "npm" / "node_modules" / ".bin" / "restate-server"


class Restate:
    """A Restate server with the bench service registered, on a scratch directory."""

    def __init__(self, scratch: Path) -> None:
        scratch.mkdir(parents=True, exist_ok=True)
        self._ports = {name: free_port() for name in ("ingress", "admin", "node", "app")}
        self._server = Server(
            [
                str(_BINARY),
                "--no-logo",
                "--base-dir",
                str(scratch / "data"),
                "--node-name",
                "bench",
            ],
            port=self._ports["admin"],
            ready_path="/health",
            log=scratch / "server.log",
            environment={
                **os.environ,
                "RESTATE_INGRESS__BIND_ADDRESS": f"127.0.0.1:{self._ports['ingress']}",
                "RESTATE_ADMIN__BIND_ADDRESS": f"127.0.0.1:{self._ports['admin']}",
                "RESTATE_BIND_ADDRESS": f"127.0.0.1:{self._ports['node']}",
                "RESTATE_LOG_FILTER": "warn",
                "DO_NOT_TRACK": "1",
            },
            cwd=scratch,
        )
        self._app = Server(
            [
                str(PEERS / "venv" / "bin" / "hypercorn"),
                "--bind",
                f"127.0.0.1:{self._ports['app']}",
                "bench.peers.restate_app:app",
            ],
            port=self._ports["app"],
            ready_path="/health",
            log=scratch / "app.log",
            cwd=ROOT,
        )

    @property
    def port(self) -> int:
        """Where its services are called."""
        return self._ports["ingress"]

    def start(self) -> float:
        """Start both and register; the seconds the server took to be healthy."""
        taken = self._server.start()
        self._app.start()
        connection = http.client.HTTPConnection("127.0.0.1", self._ports["admin"], timeout=30)
        uri = f"http://127.0.0.1:{self._ports['app']}/"
        headers = {"content-type": "application/json"}
        connection.request("POST", "/deployments", json.dumps({"uri": uri}), headers)
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        if answer.status >= 300:
            raise RuntimeError(f"Restate refused the service: {text!r}")
        return taken

    def steps(self, count: int) -> list[int]:
        """Run one workflow of this many steps; the nanoseconds at which each ran."""
        return json.loads(self._call(count, connections=1, runs=1)[1][0])

    def throughput(self, *, steps: int, clients: int, runs: int) -> LoadResult:
        """Workflows of this many steps by so many clients at once."""
        return self._call(steps, connections=clients, runs=runs)[0]

    def wakes(self, count: int, *, evicted: bool, pause_s: float) -> list[float]:
        """Seconds from each request that resolves an awakeable until the waiting workflow goes on."""
        taken: list[float] = []
        with (
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener,
            Client(self.port, 1) as client,
        ):
            listener.bind(("127.0.0.1", 0))
            listener.settimeout(30)
            order = json.dumps({"n": count, "port": listener.getsockname()[1]}).encode()
            handler = "listen_evicted" if evicted else "listen"
            client.send(post(f"/Bench/{handler}/send", order), 1)
            for _ in range(count):
                name = listener.recv(1000).decode()
                time.sleep(pause_s)
                begun = time.time_ns()
                client.send(post(f"/restate/awakeables/{name}/resolve", b"1"), 1)
                taken.append((int(listener.recv(1000)) - begun) / 1e9)
        return taken

    def _call(self, count: int, *, connections: int, runs: int) -> tuple[LoadResult, list[bytes]]:
        answers: list[bytes] = []
        request = post("/Bench/steps", str(count).encode())
        result = run_load(
            self._ports["ingress"],
            request,
            connections=connections,
            count=runs,
            keep=lambda answer: answers.append(answer.partition(b"\r\n\r\n")[2]),
        )
        if set(result.statuses) != {200}:
            raise RuntimeError(f"Restate answered {dict(result.statuses)}: {answers[0]!r}")
        return result, answers

    def resident_mb(self) -> float:
        """Memory of the server and of the service beside it."""
        pids = [*tree(self._server.pid), *tree(self._app.pid)]
        return sum(memory_mb(pid)[0] for pid in pids)

    def stop(self) -> None:
        """End both."""
        self._app.stop()
        self._server.stop()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
