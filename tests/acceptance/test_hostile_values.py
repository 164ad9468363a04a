"""A secret that a session hands on stands in no file, however it is written and wherever it waits (promise 7)."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.acceptance.conftest import RunningService

pytestmark = pytest.mark.slow

SECRET = 'ZQX-"a secret" value&0123456789'
MANIFEST = """\
version: v1
project:
  name: keeper
  vars:
    - name: API_KEY
      secret: true
  triggers:
    - name: incoming
      type: webhook
      call: main.py:on_request
    - name: asked
      type: webhook
      is_sync: true
      call: main.py:on_asked
"""
MAIN = """\
import base64
import os
import autokitteh
from autokitteh import get_value, next_signal, set_value, signal, start, subscribe

def scatter(event):
    key = os.environ["API_KEY"]
    set_value("plain", {"token": key})
    set_value("encoded", base64.b64encode(key.encode()).decode())
    set_value("bytes", key.encode())
    subscribe("incoming", "data.body.text == " + repr(key))
    child = start("main.py:wait", {"token": key, "list": [key]}, {"note": key})
    signal(child, "never taken", key)
    signal(child, "go", {"token": key})
    ended = next_signal(child)
    nobody = start("main.py:wait", {"token": key})
    return [get_value("plain")["token"] == key, get_value("bytes") == key.encode(), ended.payload["value"] == [True, key]]

def wait(event):
    key = os.environ["API_KEY"]
    taken = next_signal("go")
    return [event.data["token"] == taken.payload["token"], key]

def on_request(event):
    autokitteh.http_outcome(body=os.environ["API_KEY"])
    return None

def on_asked(event):
    return os.environ["API_KEY"]
"""


def forms_of(secret: str) -> dict[str, bytes]:
    """How the secret may stand in a file."""
    data = secret.encode()
    encoded = [
        base64.b64encode(b"x" * before + data)[4 * ((before + 2) // 3) : -4] for before in (0, 1, 2)
    ]
    return {
        "plain": data,
        "json": json.dumps(secret)[1:-1].encode(),
        "json in json": json.dumps(json.dumps(secret))[3:-3].encode(),
        "url": quote(secret).encode(),
        "hexadecimal": data.hex().encode(),
        "the part of letters": b"value&0123456789",
        **{f"base64 {before}": form[4:] for before, form in enumerate(encoded)},
    }


def test_a_secret_that_is_handed_on_stands_in_no_file(
    running_service: RunningService, a_project: Callable[..., Path], tmp_path: Path
) -> None:
    deployed = running_service.deploy(a_project(MANIFEST, **{"main.py": MAIN}))
    running_service.cli("var", "set", "keeper", "API_KEY", "--secret", stdin=SECRET)

    running_service.cli("run", "keeper", "main.py:scatter", "--durable", "--wait")
    given = {"project": "keeper", "entry_point": "main.py:wait", "input": {"token": SECRET}}
    waiting = running_service.api("POST", "/sessions", json=given).json()["id"]
    signal = {"name": "never taken", "payload": [SECRET]}
    running_service.api("POST", f"/sessions/{waiting}/signals", json=signal)
    path = "/projects/keeper/store/value?key=by-hand"
    running_service.api("PUT", path, json={"value": SECRET})
    assert running_service.call(deployed["urls"]["asked"]).text.strip('"\n') == SECRET
    assert running_service.call(deployed["urls"]["incoming"]).status_code == 202
    assert running_service.api("GET", path).json()["value"] == SECRET

    scattered = next(
        each
        for each in running_service.api("GET", "/sessions").json()["items"]
        if each["entry_point"] == "main.py:scatter"
    )
    assert scattered["result"] == [True, True, True]
    running_service.cli("backup", str(tmp_path / "backup.db"))
    files = [each for each in running_service.home.rglob("*") if each.is_file()]
    holders = [
        f"{form} in {path.name}"
        for path in [tmp_path / "backup.db", *files]
        for form, found in forms_of(SECRET).items()
        if found in path.read_bytes()
    ]
    assert holders == []
    assert SECRET not in running_service.log
