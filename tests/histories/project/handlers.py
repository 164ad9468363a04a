"""What sessions do: one function for each thing that must replay for ever."""

import asyncio
import logging
import random
import time
import uuid
from datetime import datetime, timedelta

import hookline
from hookline import aio
from shapes import Order, OutOfStockError

logger = logging.getLogger(__name__)


@hookline.activity
def fetch(name):
    print("fetching", name)
    return {"name": name, "price": len(name) * 1.5, "tags": ["a", None, True]}


@hookline.activity
def order(number):
    return Order(number, [("tea", 2), ("milk", 1)])


@hookline.activity
def reserve(item):
    if item == "tea":
        raise OutOfStockError(item, 0)
    if item == "milk":
        raise ConnectionRefusedError(111, "the dairy does not answer")
    return {item}


@hookline.activity
async def fetch_slowly(name, delay):
    await asyncio.sleep(delay)
    return name.upper()


def plain(event):
    first = fetch(event.data.body.json["name"] if "body" in event.data else event.data.name)
    print("price", first["price"])
    number = random.random()
    when = datetime.now()
    name = str(uuid.uuid4())
    print(number, when, name)
    logger.info("times %s", time.time() > 0)
    made = order(7)
    return [first["price"], number, name, made.lines, {word for word in "to be or not to be".split()}]


def order_of_sets(event):
    seen = []
    for word in {"one", "two", "three", "four", "five", "six"}:
        seen.append(fetch(word)["name"])
    print(seen)
    return seen


def raising(event):
    for item in ("sugar", "tea", "milk"):
        try:
            print(sorted(reserve(item)))
        except OutOfStockError as exc:
            print("out of", exc.item, exc.left)
        except OSError as exc:
            print("no answer", exc.errno, exc)
    raise ValueError("no milk today")


async def gathering(event):
    results = await asyncio.gather(
        fetch_slowly("slow", 0.06), fetch_slowly("quick", 0.01), fetch_slowly("middle", 0.03)
    )
    print(results)
    try:
        await asyncio.wait_for(fetch_slowly("never", 60), timeout=0.05)
    except TimeoutError:
        print("gave up")
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(step(number)) for number in range(4)]
    done, _ = await asyncio.wait([asyncio.ensure_future(step(n)) for n in (5, 6)])
    return [results, [task.result() for task in tasks], sorted(one.result() for one in done)]


async def step(number):
    await asyncio.sleep(0.01 * (5 - number % 5))
    name = await fetch_slowly(f"step {number}", 0)
    print("step", number)
    return name


def sleeping(event):
    time.sleep(0.05)
    print("a nap")
    hookline.sleep(timedelta(seconds=2))
    print("a sleep")
    return fetch("morning")["name"]


def listening(event):
    news = hookline.subscribe("news", "data.body.json.n > 1")
    print("nothing yet:", hookline.next_event(news, timeout=0.1))
    print("listening")
    first = hookline.next_event(news, full=True)
    print("got", first.data.body.json)
    second = hookline.next_event([news], timeout=60)
    hookline.unsubscribe(news)
    return [first.event_type, second.body.json.n]


async def listening_in_tasks(event):
    news = await aio.subscribe("news")

    async def hear(name):
        got = await aio.next_event(news)
        print(name, "heard", got.body.json.n)
        return got.body.json.n

    print("listening")
    heard = await asyncio.gather(hear("one"), hear("two"), fetch_slowly("meanwhile", 0.01))
    return [*sorted(heard[:2]), heard[2]]


def child(event, session_id):
    hookline.signal(event.data.parent, "progress", {"half": True, "when": timedelta(seconds=3)})
    if event.data.fails:
        raise RuntimeError("the child fails")
    return {"made": event.data.number * 2}


def parenting(event, session_id):
    ids = [
        hookline.start("handlers.py:child", {"parent": session_id, "number": n, "fails": n == 1}, memo={"n": str(n)})
        for n in range(2)
    ]
    for _ in ids:
        print(hookline.next_signal("progress", timeout=60).payload)
    ends = [hookline.next_signal(one).payload for one in ids]
    try:
        hookline.signal("ses_00000000000000000000000000", "x")
    except hookline.CallRefusedError as exc:
        print("refused:", exc.code)
    return [end.get("value") for end in ends] + [end.completed for end in ends]


def keeping(event):
    hookline.set_value("text", "no number")
    try:
        hookline.add_values("text", 1)
    except hookline.HooklineError as exc:
        print("refused:", exc)
    print(hookline.add_values("count", 1), hookline.add_values("count", 2.5))
    print(hookline.check_and_set_value("lock", None, {"by": [1, {2, 3}]}))
    print(hookline.check_and_set_value("lock", None, "again"))
    hookline.store["when"] = datetime(2026, 1, 2, 3, 4, 5)
    print(hookline.store["when"], hookline.store["missing"], hookline.get_value("lock").by[0])
    hookline.publish_value("count")
    hookline.unpublish_value("count")
    hookline.del_value("text")
    return sorted(hookline.list_values_keys())


def answering(event):
    hookline.outcome({"said": fetch("yes")["name"]})
    return event.event_type


@hookline.activity(retries=2, backoff="50ms", retry_on=(ConnectionError,))
def flaky():
    tries.append(1)
    if len(tries) < 2:
        raise ConnectionError("not yet")
    return len(tries)


tries = []


def retrying(event):
    return flaky()


def waiting(event):
    print("waiting")
    fetch("before")
    return hookline.next_signal("never")
