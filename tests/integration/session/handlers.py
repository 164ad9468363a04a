"""Handlers whose sessions are killed at every entry: each must end as if nothing had happened."""

from __future__ import annotations

PRELUDE = """
import asyncio, collections, datetime, functools, itertools, json, os, random, re, threading, time, uuid
import hookline
from hookline import activity, inhibit_activities, register_no_activity

@activity
def effect(label, value=None):
    with open(os.environ["EFFECTS"], "a") as file:
        file.write(label + "\\n")
    return label if value is None else value

@activity
async def slow(label, delay=0.0, value=None):
    with open(os.environ["EFFECTS"], "a") as file:
        file.write(label + "\\n")
    await asyncio.sleep(delay)
    return label if value is None else value

@activity
def fail(label, exc):
    with open(os.environ["EFFECTS"], "a") as file:
        file.write(label + "\\n")
    raise exc
"""

HANDLERS = {
    "straight line": """
def handler(event):
    total = []
    for i in range(4):
        total.append(effect(f"step{i}", i))
        print("did", i)
    return total
""",
    "riding values": """
def handler(event):
    a = random.random()
    b = effect("b", a)
    c = (time.time(), str(uuid.uuid4()), datetime.datetime.now().isoformat())
    d = effect("d", c)
    e = random.sample(range(100), 5)
    items = list(range(10))
    random.shuffle(items)
    effect("e")
    return [a == b, list(d) == list(c), a, b, c, e, items]
""",
    "seeded generator": """
rng = random.Random(7)
def handler(event):
    own = random.Random(8)
    first = [rng.random(), own.random()]
    effect("one")
    second = [rng.randint(1, 100), own.randint(1, 100)]
    effect("two")
    third = [rng.random(), own.random()]
    check = random.Random(7)
    assert check.random() == first[0]
    assert check.randint(1, 100) == second[0]
    assert check.random() == third[0]
    return first + second + third
""",
    "exceptions": """
class Refused(Exception):
    def __init__(self, code, reason):
        super().__init__(f"{code}: {reason}")
        self.code = code
        self.reason = reason

def handler(event):
    out = []
    try:
        fail("refused", Refused(7, "no"))
    except Refused as exc:
        out.append([exc.code, exc.reason, str(exc)])
    try:
        fail("key", KeyError("k"))
    except LookupError as exc:
        out.append(repr(exc))
    try:
        fail("exit", SystemExit(3))
    except SystemExit as exc:
        out.append(exc.code)
    effect("end")
    try:
        fail("chained", ValueError("outer"))
    except ValueError as exc:
        out.append(exc.args[0])
    return out
""",
    "volatile results": """
def make():
    return threading.Lock(), (x for x in range(3))

@activity
def opened():
    return make()

def handler(event):
    lock, numbers = opened()
    effect("one")
    with lock:
        got = list(numbers)
    effect("two")
    return got
""",
    "nested calls and comprehensions": """
def double(x):
    return 2 * x

def handler(event):
    a = double(effect("a", 1) + effect("b", 2))
    b = [effect(f"c{i}", i) for i in range(3)]
    c = {k: effect(k, k) for k in ("x", "y")}
    d = list(map(lambda v: effect(f"m{v}", v), [1, 2]))
    e = f"{effect('f')}-{max(effect('g', 3), 1)}"
    return [a, b, c, d, e]
""",
    "inner functions and decorators": """
def twice(function):
    @functools.wraps(function)
    def wrapper(*args):
        return [function(*args), function(*args)]
    return wrapper

def handler(event):
    @twice
    def inner(label):
        return effect(label + str(len(seen)), seen.append(label))
    seen = []
    class Local:
        value = effect("class body", 5)
        def method(self):
            return super().__repr__() and effect("method", self.value)
    return [inner("i"), Local().method(), len(seen)]
""",
    "inhibited": """
@inhibit_activities
def quiet():
    return os.path.exists("main.py"), len(os.listdir("."))

def handler(event):
    effect("a")
    found = quiet()
    effect("b")
    return found
""",
    "short sleeps": """
def handler(event):
    effect("a")
    time.sleep(0.01)
    effect("b")
    hookline.sleep(datetime.timedelta(milliseconds=5))
    effect("c")
    return "slept"
""",
    "async straight line": """
async def handler(event):
    a = await slow("a", 0.001, 1)
    b = await slow("b", 0.001, 2)
    c = effect("c", 3)
    return [a, b, c]
""",
    "gather": """
async def handler(event):
    async def two(label, delay):
        first = await slow(label + "1", delay)
        print(first)
        second = await slow(label + "2", delay)
        order.append(second)
        return [first, second]
    order = []
    results = await asyncio.gather(two("x", 0.003), two("y", 0.002), two("z", 0.001))
    return [results, order, sorted(order)]
""",
    "race": """
async def handler(event):
    order = []
    tasks = [asyncio.create_task(slow(f"t{i}", 0.001 * random.randint(1, 5))) for i in range(5)]
    for task in asyncio.as_completed(tasks):
        order.append(await task)
        effect("seen " + order[-1])
    return order
""",
    "task group": """
async def handler(event):
    out = []
    async with asyncio.TaskGroup() as group:
        for i in range(3):
            async def work(i=i):
                out.append(await slow(f"w{i}", 0.002))
                await asyncio.sleep(0.001)
                out.append(await slow(f"v{i}", 0.001))
            group.create_task(work())
    return out
""",
    "timeouts": """
async def handler(event):
    out = []
    try:
        async with asyncio.timeout(0.01):
            await slow("long", 5)
    except TimeoutError:
        out.append("timeout")
    effect("between")
    try:
        out.append(await asyncio.wait_for(slow("longer", 5), 0.01))
    except TimeoutError:
        out.append("timeout again")
    out.append(await asyncio.wait_for(slow("short", 0.001), 5))
    done, pending = await asyncio.wait(
        [asyncio.create_task(slow("p", 0.001)), asyncio.create_task(slow("q", 5))], timeout=0.02
    )
    for task in pending:
        task.cancel()
    out.append([len(done), len(pending)])
    effect("end")
    return out
""",
    "queues and events": """
async def handler(event):
    queue = asyncio.Queue()
    out = []
    async def produce():
        for i in range(3):
            await queue.put(await slow(f"made{i}", 0.001))
            await asyncio.sleep(0.001)
        await queue.put(None)
    async def consume():
        while (item := await queue.get()) is not None:
            out.append(await slow("used " + item, 0.001))
    await asyncio.gather(produce(), consume())
    return out
""",
    "async sleeps in a race": """
async def handler(event):
    order = []
    async def nap(name, seconds):
        await asyncio.sleep(seconds)
        order.append(name)
        order.append(await slow(name, 0.001))
    await asyncio.gather(nap("late", 0.02), nap("early", 0.005), nap("mid", 0.01))
    return order
""",
    "async exceptions": """
async def handler(event):
    @activity
    async def boom(label):
        effect(label)
        await asyncio.sleep(0)
        raise ConnectionError(label)
    out = []
    for result in await asyncio.gather(boom("a"), slow("b"), boom("c"), return_exceptions=True):
        out.append(repr(result))
    return out
""",
    "awaitable of a plain function": """
@activity
def plain(label):
    async def later():
        with open(os.environ["EFFECTS"], "a") as file:
            file.write(label + "\\n")
        await asyncio.sleep(0.001)
        return label
    return later()

async def handler(event):
    a = await plain("a")
    pending = plain("b")
    c = effect("c")
    b = await pending
    both = await asyncio.gather(plain("d"), plain("e"))
    return [a, b, c, both]
""",
    "asyncio.run in a plain handler": """
async def work():
    return await asyncio.gather(slow("a", 0.002), slow("b", 0.001))

def handler(event):
    first = effect("first")
    middle = asyncio.run(work())
    again = asyncio.run(work2())
    return [first, middle, again, effect("last")]

async def work2():
    return [await slow("c"), await slow("d")]
""",
    "cancelled by a friend": """
async def handler(event):
    victim = asyncio.create_task(slow("victim", 5))
    await slow("a", 0.002)
    victim.cancel()
    try:
        await victim
    except asyncio.CancelledError:
        effect("cancelled")
    await asyncio.shield(slow("shielded", 0.001))
    return await slow("b")
""",
    "activity handler": """
@activity
def handler(event):
    effect("inside")
    return os.path.exists("main.py")
""",
}

