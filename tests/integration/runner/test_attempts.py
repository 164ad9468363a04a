"""Attempts from START to EXITED, on a real host with real processes."""

from __future__ import annotations

import json
from pathlib import Path

import anyio
import pytest

from hookline_runner.frames import PREFIX, FrameType, encode_frame
from tests.builders.runner_host import running_host
from tests.fakes.service_link import FakeAttempt, FakeService

SOURCE = """
import os, subprocess, sys, time
import stand_in_session

def hello(name):
    print("hello", name)
    return f"hello {name}"

def count_files(_):
    open("left.txt", "w").close()
    open("main.py", "a").write("# changed")
    os.makedirs("deep/er", exist_ok=True)
    return sorted(os.listdir("."))

def read_source(_):
    return open("main.py").read()

def shout(_):
    subprocess.run(["/bin/sh", "-c", "echo from a child; echo to stderr >&2"], check=True)

def binary(_):
    os.write(1, b"caf\\xe9 \\x00\\n" + b"x" * 200000 + b"\\nlast")

def flood(_):
    for _ in range(2000):
        os.write(1, (b"x" * 499 + b"\\n") * 10)

def pid(_):
    return os.getpid()

def kill_self(_):
    os.kill(os.getpid(), 9)

def exit_3(_):
    os._exit(3)

def close_everything(_):
    os.closerange(0, 1000)
    time.sleep(60)

def wait(_):
    stand_in_session.say(21, {"r": [[0, "print", "", "waiting"]]})
    time.sleep(60)

def be_deaf(_):
    import signal
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    stand_in_session.say(21, {"r": [[0, "print", "", "deaf"]]})
    time.sleep(60)

def eat_memory(_):
    return len(bytearray(2 * 1024**3))

def send_garbage(data):
    stand_in_session.sock.sendall(bytes.fromhex(data))
    time.sleep(60)

def talk_after_the_end(_):
    stand_in_session.say(23, {"ok": True, "display": "1", "error": None, "dirty": None})
    stand_in_session.say(21, {"r": [[0, "print", "", "too late"]]})
    time.sleep(60)
"""
FILES = {"main.py": SOURCE, "data/words.txt": "one two"}


async def _prepare(service: FakeService) -> None:
    prepared = await service.prepare("bld_1", FILES)
    assert prepared["ok"], prepared


async def test_a_session_says_what_it_printed_then_its_result_then_that_it_ended(
    tmp_path: Path, sandbox: str
) -> None:
    async with running_host(tmp_path, sandbox) as service:
        await _prepare(service)

        attempt = service.start("bld_1", "main.py:hello", "Ada")

        assert await attempt.result() == "hello Ada"
        assert attempt.log_lines("stdout") == ["hello Ada"]
        kinds = attempt.kinds()
        assert kinds[0] is FrameType.STARTED
        assert kinds[-3:] == [FrameType.LOG, FrameType.DONE, FrameType.EXITED]
        assert await attempt.exited() == {
            "status": None,
            "signal": None,
            "reason": "exited",
            "detail": "",
        }


async def test_a_build_that_the_host_lacks_is_asked_for_and_then_run(
    tmp_path: Path, sandbox: str
) -> None:
    async with running_host(tmp_path, sandbox) as service:
        service.builds["bld_9"] = FILES

        attempts = [service.start("bld_9", "main.py:hello", name) for name in ("a", "b")]

        assert [await attempt.result() for attempt in attempts] == ["hello a", "hello b"]
        asked = [header for kind, header, _ in service.link_frames if kind is FrameType.NEED_BUILD]
        assert asked == [{"build": "bld_9"}]


async def test_a_build_is_found_again_by_the_next_host(tmp_path: Path, sandbox: str) -> None:
    async with running_host(tmp_path, sandbox) as service:
        await _prepare(service)

    (tmp_path / "s").unlink(missing_ok=True)
    async with running_host(tmp_path, sandbox) as service:
        attempt = service.start("bld_1", "main.py:hello", "again")

        assert await attempt.result() == "hello again"


async def test_a_build_that_cannot_be_unpacked_fails_the_start(
    tmp_path: Path, sandbox: str
) -> None:
    async with running_host(tmp_path, sandbox) as service:
        service.builds["bld_9"] = {"../evil.py": ""}

        exited = await service.start("bld_9", "main.py:hello").exited()

        assert exited["reason"] == "start_failed"
        assert "../evil.py" in exited["detail"]


async def test_what_a_session_changes_in_its_files_is_not_seen_by_the_next(
    tmp_path: Path, sandbox: str
) -> None:
    async with running_host(tmp_path, sandbox) as service:
        await _prepare(service)

        listings = [await service.start("bld_1", "main.py:count_files").result() for _ in range(6)]
        source = await service.start("bld_1", "main.py:read_source").result()

        assert listings == [["data", "deep", "left.txt", "main.py"]] * 6
        assert source == SOURCE


