from __future__ import annotations

from datetime import UTC, datetime

from hookline_service.engine.admission import AdmissionQueue, Limit, Ticket
from hookline_service.model.ids import BuildId, ProjectId, SessionId
from hookline_service.model.sessions import Session, SessionState

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
ONE_AT_A_TIME = Limit("trigger:a", 1)
TWO_AT_A_TIME = Limit("project:p", 2)


def a_ticket(name: str, *limits: Limit) -> Ticket:
    session = Session(
        id=SessionId(name),
        project_id=ProjectId("prj_1"),
        build_id=BuildId("bld_1"),
        deployment_id=None,
        trigger_id=None,
        event_id=None,
        entry_point="main.py:run",
        state=SessionState.CREATED,
        is_durable=True,
        created_at=NOON,
    )
    return Ticket(session, None, limits)


def names_popped(queue: AdmissionQueue) -> list[str]:
    names: list[str] = []
    while (ticket := queue.pop()) is not None:
        names.append(ticket.session.id)
    return names


def test_tickets_leave_in_the_order_they_came() -> None:
    queue = AdmissionQueue()

    for name in ("one", "two", "three"):
        queue.push(a_ticket(name))

    assert names_popped(queue) == ["one", "two", "three"]


def test_a_used_up_limit_blocks_only_its_own_tickets() -> None:
    queue = AdmissionQueue()
    queue.push(a_ticket("first", ONE_AT_A_TIME))
    queue.push(a_ticket("second", ONE_AT_A_TIME))
    queue.push(a_ticket("free"))

    assert names_popped(queue) == ["first", "free"]


def test_a_release_lets_the_next_one_go() -> None:
    queue = AdmissionQueue()
    for name in ("first", "second", "third"):
        queue.push(a_ticket(name, ONE_AT_A_TIME))
    names_popped(queue)

    queue.release((ONE_AT_A_TIME,))

    assert names_popped(queue) == ["second"]


def test_a_ticket_removed_while_it_waits_aside_passes_its_turn_on() -> None:
    queue = AdmissionQueue()
    for name in ("first", "second", "third"):
        queue.push(a_ticket(name, ONE_AT_A_TIME))
    names_popped(queue)

    removed = queue.remove(SessionId("second"))
    queue.release((ONE_AT_A_TIME,))

    assert removed is not None
    assert names_popped(queue) == ["third"]


def test_two_limits_hold_at_once_and_nobody_is_forgotten() -> None:
    queue = AdmissionQueue()
    queue.push(a_ticket("p1", TWO_AT_A_TIME))
    queue.push(a_ticket("p2", TWO_AT_A_TIME))
    queue.push(a_ticket("both1", ONE_AT_A_TIME, TWO_AT_A_TIME))
    queue.push(a_ticket("both2", ONE_AT_A_TIME, TWO_AT_A_TIME))
    order = names_popped(queue)

    for limits in ((TWO_AT_A_TIME,), (TWO_AT_A_TIME,), (ONE_AT_A_TIME, TWO_AT_A_TIME)):
        queue.release(limits)
        order += names_popped(queue)

    assert order == ["p1", "p2", "both1", "both2"]
    assert len(queue) == 0