HANDLERS["futures of plain functions"] = """
def work(label):
    with open(os.environ["EFFECTS"], "a") as file:
        file.write(label + "\\n")
    return label

async def handler(event):
    loop = asyncio.get_running_loop()
    first = loop.run_in_executor(None, work, "a")
    second = loop.run_in_executor(None, work, "b")
    done, pending = await asyncio.wait([first, second])
    third = await loop.run_in_executor(None, work, "c")
    fourth = await asyncio.to_thread(work, "d")
    return [sorted(task.result() for task in done), len(pending), third, fourth]
"""

HANDLERS["partials"] = """
def handler(event):
    make = functools.partial(effect)
    functools.partial(time.sleep, 0.001)()
    items = [1, 2, 3]
    functools.partial(random.shuffle, items)()
    return [make("a", 1), functools.partial(make, "b")(2), sorted(items), effect("z", items)]
"""

HANDLERS["anyio task group"] = """
import anyio
async def handler(event):
    out = []
    async def work(label, delay):
        out.append(await slow(label, delay))
        await anyio.sleep(0.001)
        out.append(await slow(label + "2", 0.001))
    async with anyio.create_task_group() as group:
        group.start_soon(work, "x", 0.003)
        group.start_soon(work, "y", 0.001)
    with anyio.move_on_after(0.01):
        await slow("long", 5)
    return out + [await slow("end")]
"""

HANDLERS["awaited third-party objects"] = """
import httpx2 as httpx
def respond(request):
    with open(os.environ["EFFECTS"], "a") as file:
        file.write(request.url.path + "\\n")
    return httpx.Response(200, json={"path": request.url.path})
async def handler(event):
    async with httpx.AsyncClient(transport=httpx.MockTransport(respond)) as client:
        one = await client.get("http://x/one")
        two, three = await asyncio.gather(client.get("http://x/two"), client.get("http://x/three"))
        return [one.json(), two.json(), three.status_code]
"""
