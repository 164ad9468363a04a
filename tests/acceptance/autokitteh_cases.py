"""Small projects as AutoKitteh's users write them, and what they do there: the data of `test_autokitteh_projects`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

HOOK = """
  triggers:
    - name: hook
      type: webhook
      call: main.py:handler
"""


@dataclass(frozen=True, kw_only=True)
class Case:
    """A project, one request to its webhook `hook`, and what comes of it.

    `activities` None: whatever they are. `error` is part of the session's error.
    """

    name: str
    code: str
    prints: list[str]
    version: str = "v1"
    body: str = HOOK
    files: dict[str, str] = field(default_factory=dict[str, str])
    request: dict[str, Any] = field(default_factory=lambda: {"json": {"n": 1}})
    suffix: str = ""
    activities: list[str] | None = None
    error: str = ""

    @property
    def project(self) -> str:
        return self.name.replace(" ", "_").replace("'", "")

    @property
    def all_files(self) -> dict[str, bytes]:
        manifest = f"version: {self.version}\nproject:\n  name: {self.project}\n{self.body}"
        texts = {"autokitteh.yaml": manifest, "main.py": self.code, **self.files}
        return {path: text.encode() for path, text in texts.items()}


CASES = [
    Case(
        name="a webhook event has its parts",
        code="""
import autokitteh
def handler(event: autokitteh.Event):
    d = event.data
    print(event.event_type, event.event_id.startswith("evt_"), d.method)
    print(d.raw_url.split("/", 3)[3], d.url.path_suffix, d.url.query.a, d.url.query.b)
    print(d.headers["X-Hub-Signature-256"], d.headers["Www-Authenticate"], d.headers["X-Github-Event"], "Host" in d.headers)
    print(d.body.text, d.body.json, d.body.form, type(d.body.bytes).__name__, d.trailers)
""",
        suffix="/a/b%20c?a=1&a=2&b=%20x",
        request={
            "headers": {
                "x-hub-signature-256": "s",
                "WWW-AUTHENTICATE": "w",
                "X-GitHub-Event": "push",
                "Content-Type": "text/plain",
            },
            "content": b'{"z": 1, "a": [1.5, null]}',
        },
        prints=[
            "post True POST",
            "a/b%20c?a=1&a=2&b=%20x a/b c 1, 2  x",
            "s w push False",
            "{\"z\": 1, \"a\": [1.5, null]} {'a': [1.5, None], 'z': 1} None bytes {}",
        ],
    ),
    Case(
        name="a form is read as one",
        code="""
def handler(event):
    print(event.data.body.form, event.data.body.json, event.event_type)
""",
        request={
            "content": b"name=Ada+L&tag=x&tag=y",
            "headers": {"Content-Type": "application/x-www-form-urlencoded"},
        },
        prints=["{'name': 'Ada L', 'tag': 'x, y'} None post"],
    ),
    Case(
        name="an empty and a binary body",
        code="""
def handler(event):
    b = event.data.body
    print(b.bytes, b.text, b.json, b.form)
""",
        request={"content": b"\xff\x00"},
        prints=["b'\\xff\\x00' None None None"],
    ),
    Case(
        name="data can be read by attributes",
        code="""
import copy, pickle
from autokitteh import AttrDict
def handler(event):
    data = event.data.body.json
    print(data.user.name, type(data.user) is AttrDict, type(data["user"]) is dict, type(data.list[0]) is dict)
    data.user["name"] = "changed"
    print(data.user.name, getattr(data, "none", "default"), hasattr(data, "none"))
    try:
        data.x = 1
    except NotImplementedError:
        print("not settable")
    try:
        data.missing
    except AttributeError as exc:
        print("missing" in str(exc))
    print(copy.deepcopy(data) == data, pickle.loads(pickle.dumps(data)).user.name, data["keys"], data.keys() != 1)
    print("name" in dir(data.user))
""",
        request={"json": {"user": {"name": "Ada"}, "list": [{}], "keys": 5}},
        prints=[
            "Ada True True True",
            "Ada default False",
            "not settable",
            "True",
            "True Ada 5 True",
            "True",
        ],
    ),
    Case(
        name="an asynchronous handler",
        code="""
