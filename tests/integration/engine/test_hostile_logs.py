"""A session process that forges its frames may not fill the disk with its log, nor hold up everybody else."""

from __future__ import annotations

import json

from hookline_runner.frames import FrameType
from hookline_service.model.sessions import SessionState
from tests.builders.engine import LIMITS, EngineRig
from tests.fakes.runner_host import an_entry_row


async def test_a_log_of_few_but_long_records_is_cut(rig: EngineRig) -> None:
    text = "x" * 60_000
    count = LIMITS.log_limit_bytes // len(text) * 4
    async with rig.host() as host:
        session = await rig.start()
        seen = await host.next_start()
        for _ in range(count):
            await host.log(seen, text)
        await host.done(seen)
        await rig.until(session)

    texts = await rig.texts(session)
    assert sum(map(len, texts)) <= 2 * LIMITS.log_limit_bytes + 10_000
    assert sum(text.startswith("log cut") for text in texts) == 1


async def test_a_frame_that_would_take_long_to_read_is_refused(rig: EngineRig) -> None:
    logs = json.dumps({"r": [[1, "print", "", ""]] * 200_000}).encode()
    entries = json.dumps({"n": 1, "entries": [an_entry_row(0)] * 100_000}).encode()
    async with rig.host() as host:
        session = await rig.start()
        for kind, header in ((FrameType.LOG, logs), (FrameType.APPEND, entries)):
            seen = await host.next_start()
            await host.send_raw(kind, seen.channel, header)
            await seen.until(lambda seen: seen.stops)
            await host.exited(seen, signal=9)
        await host.done(await host.next_start())
        ended = await rig.until(session)

    assert ended.state is SessionState.COMPLETED
    assert await rig.store.list_entries(session.id, 0, 10) == []
