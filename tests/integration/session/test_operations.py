"""What a session asks of the service: where it is recorded, where not, and how it waits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.session_peer import CLOCK, SessionPeer
from tests.integration.session.handlers import PRELUDE

FIRST_LINE = len(PRELUDE.splitlines()) + 1


def peer_of(tmp_path: Path, code: str, **start: object) -> SessionPeer:
    return SessionPeer(tmp_path, {"main.py": PRELUDE + code}, **start)


# what is recorded


def test_an_operation_is_recorded_as_its_author_wrote_it(tmp_path: Path):
    code = """
def handler(event):
    hookline.set_value("key", [1, 2])
    found = hookline.subscribe("orders", "data.n > 1")
    hookline.next_event([found], timeout=0.01)
    return hookline.start("main.py:handler")
"""
    peer = peer_of(tmp_path, code)

    peer.run()

    shown = [(e.kind, e.name, e.file, e.line - FIRST_LINE) for e in peer.entries]
    assert shown == [
        ("call", "set_value", "main.py", 2),
        ("call", "subscribe", "main.py", 3),
        ("wait", "next_event", "main.py", 4),
        ("call", "next_event", "main.py", 4),
        ("call", "start", "main.py", 5),
    ]
    arguments = [json.loads(entry.arguments)["kwargs"] for entry in peer.entries]
    assert arguments[0] == {"key": "key", "operands": [[1, 2]]}
    assert arguments[1] == {"source": "orders", "filter": "data.n > 1"}
    assert arguments[2] == {"subscriptions": ["orders1"], "timeout": 0.01}
    assert [entry.encoding for entry in peer.entries if entry.kind == "call"] == ["values"] * 4


def test_the_deepest_value_there_may_be_goes_and_comes(tmp_path: Path):
    code = """
def handler(event):
    deepest = 1
    for _ in range(100):
        deepest = [deepest]
    hookline.set_value("k", deepest)
    hookline.signal("ses_1", "x", deepest)
    hookline.outcome(deepest)
    return [hookline.get_value("k") == deepest, hookline.next_signal("x").payload == deepest]
"""
    peer = peer_of(tmp_path, code)

    assert [peer.run().result, peer.run().result] == [[True, True]] * 2


def test_what_is_called_from_elsewhere_has_the_projects_place(tmp_path: Path):
    files = {
        "main.py": "import kit\ndef handler(event):\n    return kit.deep()\n",
        "kit.py": "import hookline, contextlib\ndef deep():\n    with contextlib.ExitStack() as stack:\n"
        "        stack.callback(hookline.add_values, 'n', 1)\n    return 1\n",
    }
    peer = SessionPeer(tmp_path, files)

    peer.run()

    (entry,) = peer.entries
    assert (entry.name, entry.file) == ("add_values", "kit.py")


def test_a_refusal_is_an_error_with_its_code_again_on_resumption(tmp_path: Path):
    code = """
def handler(event):
    try:
        hookline.subscribe("nowhere")
    except hookline.errors.CallRefusedError as exc:
        effect(exc.code)
        return [exc.code, str(exc)]
"""
    peer = peer_of(tmp_path, code)

    first = peer.run(kill_at=1)
    second = peer.run()

    assert first.killed
    assert second.calls == []
    assert second.result == [
        "subscription.source_not_found",
        'source "nowhere" not found',
    ]


@pytest.mark.parametrize(
    "code",
    [
        "hookline.next_signal('a', timeout=0.01)",
        "hookline.set_value('a', 1)",
        "effect('set_value')",
        "time.sleep(0.001)",
        "random.random()",
    ],
)
def test_another_operation_than_the_recorded_one_is_told_with_both(tmp_path: Path, code: str):
    peer = peer_of(
        tmp_path, "\ndef handler(event):\n    hookline.get_value('a')\n    effect('x')\n"
    )
    peer.run()
    main = PRELUDE + f"\ndef handler(event):\n    {code}\n    effect('x')\n"
    (peer.project_dir / "main.py").write_text(main)

    result = peer.run()

    assert result.error["type"] == "NonDeterminismError"
    assert f"recorded: get_value at main.py:{FIRST_LINE + 2}" in result.error["message"]


def test_an_activity_in_the_place_of_a_call_of_its_name_is_a_mismatch(tmp_path: Path):
    peer = peer_of(tmp_path, "\ndef handler(event):\n    hookline.start('main.py:handler')\n")
    peer.run()
    main = "\n@activity\ndef start(x):\n    return 1\ndef handler(event):\n    start('x')\n"
    (peer.project_dir / "main.py").write_text(PRELUDE + main)

    assert peer.run().error["type"] == "NonDeterminismError"


def test_arguments_too_large_are_refused_before_they_are_sent(tmp_path: Path):
    code = """
