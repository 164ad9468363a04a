"""The harness with `async` handlers, fakes and activities."""

from __future__ import annotations

import asyncio
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import hookline
from hookline import Event, aio
from hookline.testing import Call, Project

REAL_SLEEP = time.sleep  # noqa: TID251 - a thread that takes its time is what is tested


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    with Project(tmp_path) as made:
        yield made


def loaded(tmp_path: Path, text: str) -> str:
    (tmp_path / "mod.py").write_text(textwrap.dedent(text))
    return "mod.py"


def test_tasks_wait_beside_each_other(project: Project):
    async def handler(_event: Event) -> object:
        subscription = await aio.subscribe("orders")
        return await asyncio.gather(  # noqa: TID251 - handlers do
            aio.next_event(subscription), aio.next_signal("go"), asyncio.sleep(3600, "slept")
        )

    session = project.run(handler)
    assert session.waits_for == ["orders", "go"]
    project.signal(session, "go", 5)
    project.send("orders", {"n": 1})

    assert session.result == [{"n": 1}, hookline.Signal("go", 5), "slept"]


def test_what_came_for_a_cancelled_task_is_handed_on(project: Project):
    async def handler(_event: Event) -> object:
        got: list[object] = []

        async def take(name: str) -> None:
            got.append([name, await aio.next_signal("go")])

        async def cancel() -> None:
            await aio.next_signal("now")
            tasks[1].cancel()  # the signal for it is there, but it has not gone on yet

        loop = asyncio.get_running_loop()
        tasks = [loop.create_task(one) for one in (cancel(), take("first"), take("second"))]
        await asyncio.wait(tasks)
        return [*got, await aio.next_signal("go")]

    def send(event: Event) -> None:
        for name in ("now", "go"):
            hookline.signal(event.data.to, name)

    session = project.run(handler)
    project.run(send, {"to": session.id})
    assert session.waits_for == ["go"]
    project.signal(session, "go", 2)

    assert session.result == [["second", hookline.Signal("go")], hookline.Signal("go", 2)]


def test_what_came_for_a_cancelled_task_comes_to_the_next_before_what_came_later(project: Project):
    async def handler(_event: Event) -> object:
        async def cancel() -> None:
            await aio.next_signal("now")
            task.cancel()

        loop = asyncio.get_running_loop()
        other = loop.create_task(cancel())
        await asyncio.sleep(0)
        task = loop.create_task(aio.next_signal("go"))
        await asyncio.wait([task, other])
        return [await aio.next_signal("go"), await aio.next_signal("go")]

    def send(event: Event) -> None:
        for name, payload in (("now", 0), ("go", 1), ("go", 2)):
            hookline.signal(event.data.to, name, payload)

    session = project.run(handler)
    project.run(send, {"to": session.id})

    assert session.result == [hookline.Signal("go", 1), hookline.Signal("go", 2)]


def test_a_time_out_of_asyncio_passes_when_the_test_moves_the_time(project: Project):
    async def handler(_event: Event) -> str:
        try:
            await asyncio.wait_for(aio.next_signal("go"), timeout=60)
        except TimeoutError:
            return "late"
        return "in time"

    late, early = project.run(handler), project.run(handler)
    project.advance(59)
    project.signal(early, "go")
    project.advance(1)

    assert (late.result, early.result) == ("late", "in time")


def test_a_wait_that_was_given_up_leaves_its_signal_for_the_next(project: Project):
    async def handler(_event: Event) -> object:
        waiting = asyncio.ensure_future(aio.next_signal("go"))  # noqa: TID251 - handlers do
        await asyncio.sleep(1)
        waiting.cancel()
        await asyncio.sleep(1)
        return await aio.next_signal("go", timeout=5)

    session = project.run(handler)
    project.signal(session, "go", 1)

    assert session.result == hookline.Signal("go", 1)


def test_sleeps_of_all_kinds_take_virtual_time(project: Project):
    async def handler(_event: Event) -> float:
        began = asyncio.get_running_loop().time()
        await asyncio.sleep(10)
        await aio.sleep(20)
        time.sleep(30)  # noqa: ASYNC251, TID251 - handlers do
        hookline.sleep(40)
        await asyncio.sleep(0)
        return asyncio.get_running_loop().time() - began

    assert project.run(handler).result == pytest.approx(100)


def test_a_loop_that_the_handler_makes_itself_has_virtual_time_too(project: Project):
    async def nap() -> float:
        await asyncio.sleep(3600)
        signal = await aio.next_signal("go")
        return signal.payload if signal else 0

    def handler(_event: Event) -> float:
        return asyncio.run(nap())

    session = project.run(handler)
    project.signal(session, "go", 5)

    assert session.result == 5
    assert asyncio.run(asyncio.sleep(0, "outside")) == "outside"


def test_a_plain_wait_holds_up_the_loop_and_comes_back(project: Project):
    async def handler(_event: Event) -> object:
        beside = asyncio.ensure_future(aio.next_signal("beside"))  # noqa: TID251 - handlers do
        await asyncio.sleep(0)
        first = hookline.next_signal("plain")
        return first, await beside

    session = project.run(handler)
    project.signal(session, "beside", 1)
    assert session.state == "waiting"
    project.signal(session, "plain", 2)

    plain, beside = session.result
    assert (plain.payload, beside.payload) == (2, 1)


