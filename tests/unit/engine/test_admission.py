from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from hookline_service.engine.admission import AdmissionQueue, Limit, Ticket
from hookline_service.model.ids import BuildId, ProjectId, SessionId
from hookline_service.model.sessions import Session, SessionState
from tests.builders.chance import a_chance

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
ONE_AT_A_TIME = Limit("trigger:a", 1)
TWO_AT_A_TIME = Limit("project:p", 2)
PROJECT = ProjectId("prj_1")


def a_ticket(name: str, *limits: Limit, project: str = PROJECT) -> Ticket:
    session = Session(
        id=SessionId(name),
        project_id=ProjectId(project),
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


def tickets(queue: AdmissionQueue, names: str) -> None:
    """Push a ticket for each name such as `a1`, whose letter is its project."""
    for name in names.split():
        queue.push(a_ticket(name, project=name[0]))


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

    queue.release(PROJECT, (ONE_AT_A_TIME,))

    assert names_popped(queue) == ["second"]


def test_a_ticket_removed_while_it_waits_aside_passes_its_turn_on() -> None:
    queue = AdmissionQueue()
    for name in ("first", "second", "third"):
        queue.push(a_ticket(name, ONE_AT_A_TIME))
    names_popped(queue)

    removed = queue.remove(SessionId("second"))
    queue.release(PROJECT, (ONE_AT_A_TIME,))

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
        queue.release(PROJECT, limits)
        order += names_popped(queue)

    assert order == ["p1", "p2", "both1", "both2"]
    assert len(queue) == 0


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        pytest.param(["+a1 a2 a3", "3"], "a1 a2 a3", id="one alone has all the room"),
        pytest.param(["+a1 a2 a3 a4 b1", "5"], "a1 b1 a2 a3 a4", id="one of many, and one"),
        pytest.param(["+a1 a2 b1 b2 c1 c2", "6"], "a1 b1 c1 a2 b2 c2", id="turn by turn"),
        pytest.param(["+a1 a2 a3 a4", "2", "+b1", "-a", "2"], "a1 a2 b1 a3", id="a latecomer is next"),
        pytest.param(["+a1 a2 a3 b1 b2", "2", "-a", "1"], "a1 b1 a2", id="back at fewest"),
        pytest.param(["+a1 a2 b1 b2", "1", "-a", "1", "-b", "1", "-a", "1"], "a1 b1 a2 b2", id="one place"),
        pytest.param(["+a1 a2", "1", "+b1", "-a", "1", "+c1", "-b", "1"], "a1 b1 a2", id="who waits longer"),
        pytest.param(["+a1 b1", "2", "+a2 a3 b2", "-a", "3"], "a1 b1 a2 b2 a3", id="by what runs"),
        pytest.param(["+a1 b1 a2", "~b1", "2"], "a1 a2", id="one whose ticket left"),
        pytest.param(["+b1 a1", "~b1", "+b2", "2"], "a1 b2", id="left and came again"),
    ],
)  # fmt: skip
def test_the_next_place_goes_to_the_project_with_the_fewest(
    steps: Sequence[str], expected: str
) -> None:
    """`+` pushes, `-` releases one of a project, `~` removes, a number pops as many."""
    queue = AdmissionQueue()
    popped: list[str] = []

    for step in steps:
        match step[0]:
            case "+":
                tickets(queue, step[1:])
            case "-":
                queue.release(ProjectId(step[1:]), ())
            case "~":
                queue.remove(SessionId(step[1:]))
            case _:
                popped += [t.session.id for _ in range(int(step)) if (t := queue.pop())]

    assert " ".join(popped) == expected


def test_a_project_whose_limit_is_used_up_leaves_its_turn_to_others() -> None:
    queue = AdmissionQueue()
    for name in ("a1", "a2", "a3"):
        queue.push(a_ticket(name, ONE_AT_A_TIME, project="a"))
    tickets(queue, "b1 b2")

    first = names_popped(queue)
    queue.release(ProjectId("a"), (ONE_AT_A_TIME,))

    assert first == ["a1", "b1", "b2"]
    assert names_popped(queue) == ["a2"]


def test_a_place_under_one_limit_is_not_lost_on_a_ticket_that_another_holds_back() -> None:
    queue = AdmissionQueue()
    names = {
        "one": (),
        "two": (),
        "long": (ONE_AT_A_TIME,),
        "held back": (ONE_AT_A_TIME,),
        "free": (),
    }
    for name, limits in names.items():
        queue.push(a_ticket(name, *limits, TWO_AT_A_TIME))
    begun = [names_popped(queue)]

    for _ in range(2):
        queue.release(PROJECT, (TWO_AT_A_TIME,))
        begun.append(names_popped(queue))

    assert begun == [["one", "two"], ["long"], ["free"]]