def handler(event):
    try:
        hookline.signal("ses_1", "x", "y" * (9 << 20))
    except hookline.errors.CallRefusedError as exc:
        return [exc.code, str(exc)]
"""
    result = peer_of(tmp_path, code).run()

    assert result.calls == []
    assert result.result[0] == "call.too_large"
    assert "signal was given" in result.result[1]


@pytest.mark.parametrize("durable", [True, False], ids=["durable", "plain"])
def test_every_operation_works_while_a_module_loads(tmp_path: Path, durable: bool):
    code = """
orders = hookline.subscribe("orders")
hookline.signal("ses_1", "ready", {"x": 1})
FOUND = [
    hookline.add_values("n", 1), hookline.store.get("n"), hookline.next_signal("ready").payload.x,
    hookline.next_event(orders, timeout=5).n, hookline.next_event(orders, timeout=0.01),
    hookline.start("main.py:handler"), hookline.list_values_keys(), hookline.publish_value("n"),
    hookline.outcome(1), hookline.unsubscribe(orders), hookline.sleep(0.001),
]
def handler(event):
    return FOUND
"""
    peer = peer_of(tmp_path, code, durable=durable)
    peer.service.to_come.append(("sub:orders1", {"n": 7}))

    result = peer.run()

    assert result.result == [
        1, 1, 1, 7, None, "ses_child1", ["n"], None, None, None, None,
    ]  # fmt: skip
    assert peer.entries == []


@pytest.mark.parametrize("durable", [True, False], ids=["durable", "plain"])
def test_inside_activities_and_threads_nothing_is_recorded_of_its_own(
    tmp_path: Path, durable: bool
):
    code = """
orders = None
@activity
def inside():
    hookline.add_values("n", 1)
    return hookline.next_event(orders).n