async def test_output_of_child_processes_arrives_before_the_end(
    tmp_path: Path, sandbox: str
) -> None:
    async with running_host(tmp_path, sandbox) as service:
        await _prepare(service)

        attempt = service.start("bld_1", "main.py:shout")

        await attempt.result()
        assert attempt.log_lines("stdout") == ["from a child"]
        assert attempt.log_lines("stderr") == ["to stderr"]


async def test_binary_output_and_long_lines_become_readable_lines(
    tmp_path: Path, sandbox: str
) -> None:
    async with running_host(tmp_path, sandbox) as service:
        await _prepare(service)

        attempt = service.start("bld_1", "main.py:binary")

        await attempt.result()
        first, long, last = attempt.log_lines("stdout")
        assert first == "caf\\xe9 \0"
        assert long.startswith("x" * 65536)
        assert long.endswith("cut)")
        assert last == "last"


async def test_output_over_the_limit_is_cut_with_a_mark(tmp_path: Path, sandbox: str) -> None:
    async with running_host(tmp_path, sandbox) as service:
        await _prepare(service)

        attempt = service.start("bld_1", "main.py:flood", log_limit_lines=100)

        await attempt.result()
        assert attempt.log_lines("stdout") == ["x" * 499] * 100
        assert attempt.log_lines("warning") == [
            "output on stdout is over the limit; the rest was cut"
        ]


@pytest.mark.parametrize(
    ("function", "status", "signal"), [("kill_self", None, 9), ("exit_3", 3, None)]
)
async def test_a_process_that_dies_is_reported_with_how_it_died(
    tmp_path: Path, sandbox: str, function: str, status: int | None, signal: int | None
) -> None:
    async with running_host(tmp_path, sandbox) as service:
        await _prepare(service)

        attempt = service.start("bld_1", f"main.py:{function}")

        exited = await attempt.exited()
        assert (exited["status"], exited["signal"], exited["reason"]) == (status, signal, "exited")
        assert FrameType.DONE not in attempt.kinds()


async def test_a_process_that_closes_every_descriptor_is_ended(
    tmp_path: Path, sandbox: str
) -> None:
    async with running_host(tmp_path, sandbox) as service:
        await _prepare(service)

        exited = await service.start("bld_1", "main.py:close_everything").exited()

        assert exited["signal"] == 9
        assert "closed its socket" in exited["detail"]


async def test_a_process_gets_no_more_memory_than_allowed(tmp_path: Path, sandbox: str) -> None:
    async with running_host(tmp_path, sandbox) as service:
        await _prepare(service)

        attempt = service.start("bld_1", "main.py:eat_memory")

        done = await attempt.until(FrameType.DONE)
        assert done["error"]["type"] == "MemoryError"


async def test_a_polite_stop_reaches_the_process_as_sigterm(tmp_path: Path, sandbox: str) -> None:
    async with running_host(tmp_path, sandbox) as service:
        await _prepare(service)
        attempt = service.start("bld_1", "main.py:wait")
        await attempt.until(FrameType.LOG)

        service.stop(attempt, grace_s=20)

        exited = await attempt.exited()
        assert exited["signal"] != 9


async def test_a_process_deaf_to_sigterm_is_killed_after_the_grace_period(
    tmp_path: Path, sandbox: str
) -> None:
    async with running_host(tmp_path, sandbox) as service:
        await _prepare(service)
        attempt = service.start("bld_1", "main.py:be_deaf")
        await attempt.until(FrameType.LOG)

        service.stop(attempt, grace_s=0.1)

        exited = await attempt.exited()
        assert (exited["signal"], exited["reason"]) == (9, "killed")


async def test_a_stop_by_force_kills_at_once(tmp_path: Path, sandbox: str) -> None:
    async with running_host(tmp_path, sandbox) as service:
        await _prepare(service)
        attempt = service.start("bld_1", "main.py:be_deaf")
        await attempt.until(FrameType.LOG)

        service.stop(attempt, force=True, grace_s=60)

        exited = await attempt.exited()
        assert (exited["signal"], exited["reason"]) == (9, "killed")


async def test_an_attempt_stopped_before_it_has_a_process_ends_at_once(
    tmp_path: Path, sandbox: str
) -> None:
    async with running_host(tmp_path, sandbox) as service:
        attempt = service.start("bld_never_sent", "main.py:hello")

        service.stop(attempt)

        assert (await attempt.exited())["reason"] == "killed"


