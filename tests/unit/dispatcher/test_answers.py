from __future__ import annotations

from datetime import timedelta

from hookline_service.dispatcher.answers import OUTCOME_BYTES, AllEnded, OutcomeBroker, TooMuch
from hookline_service.engine.listener import SessionEnd
from hookline_service.model.calls import Outcome
from hookline_service.model.ids import EventId, SessionId
from hookline_service.model.sessions import Session
from tests.builders.moments import START
from tests.builders.projects import a_release
from tests.builders.sessions import a_session

RELEASE = a_release()
EVENT = EventId("evt_1")
FIVE = OUTCOME_BYTES + 5  # what an outcome of five bytes counts for


def an_outcome(value: bytes, number: int = 0, event: EventId = EVENT) -> Outcome:
    at = START + timedelta(milliseconds=number)
    return Outcome(event_id=event, session_id=SessionId("ses_1"), at=at, value=value)


def an_end(
    session: Session, successor: Session | None = None, answer: bytes | None = None
) -> SessionEnd:
    return SessionEnd(session=session, successor=successor, answer=answer)


async def test_outcomes_come_in_order_and_before_the_end():
    board = OutcomeBroker()
    session = a_session(RELEASE)
    waiter = board.open(EVENT)
    waiter.expect([session.id])

    board.outcome_recorded(an_outcome(b"1", 1))
    board.outcome_recorded(an_outcome(b"other", 2, EventId("evt_2")))
    board.outcome_recorded(an_outcome(b"2", 3))
    board.session_ended(an_end(session))

    heard = [await waiter.next() for _ in range(3)]
    assert heard == [
        an_outcome(b"1", 1),
        an_outcome(b"2", 3),
        AllEnded(ends=(an_end(session),)),
    ]


async def test_a_session_that_is_tried_again_is_waited_for():
    board = OutcomeBroker()
    first, second = a_session(RELEASE), a_session(RELEASE)
    waiter = board.open(EVENT)
    waiter.expect([first.id])

    board.session_ended(an_end(first, successor=second))
    board.session_ended(an_end(first))
    board.session_ended(an_end(second))

    assert await waiter.next() == AllEnded(ends=(an_end(second),))


async def test_what_was_recorded_before_is_given_once():
    board = OutcomeBroker()
    waiter = board.open(EVENT)
    board.outcome_recorded(an_outcome(b"2", 2))
    board.outcome_recorded(an_outcome(b"3", 3))

    waiter.catch_up([an_outcome(b"1", 1), an_outcome(b"2", 2)])
    board.outcome_recorded(an_outcome(b"2", 2))

    heard = [await waiter.next() for _ in range(4)]
    assert heard[:3] == [an_outcome(b"1", 1), an_outcome(b"2", 2), an_outcome(b"3", 3)]
    assert isinstance(heard[3], AllEnded)


async def test_a_caller_who_takes_nothing_does_not_fill_the_memory():
    board = OutcomeBroker()
    waiter = board.open(EVENT)
    large = b"x" * (7 * 1024 * 1024)

    for number in range(2):
        board.outcome_recorded(an_outcome(large, number))
    most = board.held_bytes
    board.outcome_recorded(an_outcome(large, 2))

    assert (most, board.held_bytes) == (2 * (len(large) + OUTCOME_BYTES), 0)
    assert await waiter.next() == TooMuch()


async def test_many_callers_who_take_nothing_do_not_fill_the_memory():
    board = OutcomeBroker(most_of_one_bytes=FIVE, most_of_all_bytes=3 * FIVE)
    events = [EventId(f"evt_{number}") for number in range(4)]
    waiters = [board.open(event) for event in events]

    for event in events:
        board.outcome_recorded(an_outcome(b"x" * 5, event=event))

    assert board.held_bytes == 3 * FIVE
    assert isinstance(await waiters[0].next(), Outcome)
    assert await waiters[3].next() == TooMuch()


