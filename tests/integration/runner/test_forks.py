"""A session's process right after the fork: what it has of the zygote's, and what not."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

_SCRIPT = """
import json, os, socket, sys
from hookline_runner.forks import Forks
from hookline_runner.work_directory import ProjectFiles
from hookline_runner.zygote_messages import ZygoteConfig

home = sys.argv[1]
os.mkdir(home + "/files")
config = ZygoteConfig(
    session_entry="", project_files=home + "/files", code_dir=home + "/code", work_dir=home, reuse=False, preload=(),
    warm_up=False, memory_limit_bytes=1 << 30, file_limit_bytes=1 << 20, process_limit=0,
)

def serve(connection, **options):
    found = {"descriptors": len(os.listdir("/proc/self/fd")) - 1, "here": os.getcwd(), "options": sorted(options)}
    print(json.dumps(found))

forks = Forks(config, serve, ProjectFiles(home + "/files"))
forks.keep_back(os.eventfd(0), *os.pipe())
child = forks.fork(home + "/1")
print(os.read(child.stdout, 10_000).decode())
os.waitpid(child.pid, 0)
"""


def _fork(home: Path) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT, str(home)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_session_process_has_its_socket_and_streams_and_no_other_descriptor(
    tmp_path: Path,
) -> None:
    found = _fork(tmp_path)

    assert found["descriptors"] == 4


def test_a_session_process_begins_in_its_own_copy_of_the_project(tmp_path: Path) -> None:
    found = _fork(tmp_path)

    assert found["here"] == str(tmp_path / "1" / "project")
