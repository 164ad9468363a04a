"""One body, one value: whoever reads it, in whatever way, and nobody else is hurt by it."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.acceptance.conftest import RunningService, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

MANIFEST = """\
project:
  name: reading
  triggers:
    - {name: poke, type: webhook, call: main.py:reads}
    - {name: filtered, type: webhook, call: main.py:reads, filter: data.body.json != null}
    - {name: asked, type: webhook, call: main.py:answers, is_sync: true}
    - {name: topic, type: webhook}
    - {name: family, type: webhook, call: main.py:has_a_child}
    - {name: sent, type: webhook, call: main.py:sees, filter: 'data.body.form.photo.filename == "é.png"'}
    - {name: once, type: webhook, call: main.py:nothing, dedupe: "json:meta.id"}
"""
MAIN = """\
import time

import hookline


def reads(event):
    seen = ascii(event.data.body.json)
    time.sleep(0.05)
    assert seen == ascii(event.data.body.json)
    return seen


def answers(event):
    seen = ascii(event.data.body.json)
    hookline.http_outcome(json={"seen": seen, "json": None if "[[" in seen else event.data.body.json})


def listens(event):
    topic = hookline.subscribe("topic")
    print("listening")
    return [ascii(hookline.next_event(topic).body.json) for _ in range(event.data.count)]


def nothing(event):
    pass


def sees(event):
    form, photo = event.data.body.form, event.data.body.form.photo
    tags = [form.get_all("tag"), event.data.url.query.get_all("q"), event.data.headers["x-TAG"], event.data.headers.get_all("Cookie")]
    time.sleep(0.05)
    return [form.note, photo.filename, photo.content_type, photo.bytes.hex(), tags]


def hears(event):
    topic = hookline.subscribe("sent")
    print("listening")
    return hookline.next_event(topic).body.form.photo.bytes.hex()


def loops(event):
    while not hookline.get_value("enough"):
        time.sleep(0.05)
    return "went on"


def has_a_child(event):
    n = event.data.body.json["n"]
    child = hookline.start("main.py:child", {"n": n, "negative": -n})
    hookline.set_value("big", n)
    hookline.outcome({"n": n})
    told = hookline.next_signal("go").payload
    return [n, hookline.next_signal(child).payload, told, hookline.get_value("given")]


def child(event):
    return [event.data.n, event.data.negative]


def says_halves(event):
    half = "\\ud83d"
    print("printed", half)
    named(half)
    raise ValueError("raised " + half)


@hookline.activity
def named(text):
    return {text: 10**25}
