"""Activities that are tried again, and those that may take so long and no longer."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.fakes.session_peer import CLOCK, SessionPeer
from tests.integration.session.handlers import PRELUDE

TRIES = """
tries = lambda label: open(os.environ["EFFECTS"]).read().splitlines().count(label)

def fail_until(label, count, error=ConnectionError):
    with open(os.environ["EFFECTS"], "a") as file:
        file.write(label + "\\n")
    if tries(label) < count:
        raise error(label)
    return tries(label)
"""


def peer_of(tmp_path: Path, code: str, **start: object) -> SessionPeer:
    return SessionPeer(tmp_path, {"main.py": PRELUDE + TRIES + code}, **start)


def test_each_failed_try_is_recorded_and_logged(tmp_path: Path):
    code = """
@activity(retries=3, backoff=0.001)
def work():
    return fail_until("a", 3)
def handler(event):
    return work()
"""
    peer = peer_of(tmp_path, code)

    result = peer.run()

    assert result.result == 3
    assert [(e.branch, e.kind, e.ok, json.loads(e.display)) for e in peer.entries] == [
        ("!0", "wait", False, "ConnectionError('a')"),
        ("!0", "wait", False, "ConnectionError('a')"),
        ("", "activity", True, 3),
    ]
    first, second = result.texts("warning")
    assert first.startswith("work at main.py:")
    assert "try 1 of 4, failed: ConnectionError: a; the next one follows in 0.001 s" in first
    assert "in 0.002 s" in second


@pytest.mark.parametrize("prefix", ["", "async "])
def test_a_failed_try_is_recorded_from_its_begin_to_its_end(tmp_path: Path, prefix: str):
    code = f"""
@activity(retries=1, backoff=0.001)
{prefix}def work():
    effect(repr(time.time()))
    raise ConnectionError
{prefix}def handler(event):
    {"await " if prefix else ""}work()
"""
    peer = peer_of(tmp_path, code)

    peer.run()

    failed, last = peer.entries
    first_ran, second_ran = map(float, peer.effect_lines())
    assert failed.started_at <= first_ran <= failed.ended_at
    assert failed.ended_at < last.started_at <= second_ran <= last.ended_at


def test_the_last_failure_is_the_result(tmp_path: Path):
    code = """
@activity(retries=2, backoff=0.001)
def work():
    fail_until("a", 9)
def handler(event):
    try:
        work()
    except ConnectionError as exc:
        return repr(exc)
"""
    peer = peer_of(tmp_path, code)

    first, second = peer.run(), peer.run()

    assert first.result == second.result == "ConnectionError('a')"
    assert len(peer.effect_lines()) == 3
    assert "try 3 of 3, failed" in first.texts("warning")[-1]


@pytest.mark.parametrize(
    ("error", "count"),
    [("ConnectionResetError", 2), ("ValueError", 1), ("SystemExit", 1), ("KeyboardInterrupt", 1)],
)
@pytest.mark.parametrize("prefix", ["", "async "])
def test_only_what_is_named_is_tried_again(tmp_path: Path, error: str, count: int, prefix: str):
    code = f"""
@activity(retries=5, backoff=0.001, retry_on=(OSError, KeyError))
{prefix}def work():
    return fail_until("a", 2, {error})
{prefix}def handler(event):
    try:
        {"await " if prefix else ""}work()
    except BaseException as exc:
        if type(exc).__name__ != "{error}":
            raise
"""
    peer = peer_of(tmp_path, code)

    result = peer.run()

    if not prefix or issubclass(__builtins__[error], Exception):  # else the loop ends with it
        assert result.done is not None
        assert result.done["ok"], result.done
    assert len(peer.effect_lines()) == count


@pytest.mark.parametrize("prefix", ["", "async "])
def test_a_long_back_off_suspends_and_no_try_is_forgotten(tmp_path: Path, prefix: str):
    code = f"""
@activity(retries=2, backoff=3600)
{prefix}def work():
    return fail_until("a", 9)
{prefix}def handler(event):
    {"await " if prefix else ""}work()
"""
    peer = peer_of(tmp_path, code)
    now = CLOCK.now()

    first = peer.run()
    early = peer.run(now=now + 1800)
    second = peer.run(now=now + 3601)
    third = peer.run(now=now + 3 * 3600 + 10)

    assert first.suspended_until == pytest.approx(now + 3600, abs=5)
    assert early.suspended_until == first.suspended_until
    assert second.suspended_until == pytest.approx(
        now + 2 * 3600 + 1, abs=5
    )  # an hour is the longest
    assert third.error["type"] == "ConnectionError"
    assert len(peer.effect_lines()) == 3


def test_other_tasks_go_on_while_a_try_is_waited_for(tmp_path: Path):
    code = """
@activity(retries=2, backoff=0.05)
async def work():
    return fail_until("a", 2)
