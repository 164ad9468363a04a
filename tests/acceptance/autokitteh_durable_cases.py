"""As `autokitteh_cases`: what is recorded, and what goes on after it."""

from __future__ import annotations

from tests.acceptance.autokitteh_cases import HOOK, Case

DURABLE_CASES = [
    Case(
        name="version 1 is durable and version 2 is not",
        version="v1",
        code="""
import os, random, time
from datetime import datetime
def handler(event):
    os.listdir(".")
    random.random()
    datetime.now()
    time.sleep(0.01)
    print(len(os.listdir(".")) > 0)
""",
        prints=["True"],
        activities=["listdir", "random", "now", "sleep", "listdir"],
    ),
    Case(
        name="nothing is recorded in version 2",
        version="v2",
        code="""
import os, time
import autokitteh
@autokitteh.activity
def work():
    return open("main.py")
def handler(event):
    with work() as file:
        print(file.readable())
    time.sleep(0.01)
    os.listdir(".")
""",
        prints=["True"],
        activities=[],
    ),
    Case(
        name="durability is said per trigger",
        version="v2",
        body=HOOK + "      is_durable: true\n",
        code="import os\ndef handler(event):\n    os.listdir('.')\n",
        prints=[],
        activities=["listdir"],
    ),
    Case(
        name="nested calls and lambdas are recorded as well",
        code="""
import json, os
import helpers
def handler(event):
    print(len(helpers.names(os.listdir("."))))
    values = [json.loads(json.dumps(x)) for x in (1, 2)]
    total = (lambda: os.path.getsize("main.py"))()
    print(values, total > 0)
""",
        files={
            "helpers.py": "import os\ndef names(found):\n    os.stat('main.py')\n    return found[:1]\n"
        },
        prints=["1", "[1, 2] True"],
        activities=["listdir", "stat", "getsize"],
    ),
    Case(
        name="marks decide what is recorded",
        code="""
import os
from autokitteh import activity, inhibit_activities, register_no_activity
register_no_activity([os.listdir])
@activity
def unit():
    os.stat("main.py")
    return open("main.py").read()[:1]
@inhibit_activities
def plain():
    return os.stat("main.py").st_size
class Tool:
    def work(self):
        return os.path.exists("main.py")
def handler(event):
    unit(); plain(); os.listdir("."); print(Tool().work())
""",
        prints=["True"],
        activities=["unit", "exists"],
    ),
    Case(
        name="an activity as entry point gets the session id",
        code="""
import autokitteh
@autokitteh.activity
def handler(event, session_id):
    print(session_id.startswith("ses_"), event.data.method)
""",
        prints=["True POST"],
        activities=["handler"],
    ),
    Case(
        name="exceptions keep their class across activities",
        code="""
import os
from autokitteh import activity
class OddError(Exception):
    def __init__(self, a, b=None):
        super().__init__(a)
        self.b = b
@activity
def fail():
    raise OddError(1, 2)
def handler(event):
    try:
        os.stat("nothing")
    except FileNotFoundError as exc:
        print(exc.filename, exc.errno)
    try:
        fail()
    except OddError as exc:
        print(type(exc).__name__, exc.args[0], exc.b)
    try:
        __import__("sys").exit(3)
    except SystemExit as exc:
        print("exit", exc.code)
""",
        prints=["nothing 2", "OddError 1 2", "exit 3"],
    ),
    Case(
        name="what cannot be pickled goes on with a warning",
        code="""
import sqlite3
def handler(event):
    db = sqlite3.connect(":memory:")
    print(db.execute("select 40 + 2").fetchone())
""",
        prints=["(42,)"],
    ),
    Case(
        name="sleep is refused as it was",
        code="""
import time
def handler(event):
    for call in (lambda: time.sleep(), lambda: time.sleep(1, 2), lambda: time.sleep(-1), lambda: time.sleep(secs=1)):
        try:
            call()
        except (TypeError, ValueError) as exc:
            print(type(exc).__name__)
""",
        prints=["TypeError", "TypeError", "ValueError", "TypeError"],
    ),
    Case(
        name="an event loop can be made while the module loads",
        code="""
import asyncio
loop = asyncio.new_event_loop()
asyncio.set_event_loop(loop)
async def work(n):
    await asyncio.sleep(0.01)
    return n
def handler(event):
    print(loop.run_until_complete(work(1)), loop.run_until_complete(work(2)), asyncio.run(work(3)))
""",
        prints=["1 2 3"],
    ),
]
