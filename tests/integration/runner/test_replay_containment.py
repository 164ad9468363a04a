"""A contained process reaches nothing outside, and goes on."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

REFUSED = {
    "write": "open(outside + '/new', 'w')",
    "append": "open(outside + '/file', 'a')",
    "descriptor": "os.open(outside + '/file', os.O_RDWR)",
    "path": "pathlib.Path(outside, 'file').write_text('x')",
    "link": "open(inside + '/link', 'w')",
    "up": "open(inside + '/../outside/file', 'w')",
    "remove": "os.remove(outside + '/file')",
    "rename": "os.rename(outside + '/file', inside + '/file')",
    "move out": "os.rename(inside + '/file', outside + '/other')",
    "tree": "shutil.rmtree(outside)",
    "below a descriptor": "os.remove('file', dir_fd=os.open(outside, os.O_RDONLY))",
    "directory": "os.mkdir(outside + '/d')",
    "database": "sqlite3.connect(outside + '/db')",
    "program": "subprocess.run(['true'])",
    "shell": "os.system('true')",
    "fork": "os.fork()",
    "connection": "socket.create_connection(('127.0.0.1', 9))",
    "server": "socket.socket().bind(('127.0.0.1', 0))",
    "name": "socket.getaddrinfo('localhost', 80)",
    "thread": "raise_of(lambda: open(outside + '/file', 'w'))",
}
ALLOWED = {
    "read": "open(outside + '/file').read()",
    "inside": "open(inside + '/new', 'w').write('x')",
    "temporary": "tempfile.TemporaryFile().write(b'x')",
    "memory": "sqlite3.connect(':memory:')",
    "tree": "os.makedirs(inside + '/a/b'); shutil.rmtree(inside + '/a')",
    "symbolic link": "os.symlink(outside, inside + '/there')",
    "null": "open('/dev/null', 'w').write('x')",
    "pair": "pair = socket.socketpair(); pair[0].send(b'x')",
    "pipe": "os.fdopen(os.pipe()[1], 'w').write('x')",
    "directory": "os.mkdir(inside + '/d')",
}
PROGRAM = """\
import os, pathlib, shutil, socket, sqlite3, subprocess, sys, tempfile, threading
from hookline_runner.containment import OutsideCallError, contain

inside, outside, code = sys.argv[1:]
tempfile.tempdir = inside
contain([inside])

def raise_of(function):
    raised = []
    def run():
        try:
            function()
        except BaseException as exc:
            raised.append(exc)
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    raise raised[0]

try:
    exec(code)
except OutsideCallError as exc:
    print("refused", exc)
else:
    print("done")
"""


def run(tmp_path: Path, code: str) -> str:
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    for directory in (inside, outside):
        directory.mkdir()
        (directory / "file").write_text("precious")
    (inside / "link").symlink_to(outside / "file")
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(inside), str(outside), code],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
        cwd=inside,
    )
    assert (outside / "file").read_text() == "precious"
    assert len(list(outside.iterdir())) == 1
    return done.stdout


@pytest.mark.parametrize("name", REFUSED)
def test_what_reaches_outside_is_refused(tmp_path: Path, name: str) -> None:
    assert run(tmp_path, REFUSED[name]).startswith("refused a replay reaches nothing outside")


@pytest.mark.parametrize("name", ALLOWED)
def test_what_stays_inside_is_done(tmp_path: Path, name: str) -> None:
    assert run(tmp_path, ALLOWED[name]) == "done\n"
