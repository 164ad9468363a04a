"""Time-outs and stop requests that come at any moment: nothing is torn, lost or kept waiting."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes.session_peer import SessionPeer
from tests.integration.session.handlers import PRELUDE

PRELUDE_OF_MOMENTS = (
    PRELUDE
    + """
import signal, sys
from tests.fakes.interrupting import Moments
moments = Moments(signal.SIGALRM)
register_no_activity([Moments])
"""
)
MOST_MOMENTS = 3_000


def peer_of(tmp_path: Path, code: str, **start: object) -> SessionPeer:
    return SessionPeer(tmp_path, {"main.py": PRELUDE_OF_MOMENTS + code}, **start)


WORK = {
    "an operation": "hookline.add_values('n', 1)",
    "a print": "print('line')",
    "a write": "sys.stdout.write('one\\ntwo\\n')",
    "a log record": "logging.getLogger('x').warning('line %s', 1)",
    "a wait": "hookline.next_signal('x', timeout=0.001)",
    "nothing": "pass",
}


@pytest.mark.parametrize("work", WORK.values(), ids=WORK.keys())
def test_a_time_out_at_any_moment_is_an_outcome_that_is_recorded(tmp_path: Path, work: str):
    code = f"""
import logging
@activity
def has_come():
    return moments.has_come
@activity(timeout=60)
def work():
    {work}
    return "done"
def handler(event):
    outcomes = []
    for number in range({MOST_MOMENTS}):
        moments.begin(number)
        try:
            outcomes.append(work())
        except TimeoutError:
            outcomes.append("late")
        moments.end()
        if not has_come():
            return [len(outcomes), "".join(text[0] for text in outcomes)]
"""
    peer = peer_of(tmp_path, code)

    first = peer.run()
    second = peer.run()

    count, outcomes = first.result
    assert count > 4
    assert set(outcomes) == set("dl")
    assert second.result == first.result
    assert peer.names("activity") == ["work", "has_come"] * count


def test_a_time_out_at_any_moment_ends_a_try_that_does_not_end(tmp_path: Path):
    code = """
@activity(timeout=60)
def work():
    while True:
        hookline.add_values("n", 1)
        print("line")
        hookline.next_signal("x", timeout=0.0001)
def handler(event):
    late = 0
    for number in range(0, 400, 3):
        moments.begin(number)
        try:
            work()
        except TimeoutError:
            late += 1
        moments.end()
    return late
"""
    peer = peer_of(tmp_path, code)

    assert peer.run().result == len(range(0, 400, 3))


def test_a_stop_at_any_moment_is_polite(tmp_path: Path):
    code = """
import logging
class Held:
    def __del__(self):
        print("let go")
def inner(event):
    print("line")
    hookline.add_values("n", 1)
    Held()
    logging.getLogger("x").warning("line %s", 1)
    hookline.next_signal("x", timeout=0.0001)
    effect("a")
    time.sleep(0.0001)
def handler(event):
    stops = Moments(signal.SIGTERM)
    stops.begin(event.data.number)
    inner(event)
    return "done"
"""
    register = "register_no_activity([Moments])\n"
    ended = "stopped"
    for number in range(0, MOST_MOMENTS, 29):
        peer = SessionPeer(tmp_path, {"main.py": PRELUDE_OF_MOMENTS + register + code})
        result = peer.run(event={"id": None, "type": None, "data": {"number": number}})
        assert result.done is not None, number
        assert result.status == 0, number
        if result.done["ok"]:
            ended = "ok"
            break
        # the signal came from the session itself, and nothing of ours was torn by it
        assert result.error["type"] == "ProcessSignalError", (number, result.done)

    assert ended == "ok"


@pytest.mark.parametrize("work", WORK.values(), ids=WORK.keys())
def test_a_handler_of_the_sessions_own_may_raise_at_any_moment(tmp_path: Path, work: str):
    code = f"""
import logging
class RungError(TimeoutError):
    pass
rang = []
def ring(signum, frame):
    rang.append(signum)
    raise RungError
rung = Moments(signal.SIGUSR1)
def do(number):
    rang.clear()
    rung.begin(number)
    {work}
    rung.end()
    while rung.has_come and not rang:
        pass  # what came where something would have been torn comes a moment later
    return "done"
@activity
def work(number):
    try:
        return do(number)
    except RungError:
        return "rung"
@activity
def has_come():
    return rung.has_come
def handler(event):
    signal.signal(signal.SIGUSR1, ring)
    outcomes = []
    for number in range({MOST_MOMENTS}):
        outcomes.append(work(number))
        if not has_come():
            return [len(outcomes), "".join(text[0] for text in outcomes)]
"""
    peer = peer_of(tmp_path, code)

    first = peer.run()
    second = peer.run()

    count, outcomes = first.result
    assert count > 1
    assert set(outcomes) <= set("dr")
    assert second.result == first.result
    assert peer.names("activity") == ["work", "has_come"] * count


def test_a_handler_that_was_set_is_the_one_that_is_given(tmp_path: Path):
    code = """
@activity
def work():
    def mine(signum, frame):
        seen.append([signum, type(frame).__name__])
    seen = []
    before = signal.signal(signal.SIGUSR1, mine)
    same = signal.getsignal(signal.SIGUSR1) is mine
    signal.raise_signal(signal.SIGUSR1)
    again = signal.signal(signal.SIGUSR1, signal.SIG_DFL) is mine
    return [before == signal.SIG_DFL, same, again, seen == [[signal.SIGUSR1, "frame"]]]
async def handler(event):
    heard = []
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR2, heard.append, 1)
    signal.raise_signal(signal.SIGUSR2)
    await asyncio.sleep(0.03)
    return [*work(), heard == [1]]
"""
    result = peer_of(tmp_path, code).run()

    assert result.result == [True] * 5
