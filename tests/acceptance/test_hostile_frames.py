"""A session that has its own socket says everything that can be said on it: only that session ends, with a reason."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.acceptance.conftest import RunningService, processes_with

pytestmark = pytest.mark.slow

MANIFEST = "version: v1\nproject:\n  name: {name}\n"
HOSTILE = '''
import os
import socket
import stat
import struct
import time

PREFIX = struct.Struct("!IIBI")
FIELDS = {
    20: {"n": "1", "entries": "[]"},
    21: {"r": "[]"},
    22: {"wake_at": "1", "topics": "[]"},
    23: {"ok": "true", "display": "null", "error": "null", "answer": "null", "reply": "null", "dirty": "null"},
    26: {"n": "1", "op": '"outcome"', "args": '{"value": 1, "event": "e"}', "entry": "null"},
    27: {"stacks": "[]", "omitted": "0", "dump": "false"},
}
VALUES = [
    "null", "true", "-1", "1.5", "9" * 3000, "9" * 5000, "1e308", "1e400", "NaN", '"\\\\ud800"', '"\\\\u0000"', "[]", "[[1]]",
    "{}", '"x"', "[" * 1020 + "]" * 1020, "[" * 100_000, '[[1, "print", "", %s]]' % ("[" * 1015 + "]" * 1015),
    '[["", %s, "activity", "f", "m.py", 1, true, false, "json", 0, "", "", 1, 1, null]]' % ("[" * 1000 + "]" * 1000),
]


def frame(kind, header, payload=b"", channel=0, size=None, header_size=None):
    size = len(header) + len(payload) if size is None else size
    return PREFIX.pack(size, channel, kind, len(header) if header_size is None else header_size) + header + payload


def header_of(fields):
    return ("{" + ",".join(f'"{name}":{text}' for name, text in fields.items()) + "}").encode()


def cases():
    """Each is all that one session says."""
    every = [*range(30), 99, 255]
    yield from (frame(kind, b"{}") for kind in every)
    yield from (frame(kind, b"") for kind in every)
    yield from (frame(kind, b"[" * 100_000) for kind in every)
    yield from (frame(kind, b"\\\\xff\\\\xfe", b"payload", channel=7) for kind in every)
    for kind, fields in FIELDS.items():
        for name in fields:
            for value in VALUES:
                yield frame(kind, header_of({**fields, name: value}))
    yield b"x"
    yield b"\\\\xff" * 1000
    yield frame(21, b"{}", size=2**31)
    yield frame(21, b"{}", size=64 * 1024 * 1024 + 1)
    yield frame(21, b"{}", header_size=3)
    yield frame(20, b"{}", size=64 * 1024 * 1024)
    yield frame(20, b"{}", b"x" * 1000, size=2000)
    yield frame(25, b"{}") + frame(25, b"{}")
    yield frame(25, b"x" * 5000)
    yield frame(21, b"x" * 3_000_000)
    yield frame(23, b'{"ok": true, "display": "1", "error": null, "dirty": null}') * 3
    yield frame(22, b'{"wake_at": 1e18}') * 3


def count(event):
    return len(list(cases()))


def attack(event):
    case = list(cases())[event.data["case"]]
    for number in range(3, 256):
        try:
            is_link = stat.S_ISSOCK(os.fstat(number).st_mode)
        except OSError:
            continue
        if is_link:
            link = socket.socket(fileno=os.dup(number))
            link.sendall(case)
    time.sleep(0.5)  # what cannot be read ends it before
    os._exit(3)
'''
BYSTANDER = """
import time


def work(event):
    print("begun")
    time.sleep(0.2)
    return event.data["number"]
"""
_EACH = 16  # attacks for each bystander


def test_nothing_that_a_session_says_ends_more_than_itself(
    running_service: RunningService, a_project: Callable[..., Path]
) -> None:
    service = running_service
    for name, source in (("attacker", HOSTILE), ("bystander", BYSTANDER)):
        manifest = MANIFEST.format(name=name)
        service.deploy(a_project(manifest, name, **{"main.py": source}))
    hosts = _hosts(service)
    headers = {"Authorization": f"Bearer {service.token}"}
    with httpx2.Client(base_url=service.url, headers=headers, trust_env=False, timeout=60) as api:
        cases = int(_ended(api, _start(api, "attacker", "count"))["result"])
        attacks: list[str] = []
        bystanders: list[str] = []
        for case in range(cases):
            attacks.append(_start(api, "attacker", "attack", case=case))
            if case % _EACH == 0:
                bystanders.append(_start(api, "bystander", "work", number=len(bystanders)))
                assert api.get("/readyz").status_code == 200
        worked = [_ended(api, session) for session in bystanders]
        attacked = [_ended(api, session) for session in attacks]
        assert api.get("/readyz").status_code == 200

    assert [(one["state"], one["result"], one["attempt"]) for one in worked] == [
        ("completed", number, 1) for number in range(len(bystanders))
    ]
    assert {one["state"] for one in attacked} == {"completed", "error"}
    errors = [one["error"] for one in attacked if one["state"] == "error"]
    assert all(error["message"] for error in errors)
    assert not any("was lost" in error["message"] for error in errors)
    assert _hosts(service) == hosts
    assert "Traceback" not in service.log


def _start(api: httpx2.Client, project: str, function: str, **data: object) -> str:
    entry_point = f"main.py:{function}"
    wish = {"project": project, "entry_point": entry_point, "input": data, "durable": False}
    return api.post("/api/v1/sessions", json=wish).json()["id"]


def _ended(api: httpx2.Client, session: str) -> dict[str, Any]:
    answer = api.get(f"/api/v1/sessions/{session}/wait?timeout_s=30").json()
    assert answer["state"] not in {"created", "running", "waiting"}, answer
    return answer


def _hosts(service: RunningService) -> list[int]:
    return processes_with(str(service.home), "hookline_runner", "--socket")