def test_threads_and_sockets_are_waited_for_in_real_time(project: Project):
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.readline())
        writer.close()

    async def handler(_event: Event) -> object:
        total = await asyncio.to_thread(sum, range(1000))
        async with await asyncio.start_server(echo, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"hi\n")
            line = await reader.readline()
            writer.close()
            await writer.wait_closed()
        return total, line

    assert project.run(handler).result == (499500, b"hi\n")


def test_a_slow_thread_at_the_end_is_waited_for(project: Project):
    async def handler(_event: Event) -> str:
        working = asyncio.get_running_loop().run_in_executor(None, REAL_SLEEP, 0.05)
        del working
        return "done"

    assert project.run(handler).result == "done"


def test_an_async_handler_that_raises_or_is_stopped(project: Project):
    async def raises(_event: Event) -> None:
        await asyncio.sleep(1)
        raise KeyError("x")

    async def waits(_event: Event) -> None:
        try:
            await aio.next_signal("never")
        finally:
            hookline.store["cleaned"] = True

    failed, waiting = project.run(raises), project.run(waits)
    project.stop(waiting)

    assert isinstance(failed.error, KeyError)
    assert waiting.state == "stopped"
    assert project.store == {"cleaned": True}


MODULE = """
    import asyncio
    import json

    import hookline
    from hookline import activity

    class Client:
        @activity
        def pay(self, amount):
            raise ConnectionError("no network in tests")

    @activity(retries=2, backoff=10, retry_on=(ConnectionError,))
    def fetch(url, *, page=1):
        raise ConnectionError("no network in tests")

    @activity(retries=1, backoff="1m")
    async def push(item):
        raise ConnectionError("no network in tests")

    def plain(event):
        return fetch("http://x", page=2)

    async def awaits(event):
        return await asyncio.gather(push(1), push(2))

    def pays(event):
        return Client().pay(5)

    def reads(event):
        return json.loads("5")
"""


def test_an_activity_is_tried_again_as_it_says_and_noted(tmp_path: Path, project: Project):
    loaded(tmp_path, MODULE)
    began = project.now

    session = project.run("mod.py:plain")

    assert isinstance(session.error, ConnectionError)
    (run,) = session.activities
    assert (run.name, run.args, run.kwargs, run.tries) == ("fetch", ("http://x",), {"page": 2}, 3)
    assert run.error is session.error
    assert (project.now - began).total_seconds() == pytest.approx(10 + 20)


def test_a_fake_answers_one_by_one_within_the_tries_of_the_original(
    tmp_path: Path, project: Project
):
    loaded(tmp_path, MODULE)
    fetch = project.fake("mod.py:fetch", answers=[ConnectionError(), ConnectionError, "page"])

    session = project.run("mod.py:plain")

    assert session.result == "page"
    assert fetch.calls == [Call(("http://x",), {"page": 2})] * 3
    assert session.activities[0].tries == 3
    assert repr(fetch) == "<Fake mod.py:fetch, called 3 times>"
    assert isinstance(project.run("mod.py:plain").error, AssertionError)


def test_an_exception_the_policy_does_not_name_is_not_tried_again(tmp_path: Path, project: Project):
    loaded(tmp_path, MODULE)
    fetch = project.fake("mod.py:fetch", raises=KeyError("x"))

    session = project.run("mod.py:plain")

    assert isinstance(session.error, KeyError)
    assert len(fetch.calls) == 1


def doubled(item: int) -> int:
    return item * 2


def test_coroutine_functions_are_faked_by_such(tmp_path: Path, project: Project):
    loaded(tmp_path, MODULE)
    push = project.fake("mod.py:push", does=doubled)

    session = project.run("mod.py:awaits")

    assert session.result == [2, 4]
    assert len(push.calls) == 2


def test_a_coroutine_activity_is_tried_again_too(tmp_path: Path, project: Project):
    loaded(tmp_path, MODULE)
    project.fake("mod.py:push", answers=[ConnectionError(), ConnectionError(), 1, 2])

    session = project.run("mod.py:awaits")

    assert sorted(session.result) == [1, 2]
    assert [run.tries for run in session.activities] == [2, 2]


def test_methods_and_library_functions_are_faked_by_their_names(tmp_path: Path, project: Project):
    loaded(tmp_path, MODULE)
    pay = project.fake("mod.Client.pay", returns="paid")
    project.fake("json.loads", returns=6)

    assert project.run("mod.py:pays").result == "paid"
    assert pay.calls[0].args[1:] == (5,)
    assert project.run("mod.py:reads").result == 6


def test_a_function_is_faked_wherever_the_project_names_it(tmp_path: Path, project: Project):
    loaded(tmp_path, MODULE)
    (tmp_path / "other.py").write_text("from mod import fetch\ndef use(event): return fetch('a')\n")
    project.run("other.py:use")
    project.fake(sys.modules["mod"].fetch, returns=1)

    assert project.run("other.py:use").result == 1
    assert project.run("mod.py:plain").result == 1


def test_what_is_not_there_cannot_be_faked(tmp_path: Path, project: Project):
    loaded(tmp_path, MODULE)

    for target in ("mod.py:nothing", "json.nothing", "nothing.at.all", "nothing", lambda: None):
        with pytest.raises(LookupError):
            project.fake(target)
