from __future__ import annotations

from datetime import timedelta

from hookline_service.dispatcher.answers import AllEnded, AnswerBoard, TooMuch
from hookline_service.engine.listening import SessionEnd
from hookline_service.model.calls import Outcome
from hookline_service.model.ids import EventId, SessionId
from hookline_service.model.sessions import Session
from tests.builders.moments import START
from tests.builders.projects import a_release
from tests.builders.sessions import a_session

RELEASE = a_release()
EVENT = EventId("evt_1")


def an_outcome(value: bytes, number: int = 0, event: EventId = EVENT) -> Outcome:
    at = START + timedelta(milliseconds=number)
    return Outcome(event_id=event, session_id=SessionId("ses_1"), at=at, value=value)


def an_end(session: Session, successor: Session | None = None) -> SessionEnd:
    return SessionEnd(session=session, successor=successor)


async def test_outcomes_come_in_order_and_before_the_end():
    board = AnswerBoard()
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
    board = AnswerBoard()
    first, second = a_session(RELEASE), a_session(RELEASE)
    waiter = board.open(EVENT)
    waiter.expect([first.id])

    board.session_ended(an_end(first, successor=second))
    board.session_ended(an_end(first))
    board.session_ended(an_end(second))

    assert await waiter.next() == AllEnded(ends=(an_end(second),))


async def test_what_was_recorded_before_is_given_once():
    board = AnswerBoard()
    waiter = board.open(EVENT)
    board.outcome_recorded(an_outcome(b"2", 2))
    board.outcome_recorded(an_outcome(b"3", 3))

    waiter.catch_up([an_outcome(b"1", 1), an_outcome(b"2", 2)])
    board.outcome_recorded(an_outcome(b"2", 2))

    heard = [await waiter.next() for _ in range(4)]
    assert heard[:3] == [an_outcome(b"1", 1), an_outcome(b"2", 2), an_outcome(b"3", 3)]
    assert isinstance(heard[3], AllEnded)


async def test_a_caller_who_takes_nothing_does_not_fill_the_memory():
    board = AnswerBoard()
    waiter = board.open(EVENT)
    large = b"x" * (8 * 1024 * 1024)

    for number in range(100):
        board.outcome_recorded(an_outcome(large, number))

    assert waiter._queued_bytes < 80 * 1024 * 1024
    assert await waiter.next() == TooMuch()


async def test_a_closed_waiter_is_forgotten():
    board = AnswerBoard()
    session = a_session(RELEASE)
    first, second = board.open(EVENT), board.open(EVENT)
    for waiter in (first, second):
        waiter.expect([session.id, session.id])

    first.close()
    first.close()
    board.outcome_recorded(an_outcome(b"1"))
    board.session_ended(an_end(session))
    left = len(board)
    second.close()

    assert (left, len(board), board._by_session) == (1, 0, {})
    assert isinstance(await second.next(), Outcome)
