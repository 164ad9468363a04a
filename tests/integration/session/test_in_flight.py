"""A session is not given up while something that it started is in flight, and is as soon as nothing is."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import aiohttp  # so that the forked processes of this module need not import it again
import pytest

from tests.fakes.http_server import HttpServer, http_server
from tests.fakes.session_peer import SessionPeer
from tests.integration.session.handlers import PRELUDE

HOT_WINDOW_S = 0.01  # so short that each wait of the tests would end the process


@pytest.fixture
def server(tmp_path: Path) -> Generator[HttpServer]:
    with http_server(tmp_path) as running:
        yield running


def peer_of(tmp_path: Path, code: str, url: str = "") -> SessionPeer:
    variables = {"URL": url, "LANG": "C.UTF-8"}
    files = {"main.py": PRELUDE + code}
    assert aiohttp.__version__
    return SessionPeer(tmp_path, files, hot_window_s=HOT_WINDOW_S, variables=variables)


# what ends by something outside is waited for, in one process

OUTSIDE = {
    "an event set by a thread": """
async def handler(event):
    done, loop = asyncio.Event(), asyncio.get_running_loop()
    def work():
        time.sleep(0.2)
        loop.call_soon_threadsafe(done.set)
    threading.Thread(target=work, daemon=True).start()
    return await asyncio.wait_for(done.wait(), 60)
""",
    "a future completed by a library's thread": """
async def handler(event):
    loop = asyncio.get_running_loop()
    future = loop.create_future()
    threading.Timer(0.2, loop.call_soon_threadsafe, (future.set_result, True)).start()
    timer = asyncio.create_task(asyncio.sleep(60))
    done, _ = await asyncio.wait({future, timer}, return_when=asyncio.FIRST_COMPLETED)
    return future in done
""",
    "a job of an executor": """
import concurrent.futures
async def handler(event):
    with concurrent.futures.ThreadPoolExecutor() as pool:
        async with asyncio.timeout(60):
            return await asyncio.wrap_future(pool.submit(lambda: time.sleep(0.2) or True))
""",
    "a job of the loop's executor, with a timer beside it": """
async def handler(event):
    job = asyncio.get_running_loop().run_in_executor(None, lambda: time.sleep(0.2) or True)
    nap = asyncio.create_task(asyncio.sleep(60))
    await asyncio.wait({job, nap}, return_when=asyncio.FIRST_COMPLETED)
    return job.result()
""",
    "a job in a thread": """
async def handler(event):
    async with asyncio.timeout(60):
        return await asyncio.to_thread(lambda: time.sleep(0.2) or True)
""",
    "a subprocess": """
import sys
async def handler(event):
    program = [sys.executable, "-c", "import time; time.sleep(0.2); print(True)"]
    process = await asyncio.create_subprocess_exec(*program, stdout=asyncio.subprocess.PIPE)
    async with asyncio.timeout(60):
        out, _ = await process.communicate()
    return out.decode().strip() == "True"
""",
    "a signal handler of the loop": """
import signal
async def handler(event):
    heard = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, heard.set)
    main = threading.main_thread().ident
    threading.Timer(0.2, signal.pthread_kill, (main, signal.SIGUSR1)).start()
    return await asyncio.wait_for(heard.wait(), 60)
""",
    "an event that an alarm sets": """
import signal
async def handler(event):
    heard, loop = asyncio.Event(), asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGALRM, heard.set)
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    return await asyncio.wait_for(heard.wait(), 60)
""",
    "a protocol of the author's own": """
import socket
async def handler(event):
    loop = asyncio.get_running_loop()
    ours, theirs = socket.socketpair()
    got = loop.create_future()
    class Reader(asyncio.Protocol):
        def data_received(self, data):
            got.set_result(data)
    await loop.create_connection(Reader, sock=ours)
    threading.Timer(0.2, theirs.send, (b"x",)).start()
    return await asyncio.wait_for(got, 60) == b"x"
""",
    "an iterator of a library's": """
import socket
async def handler(event):
    ours, theirs = socket.socketpair()
    reader, writer = await asyncio.open_connection(sock=ours)
    def send():
        theirs.send(b"a\\nb\\n")
        theirs.close()
    threading.Timer(0.2, send).start()
    async with asyncio.timeout(60):
        lines = [line async for line in reader]
    return lines == [b"a\\n", b"b\\n"]
""",
    "a thread, while the main flow sleeps": """
