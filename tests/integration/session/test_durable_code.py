"""What durable code may do, and what becomes of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes.session_peer import CLOCK, SessionPeer
from tests.integration.session.handlers import PRELUDE


def peer_of(tmp_path: Path, code: str, **start: object) -> SessionPeer:
    return SessionPeer(tmp_path, {"main.py": PRELUDE + code}, **start)


def test_a_long_sleep_suspends_and_goes_on_at_its_time(tmp_path: Path):
    code = """
def handler(event):
    try:
        effect("before")
        time.sleep(0.3)
        effect("after")
    finally:
        effect("finally")
"""
    peer = peer_of(tmp_path, code, hot_window_s=0.1)

    first = peer.run()
    second = peer.run_to_end()

    assert first.suspended_until == peer.entries[1].wake_at
    assert first.done is None
    assert first.status == 0
    assert second.done["ok"]
    assert peer.names() == ["effect", "sleep", "effect", "effect"]
    assert peer.effect_lines() == ["before", "after", "finally"]


def test_waking_too_early_suspends_again_until_the_same_time(tmp_path: Path):
    peer = peer_of(tmp_path, "def handler(event):\n    hookline.sleep(60)\n", hot_window_s=0.1)

    first = peer.run()
    second = peer.run()

    assert first.suspended_until == second.suspended_until
    assert len(peer.entries) == 1


def test_the_services_clock_decides_when_a_sleep_ends(tmp_path: Path):
    peer = peer_of(tmp_path, "def handler(event):\n    time.sleep(3600)\n    return 1\n")
    now = CLOCK.now()

    first = peer.run(now=now + 1_000_000)
    second = peer.run(now=now + 1_003_600)

    assert first.suspended_until == pytest.approx(now + 1_003_600, abs=5)
    assert second.result == 1


def test_async_code_suspends_only_when_every_task_sleeps_long(tmp_path: Path):
    code = """
async def handler(event):
    async def nap(label, seconds):
        await asyncio.sleep(seconds)
        return await slow(label, 0.05)
    return await asyncio.gather(nap("a", 0.5), nap("b", 0.01), slow("c", 0.05))
"""
    peer = peer_of(tmp_path, code, hot_window_s=0.2)

    first = peer.run()
    second = peer.run_to_end()

    assert sorted(peer.effect_lines()) == ["a", "b", "c"]
    assert first.suspended_until is not None
    assert second.result == ["a", "b", "c"]
    assert {entry.attempt for entry in peer.entries} == {1, 3}  # the second only went back to sleep


def test_a_long_timeout_around_a_longer_sleep_survives_suspension(tmp_path: Path):
    code = """
async def handler(event):
    try:
        async with asyncio.timeout(0.4):
            await asyncio.sleep(3600)
    except TimeoutError:
        return "timeout"