import asyncio, autokitteh
async def fetch(n):
    await asyncio.sleep(0.01)
    return n * 2
async def handler(event):
    print(await asyncio.gather(fetch(1), fetch(2)), isinstance(event, autokitteh.Event))
    autokitteh.set_value("async", 1)
    print(autokitteh.get_value("async"))
""",
        prints=["[2, 4] True", "1"],
    ),
    Case(
        name="a class can be the entry point",
        body=HOOK.replace("main.py:handler", "main.py Handler"),
        code="class Handler:\n    def __init__(self, event):\n        print(event.event_type)\n",
        prints=["post"],
    ),
    Case(
        name="files lie where they did",
        body=HOOK.replace("main.py:handler", "handlers/web/hook.py:on_hook"),
        code="",
        files={
            "handlers/web/hook.py": """
import os, sys
from pathlib import Path
import config, store, slack, _hidden
from handlers.web import helpers
from autokitteh.slack import normalize_channel_name
from autokitteh import store as ak_store
def on_hook(event):
    print(open("data/x.json").read(), Path("data/x.json").exists(), Path.cwd().name == Path(sys.path[0]).name)
    print(config.NAME, store.KIND, slack.WHO, _hidden.X, helpers.Y, ak_store["none"])
    print(normalize_channel_name("My Channel!"))
""",
            "handlers/web/helpers.py": "Y = 2\n",
            "config.py": "NAME = 'config'\n",
            "store.py": "KIND = 'own store'\n",
            "slack.py": "WHO = 'own slack'\n",
            "_hidden.py": "X = 1\n",
            "data/x.json": "{}",
        },
        prints=["{} True True", "config own store own slack 1 2 None", "my-channel"],
    ),
    Case(
        name="variables are texts in the environment",
        body=HOOK
        + """
  vars:
    - {name: NUMBER, value: 24}
    - {name: PRICE, value: 1.50}
    - {name: FLAG, value: False}
    - {name: BLANK, value: ""}
    - {name: NOTHING}
    - {name: EMPTY, value: null}
  connections:
    - name: my_conn
      integration: chatgpt
      vars:
        - {name: apiKey, value: key1}
        - {name: oauth_AccessToken, value: ""}
""",
        code="""
import os
import autokitteh
URL = autokitteh.get_webhook_url("hook")
def handler(event):
    print([os.getenv(n) for n in ("NUMBER", "PRICE", "FLAG", "BLANK", "NOTHING", "EMPTY", "MISSING")])
    print(int(os.environ["NUMBER"]) + 1, os.getenv("my_conn__apiKey"), repr(os.getenv("my_conn__oauth_AccessToken")))
    print(bool(os.getenv("my_conn__connection_id")), URL == os.getenv("hook__webhook_url"), URL.split("/")[3])
    print(autokitteh.get_store_public_url() == os.environ["store_public_url"])
    try:
        autokitteh.get_webhook_url("nope")
    except ValueError as exc:
        print("nope" in str(exc))
""",
        prints=[
            "['24', '1.50', 'False', '', '', '', None]",
            "25 key1 ''",
            "True True webhooks",
            "True",
            "True",
        ],
    ),
    Case(
        name="a key in a variable opens a client helper",
        body=HOOK + "  connections:\n    - {name: my_slack, integration: slack, vars: []}\n",
        code="""
from autokitteh import errors
from autokitteh.slack import slack_client
def handler(event):
    for name in ("my_slack", "bad-name"):
        try:
            slack_client(name) if name == "my_slack" else slack_client(*[name])
        except (errors.ConnectionInitError, ValueError) as exc:
            print(type(exc).__name__, name in str(exc))
""",
        prints=["ConnectionInitError True", "ValueError True"],
    ),
    Case(
        name="module code prints and calls the handler",
        code="""
import autokitteh
print("loading")
autokitteh.set_value("at_import", [1])
def handler(event):
    print("handled", type(event).__name__, autokitteh.get_value("at_import"))
handler({})
""",
        prints=["loading", "handled dict [1]", "handled Event [1]"],
        activities=["get_value"],
    ),
    Case(
        name="prints keep their lines together",
        code="""
