"""Handlers that use what others send, the store and children; with the things that come while they wait."""

from __future__ import annotations

from typing import Any

HANDLERS: dict[str, tuple[str, list[tuple[str, Any]]]] = {
    "events one after the other": (
        """
def handler(event):
    orders = hookline.subscribe("orders")
    seen = []
    while len(seen) < 3:
        got = hookline.next_event(orders)
        print("got", got.n)
        seen.append([got.n, effect(f"handled {got.n}")])
    hookline.unsubscribe(orders)
    return seen
""",
        [("sub:orders1", {"n": n}) for n in range(3)],
    ),
    "the first of two subscriptions": (
        """
def handler(event):
    both = [hookline.subscribe("orders"), hookline.subscribe("mail")]
    out = [hookline.next_event(both, full=True).data["n"] for _ in range(3)]
    out.append(hookline.next_event(both, timeout=0.02))
    effect("end")
    return out
""",
        [("sub:mail2", {"n": 1}), ("sub:orders1", {"n": 2}), ("sub:mail2", {"n": 3})],
    ),
    "store, signals and children": (
        """
def handler(event, session_id):
    out = [hookline.get_value("k")]
    hookline.set_value("k", {"b": (1, 2)})
    out += [hookline.get_value("k"), hookline.add_values("n", 2), hookline.add_values("n", 3)]
    out.append(hookline.check_and_set_value("n", 5, 6))
    hookline.store["x"] = 1
    out += [hookline.store["x"], hookline.list_values_keys()]
    child = hookline.start("main.py:handler", {"x": 1})
    hookline.signal(session_id, "self", {"of": child})
    out.append(hookline.next_signal("self").payload.of == child)
    done = hookline.next_signal([child, "other"])
    out += [done.name == child, done.payload["value"]]
    hookline.outcome({"sum": out[2]})
    return out
""",
        [("sig:ses_child1", {"completed": True, "value": 7})],
    ),
    "refusals": (
        """
def handler(event):
    out = []
    for wrong in (
        lambda: hookline.subscribe("nowhere"),
        lambda: hookline.next_event("sub_none"),
        lambda: hookline.signal("ses_gone", "x"),
        lambda: (hookline.set_value("t", "text"), hookline.add_values("t", 1)),
        lambda: hookline.set_value("t", object),
    ):
        try:
            out.append(wrong())
        except (hookline.HooklineError, TypeError) as exc:
            print(len(out), type(exc).__name__)
            out.append([type(exc).__name__, getattr(exc, "code", ""), str(exc)[:30]])
        effect("after " + out[-1][0] + str(len(out)))
    return out
""",
        [],
    ),
    "riding values and prints around calls": (
        """
def handler(event):
    a = random.random()
    print("before")
    hookline.set_value("a", a)
    print("between")
    b = random.random()
    hookline.set_value("b", b)
    return [hookline.get_value("a") == a, hookline.get_value("b") == b]
""",
        [],
    ),
    "calls where nothing else is recorded": (
        """
@inhibit_activities
def quiet():
    hookline.add_values("quiet", 1)
    return os.getcwd() != ""

def handler(event):
    list(map(hookline.sleep, [0.001]))
    quiet()
    functools.partial(hookline.add_values, "quiet")(1)
    return [hookline.get_value("quiet"), sorted(map(hookline.get_value, ["quiet"]))]
""",
        [],
    ),
    "concurrent waits": (
        """
async def handler(event):
    orders, mail = hookline.subscribe("orders"), hookline.subscribe("mail")
    order = []
    async def take(subscription, count):
        for _ in range(count):
            got = await hookline.next_event(subscription)
            order.append(got.n)
            order.append(await slow(f"handled {got.n}", 0.002))
    async def tick():
        for n in range(3):
            await asyncio.sleep(0.004)
            order.append(n)
    await asyncio.gather(take(orders, 2), take(mail, 2), tick())
    return order
""",
        [("sub:orders1", {"n": 10}), ("sub:mail2", {"n": 11}),
         ("sub:mail2", {"n": 12}), ("sub:orders1", {"n": 13})],
    ),
    "a wait that is given up, and another that gets the event": (
        """
async def handler(event):
    orders = hookline.subscribe("orders")
    out = []
    try:
        out.append(await asyncio.wait_for(hookline.aio.next_event(orders), 0.02))
    except TimeoutError:
        out.append("gave up")
    effect("between")
    waiting = asyncio.create_task(hookline.aio.next_event(orders))
    await asyncio.sleep(0)
    waiting.cancel()
    out.append(await hookline.next_event(orders, timeout=0.01))
    hookline.signal("ses_1", "late", 5)
    out.append((await hookline.next_signal("late")).payload)
    return out
""",
        [],
    ),
    "cancelled with the event in hand": (
        """
async def handler(event):
    out = []
    hookline.signal("ses_1", "x", 1)
    hookline.signal("ses_1", "x", 2)
    async def take():
        return (await hookline.next_signal("x")).payload
    first = asyncio.create_task(take())
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    out.append(await take())
    out.append(await take())
    out.append(hookline.next_signal("x", timeout=0.01))
    return out
""",
        [],
    ),
    "cancelled with the signal in hand while another task waits for it": (
        """
async def handler(event):
    out = []
    async def take():
        got = await hookline.next_signal("x", timeout=0.5)
        out.append(await slow("taken", 0.001))
        return got and got.payload
    for n in (1, 2):
        one, two = asyncio.create_task(take()), asyncio.create_task(take())
        await asyncio.sleep(0)
        hookline.signal("ses_1", "x", n)
        hookline.get_value("k")  # by now the session knows of the signal
        async def cancel():
            await slow("first in the queue", 0)
            one.cancel()
        await asyncio.gather(asyncio.create_task(cancel()), one, return_exceptions=True)
        out.append(await two)
    return out
""",
        [],
    ),
    "sleeps of the kit": (
        """
async def handler(event):
    order = []
    async def nap(name, seconds):
        await hookline.sleep(seconds)
        order.append(name)
        order.append(await slow(name, 0.001))
    await asyncio.gather(nap("late", 0.02), nap("early", 0.005), hookline.aio.sleep(0.01))
    hookline.sleep(0.001)
    return order
""",
        [],
    ),
    "activities tried again": (
        """
@activity(retries=3, backoff=0.005)
def flaky(label, count):
    effect_lines = open(os.environ["EFFECTS"]).read().splitlines() if os.path.exists(os.environ["EFFECTS"]) else []
    if effect_lines.count(label) < count:
        effect(label)
        raise ConnectionError(label)
    return label

@activity(retries=2, backoff=0.005)
async def slowly(label, count):
    await asyncio.sleep(0.001)
    return flaky(label, count)

@activity(retries=1, backoff=0.001)
def hopeless():
    raise KeyError("never")

async def both():
    return await asyncio.gather(slowly("c", 1), slowly("d", 2), slow("e", 0.002))

def handler(event):
    out = [flaky("a", 2), asyncio.run(both())]
    try:
        hopeless()
    except KeyError as exc:
        out.append(repr(exc))
    return out
""",
        [],
    ),
}  # fmt: skip