async def handler(event):
    ticks = []
    async def tick():
        for _ in range(5):
            await asyncio.sleep(0.001)
            ticks.append(await slow("t"))
    await asyncio.gather(work(), tick())
    return len(ticks)
"""
    peer = peer_of(tmp_path, code)

    first, second = peer.run(), peer.run()

    assert first.result == second.result == 5
    names = [e.name for e in peer.entries if e.kind == "activity"]
    assert names == ["slow"] * 5 + ["work"]


@pytest.mark.parametrize("end", ["return 'late'", "raise ConnectionError('late')"])
@pytest.mark.parametrize("mark", ["@activity", "@activity(retries=1, backoff=0.01)"])
@pytest.mark.parametrize(
    ("begin", "wait"),
    [
        (
            "task = asyncio.create_task(deaf()); await asyncio.sleep(0.01); task.cancel()",
            "return await task",
        ),
        ("limit = asyncio.timeout(0.01)", "async with limit: return await deaf()"),
        ("", "return await asyncio.wait_for(deaf(), 0.01)"),
    ],
    ids=["a task", "the main flow", "wait_for"],
)
def test_an_activity_that_is_cancelled_is_so_whatever_it_makes_of_it(
    tmp_path: Path, mark: str, end: str, begin: str, wait: str
):
    code = f"""
{mark}
async def deaf():
    effect("begun")
    try:
        await asyncio.sleep(5)
    except asyncio.CancelledError:
        {end}
async def handler(event):
    {begin}
    try:
        {wait}
    except (asyncio.CancelledError, TimeoutError):
        return "cancelled"
"""
    peer = peer_of(tmp_path, code)

    assert [peer.run().result, peer.run().result] == ["cancelled", "cancelled"]
    assert peer.effect_lines() == ["begun"]


def test_an_activity_that_cancels_itself_and_goes_on_has_its_result(tmp_path: Path):
    code = """
@activity
async def inside():
    asyncio.get_running_loop().call_later(0.01, asyncio.current_task().cancel)
    try:
        await asyncio.sleep(5)
    except asyncio.CancelledError:
        return "late"
async def handler(event):
    return await asyncio.gather(inside(), inside())
"""
    peer = peer_of(tmp_path, code)

    assert [peer.run().result, peer.run().result] == [["late", "late"]] * 2


def test_a_cancelled_back_off_is_over(tmp_path: Path):
    code = """
@activity(retries=2, backoff=60)
async def work():
    return fail_until("a", 9)
async def handler(event):
    try:
        await asyncio.wait_for(work(), 0.02)
    except TimeoutError:
        return [await slow("b"), effect("c")]
"""
    peer = peer_of(tmp_path, code, hot_window_s=120.0)

    first, second = peer.run(), peer.run()

    assert first.result == second.result == ["b", "c"]


def test_the_awaitable_of_a_plain_function_is_tried_again_with_its_call(tmp_path: Path):
    code = """
@activity(retries=3, backoff=0.001)
def work():
    fail_until("made", 2)
    async def later():
        return fail_until("awaited", 2)
    return later()
async def handler(event):
    pending = work()
    return await pending
"""
    peer = peer_of(tmp_path, code)

    first, second = peer.run(), peer.run()

    assert first.result == second.result == 2
    assert peer.effect_lines() == ["made", "made", "awaited", "made", "awaited"]


# time-outs


@pytest.mark.parametrize(
    "slow", ["time.sleep(20)", "threading.Event().wait(20)", "[x for x in iter(int, 1)]"]
)
def test_a_try_that_takes_too_long_is_ended(tmp_path: Path, slow: str):
    code = f"""
@activity(timeout=0.05, retries=1, backoff=0.001, retry_on=KeyError)
def work():
    effect("begun")
    {slow}
def handler(event):
    try:
        work()
    except TimeoutError as exc:
        effect("after")
        time.sleep(0.1)
        return [type(exc).__name__, str(exc)]
"""
    peer = peer_of(tmp_path, code)

    first, second = peer.run(), peer.run()

    assert (
        first.result
        == second.result
        == ["ActivityTimeoutError", "work took longer than 0.05 seconds"]
    )
    assert peer.effect_lines() == ["begun", "begun", "after"]


def test_an_async_try_that_takes_too_long_is_ended(tmp_path: Path):
    code = """
@activity(timeout=0.05)
async def work():
    try:
        await asyncio.sleep(20)
    finally:
        effect("cleaned")
@activity(timeout=20)
async def own():
    raise TimeoutError("mine")
async def handler(event):
    return [repr(one) for one in await asyncio.gather(work(), own(), return_exceptions=True)]