class Crowd:
    """Tickets of four projects with limits, in random order; knows by itself which may run."""

    def __init__(self, seed: int) -> None:
        self.chance = a_chance(seed)
        self.queue = AdmissionQueue()
        self.places = self.chance.choice([1, 3, 8])
        self.waiting: dict[str, Ticket] = {}
        self.running: list[Ticket] = []
        most = {project: self.chance.choice([1, 2, 9]) for project in "abcd"}
        self.limits = {
            each: [Limit(f"project:{each}", most[each]), Limit(f"{each}1", 1), Limit(f"{each}2", 2)]
            for each in "abcd"
        }

    def step(self, number: int) -> None:
        what = self.chance.random()
        if what < 0.45:
            project = self.chance.choice("abcd")
            limits = [each for each in self.limits[project] if self.chance.random() < 0.5]
            ticket = a_ticket(f"{project}{number}", *limits, project=project)
            self.waiting[ticket.session.id] = ticket
            self.queue.push(ticket)
        elif what < 0.55 and self.waiting:
            name = self.chance.choice(list(self.waiting))
            assert self.queue.remove(SessionId(name)) is self.waiting.pop(name)
        else:
            self.end_one()

    def end_one(self) -> None:
        if self.running:
            ticket = self.running.pop(self.chance.randrange(len(self.running)))
            self.queue.release(ticket.session.project_id, ticket.limits)

    def fill(self) -> None:
        """Let run what may; each must be of a project with the fewest, and none that may run is left."""
        while len(self.running) < self.places:
            able = self.able()
            ticket = self.queue.pop()
            assert (ticket is None) == (not able)
            if ticket is None:
                return
            fewest = min(self.count(each.session.project_id) for each in able)
            assert ticket in able
            assert self.count(ticket.session.project_id) == fewest
            self.running.append(self.waiting.pop(ticket.session.id))

    def able(self) -> list[Ticket]:
        used = Counter(limit.key for ticket in self.running for limit in ticket.limits)
        return [
            ticket
            for ticket in self.waiting.values()
            if all(used[limit.key] < limit.maximum for limit in ticket.limits)
        ]

    def count(self, project: str) -> int:
        return sum(ticket.session.project_id == project for ticket in self.running)


@pytest.mark.parametrize("seed", range(40))
def test_whatever_comes_and_goes_no_place_is_lost_and_none_taken_out_of_turn(seed: int) -> None:
    crowd = Crowd(seed)

    for number in range(150):
        crowd.step(number)
        crowd.fill()
    while crowd.running:
        crowd.end_one()
        crowd.fill()

    assert crowd.waiting == {}
    assert (crowd.queue._lines, crowd.queue._turns, crowd.queue._waiting) == ({}, {}, {})


def test_any_number_that_runs_and_waits_is_shared_out_to_the_last() -> None:
    queue = AdmissionQueue()
    names = [f"{project}{number}" for project in "abcdefg" for number in range(60)]
    tickets(queue, " ".join(names))
    running = [ticket for _ in range(20) if (ticket := queue.pop())]
    popped = [ticket.session.id for ticket in running]

    for step in range(len(names)):
        place = (step * 7) % max(1, len(running))
        for ticket in running[place : place + 1]:
            running.remove(ticket)
            queue.release(ticket.session.project_id, ticket.limits)
        if (ticket := queue.pop()) is not None:
            running.append(ticket)
            popped.append(ticket.session.id)
    for ticket in running:
        queue.release(ticket.session.project_id, ticket.limits)

    assert sorted(popped) == sorted(names)
    assert (queue._lines, queue._turns, queue._waiting) == ({}, {}, {})


@pytest.mark.parametrize(
    ("waiting", "room_of_a", "room_of_b"),
    [
        pytest.param("", 6, 6, id="empty"),
        pytest.param("a1 a2", 4, 4, id="some room"),
        pytest.param("a1 a2 a3 a4 a5 a6", 0, 3, id="one has filled it"),
        pytest.param("a1 a2 a3 a4 a5 a6 b1 b2 b3", 0, 0, id="both have their share"),
        pytest.param("a1 c1 c2 c3 c4 c5", 2, 2, id="a third has most"),
    ],
)
def test_one_project_cannot_take_the_room_of_another(
    waiting: str, room_of_a: int, room_of_b: int
) -> None:
    queue = AdmissionQueue()
    tickets(queue, waiting)

    assert queue.room(ProjectId("a"), 6) == room_of_a
    assert queue.room(ProjectId("b"), 6) == room_of_b