def handler(event):
    seen = []
    thread = threading.Thread(target=lambda: time.sleep(0.2) or seen.append(True))
    thread.start()
    time.sleep(0.5)
    return seen == [True]
""",
    "a thread, while the main flow waits for a signal": """
def handler(event):
    seen = []
    threading.Timer(0.2, seen.append, (True,)).start()
    hookline.next_signal("none", timeout=0.5)
    return seen == [True]
""",
    "a child process, while the main flow sleeps": """
import subprocess, sys
def handler(event):
    program = [sys.executable, "-c", "open('done', 'w').close(); import time; time.sleep(30)"]
    process = subprocess.Popen(program)
    time.sleep(0.4)
    process.kill()
    return os.path.exists("done")
""",
    "an alarm, while the main flow sleeps": """
import signal
def handler(event):
    seen = []
    signal.signal(signal.SIGALRM, lambda *args: seen.append(True))
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    time.sleep(0.4)
    return seen == [True]
""",
}


@pytest.mark.slow
@pytest.mark.parametrize("name", OUTSIDE)
def test_what_something_outside_brings_is_waited_for(tmp_path: Path, name: str):
    result = peer_of(tmp_path, OUTSIDE[name]).run()

    assert not result.suspended
    assert result.result is True


# a client library is used as its pages say

CLIENTS = {
    "aiohttp, entered": """
import aiohttp
async def handler(event):
    async with aiohttp.ClientSession() as client:
        async with client.get(os.environ["URL"] + "/a?0.2") as answer:
            return [answer.status, (await answer.json())["path"]]
""",
    "aiohttp, awaited": """
import aiohttp
async def handler(event):
    client = aiohttp.ClientSession()
    try:
        answer = await client.get(os.environ["URL"] + "/a?0.2")
        return [answer.status, (await answer.json())["path"]]
    finally:
        await client.close()
""",
    "aiohttp, in one statement": """
import aiohttp
async def handler(event):
    url = os.environ["URL"] + "/a?0.2"
    async with aiohttp.ClientSession() as client, client.get(url) as answer:
        return [answer.status, (await answer.json())["path"]]
""",
    "aiohttp, by a stack": """
import aiohttp, contextlib
async def handler(event):
    async with contextlib.AsyncExitStack() as stack:
        client = await stack.enter_async_context(aiohttp.ClientSession())
        answer = await stack.enter_async_context(client.get(os.environ["URL"] + "/a?0.2"))
        return [answer.status, (await answer.json())["path"]]
""",
    "aiohttp, by a function of the author's own": """
import aiohttp, contextlib
@contextlib.asynccontextmanager
async def fetched(path):
    async with aiohttp.ClientSession() as client:
        async with client.get(os.environ["URL"] + path) as answer:
            yield answer
async def handler(event):
    async with fetched("/a?0.2") as answer:
        return [answer.status, (await answer.json())["path"]]
""",
    "httpx, entered": """
import httpx2
async def handler(event):
    async with httpx2.AsyncClient() as client:
        answer = await client.get(os.environ["URL"] + "/a?0.2")
        return [answer.status_code, answer.json()["path"]]
""",
    "httpx, streamed": """
import httpx2
async def handler(event):
    async with httpx2.AsyncClient() as client:
        async with client.stream("GET", os.environ["URL"] + "/a?0.2") as answer:
            return [answer.status_code, json.loads(await answer.aread())["path"]]
""",
}


@pytest.mark.slow
@pytest.mark.parametrize("name", CLIENTS)
def test_a_client_library_asks_once_and_gets_its_answer(
    tmp_path: Path, server: HttpServer, name: str
):
    result = peer_of(tmp_path, CLIENTS[name], server.url).run()

    assert result.result == [200, "/a?0.2"]
    assert server.asked == ["/a?0.2"]


@pytest.mark.slow
def test_requests_at_once_are_all_answered_and_a_late_one_times_out(
    tmp_path: Path, server: HttpServer
):
    code = """
import aiohttp
async def get(client, path, seconds):
    try:
        async with asyncio.timeout(seconds), client.get(os.environ["URL"] + path) as answer:
            return (await answer.json())["path"]
    except TimeoutError:
        return "late"
async def handler(event):
    async with aiohttp.ClientSession() as client:
        first = await asyncio.gather(*(get(client, f"/{n}?0.{n}", 60) for n in (3, 1, 2)))
        given_up = asyncio.create_task(get(client, "/cancelled?9", 60))
        late = await get(client, "/late?9", 0.2)
        given_up.cancel()
        return [first, late, await asyncio.gather(given_up, return_exceptions=True) != []]