"""
LARGE = 10**30
BODIES = {
    rb'{"s":"\ud83d"}': {"s": "\ufffd"},
    rb'{"text":"party time \ud83c"}': {"text": "party time \ufffd"},
    rb'{"s":"\ude00\ud83d"}': {"s": "\ufffd\ufffd"},
    rb'"\udabc"': "\ufffd",
    rb'{"\ud83d":1}': {"\ufffd": 1},
    b'{"s":"\xed\xa0\xbd"}': {"s": "\ufffd\ufffd\ufffd"},
    b'\xef\xbb\xbf{"a":1.0}': {"a": 1},
    b'{"n":%d,"b":-%d}' % (LARGE, LARGE): {"b": -LARGE, "n": LARGE},
    b'{"n":18446744073709551615}': {"n": 2**64 - 1},
    b'{"n":%s}' % (b"9" * 4000): {"n": 10**4000 - 1},
    b'{"n":%s}' % (b"9" * 4001): None,
    b"[" * 200 + b"1" + b"]" * 200: ...,
    b"[NaN]": None,
    b'{"$int":"5"}': {"$int": "5"},
}


def expected(body: bytes) -> str:
    value = BODIES[body]
    return "[" * 200 + "1" + "]" * 200 if value is ... else ascii(value)


def test_a_body_is_one_value_for_everybody(
    stopped_service: RunningService, a_project: Callable[..., Path]
) -> None:
    service = stopped_service
    service.start(hot_window_s=0)  # so that each session is resumed
    urls = service.deploy(a_project(MANIFEST, **{"main.py": MAIN}))["urls"]
    bystander = service.cli("run", "reading", "main.py:loops", json=True)["id"]
    count = json.dumps({"count": len(BODIES)})
    listener = service.cli("run", "reading", "main.py:listens", "--durable", "--event", count, json=True)["id"]  # fmt: skip
    wait_until(lambda: service.texts(listener) == ["listening"], "listening", 20)
    wanted = [expected(body) for body in BODIES]

    events = [sent(service, urls["poke"], body) for body in BODIES]
    filtered = [sent(service, urls["filtered"], body) for body in BODIES]
    answered = [service.call(urls["asked"], content=body) for body in BODIES]
    for body in BODIES:
        service.call(urls["topic"], content=body)

    sessions = [started(service, one)[0] for one in events]
    assert [ended(service, one)["result"] for one in sessions] == wanted
    assert [len(started(service, one)) for one in filtered] == [text != "None" for text in wanted]
    assert [one.status_code for one in answered] == [200] * len(BODIES)
    assert [one.json()["seen"] for one in answered] == wanted
    assert [shown(one.json()["json"]) for one in answered if "[[" not in one.text] == [
        want for want in wanted if "[[" not in want
    ]
    assert ended(service, listener)["result"] == wanted
    for event_id, session, want in zip(events, sessions, wanted, strict=True):
        event = service.api("GET", f"/events/{event_id}").json()
        history = service.api("GET", f"/sessions/{session}/history")
        assert shown(event["data"]["body"]["json"]) == want
        assert history.status_code == 200
        assert shown(history.json()["event"]["data"]["body"]["json"]) == want
    service.cli("session", "replay", sessions[0])
    service.cli("session", "replay", sessions[7])
    service.cli("store", "set", "reading", "enough", "true")
    assert ended(service, bystander)["result"] == "went on"
    assert "runner host lost" not in service.log
    assert "Traceback" not in service.log


def test_large_numbers_and_half_characters_pass_everywhere(
    running_service: RunningService, a_project: Callable[..., Path], tmp_path: Path
) -> None:
    service = running_service
    urls = service.deploy(a_project(MANIFEST, **{"main.py": MAIN}))["urls"]
    number = 10**400 + 7
    event = sent(service, urls["family"], b'{"n":%d}' % number)
    parent = started(service, event)[0]

    service.cli("store", "set", "reading", "given", str(-number))
    wait_until(lambda: service.cli("store", "list", "reading").stdout == "big\ngiven\n", "set", 20)
    service.cli("session", "signal", parent, "go", "--payload", str(number))

    told = {"completed": True, "value": [number, -number]}
    assert ended(service, parent)["result"] == [number, told, number, -number]
    assert int(service.cli("store", "get", "reading", "big").stdout) == number
    assert service.api("GET", "/projects/reading/store/value?key=big").json()["value"] == number
    outcomes = service.api("GET", f"/events/{event}/outcomes").json()["items"]
    assert [one["value"] for one in outcomes] == [{"n": number}]
    assert service.api("GET", f"/sessions/{parent}/history").status_code == 200
    service.cli("session", "export", parent, "--output", str(tmp_path / "out"))
    assert json.loads((tmp_path / "out" / f"{parent}.json").read_text())["result"][0] == number

    ids = [123456789012345678901, 123456789012345678902, 2**64 - 1, 2**64 - 2]
    events = [sent(service, urls["once"], b'{"meta":{"id":%d}}' % one) for one in ids * 2]
    assert (len(set(events)), events[:4]) == (4, events[4:])

    failed = service.cli("run", "reading", "main.py:says_halves", "--durable", json=True)["id"]
    assert ended(service, failed)["error"]["message"].startswith("raised ")
    for path in ("", "/activities", "/log", "/history"):
        assert service.api("GET", f"/sessions/{failed}{path}").status_code == 200
    assert "Traceback" not in service.log


def test_a_compressed_form_with_a_file_is_the_same_for_everybody(
    stopped_service: RunningService, a_project: Callable[..., Path], tmp_path: Path
) -> None:
    service = stopped_service
    service.start(hot_window_s=0)
    url = service.deploy(a_project(MANIFEST, **{"main.py": MAIN}))["urls"]["sent"]
    listener = service.cli("run", "reading", "main.py:hears", "--durable", json=True)["id"]
    wait_until(lambda: service.texts(listener) == ["listening"], "listening", 20)
    content = bytes(range(256))[::7]
    form = httpx2.Request(
        "POST",
        url,
        data={"note": "größer", "tag": ["a", "b, c"]},
        files={"photo": ("é.png", content, "image/png")},
    )
    headers = [
        ("content-type", form.headers["content-type"]),
        ("content-encoding", "gzip"),
        ("X-Tag", "1"),
        ("Cookie", "a=1"),
        ("Cookie", "b=2"),
    ]
    seen = ["größer", "é.png", "image/png", content.hex(), [["a", "b, c"], ["1", "2"], "1", ["a=1", "b=2"]]]  # fmt: skip

    answer = service.call(f"{url}?q=1&q=2", content=gzip.compress(form.read()), headers=headers)

    event_id = answer.headers["hookline-event-id"]
    (session,) = started(service, event_id)
    assert ended(service, session)["result"] == seen
    assert ended(service, listener)["result"] == content.hex()
    for data in (
        service.api("GET", f"/events/{event_id}").json()["data"],
        service.api("GET", f"/sessions/{session}/history").json()["event"]["data"],
    ):
        assert data["headers"]["Cookie"] == "a=1; b=2"
        assert data["body"]["form"]["photo"]["filename"] == "é.png"
    service.cli("session", "replay", session)
    service.cli("session", "export", session, "--output", str(tmp_path / "out"))
    (tmp_path / "body").write_bytes(form.read())
    run = service.cli("run", "reading", "main.py:sees", "--body", f"@{tmp_path / 'body'}", "--header", f"Content-Type: {form.headers['content-type']}", "--header", "X-Tag: 1", "--header", "Cookie: a=1", "--header", "Cookie: b=2", "--query", "q=1", "--query", "q=2", json=True)["id"]  # fmt: skip
    assert ended(service, run)["result"] == seen
    again = service.cli("event", "redispatch", event_id, "-y", json=True)
    assert again
    assert "Traceback" not in service.log


def test_a_body_that_cannot_be_decoded_is_refused_with_the_reason(
    running_service: RunningService, a_project: Callable[..., Path]
) -> None:
    service = running_service
    url = service.deploy(a_project(MANIFEST, **{"main.py": MAIN}))["urls"]["poke"]

    told = {
        coding: service.call(url, content=body, headers={"Content-Encoding": coding})
        for coding, body in {
            "gzip": b"no gzip",
            "zstd": b"x",
            "deflate": zlib.compress(bytes(80_000_000)),
        }.items()
    }

    assert {
        coding: (one.status_code, one.text.split(": ")[-1]) for coding, one in told.items()
    } == {
        "gzip": (400, "it is not gzip"),
        "zstd": (415, "gzip, deflate, br, identity"),
        "deflate": (413, "the body is larger than 524288 bytes once it is decoded"),
    }


def sent(service: RunningService, url: str, body: bytes) -> str:
    return service.call(url, content=body).headers["hookline-event-id"]


def started(service: RunningService, event: str) -> list[str]:
    found = service.api("GET", f"/sessions?event={event}").json()["items"]
    return [one["id"] for one in found]


def ended(service: RunningService, session: str) -> dict[str, Any]:
    found = service.wait_session(session)
    assert found["state"] in {"completed", "error"}, found
    return found


def shown(value: object) -> str:
    return ascii(value)
