"""Under test every clock tells the test's time, and activities end when their time is over."""

# ruff: noqa: DTZ003, DTZ005, DTZ011, PLW0108, TID251 (that clocks are read is what is tested)

from __future__ import annotations

import asyncio
import datetime as dt
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

import hookline
from hookline import Event, aio
from hookline.errors import ActivityTimeoutError
from hookline.testing import Project

START = datetime(2026, 3, 4, 5, 6, 7, 250_000, tzinfo=UTC)


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    with Project(tmp_path, now=START) as made:
        yield made


def calling(function: Callable[[], object]) -> Callable[[Event], object]:
    def handler(_event: Event) -> object:
        return function()

    return handler


CLOCKS: dict[str, tuple[Callable[[], object], object]] = {
    "datetime.now": (lambda: datetime.now(UTC), START),
    "datetime.now of another zone": (
        lambda: datetime.now(timezone(timedelta(hours=2))),
        START,
    ),
    "datetime.now without a zone": (lambda: datetime.now().astimezone(UTC), START),
    "datetime.utcnow": (lambda: datetime.utcnow(), START.replace(tzinfo=None)),  # pyright: ignore[reportDeprecated]
    "datetime.today": (lambda: datetime.today().astimezone(UTC), START),
    "date.today": (lambda: date.today(), START.astimezone().date()),
    "by the module": (lambda: dt.datetime.now(tz=UTC), START),
    "time": (lambda: time.time(), START.timestamp()),
    "time_ns": (lambda: time.time_ns(), 1_772_600_767_250_000_000),
    "monotonic": (lambda: time.monotonic(), START.timestamp()),
    "monotonic_ns": (lambda: time.monotonic_ns(), 1_772_600_767_250_000_000),
    "perf_counter": (lambda: time.perf_counter(), START.timestamp()),
    "perf_counter_ns": (lambda: time.perf_counter_ns(), 1_772_600_767_250_000_000),
    "gmtime": (lambda: time.gmtime(), time.gmtime(START.timestamp())),
    "localtime": (lambda: time.localtime(), time.localtime(START.timestamp())),
    "strftime": (
        lambda: time.strftime("%H:%M"),
        time.strftime("%H:%M", time.localtime(START.timestamp())),
    ),
    "ctime": (lambda: time.ctime(), time.ctime(START.timestamp())),
    "asctime": (lambda: time.asctime(), time.ctime(START.timestamp())),
}


@pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning")
@pytest.mark.parametrize("name", CLOCKS)
def test_a_clock_tells_the_tests_time(project: Project, name: str):
    read, expected = CLOCKS[name]

    session = project.run(calling(read))

    assert session.result == expected


def test_the_clock_goes_with_the_test(project: Project):
    def handler(_event: Event) -> list[timedelta]:
        begun = datetime.now(UTC)
        hookline.sleep(90)
        slept = datetime.now(UTC)
        hookline.next_signal("go", timeout=30)
        return [slept - begun, datetime.now(UTC) - slept]

    session = project.run(handler)
    project.advance(30)

    assert session.result == [timedelta(seconds=90), timedelta(seconds=30)]


def test_outside_of_handlers_and_after_the_test_the_time_is_the_machines(tmp_path: Path):
    begun = datetime.now(UTC)

    with Project(tmp_path, now=START) as project:
        project.run(calling(list))
        within = datetime.now(UTC)

    assert begun <= within <= datetime.now(UTC)
    assert type(datetime.now()) is datetime
    assert isinstance(vars(datetime)["now"], type(vars(dict)["fromkeys"]))


def test_a_subclass_of_datetime_tells_it_as_itself(project: Project):
    class Moment(datetime):
        pass

    session = project.run(calling(lambda: Moment.now(UTC)))

    assert session.result == START
    assert type(session.result) is Moment


def test_clocks_imported_by_name_before_the_test_are_the_tests_too(tmp_path: Path):
    text = """
    from time import monotonic, sleep, time as clock

    def handler(event):
        begun = clock(), monotonic()
        sleep(60)
        return [clock() - begun[0], monotonic() - begun[1]]
    """
    (tmp_path / "early_module.py").write_text(textwrap.dedent(text))
    sys.path.insert(0, str(tmp_path))
    try:
        import early_module  # noqa: PLC0415 # pyright: ignore[reportMissingImports]

        with Project(tmp_path) as project:
            session = project.run(early_module.handler)  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]
    finally:
        sys.path.remove(str(tmp_path))
        sys.modules.pop("early_module", None)

    assert session.result == [60, 60]