"""
    peer = peer_of(tmp_path, code, server.url)

    assert peer.run().result == [["/3?0.3", "/1?0.1", "/2?0.2"], "late", True]


@pytest.mark.slow
def test_killed_anywhere_it_ends_with_what_was_recorded(tmp_path: Path, server: HttpServer):
    code = """
import aiohttp
async def handler(event):
    async with aiohttp.ClientSession() as client:
        async with client.get(os.environ["URL"] + "/a") as answer:
            first = [answer.status, await answer.text()]
        effect("between")
        async with client.get(os.environ["URL"] + "/b") as answer:
            return [first, await answer.json()]
"""
    whole = peer_of(tmp_path / "whole", code, server.url)
    right = whole.run().result
    ends: list[object] = []
    for at in range(1, len(whole.entries) + 1):
        peer = peer_of(tmp_path / str(at), code, server.url)
        assert peer.run(kill_at=at, kill_before_recording=at % 2 == 0).killed
        ends.append(peer.run_to_end().result)

    assert right == [[200, '{"path": "/a"}'], {"path": "/b"}]
    assert ends == [right] * len(whole.entries)
    assert [name for name in whole.names() if name.endswith("__")].count(
        "ClientSession.__aexit__"
    ) == 1


# and nothing else holds a process

SETTLED = {
    "an idle connection of a pool": """
import aiohttp
async def handler(event):
    async with aiohttp.ClientSession() as client:
        async with client.get(os.environ["URL"] + "/a") as answer:
            await answer.read()
        await asyncio.sleep(3600)
""",
    "an idle connection, and tasks that wait in every way": """
import aiohttp
async def nap():
    await asyncio.sleep(3600)
async def listen():
    await hookline.next_signal("x")
async def group():
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(nap())
        tasks.create_task(listen())
async def handler(event):
    async with aiohttp.ClientSession() as client:
        async with client.get(os.environ["URL"] + "/a") as answer:
            await answer.read()
        limited = asyncio.wait_for(asyncio.create_task(nap()), 4000)
        some = asyncio.wait([asyncio.create_task(nap()), asyncio.create_task(listen())])
        await asyncio.gather(limited, some, group(), asyncio.gather(nap(), nap()))
""",
    "an executor without a job": """
import concurrent.futures
pool = concurrent.futures.ThreadPoolExecutor()
async def handler(event):
    await asyncio.to_thread(int)
    await asyncio.wrap_future(pool.submit(int))
    await asyncio.wait_for(asyncio.Event().wait(), 3600)
""",
    "a worker of anyio without a job": """
import anyio, anyio.to_thread
async def handler(event):
    await anyio.to_thread.run_sync(int)
    await asyncio.wait_for(asyncio.Event().wait(), 3600)
""",
    "a daemon thread": """
def handler(event):
    threading.Thread(target=threading.Event().wait, daemon=True).start()
    time.sleep(3600)
""",
    "a child that has ended": """
import subprocess
def handler(event):
    child = subprocess.Popen(["true"], stdout=subprocess.PIPE)
    child.stdout.read()
    time.sleep(1)
    time.sleep(3600)
""",
    "an event that another task sets later": """
async def handler(event):
    done = asyncio.Event()
    async def later():
        await asyncio.sleep(3600)
        done.set()
    task = asyncio.create_task(later())
    await done.wait()
""",
}


@pytest.mark.slow
@pytest.mark.parametrize("name", SETTLED)
def test_a_wait_that_only_the_service_ends_holds_no_process(
    tmp_path: Path, server: HttpServer, name: str
):
    peer = peer_of(tmp_path, SETTLED[name], server.url)
    result = peer.run()
    while result.suspended_until is not None and result.suspended_until < peer.now() + 60:
        result = peer.run()

    assert result.suspended


def test_what_was_recorded_before_entering_was_a_step_is_replayed(tmp_path: Path):
    code = """
import aiohttp
async def handler(event):
    async with aiohttp.ClientSession() as client:
        effect("inside")
        await asyncio.sleep(0.05)
        return effect("end")
"""
    peer = peer_of(tmp_path, code)
    assert peer.run().suspended
    peer.entries = [each for each in peer.entries if "&" not in each.branch]

    assert peer.run_to_end().result == "end"
    assert peer.effect_lines() == ["inside", "end"]