"""
    peer = peer_of(tmp_path, code, hot_window_s=0.1)

    first = peer.run()
    second = peer.run_to_end()

    assert first.suspended_until is not None
    assert first.suspended_until - CLOCK.now() < 1
    assert second.result == "timeout"


def test_a_session_that_nothing_can_wake_ends_in_an_error(tmp_path: Path):
    code = "async def handler(event):\n    await asyncio.Event().wait()\n"

    result = peer_of(tmp_path, code).run()

    assert result.error["type"] == "StuckError"


def test_changed_code_is_told_with_both_calls(tmp_path: Path):
    peer = peer_of(
        tmp_path, "def handler(event):\n    effect('a')\n    time.time()\n    effect('b')\n"
    )
    peer.run(kill_at=1)
    (peer.project_dir / "main.py").write_text(
        PRELUDE
        + "def handler(event):\n    try:\n        os.getpid()\n    except Exception:\n        pass\n"
    )

    result = peer.run()

    assert result.error["type"] == "NonDeterminismError"
    assert "recorded: effect at main.py:" in result.error["message"]
    assert "actual:   getpid at main.py:" in result.error["message"]


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("def handler(event):\n    effect('a')\n    effect('b')\n", ("effect('b')", "os.getpid()"), "at entry: 2\n"),
        ("def handler(event):\n    effect('a')\n    effect('b')\n", ("effect('a')\n", "pass\n"), "at entry: 2\n"),
        (
            ("async def handler(event):\n    effect('a')\n    await asyncio.create_task(slow('b'))\n"
             "    await asyncio.create_task(slow('c'))\n"),
            ("slow('c')", "asyncio.to_thread(print)"),
            "at entry: 3, in task 2\n",
        ),
    ],
)  # fmt: skip
def test_a_mismatch_is_numbered_as_the_entries_are_listed(
    tmp_path: Path, before: str, after: tuple[str, str], said: str
):
    peer = peer_of(tmp_path, before)
    peer.run()
    (peer.project_dir / "main.py").write_text(PRELUDE + before.replace(*after))

    assert said in peer.run().error["message"]


def test_a_mismatch_stands_even_if_the_code_swallows_it(tmp_path: Path):
    peer = peer_of(tmp_path, "def handler(event):\n    effect('a')\n    effect('b')\n")
    peer.run(kill_at=1)
    (peer.project_dir / "main.py").write_text(
        PRELUDE
        + "def handler(event):\n    try:\n        os.listdir()\n    except BaseException:\n        pass\n"
    )

    result = peer.run()

    assert result.error["type"] == "NonDeterminismError"


def test_returning_before_all_recorded_calls_were_made_is_a_mismatch(tmp_path: Path):
    peer = peer_of(tmp_path, "def handler(event):\n    effect('a')\n    effect('b')\n")
    peer.run()
    (peer.project_dir / "main.py").write_text(PRELUDE + "def handler(event):\n    effect('a')\n")

    result = peer.run()

    assert "the function returned" in result.error["message"]


def test_a_task_that_never_comes_to_its_recorded_call_is_a_mismatch(tmp_path: Path):
    peer = peer_of(
        tmp_path, "async def handler(event):\n    await slow('a')\n    await slow('b')\n"
    )
    peer.run()
    (peer.project_dir / "main.py").write_text(
        PRELUDE
        + "async def handler(event):\n    await slow('a')\n    await asyncio.Event().wait()\n"
    )

    result = peer.run()

    assert result.error["type"] == "NonDeterminismError"


def test_a_result_that_cannot_be_recorded_is_used_live_with_one_warning(tmp_path: Path):
    code = """
@activity
def connect():
    return lambda: 5

def handler(event):
    return [connect()(), connect()(), effect("a")]
"""
    peer = peer_of(tmp_path, code)

    first = peer.run()
    second = peer.run()

    (warning,) = first.texts("warning")
    assert "connect at main.py:" in warning
    assert "@hookline.activity" in warning
    assert [entry.volatile for entry in peer.entries] == [True, True, False]
    assert first.result == second.result == [5, 5, "a"]


def test_a_result_too_large_to_record_is_an_error_that_can_be_caught(tmp_path: Path):
    code = """
def handler(event):
    try:
        effect("x", "y" * (17 * 1024 * 1024))
    except hookline.errors.ResultTooLargeError as exc:
        return str(exc)
"""
    peer = peer_of(tmp_path, code)

    first = peer.run()
    second = peer.run()

    assert "effect returned" in first.result
    assert first.result == second.result


def test_threads_run_unrecorded_with_one_warning(tmp_path: Path):
    code = """
def handler(event):
    found = []
    def work():
        found.append(os.path.exists("main.py"))
        found.append(os.listdir("."))
        effect("in thread")
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    return [found, effect("after")]
"""
    peer = peer_of(tmp_path, code)

    result = peer.run()

    assert peer.names() == ["effect"]
    (warning,) = result.texts("warning")
    assert "in a thread" in warning


def test_a_thread_pool_gives_recorded_results(tmp_path: Path):
    code = """
from concurrent.futures import ThreadPoolExecutor
def fetch(n):
    return n * random.random()
def handler(event):
    with ThreadPoolExecutor(2) as pool:
        futures = [pool.submit(fetch, n) for n in range(3)]
        values = [future.result() for future in futures]
    effect("a")
    return values