import logging, sys
def handler(event):
    print("one\\ntwo")
    print("a", "b", sep="-", end="!\\n")
    sys.stdout.write("written\\n")
    logging.warning("logged")
    print()
""",
        prints=["one\ntwo", "a-b!", ""],
    ),
    Case(
        name="an error ends the session with its text",
        code="""
def inner():
    return {}["missing"]
def handler(event):
    print("before")
    inner()
""",
        prints=["before"],
        error="KeyError: 'missing'",
    ),
    Case(
        name="an import that fails says what to do",
        code="""
import importlib
def handler(event):
    importlib.import_module("surely_not_there")
""",
        prints=[],
        error="No module named 'surely_not_there'",
    ),
    Case(
        name="keys that are not known are ignored",
        body=HOOK + "      timezone: UTC\n      memo: {a: b}\n  future: [1]\n",
        code="def handler(event):\n    print('ran')\n",
        prints=["ran"],
    ),
    Case(
        name="values of signals and of the store",
        code="""
from collections import namedtuple
from datetime import UTC, datetime, timedelta
import autokitteh
Point = namedtuple("Point", "x y")
class Thing:
    def __init__(self):
        self.a, self._hidden = 1, 2
VALUES = [None, True, 2**200, 1.5, "é", b"\\x00", (1, [2]), {3}, {"k": {"l": 1}}, timedelta(seconds=1),
          datetime(2026, 1, 2, 3, tzinfo=UTC), Point(1, 2), Thing()]
def handler(event, session_id):
    for value in VALUES:
        autokitteh.signal(session_id, "v", value)
        got = autokitteh.next_signal("v").payload
        autokitteh.set_value("v", value)
        assert autokitteh.get_value("v") == got, (value, got)
        print(got)
    try:
        autokitteh.set_value("v", object())
    except TypeError:
        print("refused")
    autokitteh.del_value("v")
""",
        prints=[
            "None",
            "True",
            str(2**200),
            "1.5",
            "é",
            "b'\\x00'",
            "[1, [2]]",
            "{3}",
            "{'k': {'l': 1}}",
            "0:00:01",
            "2026-01-02 03:00:00+00:00",
            "{'x': 1, 'y': 2}",
            "{'a': 1}",
            "refused",
        ],
    ),
    Case(
        name="a response of requests is a value",
        code="""
import autokitteh, requests
def handler(event, session_id):
    answer = requests.get(autokitteh.get_store_public_url() + "/none")
    autokitteh.signal(session_id, "answer", answer)
    got = autokitteh.next_signal("answer").payload
    print(got.status_code, got.text, got.json, "text/plain" in got.headers["content-type"], len(got))
""",
        prints=["404 Not Found None True 4"],
    ),
    Case(
        name="packages are there without being asked for",
        code="""
import bs4, requests, tenacity, yaml
def handler(event):
    print(bs4.BeautifulSoup("<p>hi", "html.parser").p.text, yaml.safe_load("a: [1]"))
    print(requests.Request("GET", "http://x").method, tenacity.__name__)
""",
        prints=["hi {'a': [1]}", "GET tenacity"],
    ),
    Case(
        name="requirements are added to them",
        code="""
import importlib.metadata as metadata
import six, yaml
def handler(event):
    print(metadata.version("PyYAML"), metadata.version("six"), yaml.safe_load("1"))
""",
        files={"requirements.txt": "PyYAML==6.0.2\nsix==1.17.0\n"},
        prints=["6.0.2 1.17.0 1"],
    ),
    Case(
        name="a value is changed by check and set",
        version="v2",
        code="""
from copy import deepcopy
from autokitteh import check_and_set_value, get_value, set_value
def handler(event):
    match event.data.url.path_suffix.split("/"):
        case ["game", name, turn]:
            set_value(name, {"board": [[None] * 3 for _ in range(3)], "turn": int(turn)})
            game = get_value(name)
            changed = deepcopy(game)
            changed["board"][0][1] = "X"
            changed["turn"] += 1
            print(check_and_set_value(name, game, changed), check_and_set_value(name, game, changed))
            print(get_value(name))
""",
        suffix="/game/chess/4",
        prints=[
            "True False",
            "{'board': [[None, 'X', None], [None, None, None], [None, None, None]], 'turn': 5}",
        ],
    ),
]