@pytest.mark.parametrize(
    "garbage",
    [
        pytest.param(b"\xff" * 64, id="garbage"),
        pytest.param(PREFIX.pack(2**31, 0, FrameType.LOG, 10), id="huge frame"),
        pytest.param(PREFIX.pack(4, 0, FrameType.LOG, 9) + b"{}{}", id="header beyond the frame"),
        pytest.param(PREFIX.pack(2, 0, FrameType.EXITED, 2) + b"{}", id="frame of the host"),
        pytest.param(PREFIX.pack(2, 0, FrameType.HELLO, 2) + b"{}", id="frame of the link"),
        pytest.param(PREFIX.pack(2, 0, 99, 2) + b"{}", id="unknown type"),
    ],
)
async def test_hostile_bytes_of_a_session_end_that_attempt_alone(
    tmp_path: Path, sandbox: str, garbage: bytes
) -> None:
    async with running_host(tmp_path, sandbox) as service:
        await _prepare(service)
        bystander = service.start("bld_1", "main.py:be_deaf")
        await bystander.until(FrameType.LOG)

        attempt = service.start("bld_1", "main.py:send_garbage", garbage.hex())

        exited = await attempt.exited()
        assert exited["reason"] == "killed"
        assert "broke the protocol" in exited["detail"]
        assert await service.start("bld_1", "main.py:hello", "still").result() == "hello still"
        assert not bystander.ended.is_set()


async def test_what_a_session_says_after_its_end_is_dropped(tmp_path: Path, sandbox: str) -> None:
    async with running_host(tmp_path, sandbox) as service:
        await _prepare(service)

        attempt = service.start("bld_1", "main.py:talk_after_the_end")
        await attempt.exited()
        await service.start("bld_1", "main.py:hello", "x").result()

        assert attempt.kinds() == [FrameType.STARTED, FrameType.DONE, FrameType.EXITED]


async def test_many_sessions_at_once_all_end_with_their_own_result(
    tmp_path: Path, sandbox: str
) -> None:
    async with running_host(tmp_path, sandbox) as service:
        await _prepare(service)

        attempts = [service.start("bld_1", "main.py:hello", str(n)) for n in range(60)]

        results = [await attempt.result() for attempt in attempts]
        assert results == [f"hello {n}" for n in range(60)]


async def test_nothing_is_lost_while_the_service_does_not_read(
    tmp_path: Path, sandbox: str
) -> None:
    async with running_host(tmp_path, sandbox) as service:
        await _prepare(service)
        service.pause()

        attempt = service.start("bld_1", "main.py:flood")
        with anyio.move_on_after(0.5):
            await attempt.exited()
        service.resume()

        await attempt.result()
        assert len(attempt.log_lines("stdout")) == 20_000


async def test_the_host_beats_and_tells_which_attempts_live(tmp_path: Path, sandbox: str) -> None:
    async with running_host(tmp_path, sandbox) as service:
        await _prepare(service)
        attempt = service.start("bld_1", "main.py:wait")

        beat = await service.link_frame(FrameType.HEARTBEAT, channels=[attempt.channel])

        assert beat["rss_bytes"] > 0
        assert beat["starts"] == 1
        assert beat["free"] == service.hello["capacity"] - 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("event", "is_readable"),
    [
        (rb'"\ud83d"', True),
        (b"[" * 250 + b"]" * 250, True),
        (b"[" * 100_000 + b"]" * 100_000, False),
        (b"1e400", False),
        (b"nothing of the kind", False),
    ],
    ids=["half", "deep", "too deep", "endless", "no JSON"],
)
async def test_a_start_that_cannot_be_read_ends_its_attempt_and_no_other(
    tmp_path: Path, sandbox: str, event: bytes, is_readable: bool
) -> None:
    async with running_host(tmp_path, sandbox) as service:
        await _prepare(service)
        bystander = service.start("bld_1", "main.py:wait")
        await bystander.until(FrameType.LOG)
        odd = FakeAttempt(99)
        service.attempts[odd.channel] = odd

        service.send_raw(encode_frame(FrameType.START, 99, _start_header(event)))

        exited = await odd.exited()
        assert (exited["reason"] == "start_failed") is not is_readable, exited
        assert is_readable or "cannot read what the service sent" in exited["detail"]
        assert await service.start("bld_1", "main.py:hello", "again").result() == "hello again"
        assert not bystander.ended.is_set()


def _start_header(event: bytes) -> bytes:
    """A START of a function that takes anything, with this text as the event's data."""
    fields = {"build": "bld_1", "entry_point": "main.py:count_files", "session": "ses_99"}
    text = json.dumps({**fields, "durable": False, "attempt": 1, "journal_count": 0})
    return text[:-1].encode() + b',"event":{"data":' + event + b"}}"
