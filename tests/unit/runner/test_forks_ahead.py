from __future__ import annotations

from hookline_runner.forks_ahead import ForksAhead


def test_as_many_are_ordered_as_wait_and_are_to_stand_by() -> None:
    ahead = ForksAhead(2, 8)

    assert ahead.missing(waiting=3, idle=0, on_the_way=0) == 5
    assert ahead.missing(waiting=3, idle=0, on_the_way=5) == 0
    assert ahead.missing(waiting=0, idle=2, on_the_way=0) == 0


def test_shortages_raise_the_number_up_to_its_limit() -> None:
    ahead = ForksAhead(2, 8)

    for now in range(5):
        ahead.note_shortage(float(now))

    assert ahead.target == 8


def test_calm_brings_the_number_back_down() -> None:
    ahead = ForksAhead(2, 8)
    ahead.note_shortage(0.0)
    ahead.note_shortage(0.0)

    targets = []
    for now in (1.0, 6.0, 7.0, 12.0, 100.0):
        ahead.note_time(now)
        targets.append(ahead.target)

    assert targets == [8, 4, 4, 2, 2]


def test_a_host_told_to_fork_nothing_ahead_forks_on_demand_alone() -> None:
    ahead = ForksAhead(0, 0)

    ahead.note_shortage(0.0)

    assert ahead.missing(waiting=1, idle=0, on_the_way=0) == 1
