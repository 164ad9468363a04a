from __future__ import annotations

import contextlib

import pytest

from hookline_service.api.bodies import FREE_BYTES, BodiesTooLargeError, BodyBudget, BodyShare

LIMIT = 100_000


def test_bodies_under_way_hold_no_more_than_they_may_together():
    budget = BodyBudget(LIMIT)

    with BodyShare(budget) as first, BodyShare(budget) as second:
        first.add(FREE_BYTES + LIMIT - 1)
        second.add(FREE_BYTES + 1)

        with pytest.raises(BodiesTooLargeError):
            second.add(1)


def test_small_bodies_are_read_whatever_others_hold():
    budget = BodyBudget(LIMIT)

    with BodyShare(budget) as large, BodyShare(budget) as small:
        large.add(FREE_BYTES + LIMIT)
        small.add(FREE_BYTES - 1)
        small.add(1)

        assert budget.held_bytes == LIMIT


def test_what_a_body_held_is_given_back_however_it_ends():
    budget = BodyBudget(LIMIT)

    with contextlib.suppress(ZeroDivisionError), BodyShare(budget) as share:
        share.add(LIMIT)
        raise ZeroDivisionError

    assert budget.held_bytes == 0
