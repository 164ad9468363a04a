"""A service that says what no service says: the host answers or drops it, and its sessions go on."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import anyio
import pytest

from hookline_runner import fast_json
from hookline_runner.attempts import Attempt
from hookline_runner.frames import MAX_FRAME_BYTES, PREFIX, FrameType, encode_frame
from hookline_runner.preparation import Preparation
from hookline_runner.zygote_pool import ZygotePool
from tests.builders.runner_host import running_host
from tests.fakes.service_link import DEADLINE_S, FakeAttempt, FakeService, an_archive

SOURCE = """
import time
import stand_in_session

def hello(name):
    return f"hello {name}"

def wait(_):
    stand_in_session.say(21, {"r": [[0, "print", "", "waiting"]]})
    time.sleep(60)
"""
FILES = {"main.py": SOURCE}
BUILD = {"build": "bld_2", "python": "", "requirements": "", "process": "fork"}
# The fields of each frame as a service sends them; each is replaced by everything in `VALUES` in turn.
FRAMES: dict[FrameType, dict[str, Any]] = {
    FrameType.WELCOME: {"runner": "run_1", "lease_s": 10.0, "heartbeat_s": 0.2},
    FrameType.PREPARE: {"request": 900, "project": "demo", **BUILD},
    FrameType.BUILD: BUILD,
    FrameType.UNNEEDED: {"builds": []},
    FrameType.START: {
        "session": "ses_9",
        "attempt": 1,
        "project": "demo",
        "build": "bld_1",
        "entry_point": "main.py:hello",
        "durable": False,
        "process": "fork",
        "event": {"id": None, "type": None, "data": None},
        "variables": {},
        "hot_window_s": 0,
        "journal_count": 0,
        "log_limit_lines": 0,
        "log_limit_bytes": 0,
        "memory_limit_bytes": 0,
    },
    FrameType.JOURNAL: {"entries": [], "last": True},
    FrameType.ACK: {"n": 1},
    FrameType.STOP: {"reason": "x", "force": False, "grace_s": 60.0},
    FrameType.REPLY: {"n": 1, "ok": True, "wait": False, "error": None},
    FrameType.WAKE: {"topics": []},
    FrameType.STACK: {},
    # Those that only a host or a session sends:
    FrameType.HELLO: {"token": "x"},
    FrameType.HEARTBEAT: {"channels": []},
    FrameType.PROGRESS: {"request": 1, "text": "x"},
    FrameType.PREPARED: {"request": 1, "ok": True},
    FrameType.NEED_BUILD: {"build": "bld_1"},
    FrameType.IDLE_BUILDS: {"builds": ["bld_1"]},
    FrameType.APPEND: {"n": 1, "entries": []},
    FrameType.LOG: {"r": []},
    FrameType.SUSPEND: {"wake_at": 1.0},
    FrameType.DONE: {"ok": True},
    FrameType.EXITED: {"reason": "exited"},
    FrameType.STARTED: {},
    FrameType.STACK_TAKEN: {"stacks": [], "omitted": 0, "dump": False},
    FrameType.CALL: {"n": 1, "op": "store", "args": {}, "entry": None},
    FrameType.UNKNOWN: {},
}
VALUES = (
    b"null", b"true", b"-1", b"1.5", b"9" * 19, b"9" * 3_000, b"9" * 5_000, b"1e308", b"1e400", b"NaN",
    b'"\\ud800"', b'"\\u0000"', b'"../../x"', b'"' + b"x" * 70_000 + b'"', b"[]", b"[[1]]", b"{}",
    b"[" * 1_000 + b"]" * 1_000, b'{"a":' * 1_000 + b"1" + b"}" * 1_000, b"[" * 100_000,
)  # fmt: skip
WHOLE = (b"", b"{", b"7", b"[]", b"null", b"\xff\xfe", b"[" * 100_000, b'"' + b"x" * 100_000 + b'"')


def _headers(fields: Mapping[str, Any]) -> Iterator[bytes]:
    yield from WHOLE
    yield b"{}"
    texts = {name: json.dumps(value).encode() for name, value in fields.items()}
    for name in fields:
        yield _joined({each: text for each, text in texts.items() if each != name})
        for value in VALUES:
            yield _joined({**texts, name: value})


def _joined(texts: Mapping[str, bytes]) -> bytes:
    return b"{%s}" % b",".join(b'"%s":%s' % (name.encode(), text) for name, text in texts.items())


async def _still_works(service: FakeService, bystander: FakeAttempt) -> None:
    assert await service.start("bld_1", "main.py:hello", "still").result() == "hello still"
    assert not bystander.ended.is_set()
    assert not service.host_gone.is_set()


async def _with_bystander(service: FakeService) -> FakeAttempt:
    prepared = await service.prepare("bld_1", FILES)
    assert prepared["ok"], prepared
    bystander = service.start("bld_1", "main.py:wait")
    await bystander.until(FrameType.LOG)
    return bystander


def _accept(service: FakeService, channel: int) -> FakeAttempt:
    return service.attempts.setdefault(channel, FakeAttempt(channel))


@pytest.mark.slow
@pytest.mark.parametrize("kind", FRAMES, ids=lambda kind: kind.name)
async def test_no_frame_of_the_service_harms_another_session(
    tmp_path: Path, bubblewrap: str, kind: FrameType
) -> None:
    async with running_host(tmp_path, bubblewrap) as service:
        bystander = await _with_bystander(service)
        headers = list(_headers(FRAMES[kind]))
        for number, header in enumerate(headers):
            for channel in (0, 1_000 + number, 2**32 - 1):
                _accept(service, channel)
                service.send_raw(encode_frame(kind, channel, header, b"payload"))

        if kind is FrameType.PREPARE:
            asked = sum(map(_asks, headers))
            with anyio.fail_after(DEADLINE_S):
                while (
                    sum(each is FrameType.PREPARED for each, _, _ in service.link_frames) <= asked
                ):
                    await service.link_news.wait()
        await _still_works(service, bystander)


def _asks(header: bytes) -> bool:
    """Whether this PREPARE says to which request an answer belongs."""
    try:
        fields = fast_json.read_header(header)
    except ValueError:
        return False
    return isinstance(fields, dict) and isinstance(fields.get("request"), int)  # pyright: ignore[reportUnknownMemberType] - JSON


def _tar_bytes(name: str, *, size: int = 0, kind: bytes = tarfile.REGTYPE, **pax: str) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as tar:
        member = tarfile.TarInfo(name)
        member.size, member.type, member.pax_headers = size, kind, pax
        tar.addfile(member, io.BytesIO(b"x" * size))
    return stream.getvalue()


def _patched(archive: bytes, offset: int, data: bytes) -> bytes:
    """The archive with other bytes in its first header, whose checksum is right again."""
    head = bytearray(archive[:512])
    head[offset : offset + len(data)] = data
    head[148:156] = b" " * 8
    head[148:156] = b"%06o\0 " % sum(head)
    return bytes(head) + archive[512:]


FINE = an_archive(FILES)
ARCHIVES: dict[str, bytes] = {
    "nothing": b"",
    "one byte": b"x",
    "no archive": b"payload" * 1_000,
    "cut": FINE[:700],
    "cut in a header": FINE[:100],
    "size negative": _patched(FINE, 124, b"\xff" * 12),
    "size far away": _patched(FINE, 124, b"\x80" + b"\x7f" * 11),
    "size beyond the end": _patched(FINE, 124, b"77777777777\0"),
    "size no number": _patched(FINE, 124, b"nonsense!!!\0"),
    "time far away": _patched(FINE, 136, b"\x80" + b"\x7f" * 11),
    "mode no number": _patched(FINE, 100, b"zzzzzzz\0"),
    "name not UTF-8": _patched(FINE, 0, b"\xff\xfe.py\0"),
    "name empty": _patched(FINE, 0, b"\0" * 100),
    "name a dot": _patched(FINE, 0, b"." + b"\0" * 99),
    "name of the whole way": _patched(FINE, 0, b"/" * 100),
    "kind unknown": _patched(FINE, 156, b"Z"),
    "a sparse file": _patched(FINE, 156, b"S"),
    "a long name that is cut": _patched(FINE, 156, b"L"),
    "further headers that are none": _patched(FINE, 156, b"x"),
    "a size in words": _tar_bytes("main.py", size=3, **{"GNU.sparse.major": "1", "GNU.sparse.minor": "0"}),
    "a name with a nil": _tar_bytes("main.py", path="a\0b"),
    "a name too long": _tar_bytes("x" * 300 + "/" + "y" * 300),
    "a sparse map of nonsense": _tar_bytes("main.py", size=3, **{"GNU.sparse.map": "1,x", "GNU.sparse.size": "7"}),
    "a device": _tar_bytes("main.py", kind=tarfile.BLKTYPE),
}  # fmt: skip


@pytest.mark.slow
async def test_a_build_whose_archive_is_nonsense_is_refused_with_a_reason(
    tmp_path: Path, bubblewrap: str
) -> None:
    async with running_host(tmp_path, bubblewrap) as service:
        bystander = await _with_bystander(service)
        for number, (name, archive) in enumerate(ARCHIVES.items()):
            answer = await service.prepare(f"bld_odd_{number}", {}, archive=archive or b"\0")
            is_reasoned = answer["ok"] or answer["error"]["code"] == "build.archive"
            assert is_reasoned, (name, answer)

        await _still_works(service, bystander)


@pytest.mark.slow
async def test_a_build_that_is_sent_as_nonsense_fails_those_who_wait_for_it(
    tmp_path: Path, bubblewrap: str
) -> None:
    async with running_host(tmp_path, bubblewrap) as service:
        bystander = await _with_bystander(service)
        cases = [
            *((BUILD, archive) for archive in ARCHIVES.values()),
            *((BUILD | {"python": value}, FINE) for value in (7, [], "\0", "x" * 70_000, "--help")),
            *((BUILD | {"requirements": value}, FINE) for value in (7, {}, "\0", "-e .", "a\0b")),
        ]
        for number, (fields, archive) in enumerate(cases):
            build_id = f"bld_sent_{number}"
            attempt = service.start(build_id, "main.py:hello", "Ada")
            await service.link_frame(FrameType.NEED_BUILD, build=build_id)
            service.send(FrameType.BUILD, 0, fields | {"build": build_id}, archive)
            exited = await attempt.exited()
            assert exited["reason"] == "start_failed" or exited["detail"] == "", (fields, exited)

        await _still_works(service, bystander)


@pytest.mark.slow
@pytest.mark.parametrize("field", ["build", "python", "requirements"])
async def test_a_prepare_that_cannot_be_read_is_answered(
    tmp_path: Path, bubblewrap: str, field: str
) -> None:
    """One that reads as no version, no packages or an odd name may be carried out; silence is no answer."""
    values = [None, 7, 1.5, [], {}, "", "..", "../x", "a/b", "x" * 300, "\0", "None"]
    async with running_host(tmp_path, bubblewrap) as service:
        for value in values:
            fields: dict[str, Any] = {"build": "bld_1", field: value}

            answer = await service.prepare(fields.pop("build"), FILES, **fields)

            assert answer["ok"] or answer["error"]["message"], value
            assert answer["ok"] or answer["error"]["code"] != "runner.host_failed", value


@pytest.mark.slow
@pytest.mark.parametrize(
    "data",
    [
        pytest.param(PREFIX.pack(0, 50, FrameType.START, 0), id="empty"),
        pytest.param(PREFIX.pack(2, 50, FrameType.START, 3) + b"{}", id="header beyond the frame"),
        pytest.param(
            PREFIX.pack(MAX_FRAME_BYTES + 1, 50, FrameType.START, 2) + bytes(MAX_FRAME_BYTES + 1),
            id="too large",
        ),
        pytest.param(encode_frame(FrameType.START, 50, b'{"build":[' + b"[" * 980 + b"]" * 981 + b"}"), id="deep"),
        pytest.param(encode_frame(FrameType.START, 50, b'{"build":7}'), id="build no text"),
        pytest.param(encode_frame(FrameType.START, 50, b'{"build":"bld_1","memory_limit_bytes":-1}'), id="limit negative"),
        pytest.param(encode_frame(FrameType.START, 50, b'{"build":"bld_1","log_limit_lines":"x"}'), id="limit no number"),
    ],
)  # fmt: skip
async def test_a_start_that_is_no_start_ends_its_own_session_with_a_reason(
    tmp_path: Path, bubblewrap: str, data: bytes
) -> None:
    async with running_host(tmp_path, bubblewrap) as service:
        bystander = await _with_bystander(service)
        odd = _accept(service, 50)

        service.send_raw(data)

        exited = await odd.exited()
        assert exited["reason"] == "start_failed"
        assert "cannot read what the service sent" in exited["detail"]
        await _still_works(service, bystander)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [FrameType.JOURNAL, FrameType.ACK, FrameType.REPLY])
async def test_a_frame_too_large_for_the_link_harms_nobody_but_its_reader(
    tmp_path: Path, bubblewrap: str, kind: FrameType
) -> None:
    async with running_host(tmp_path, bubblewrap) as service:
        bystander = await _with_bystander(service)
        reader = service.start("bld_1", "main.py:wait")
        await reader.until(FrameType.LOG)

        size = 3 * MAX_FRAME_BYTES
        service.send_raw(PREFIX.pack(size, reader.channel, kind, 2) + bytes(size))

        await _still_works(service, bystander)


def _fail(*_: object) -> None:
    raise ZeroDivisionError


@pytest.mark.slow
async def test_an_exception_that_nobody_thought_of_ends_one_session(
    tmp_path: Path, bubblewrap: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running_host(tmp_path, bubblewrap) as service:
        bystander = await _with_bystander(service)
        asked = service.start("bld_1", "main.py:wait")
        await asked.until(FrameType.LOG)
        with monkeypatch.context() as patch:
            patch.setattr(Attempt, "take_stack", _fail)
            service.send(FrameType.STACK, asked.channel, {})
            killed = await asked.exited()
        with monkeypatch.context() as patch:
            patch.setattr(ZygotePool, "request", _fail)
            failed = await service.start("bld_1", "main.py:hello").exited()

        assert (killed["reason"], failed["reason"]) == ("killed", "start_failed")
        assert "ZeroDivisionError" in killed["detail"]
        assert "ZeroDivisionError" in failed["detail"]
        await _still_works(service, bystander)


@pytest.mark.slow
async def test_an_exception_that_nobody_thought_of_fails_one_build(
    tmp_path: Path, bubblewrap: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running_host(tmp_path, bubblewrap) as service:
        bystander = await _with_bystander(service)
        service.builds["bld_3"] = FILES
        with monkeypatch.context() as patch:
            patch.setattr(Preparation, "make_ready", _fail)
            answer = await service.prepare("bld_2", FILES)
            exited = await service.start("bld_3", "main.py:hello").exited()

        assert answer["error"] == {"code": "runner.host_failed", "message": "ZeroDivisionError: "}
        assert (exited["reason"], exited["detail"]) == ("start_failed", "ZeroDivisionError: ")
        await _still_works(service, bystander)


async def test_what_are_no_frames_ends_the_link_and_the_host(
    tmp_path: Path, bubblewrap: str
) -> None:
    async with running_host(tmp_path, bubblewrap) as service:
        await service.link_frame(FrameType.HEARTBEAT)  # it knows that it is welcome
        service.send_raw(b"\xff" * 100)

        await service.host_gone.wait()