"""
    peer = peer_of(tmp_path, code)

    first = peer.run()
    second = peer.run()

    assert first.result == second.result
    assert peer.names() == ["result", "result", "result", "effect"]


def test_an_activity_does_not_record_what_it_calls(tmp_path: Path):
    code = """
@activity
def outer():
    return [os.listdir("."), time.time(), effect("inner"), inner()]
def inner():
    return os.path.exists("main.py")
def handler(event):
    outer()
"""
    peer = peer_of(tmp_path, code)

    peer.run()

    assert peer.names() == ["outer"]


def test_registered_functions_and_classes_are_not_recorded(tmp_path: Path):
    code = """
import pathlib
register_no_activity([os.listdir, pathlib.Path])
def handler(event):
    os.listdir(".")
    pathlib.Path("main.py").exists()
    os.stat("main.py")
"""
    peer = peer_of(tmp_path, code)

    peer.run()

    assert peer.names("activity") == ["stat"]


def test_values_that_ride_wait_for_the_next_entry(tmp_path: Path):
    code = """
def handler(event):
    random.random(); time.time(); uuid.uuid4(); datetime.datetime.now(); os.getenv("HOME"); os.environ.get("X")
    os.path.join("a", "b"); time.strftime("%Y")
    effect("a")
    time.time()
"""
    peer = peer_of(tmp_path, code)

    peer.run()

    kinds = [entry.kind for entry in peer.entries]
    assert kinds == ["riding"] * 8 + ["activity", "riding"]


def test_many_riding_values_are_sent_in_between(tmp_path: Path):
    code = "def handler(event):\n    for _ in range(2500):\n        time.time()\n    os._exit(3)\n"
    peer = peer_of(tmp_path, code)

    result = peer.run()

    assert result.status == 3
    assert len(peer.entries) >= 2000


def test_deterministic_calls_are_made_directly(tmp_path: Path):
    code = """
import zoneinfo, io, math, logging, decimal, hashlib, hmac
class Mine(dict):
    pass
def handler(event):
    now = datetime.datetime(2020, 1, 1)
    now.isoformat(); now.strftime("%Y"); now.replace(year=2021); now.date(); datetime.timedelta(1).total_seconds()
    zoneinfo.ZoneInfo("UTC"); json.dumps({}); json.loads("{}"); re.compile("a").match("a")
    [].append(1); {}.get(1); "a".upper(); Mine().update(a=1); event.data.get("x"); hookline.AttrDict().get("y")
    io.StringIO().write("x"); math.sqrt(4); decimal.Decimal(1).sqrt(); hashlib.sha256(b"").hexdigest()
    hmac.new(b"k", b"m", "sha256").hexdigest(); threading.Lock().acquire(); collections.deque([1]).popleft()
    logging.getLogger("x").setLevel(10); ValueError("x").with_traceback(None); functools.partial(len, [1])()
    collections.namedtuple("P", "x")(1)._replace(x=2); itertools.chain([1]); handler.__class__
    return 1
"""
    peer = peer_of(tmp_path, code)

    result = peer.run()

    assert result.result == 1
    assert peer.names() == []


def test_calls_of_other_code_are_recorded(tmp_path: Path):
    code = """
import pathlib, subprocess, urllib.request, tempfile, shutil, sqlite3, socket
def handler(event):
    os.stat("main.py"); os.listdir(); pathlib.Path(".").exists(); subprocess.run(["true"]); shutil.which("sh")
    json.load(open("data.json")); tempfile.gettempdir(); socket.gethostname(); functools.partial(os.listdir, ".")()
"""
    peer = SessionPeer(tmp_path, {"main.py": PRELUDE + code, "data.json": "{}"})

    result = peer.run()

    assert result.done["ok"], result.done
    assert peer.names("activity") == [
        "stat", "listdir", "exists", "run", "which", "load", "gettempdir", "gethostname", "listdir",
    ]  # fmt: skip


def test_what_is_called_from_module_level_is_not_recorded(tmp_path: Path):
    code = """
def early():
    return os.listdir(".")
FOUND = early()
def handler(event):
    return len(FOUND)
