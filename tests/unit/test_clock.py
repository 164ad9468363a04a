"""The service's own time when the machine's clock is set."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from hookline_service.clock import HeldClock

HOUR = 3600.0


class Machine:
    """A wall clock and a steady one, turned by hand."""

    def __init__(self) -> None:
        self.wall = 1_000_000.0
        self.steady = 50.0

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.wall, UTC)

    def pass_(self, seconds: float) -> None:
        self.wall += seconds
        self.steady += seconds


@pytest.fixture
def machine() -> Machine:
    return Machine()


@pytest.fixture
def clock(machine: Machine) -> HeldClock:
    clock = HeldClock(machine, lambda: machine.steady)
    clock.now()
    return clock


def test_it_is_the_machines_clock_as_long_as_nobody_sets_that(machine: Machine, clock: HeldClock):
    machine.pass_(8)

    assert clock.now() == machine.now()
    assert clock.differing_now() is None


@pytest.mark.parametrize("set_back_s", [2, HOUR, 25 * HOUR])
def test_it_does_not_go_back(machine: Machine, clock: HeldClock, set_back_s: float):
    before = clock.now().timestamp()

    machine.wall -= set_back_s
    machine.pass_(10)

    passed = clock.now().timestamp() - before
    assert 9 <= passed <= 10
    assert clock.differing_now() == pytest.approx(before + passed)


def test_the_machines_clock_catches_up_in_time(machine: Machine, clock: HeldClock):
    machine.wall -= HOUR
    clock.now()

    for _ in range(11):
        machine.pass_(HOUR)
        clock.now()

    assert clock.differing_now() is None
    assert clock.now() == machine.now()


def test_it_follows_when_the_clock_is_put_right_again(machine: Machine, clock: HeldClock):
    machine.wall -= HOUR
    clock.now()
    machine.wall += HOUR

    assert clock.now() == machine.now()


@pytest.mark.parametrize("gained_s", [HOUR, 400 * 24 * HOUR, -400 * 24 * HOUR])
def test_it_follows_ahead_and_far_back(machine: Machine, clock: HeldClock, gained_s: float):
    machine.wall += gained_s
    machine.pass_(1)

    assert clock.now() == machine.now()


def test_it_never_goes_back_step_by_step(machine: Machine, clock: HeldClock):
    times = []
    for number in range(50):
        machine.pass_(1)
        if number % 10 == 5:
            machine.wall -= 100
        times.append(clock.now())

    assert times == sorted(times)