# time-outs of activities

MODULE = """
import asyncio, time
import hookline
from hookline import activity, aio

@activity(timeout=30)
def nap(seconds):
    time.sleep(seconds)
    return "slept"

@activity(timeout=30)
def naps():
    for _ in range(4):
        time.sleep(10)

@activity(timeout=30)
def ask(name):
    return hookline.next_signal(name, timeout=100)

@activity(timeout=30)
async def nap_async(seconds):
    await asyncio.sleep(seconds)
    return "slept"

@activity(timeout=30)
async def ask_async(name):
    return await aio.next_signal(name)

@activity(retries=1, backoff=5, timeout=30, retry_on=KeyError)
def again(seconds):
    time.sleep(seconds)

@activity(timeout=30)
async def own_time_out():
    await asyncio.wait_for(asyncio.sleep(100), 10)

@activity(retries=2)
def inner():
    raise KeyError

@activity(retries=1, backoff=1)
def outer():
    inner()
"""


@pytest.fixture
def activities(tmp_path: Path, project: Project) -> Any:
    (tmp_path / "work.py").write_text(MODULE)
    project.run(calling(list))
    project._load("work.py")  # pyright: ignore[reportPrivateUsage]
    project.run(calling(list))
    return sys.modules["work"]


def took(project: Project) -> float:
    return (project.now - START).total_seconds()


@pytest.mark.parametrize(
    ("code", "seconds"),
    [
        ("work.nap(29)", 29),
        ("work.nap(31)", 30),
        ("work.naps()", 30),
        ("work.again(100)", 65),
        ("asyncio.run(work.nap_async(29))", 29),
        ("asyncio.run(work.nap_async(31))", 30),
    ],
)
def test_an_activity_that_sleeps_too_long_ends_at_its_time(
    project: Project, activities: Any, code: str, seconds: float
):
    def handler(_event: Event) -> object:
        return eval(code, {"work": activities, "asyncio": asyncio})  # noqa: S307

    session = project.run(handler)

    if "29" in code:
        assert session.result == "slept"
    else:
        assert isinstance(session.error, ActivityTimeoutError)
        assert isinstance(session.activities[0].error, ActivityTimeoutError)
    assert took(project) == pytest.approx(seconds)
    assert session.activities[0].tries == (2 if "again" in code else 1)


@pytest.mark.parametrize("code", ["work.ask('x')", "asyncio.run(work.ask_async('x'))"])
def test_an_activity_that_waits_too_long_ends_when_the_test_moves_the_time(
    project: Project, activities: Any, code: str
):
    def handler(_event: Event) -> object:
        return eval(code, {"work": activities, "asyncio": asyncio})  # noqa: S307

    late, early = project.run(handler), project.run(handler)
    project.advance(29)
    project.signal(early, "x", 5)
    assert late.state == "waiting"
    project.advance(1)

    assert isinstance(late.error, ActivityTimeoutError)
    assert early.result == hookline.Signal("x", 5)


def test_a_time_out_of_the_activitys_own_is_its_own(project: Project, activities: Any):
    session = project.run(calling(lambda: asyncio.run(activities.own_time_out())))

    assert type(session.error) is TimeoutError
    assert took(project) == pytest.approx(10)


def test_an_activity_within_another_is_a_plain_call(project: Project, activities: Any):
    session = project.run(calling(lambda: activities.outer()))

    assert [(one.name, one.tries) for one in session.activities] == [("outer", 2)]
    assert took(project) == 1


def test_time_outs_pass_in_order_while_others_sleep(project: Project):
    def waits(_event: Event) -> datetime:
        hookline.next_signal("x", timeout=30)
        return datetime.now(UTC)

    async def sleeps(_event: Event) -> object:
        try:
            await asyncio.wait_for(asyncio.sleep(100), 60)
        except TimeoutError:
            await aio.sleep(10)
        return datetime.now(UTC)

    waiting = project.run(waits)
    sleeping = project.run(sleeps)

    assert waiting.result == START + timedelta(seconds=30)
    assert sleeping.result == START + timedelta(seconds=70)