def handler(event):
    global orders
    orders = hookline.subscribe("orders")
    out = [inside()]
    threads = [threading.Thread(target=lambda: out.append(inside())) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(out)
"""
    peer = peer_of(tmp_path, code, durable=durable, hot_window_s=0.0)
    peer.service.to_come.extend(("sub:orders1", {"n": n}) for n in range(3))

    result = peer.run()

    assert result.result == [0, 1, 2]
    assert peer.service.store == {"n": 3}
    assert peer.names("activity", "call", "wait") == (["subscribe", "inside"] if durable else [])


def test_a_child_process_is_told_that_it_cannot_reach_the_service(tmp_path: Path):
    code = """
def handler(event):
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            hookline.set_value("x", 1)
        except hookline.HooklineError as exc:
            hookline.sleep(0.001)
            os.write(writing, str(exc).encode())
        os._exit(0)
    os.waitpid(pid, 0)
    return os.read(reading, 1000).decode()
"""
    peer = peer_of(tmp_path, code, durable=False)

    result = peer.run()

    assert "a child process cannot reach the service" in result.result
    assert peer.service.store == {}


# waiting


def test_a_long_wait_suspends_with_what_it_waits_for(tmp_path: Path):
    code = """
def handler(event):
    both = [hookline.subscribe("orders"), hookline.subscribe("mail")]
    return hookline.next_event(both).n
"""
    peer = peer_of(tmp_path, code, hot_window_s=0.05)

    first = peer.run()
    peer.service.bring("sub:mail2", {"n": 5})
    second = peer.run()

    assert first.suspended
    assert (first.suspended_until, first.topics) == (None, ["sub:mail2", "sub:orders1"])
    assert second.result == 5


def test_what_comes_within_the_hot_window_finds_the_process(tmp_path: Path):
    code = "\ndef handler(event):\n    return hookline.next_signal(['a', 'b']).name\n"
    peer = peer_of(tmp_path, code)
    peer.service.to_come.extend([("sig:other", 1), ("sig:b", 2)])

    result = peer.run()

    assert result.result == "b"
    assert result.calls == ["take_signal"] * 2  # nothing for "other"


def test_a_time_out_counts_from_the_first_attempt(tmp_path: Path):
    code = "\ndef handler(event):\n    return hookline.next_signal('a', timeout=3600)\n"
    peer = peer_of(tmp_path, code, hot_window_s=0.02)
    now = CLOCK.now()

    first = peer.run()
    second = peer.run(now=now + 1800)
    peer.service_now_ahead_s = 3601.0
    third = peer.run(now=now + 3601)

    assert first.suspended_until == pytest.approx(now + 3600, abs=5)
    assert second.suspended_until == first.suspended_until
    assert third.result is None
    assert [entry.kind for entry in peer.entries] == ["wait", "call"]


def test_a_service_whose_clock_is_behind_is_asked_again(tmp_path: Path):
    code = "\ndef handler(event):\n    return hookline.next_signal('a', timeout=0.01)\n"
    peer = peer_of(tmp_path, code)
    peer.service_now_ahead_s = -0.1

    result = peer.run()

    assert result.result is None
    assert 3 <= len(result.calls) <= 10


def test_a_time_out_below_zero_is_over_at_once(tmp_path: Path):
    code = "\ndef handler(event):\n    return hookline.next_signal('a', timeout=-1)\n"
    peer = peer_of(tmp_path, code)

    assert peer.run().result is None
    assert peer.names() == ["next_signal"]


def test_a_falsy_time_out_waits_without_end(tmp_path: Path):
    code = "\ndef handler(event):\n    return hookline.next_signal('a', timeout=0)\n"

    result = peer_of(tmp_path, code, hot_window_s=0.01).run()

    assert (result.suspended, result.suspended_until) == (True, None)


def test_tasks_wait_beside_each_other_and_suspend_with_all_they_wait_for(tmp_path: Path):
    code = """
async def handler(event):
    orders = hookline.subscribe("orders")
    async def nap():
        await asyncio.sleep(3600)
        return "slept"
    return await asyncio.gather(
        hookline.next_event(orders), hookline.aio.next_signal("a", timeout=1800),
        hookline.aio.next_signal("b"), nap(), slow("c", 0.01),
    )
"""
    peer = peer_of(tmp_path, code.replace("hookline.next_event", "hookline.aio.next_event"))
    now = CLOCK.now()

    first = peer.run(hot_window_s=0.05)
    peer.service.bring("sig:b", 2)
    second = peer.run(hot_window_s=0.05)

    assert first.topics == ["sig:a", "sig:b", "sub:orders1"]
    assert first.suspended_until == pytest.approx(now + 1800, abs=5)
    assert second.topics == ["sig:a", "sub:orders1"]
    assert peer.effect_lines() == ["c"]


def test_a_wait_never_cuts_off_an_activity_under_way(tmp_path: Path):
    code = """
async def handler(event):
    task = asyncio.create_task(slow("a", 0.1))
    await asyncio.sleep(0)
    found = await hookline.next_signal("x", timeout=0.02)
    hookline.next_signal("x", timeout=0.02)
    return [found, await task]
"""
    result = peer_of(tmp_path, code, hot_window_s=0.0).run()

    assert not result.suspended
    assert result.result == [None, "a"]


def test_events_that_come_one_by_one_renew_the_hot_window(tmp_path: Path):
    code = """
async def handler(event):
    orders = hookline.subscribe("orders")
    return [(await hookline.next_event(orders)).n for _ in range(20)]
"""
    peer = peer_of(tmp_path, code, hot_window_s=0.5)
    peer.service.to_come.extend(("sub:orders1", {"n": n}) for n in range(20))

    assert peer.run().result == list(range(20))


def test_a_decorated_waiting_function_is_called_and_not_passed_by(tmp_path: Path):
    code = """
@functools.wraps(hookline.next_signal)
def mine(*args, **kwargs):
    async def later():
        return "mine"
    return later()
async def handler(event):
    return [await mine("a"), await functools.partial(hookline.next_signal, timeout=0.01)("a")]
"""
    assert peer_of(tmp_path, code).run().result == ["mine", None]


def test_what_was_taken_for_a_cancelled_task_comes_to_the_next(tmp_path: Path):
    code = """
async def handler(event):
    orders = hookline.subscribe("orders")
    waiting = asyncio.create_task(hookline.aio.next_event(orders))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    out = [hookline.next_event(orders).n]
    waiting = asyncio.create_task(hookline.aio.next_event(orders))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    hookline.unsubscribe(orders)
    try:
        hookline.next_event(orders)
    except hookline.errors.CallRefusedError as exc:
        out.append(exc.code)
    return out
"""
    peer = peer_of(tmp_path, code)
    peer.service.bring_at_subscription["orders"] = [{"n": 1}, {"n": 2}]

    first = peer.run()
    second = peer.run()

    assert first.result == second.result == [1, "subscription.not_found"]


def test_threads_and_the_main_flow_wait_at_the_same_time(tmp_path: Path):
    code = """
async def handler(event):
    found = []
    def work(name):
        for _ in range(20):
            hookline.add_values(name, 1)
        found.append(hookline.next_signal(name, timeout=20).payload)
    names = [f"t{n}" for n in range(4)]
    threads = [threading.Thread(target=work, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for _ in range(20):
        hookline.add_values("main", 1)
        await slow("x", 0.001)
    for name in names:
        hookline.signal("ses_1", name, name)
    hookline.signal("ses_1", "main", "main")
    found.append((await hookline.next_signal("main")).payload)
    for thread in threads:
        thread.join()
    return sorted(found)
"""
    peer = peer_of(tmp_path, code)

    assert peer.run().result == ["main", "t0", "t1", "t2", "t3"]
    assert peer.service.store == {"main": 20, "t0": 20, "t1": 20, "t2": 20, "t3": 20}


@pytest.mark.parametrize("durable", [True, False], ids=["durable", "plain"])
def test_a_wait_of_a_loop_inside_an_activity_or_plain_session_does_not_hold_it(
    tmp_path: Path, durable: bool
):
    code = """
@activity
async def inside(event):
    ticks = []
    async def tick():
        while len(ticks) < 200:
            ticks.append(1)
            await asyncio.sleep(0.001)
    task = asyncio.create_task(tick())
    two = await asyncio.gather(hookline.aio.next_signal("x"), hookline.aio.next_signal("x"))
    late = await hookline.aio.next_signal("x", timeout=0.05)
    await task
    return [sorted(one.payload for one in two), late, len(ticks)]
async def handler(event):
    return await inside(event)
"""
    peer = peer_of(tmp_path, code, durable=durable, hot_window_s=0.0)
    peer.service.to_come.extend([("sig:x", 1), ("sig:y", 0), ("sig:x", 2)])

    assert peer.run().result == [[1, 2], None, 200]


def test_a_loop_of_the_authors_own_choice_waits_and_replays(tmp_path: Path):
    code = """
async def main():
    one = asyncio.create_task(hookline.aio.next_signal("x"))
    two = await hookline.aio.next_signal("y", timeout=0.05)
    return [(await one).payload, two]
def handler(event):
    with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
        return runner.run(main())
"""
    peer = peer_of(tmp_path, code)
    peer.service.to_come.append(("sig:x", 1))

    first, second = peer.run(), peer.run()

    assert first.result == second.result == [1, None]


def test_loops_in_threads_wait_beside_the_main_flow(tmp_path: Path):
    code = """
def handler(event):
    found = []
    def work(name):
        found.append(asyncio.run(hookline.aio.next_signal(name, timeout=20)).payload)
    threads = [threading.Thread(target=work, args=(name,)) for name in "abc"]
    for thread in threads:
        thread.start()
    for name in "cba":
        hookline.signal("ses_1", name, name)
    found.append(hookline.next_signal("d", timeout=0.02))
    for thread in threads:
        thread.join()
    return sorted(map(str, found))
"""
    peer = peer_of(tmp_path, code)

    assert peer.run().result == ["None", "a", "b", "c"]


def test_a_task_that_waits_for_a_subscription_hears_of_its_end(tmp_path: Path):
    code = """
async def handler(event):
    orders = hookline.subscribe("orders")
    thread = threading.Thread(target=wait, args=(orders,))
    thread.start()
    task = asyncio.create_task(hookline.aio.next_event(orders))
    await asyncio.sleep(0.01)
    hookline.unsubscribe(orders)
    try:
        await task
    except hookline.errors.CallRefusedError as exc:
        thread.join()
        return [exc.code, CODES]
CODES = []
def wait(orders):
    try:
        hookline.next_event(orders)
    except hookline.errors.CallRefusedError as exc:
        CODES.append(exc.code)
"""
    result = peer_of(tmp_path, code).run()

    assert result.result == ["subscription.not_found", ["subscription.not_found"]]


# being stopped: each of these waits would outlast the peer's patience, and nothing else ends it

WAITS: dict[str, str] = {
    "main flow": "def handler(event):\n    hookline.next_signal('x')\n",
    "loop": "async def handler(event):\n    await hookline.aio.next_signal('x')\n",
    "blocked loop": "async def handler(event):\n    hookline.next_signal('x')\n",
    "activity": "@activity\ndef handler(event):\n    hookline.next_signal('x')\n",
    "async activity": """
@activity
async def inside():
    await hookline.aio.next_signal('x')
async def handler(event):
    await asyncio.gather(inside(), asyncio.sleep(0))
""",
    "finally": """
def handler(event):
    try:
        hookline.next_signal('x')
    finally:
        hookline.next_signal('x')
""",
    "finally in a loop": """
async def handler(event):
    try:
        await hookline.aio.next_signal('x')
    finally:
        await hookline.aio.next_signal('x')
""",
    "while a thread reads": """
def handler(event):
    def work():
        hookline.next_signal('y')
    threading.Thread(target=work, daemon=True).start()
    hookline.next_signal('x')
""",
    "module": "hookline.next_signal('x')\ndef handler(event):\n    pass\n",
}


@pytest.mark.parametrize("prefix", ["", "async "])
def test_a_stop_ends_a_back_off_at_once(tmp_path: Path, prefix: str):
    code = f"""
@activity(retries=1, backoff=60)
{prefix}def failing():
    print("failing")
    raise ValueError
{prefix}def handler(event):
    {"await " if prefix else ""}failing()
"""
    peer = peer_of(tmp_path, code, hot_window_s=120.0)

    result = peer.run(stop_on_print="failing")

    assert result.done is not None
    assert result.done["stopped"]


@pytest.mark.parametrize("name", [name for name in WAITS if name != "module"])
def test_a_stop_ends_a_wait_though_its_signal_is_late(tmp_path: Path, name: str):
    peer = peer_of(tmp_path, WAITS[name], hot_window_s=30.0)

    result = peer.run(stop_when_waiting=True, stop_unsignalled=True)

    assert result.done is not None
    assert result.done["stopped"]


@pytest.mark.parametrize("durable", [True, False], ids=["durable", "plain"])
@pytest.mark.parametrize("name", WAITS)
def test_a_stop_ends_a_wait_at_once(tmp_path: Path, name: str, durable: bool):
    peer = peer_of(tmp_path, WAITS[name], durable=durable, hot_window_s=30.0)

    result = peer.run(stop_when_waiting=True)

    assert result.done is not None
    assert result.done["stopped"]


# answers


@pytest.mark.parametrize(
    ("code", "answer"),
    [
        ("{'a': (1, b'x')}", {"a": [1, {"$bytes": "eA=="}]}),
        ("None", None),
        ("object", None),
        ("'x' * (1 << 20)", "x" * (1 << 20)),
        ("'x' * (8 << 20)", None),
        ("1 / 0", None),
        ("type('Odd', (), {'__slots__': ('x',), '__getattr__': lambda s, n: 1 / 0})()", None),
    ],
)
@pytest.mark.parametrize("durable", [True, False], ids=["durable", "plain"])
def test_a_result_is_the_answer_when_it_is_a_value(
    tmp_path: Path, code: str, answer: Any, durable: bool
):
    peer = peer_of(tmp_path, f"def handler(event):\n    return {code}\n", durable=durable)

    asked = peer.run(answers="parent")
    unasked = peer.run()

    assert asked.done is not None
    assert asked.done["answer"] == answer
    assert unasked.done is not None
    assert unasked.done["answer"] is None


@pytest.mark.parametrize(
    ("code", "named"),
    [
        ("'x' * (8 << 20)", "8388608 (8 MiB)"),
        ("['x'] * 2_200_000", "more than 1000000 items"),
        ("b'x' * 6_500_000", "8388608 (8 MiB)"),
        ("{'when': datetime.date(2026, 1, 2)}", "value['when']: a date cannot be a value"),
        ("'\\ud83d'", "half a character"),
        ("lambda: 1", "a function"),
        ("type('Odd', (), {'__slots__': ('x',), '__getattr__': lambda s, n: 1 / 0})()", "division"),
    ],
)
def test_a_caller_gets_a_500_for_what_cannot_be_sent_and_the_log_says_why(
    tmp_path: Path, code: str, named: str
):
    code = f"import datetime\ndef handler(event):\n    return {code}\n"

    result = peer_of(tmp_path, code).run(answers="caller")

    assert result.done is not None
    assert json.loads(result.done["reply"])["status_code"] == 500
    (warning,) = result.texts("warning")
    assert "cannot be sent" in warning
    assert named in warning


def test_what_is_returned_beside_an_outcome_is_no_concern_of_the_caller(tmp_path: Path):
    code = "def handler(event):\n    hookline.http_outcome(201)\n    return object\n"

    result = peer_of(tmp_path, code).run(answers="caller")

    assert result.texts("warning") == []


# order


def test_what_was_printed_before_a_recorded_step_is_never_lost(tmp_path: Path):
    code = """
def handler(event):
    for n in range(5):
        print("before", n)
    effect("a")
    for n in range(5):
        print("between", n)
    hookline.set_value("x", 1)
    for n in range(5):
        print("after", n)
    effect("b")
"""
    whole = [f"{word} {n}" for word in ("before", "between", "after") for n in range(5)]
    for kill_at in (1, 2, 3):
        peer = peer_of(tmp_path / str(kill_at), code)

        first = peer.run(kill_at=kill_at)
        second = peer.run()

        assert first.killed
        assert first.prints + second.prints == whole


def test_what_was_printed_before_an_activity_is_out_when_it_begins(tmp_path: Path):
    code = """
import signal as signals
@activity
def die():
    os.kill(os.getpid(), signals.SIGKILL)
@activity
async def die_slowly():
    os.kill(os.getpid(), signals.SIGKILL)
async def slowly():
    await die_slowly()
def handler(event):
    for n in range(5):
        print(n)
    asyncio.run(slowly()) if event.data.slowly else die()
"""
    peer = peer_of(tmp_path, code)

    for slowly in (False, True):
        result = peer.run(event={"id": None, "type": None, "data": {"slowly": slowly}})

        assert result.prints == ["0", "1", "2", "3", "4"]


@pytest.mark.parametrize(
    "step", ["effect('x')", "hookline.set_value('x', 1)", "hookline.next_signal('x', timeout=0.01)"]
)
def test_what_is_printed_behind_a_new_step_is_not_taken_for_old(tmp_path: Path, step: str):
    code = f"""
async def handler(event):
    async def first():
        await slow("a")
        print("before")
        {step}
        print("after")
    await asyncio.gather(first(), slow("b"))
    print("end")
"""
    peer = peer_of(tmp_path, code)

    first = peer.run(kill_at=3, kill_before_recording=True)
    second = peer.run()

    assert [entry.name for entry in peer.entries[:2]] == ["slow", "slow"]
    assert first.prints == ["before"]
    assert second.prints == ["after", "end"]