"""
    peer = peer_of(tmp_path, code)

    result = peer.run()

    assert result.result == 1
    assert peer.entries == []


def test_lazy_imports_and_packages_are_rewritten_too(tmp_path: Path):
    files = {
        "main.py": "def handler(event):\n    import late\n    from pack import inside\n    return [late.go(), inside()]\n",
        "late.py": "import os\nFOUND = os.getcwd()\ndef go():\n    return os.path.exists('late.py')\n",
        "pack/__init__.py": "import os\ndef inside():\n    return os.path.isdir('pack')\n",
    }
    peer = SessionPeer(tmp_path, files)

    result = peer.run()

    assert result.result == [True, True]
    assert peer.names() == ["exists", "isdir"]


def test_arguments_and_results_are_shown(tmp_path: Path):
    code = """
class Odd:
    def __repr__(self):
        raise RuntimeError("no")
def handler(event):
    effect("a", [1, Odd(), "x" * 5000, {"k": b"v"}])
"""
    peer = peer_of(tmp_path, code)

    peer.run()

    entry = peer.entries[0]
    assert len(entry.arguments) < 4096
    assert '"type":"Odd"' in entry.arguments
    assert entry.ended_at >= entry.started_at > 1_700_000_000
    assert (entry.file, entry.line) == ("main.py", len(PRELUDE.splitlines()) + 6)


def test_recursion_as_deep_as_python_allows_still_works(tmp_path: Path):
    code = """
def deep(n):
    return 0 if n == 0 else 1 + deep(n - 1)
def handler(event):
    return deep(900)
"""
    result = peer_of(tmp_path, code).run()

    assert result.result == 900


def test_endless_recursion_is_an_ordinary_error(tmp_path: Path):
    code = "def deep():\n    return deep()\ndef handler(event):\n    deep()\n"

    result = peer_of(tmp_path, code).run()

    assert result.error["type"] == "RecursionError"


def test_a_hundred_concurrent_activities_are_each_made_once(tmp_path: Path):
    code = """
async def handler(event):
    return sum(await asyncio.gather(*(slow(f"n{i}", 0.01, i) for i in range(100))))
"""
    peer = peer_of(tmp_path, code)

    first = peer.run()
    second = peer.run()

    assert first.result == second.result == 4950
    assert len(peer.effect_lines()) == 100
    spans = [(entry.started_at, entry.ended_at) for entry in peer.entries]
    assert max(start for start, _ in spans) < min(end for _, end in spans)


def test_odd_sleeps_are_refused_as_python_refuses_them(tmp_path: Path):
    code = """
def handler(event):
    out = []
    for wrong in ((-1,), (float("inf"),), (float("nan"),), ("1",), (1, 2), ()):
        try:
            time.sleep(*wrong)
        except (ValueError, OverflowError, TypeError) as exc:
            out.append(type(exc).__name__)
    return out
"""
    result = peer_of(tmp_path, code).run()

    assert result.result == [
        "ValueError", "OverflowError", "ValueError", "TypeError", "TypeError", "TypeError",
    ]  # fmt: skip


def test_sleeping_for_ever_suspends_for_very_long(tmp_path: Path):
    peer = peer_of(tmp_path, "async def handler(event):\n    await asyncio.sleep(float('inf'))\n")

    result = peer.run()

    assert result.suspended_until is not None
    assert result.suspended_until > CLOCK.now() + 1e11


def test_a_sleep_inside_an_activity_is_an_ordinary_one(tmp_path: Path):
    code = """
@activity
def work():
    time.sleep(0.01)
    hookline.sleep(0.01)
    return 1
def handler(event):
    return work()
"""
    peer = peer_of(tmp_path, code, hot_window_s=0.0)

    result = peer.run()

    assert result.result == 1
    assert peer.names() == ["work"]


def test_a_callable_that_cannot_be_hashed_is_called(tmp_path: Path):
    code = """
import dataclasses
@dataclasses.dataclass
class Adder:
    n: int
    def __call__(self, x):
        return self.n + x
class Answering:
    def __getattr__(self, name):
        return Answering()
    def __call__(self):
        return name_of(self)
def name_of(x):
    return type(x).__name__
def handler(event):
    return [Adder(1)(2), Answering().anything.at_all()]
