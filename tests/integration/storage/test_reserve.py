"""On a full disk new work is refused, and what was begun can end: on a real file system that is full."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import anyio
import pytest

pytestmark = pytest.mark.skipif(
    not shutil.which("bwrap"), reason="no bubblewrap to make a small disk"
)

DISK = ["bwrap", "--dev-bind", "/", "/", "--size", "60000000", "--tmpfs"]
ON_A_FULL_DISK = """
import sys, time
from dataclasses import replace
from pathlib import Path
import anyio
from hookline_service.storage.errors import StorageUnavailableError
from hookline_service.storage.sqlite import open_sqlite_store
from hookline_service.model.sessions import AttemptOutcome, SessionState
from tests.builders.events import an_event
from tests.builders.projects import a_release
from tests.builders.sessions import a_begin, a_change, a_session

async def refuses(work):
    try:
        await work
    except StorageUnavailableError as exc:
        return "full" in exc.reason
    return False

async def main(home):
    async with await open_sqlite_store(home / "hookline.db") as store:
        release = a_release()
        await store.apply_release(release)
        sessions = [a_session(release) for _ in range(40)]
        await store.add_sessions(sessions)
        for session in sessions:
            await store.change_session(a_begin(session.id), [])
        with (home / "filler").open("wb", buffering=0) as file:
            try:
                while file.write(b"x" * 65536) == 65536:
                    pass
            except OSError:
                pass
        events = 0
        while not await refuses(store.record_event(an_event(release, body=b"x" * 100_000), [])):
            events += 1
        print("events before it was noticed", events < 100)
        print("deploy refused", await refuses(store.apply_release(a_release())))
        print("session refused", await refuses(store.add_sessions([a_session(release)])))
        print("not ready", await refuses(store.check_writes()))
        ended = [
            await store.change_session(
                a_change(session.id, SessionState.COMPLETED, expected_attempt=1,
                         outcome=AttemptOutcome.FINISHED, result=b'"x"' * 1000), [])
            for session in sessions
        ]
        print("ends", all(ended))
        await store.delete_session(sessions[0].id)
        print("reserve", (home / "hookline.reserve").exists())
        (home / "filler").unlink()
        while await refuses(store.record_event(an_event(release), [])):
            await anyio.sleep(0.1)
        print("reserve", (home / "hookline.reserve").exists())
        await store.check_writes()

anyio.run(main, Path(sys.argv[1]))
"""
EXPECTED = [
    "events before it was noticed True",
    "deploy refused True",
    "session refused True",
    "not ready True",
    "ends True",
    "reserve False",
    "reserve True",
]


async def test_what_was_begun_ends_on_a_full_disk_and_new_work_waits_for_room(
    tmp_path: Path,
) -> None:
    command = [*DISK, str(tmp_path), sys.executable, "-c", ON_A_FULL_DISK, str(tmp_path)]

    child = await anyio.run_process(command, check=False)

    assert child.stdout.decode().splitlines() == EXPECTED, child.stderr.decode()
    assert child.stderr.decode().count("the disk is full") == 1
    assert child.stderr.decode().count("there is room on the disk again") == 1


async def test_a_service_that_finds_no_room_says_what_takes_it(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    fill = 'mkdir -p "$0/runner" && { cat /dev/zero > "$0/runner/uv-cache"; exec "$@"; }'
    up = [sys.executable, "-m", "hookline_cli", "up", "--home", str(home), "--port", "0"]

    child = await anyio.run_process(
        [*DISK, str(home), "sh", "-c", fill, str(home), *up], check=False
    )

    told = child.stderr.decode()
    assert child.returncode == 4
    assert f"the disk of {home} is full" in told
    assert "runner/uv-cache 57.2 MiB" in told
    assert "caches that may be removed" in told
    assert "Traceback" not in told
