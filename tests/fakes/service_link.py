"""The service's end of runner links, for tests of the runner host: real frames on a real Unix socket."""

from __future__ import annotations

import asyncio
import io
import json
import tarfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio

from hookline_runner.frames import Frame, FrameReader, FrameType, encode_frame

TOKEN = "test-token"
DEADLINE_S = 45  # of a test that may take 60


def an_archive(files: Mapping[str, str | bytes]) -> bytes:
    """An uncompressed tar of these files."""
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as tar:
        for name, content in files.items():
            data = content.encode() if isinstance(content, str) else content
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return target.getvalue()


@dataclass
class FakeAttempt:
    """One channel: what came from it, in order."""

    channel: int
    frames: list[tuple[FrameType, dict[str, Any], bytes]] = field(default_factory=list)
    ended: anyio.Event = field(default_factory=anyio.Event)
    news: anyio.Event = field(default_factory=anyio.Event)

    def headers(self, frame_type: FrameType) -> list[dict[str, Any]]:
        return [header for kind, header, _ in self.frames if kind is frame_type]

    def kinds(self) -> list[FrameType]:
        return [kind for kind, _, _ in self.frames]

    def log_lines(self, kind: str) -> list[str]:
        records = [record for header in self.headers(FrameType.LOG) for record in header["r"]]
        return [record[3] for record in records if record[1] == kind]

    async def until(self, frame_type: FrameType) -> dict[str, Any]:
        with anyio.fail_after(DEADLINE_S):
            while not (found := self.headers(frame_type)):
                await self.news.wait()
        return found[0]

    async def exited(self) -> dict[str, Any]:
        with anyio.fail_after(DEADLINE_S):
            await self.ended.wait()
        return self.headers(FrameType.EXITED)[0]

    async def result(self) -> Any:
        await self.exited()
        done = self.headers(FrameType.DONE)
        if not done:
            raise AssertionError(f"no DONE, but {self.frames}")
        if not done[0]["ok"]:
            raise AssertionError(done[0]["error"])
        return json.loads(done[0]["display"])


class FakeService:
    """Accepts one host at a time; use `running_service`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.hello: dict[str, Any] = {}
        self.greeted = anyio.Event()
        self.host_gone = anyio.Event()
        self.attempts: dict[int, FakeAttempt] = {}
        self.link_frames: list[tuple[FrameType, dict[str, Any], bytes]] = []
        self.link_news = anyio.Event()
        self.builds: dict[str, dict[str, str | bytes]] = {}
        self.unneeded: set[str] = set()
        self.token = TOKEN
        self.heartbeat_s = 0.2
        self._writer: asyncio.StreamWriter | None = None
        self._reader: asyncio.StreamReader | None = None
        self._next_channel = 0
        self._next_request = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writer, self._reader = writer, reader
        frames = FrameReader()
        try:
            while data := await reader.read(1 << 20):
                for frame in frames.feed(data):
                    self._hear(frame)
        except (ConnectionError, asyncio.CancelledError):
            pass  # the streams module logs a cancelled handler as an error
        finally:
            self.host_gone.set()
            writer.close()

    def send(
        self, kind: FrameType, channel: int, header: Mapping[str, Any], payload: bytes = b""
    ) -> None:
        assert self._writer is not None
        self._writer.write(encode_frame(kind, channel, json.dumps(header).encode(), payload))

    def send_raw(self, data: bytes) -> None:
        assert self._writer is not None
        self._writer.write(data)

    def drop_link(self) -> None:
        assert self._writer is not None
        self._writer.transport.abort()

    def pause(self) -> None:
        assert self._writer is not None
        self._writer.transport.pause_reading()

    def resume(self) -> None:
        assert self._writer is not None
        self._writer.transport.resume_reading()

    async def prepare(
        self,
        build: str,
        files: Mapping[str, str | bytes],
        *,
        archive: bytes | None = None,
        **fields: Any,
    ) -> dict[str, Any]:
        self._next_request += 1
        number = self._next_request
        header = {
            "request": number,
            "project": "demo",
            "build": build,
            "python": "",
            "requirements": "",
            "process": "fork",
            **fields,
        }
        self.send(FrameType.PREPARE, 0, header, archive or an_archive(files))
        return await self.link_frame(FrameType.PREPARED, request=number)

    async def link_frame(self, kind: FrameType, **fields: Any) -> dict[str, Any]:
        with anyio.fail_after(DEADLINE_S):
            while True:
                for found, header, _ in self.link_frames:
                    if found is kind and all(
                        header.get(name) == value for name, value in fields.items()
                    ):
                        return header
                await self.link_news.wait()

    def start(self, build: str, entry_point: str, data: Any = None, **fields: Any) -> FakeAttempt:
        self._next_channel += 1
        attempt = FakeAttempt(self._next_channel)
        self.attempts[attempt.channel] = attempt
        header = {
            "session": f"ses_{attempt.channel}",
            "attempt": 1,
            "project": "demo",
            "build": build,
            "entry_point": entry_point,
            "durable": False,
            "process": "fork",
            "event": {"id": None, "type": None, "data": data},
            "has_body": False,
            "variables": {},
            "hot_window_s": 0,
            "journal_count": 0,
            "log_limit_lines": 0,
            "log_limit_bytes": 0,
            "memory_limit_bytes": 0,
            "now": 0.0,
            **fields,
        }
        self.send(FrameType.START, attempt.channel, header)
        return attempt

    def stop(self, attempt: FakeAttempt, *, force: bool = False, grace_s: float = 5.0) -> None:
        header = {"reason": "test", "force": force, "grace_s": grace_s}
        self.send(FrameType.STOP, attempt.channel, header)

    def _hear(self, frame: Frame) -> None:
        header = json.loads(frame.header)
        if frame.channel:
            attempt = self.attempts[frame.channel]
            attempt.frames.append((frame.type, header, frame.payload))
            attempt.news.set()
            attempt.news = anyio.Event()
            if frame.type is FrameType.EXITED:
                attempt.ended.set()
            return
        self.link_frames.append((frame.type, header, frame.payload))
        if frame.type is FrameType.HELLO:
            self._greet(header)
        elif frame.type is FrameType.NEED_BUILD and header["build"] in self.builds:
            files = self.builds[header["build"]]
            build = {**header, "python": "", "requirements": "", "process": "fork"}
            self.send(FrameType.BUILD, 0, build, an_archive(files))
        elif frame.type is FrameType.IDLE_BUILDS:
            unneeded = [each for each in header["builds"] if each in self.unneeded]
            self.send(FrameType.UNNEEDED, 0, {"builds": unneeded})
        self.link_news.set()
        self.link_news = anyio.Event()

    def _greet(self, header: dict[str, Any]) -> None:
        if header["token"] != self.token:
            self.drop_link()
            return
        self.hello = header
        welcome = {"runner": "run_1", "lease_s": 10.0, "heartbeat_s": self.heartbeat_s}
        self.send(FrameType.WELCOME, 0, welcome)
        self.greeted.set()


@asynccontextmanager
async def running_service(path: Path) -> AsyncIterator[FakeService]:
    """A service that listens on `path`."""
    service = FakeService(path)
    server = await asyncio.start_unix_server(service.serve, str(path), limit=1 << 24)
    try:
        yield service
    finally:
        server.close()
        if service._writer is not None:
            service._writer.transport.abort()