"""
    peer = peer_of(tmp_path, code)

    first, second = peer.run(), peer.run()

    assert first.result == second.result
    assert first.result[0].startswith("ActivityTimeoutError(")
    assert first.result[1] == "TimeoutError('mine')"
    assert peer.effect_lines() == ["cleaned"]


def test_a_time_out_does_not_tear_an_operation(tmp_path: Path):
    code = """
@activity(timeout=0.02)
def work():
    while True:
        hookline.add_values("n", 1)
        print("line")
def handler(event):
    out = []
    for _ in range(5):
        try:
            work()
        except TimeoutError:
            out.append((hookline.get_value("n") or 0) >= 0)
    return out
"""
    peer = peer_of(tmp_path, code)

    assert peer.run().result == [True] * 5


def test_a_time_out_that_is_caught_comes_again(tmp_path: Path):
    code = """
import hookline_runner.session.retrying
hookline_runner.session.retrying._SHORTEST_PATIENCE_S = 0.0
@activity(timeout=0.02)
def work():
    caught = 0
    while caught < 3:
        try:
            time.sleep(20)
        except OSError:
            caught += 1
    return caught
@activity(timeout=0.02)
def wait():
    try:
        hookline.next_signal("x")
    except TimeoutError:
        return hookline.next_signal("x", timeout=0.001)
def handler(event):
    return [work(), wait()]
"""

    assert peer_of(tmp_path, code).run().result == [3, None]


def test_a_time_out_in_a_finalizer_is_not_dropped(tmp_path: Path):
    code = """
class Slow:
    def __del__(self):
        until = time.monotonic() + 0.1
        while time.monotonic() < until:
            pass
@activity(timeout=0.02)
def work():
    Slow()
    time.sleep(20)
def handler(event):
    try:
        work()
    except TimeoutError:
        return "late"
"""

    assert peer_of(tmp_path, code).run().result == "late"


@pytest.mark.parametrize("thread", [False, True], ids=["alone", "beside a thread that waits"])
def test_a_time_out_ends_a_wait_inside_the_activity(tmp_path: Path, thread: bool):
    code = """
@activity(timeout=0.05, retries=2, backoff=0.001)
def work():
    hookline.next_signal("x")
def handler(event):
    if event.data.thread:
        threading.Thread(target=hookline.next_signal, args=("y",), daemon=True).start()
    try:
        work()
    except TimeoutError as exc:
        return [str(exc), hookline.next_signal("x", timeout=0.01)]
"""
    peer = peer_of(tmp_path, code)

    result = peer.run(event={"id": None, "type": None, "data": {"thread": thread}})

    assert result.result == ["work took longer than 0.05 seconds", None]


def test_code_that_uses_the_alarm_signal_itself_is_left_alone(tmp_path: Path):
    code = """
import signal as signals
@activity(timeout=0.01)
def work():
    time.sleep(0.03)
    return "done"
def handler(event):
    signals.signal(signals.SIGALRM, lambda *_: None)
    return work()
"""
    result = peer_of(tmp_path, code).run()

    assert result.result == "done"
    assert "without its timeout" in result.texts("warning")[0]


def test_nothing_of_a_time_out_is_left_in_the_process(tmp_path: Path):
    code = (
        "@activity(timeout=5)\ndef work():\n    return 1\ndef handler(event):\n    return work()\n"
    )
    peer = peer_of(tmp_path, code)

    result = peer.run(reuse=True)
    peer.close()

    assert result.done is not None
    assert result.done["dirty"] is None


@pytest.mark.parametrize("prefix", ["", "async "])
def test_a_session_without_a_journal_says_once_that_it_makes_no_further_tries(
    tmp_path: Path, prefix: str
):
    code = f"""
@activity(retries=3, backoff=0.001)
{prefix}def work(label):
    return label * 2
@activity(retries=0, timeout=5)
def plain():
    return 0
{prefix}def handler(event):
    plain()
    return [{"await " if prefix else ""}work(label) for label in "ab"]
"""
    peer = peer_of(tmp_path, code, durable=False)

    result = peer.run()

    assert result.result == ["aa", "bb"]
    (told,) = result.texts("warning")
    assert told.startswith("work has retries, but in this session each call is tried once")
    assert "`hookline run --durable`" in told


def test_a_failure_without_a_journal_shows_only_the_projects_own_code(tmp_path: Path):
    code = """
@activity(retries=3)
def work():
    raise ConnectionError("gone")
def handler(event):
    work()
"""
    peer = peer_of(tmp_path, code, durable=False)

    result = peer.run()

    assert "activities.py" not in json.dumps(result.error)


@pytest.mark.parametrize("call", ["", "work()"])
def test_a_durable_session_and_one_that_calls_no_such_function_say_nothing(
    tmp_path: Path, call: str
):
    code = f"""
@activity(retries=3)
def work():
    return 1
def handler(event):
    {call or "pass"}
"""
    peer = peer_of(tmp_path, code, durable=bool(call))

    assert peer.run().texts("warning") == []
