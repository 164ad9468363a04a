"""A caller who does not read what is answered is let go, and nothing is kept for it."""

from __future__ import annotations

import anyio
import orjson
import pytest
from starlette.types import Message

from hookline_service.api.sync_answers import answer_caller
from hookline_service.dispatcher.answers import OutcomeBroker, OutcomeStream
from hookline_service.model.calls import Outcome
from hookline_service.model.ids import EventId, SessionId
from tests.builders.moments import START

EVENT = EventId("evt_1")
SESSION = SessionId("ses_1")


class Caller:
    """Reads so many messages, and then nothing; never hangs up."""

    def __init__(self, reads: int) -> None:
        self.reads = reads
        self.got: list[Message] = []

    async def receive(self) -> Message:
        await anyio.sleep_forever()
        raise AssertionError

    async def send(self, message: Message) -> None:
        if len(self.got) == self.reads:
            await anyio.sleep_forever()
        self.got.append(message)


def an_answered(board: OutcomeBroker, body: str) -> OutcomeStream:
    waiter = board.open(EVENT)
    waiter.expect([SESSION])
    value = orjson.dumps({"body": body, "more": True})
    for _ in range(3):
        board.outcome_recorded(Outcome(event_id=EVENT, session_id=SESSION, at=START, value=value))
    return waiter


@pytest.mark.parametrize("reads", [0, 1, 2])
async def test_a_caller_who_does_not_read_is_let_go(reads: int) -> None:
    board, caller = OutcomeBroker(), Caller(reads)
    waiter = an_answered(board, "part")

    await answer_caller(waiter, caller.receive, caller.send, 60, send_timeout_s=0.001)

    assert len(caller.got) == reads
    assert (len(board), board.held_bytes) == (0, 0)


async def test_a_large_part_is_sent_in_pieces_that_wait_for_the_caller() -> None:
    board, caller = OutcomeBroker(), Caller(3)
    waiter = an_answered(board, "x" * 1_000_000)

    await answer_caller(waiter, caller.receive, caller.send, 60, send_timeout_s=0.001)

    assert [len(message.get("body", b"")) for message in caller.got] == [0, 65536, 65536]
    assert all(message["more_body"] for message in caller.got[1:])