async def test_what_a_caller_takes_makes_room_once_the_next_is_asked_for():
    board = OutcomeBroker(most_of_one_bytes=2 * FIVE, most_of_all_bytes=2 * FIVE)
    waiter = board.open(EVENT)
    waiter.expect([SessionId("ses_1")])

    for number in range(5):
        board.outcome_recorded(an_outcome(b"x" * 5, number))
        assert isinstance(await waiter.next(), Outcome)
        assert board.held_bytes == FIVE


async def test_what_is_on_its_way_counts_when_the_rest_is_dropped():
    board = OutcomeBroker(most_of_one_bytes=2 * FIVE, most_of_all_bytes=2 * FIVE)
    waiter = board.open(EVENT)
    for number in range(2):
        board.outcome_recorded(an_outcome(b"x" * 5, number))
    await waiter.next()

    board.outcome_recorded(an_outcome(b"x", 2))
    on_its_way = board.held_bytes
    heard = await waiter.next()

    assert (on_its_way, heard, board.held_bytes) == (FIVE, TooMuch(), 0)


async def test_recorded_answers_are_bounded_as_well():
    board = OutcomeBroker(most_of_one_bytes=2 * FIVE, most_of_all_bytes=2 * FIVE)
    waiter = board.open(EVENT)
    board.outcome_recorded(an_outcome(b"x" * 5, 2))

    waiter.catch_up([an_outcome(b"x" * 5, 1), an_outcome(b"x" * 5, 2), an_outcome(b"x", 3)])

    assert (await waiter.next(), board.held_bytes) == (TooMuch(), 0)


async def test_only_the_last_returned_value_is_held_and_only_while_it_may_be_sent():
    board = OutcomeBroker()
    first, second = a_session(RELEASE), a_session(RELEASE)
    waiter = board.open(EVENT)
    waiter.expect([first.id, second.id])

    waiter.take_end(an_end(first, answer=b"x" * 5))
    waiter.take_end(an_end(second, answer=b"y" * 7))
    held, heard = board.held_bytes, await waiter.next()
    waiter.close()

    assert isinstance(heard, AllEnded)
    assert [end.answer for end in heard.ends] == [None, b"y" * 7]
    assert (held, board.held_bytes) == (7, 0)


async def test_many_returned_values_that_nobody_reads_do_not_fill_the_memory():
    board = OutcomeBroker(most_of_all_bytes=12)
    heard: list[object] = []
    for _ in range(2):
        session = a_session(RELEASE)
        waiter = board.open(EVENT)
        waiter.expect([session.id])
        waiter.take_end(an_end(session, answer=b"x" * 7))
        heard.append(type(await waiter.next()))

    assert (heard, board.held_bytes) == ([AllEnded, TooMuch], 7)


async def test_a_returned_value_beside_an_outcome_is_not_held():
    board = OutcomeBroker()
    session = a_session(RELEASE)
    waiter = board.open(EVENT)
    waiter.expect([session.id])

    board.outcome_recorded(an_outcome(b"x" * 5))
    waiter.take_end(an_end(session, answer=b"y" * 7))

    assert board.held_bytes == FIVE


async def test_a_closed_waiter_holds_nothing():
    board = OutcomeBroker()
    waiter = board.open(EVENT)
    for number in range(2):
        board.outcome_recorded(an_outcome(b"x" * 5, number))
    await waiter.next()

    waiter.close()
    waiter.close()
    waiter.take_outcome(an_outcome(b"late", 3))

    assert board.held_bytes == 0


async def test_a_closed_waiter_is_forgotten():
    board = OutcomeBroker()
    session = a_session(RELEASE)
    first, second = board.open(EVENT), board.open(EVENT)
    for waiter in (first, second):
        waiter.expect([session.id, session.id])

    first.close()
    first.close()
    board.outcome_recorded(an_outcome(b"1"))
    board.session_ended(an_end(session))
    left = len(board)
    heard = await second.next()
    second.close()

    assert (left, len(board), board._by_session) == (1, 0, {})
    assert isinstance(heard, Outcome)