"""
    peer = peer_of(tmp_path, code)

    assert peer.run().result == [3, "Answering"]
    assert peer.names() == []


def test_calling_what_is_no_function_is_pythons_own_error(tmp_path: Path):
    result = peer_of(tmp_path, "def handler(event):\n    x = 5\n    x()\n").run()

    assert result.error["message"] == "'int' object is not callable"
    assert f"line {len(PRELUDE.splitlines()) + 3}, in handler" in result.error["traceback"]


def test_a_polling_task_lets_the_others_finish(tmp_path: Path):
    code = """
async def handler(event):
    done = []
    async def work():
        done.append(await slow("a", 0.02))
    task = asyncio.create_task(work())
    while not done:
        await asyncio.sleep(0)
    await task
    return done
"""
    peer = peer_of(tmp_path, code)

    assert peer.run().result == ["a"]
    assert peer.run().result == ["a"]


def test_a_chain_of_a_thousand_tasks_keeps_its_positions_short(tmp_path: Path):
    code = """
async def link(n):
    await slow(f"n{n}")
    return n if n == 0 else await asyncio.create_task(link(n - 1))
async def handler(event):
    return await link(150)
"""
    peer = peer_of(tmp_path, code)

    first = peer.run(kill_at=100)
    second = peer.run()

    assert first.killed
    assert second.result == 0
    assert len({entry.branch for entry in peer.entries}) == 151
    assert max(len(entry.branch) for entry in peer.entries) <= 200


def test_twenty_thousand_activities_at_once_come_in_bounded_appends(tmp_path: Path):
    code = """
@activity
async def quick(n):
    return n
async def handler(event):
    return sum(await asyncio.gather(*map(quick_one, range(3000))))
def quick_one(n):
    return quick(n)
"""
    peer = peer_of(tmp_path, code)

    assert peer.run().result == sum(range(3000))
    assert len(peer.entries) == 3000


def test_module_names_made_in_functions_are_the_callers(tmp_path: Path):
    code = """
import typing, warnings, logging
def handler(event):
    point = collections.namedtuple("Point", "x y")
    kind = typing.NewType("Kind", int)
    return [point.__module__, kind.__module__, point(1, 2).y]
"""
    peer = peer_of(tmp_path, code)

    assert peer.run().result == ["main", "main", 2]
    assert peer.names() == []


def test_a_half_line_written_before_a_suspension_is_not_lost(tmp_path: Path):
    code = "import sys\ndef handler(event):\n    sys.stdout.write('half')\n    time.sleep(60)\n"
    peer = peer_of(tmp_path, code, hot_window_s=0.1)

    result = peer.run()

    assert result.texts("stdout") == ["half"]


def test_marks_set_in_a_function_count_from_there_on(tmp_path: Path):
    code = """
def plain():
    return os.path.exists("main.py")
def handler(event):
    plain()
    activity(plain)
    plain()
    @inhibit_activities
    def quiet():
        return os.listdir(".")
    quiet()
"""
    peer = peer_of(tmp_path, code)

    peer.run()

    assert peer.names() == ["exists", "plain"]


def test_autokittehs_marks_and_registry_are_honoured(tmp_path: Path):
    files = {
        "autokitteh/__init__.py": "",
        "autokitteh/activities.py": "_no_activity = set()\ndef activity(f):\n    f.__ak_activity__ = True\n    return f\n",
        "main.py": """
import os
from autokitteh import activities
activities._no_activity.add(os.listdir)
@activities.activity
def work():
    return os.stat("main.py").st_size > 0
def handler(event):
    os.listdir(".")
    return work()
""",
    }
    peer = SessionPeer(tmp_path, files)

    assert peer.run().result is True
    assert peer.names() == ["work"]


def test_a_blocking_sleep_does_not_cut_off_activities_under_way(tmp_path: Path):
    code = """
async def handler(event):
    task = asyncio.create_task(slow("a", 0.01))
    await asyncio.sleep(0)
    time.sleep(0.2)
    return await task
"""
    peer = peer_of(tmp_path, code, hot_window_s=0.05)

    result = peer.run()

    assert result.suspended_until is None
    assert result.result == "a"
