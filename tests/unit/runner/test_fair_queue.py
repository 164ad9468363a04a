from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from hookline_runner.fair_queue import FairQueue

SHARE = 64 * 1024


def emptied(queue: FairQueue[str]) -> list[str]:
    found: list[str] = []
    while queue:
        found.append(queue.pop())
    return found


def test_a_project_with_little_to_say_goes_before_the_rest_of_one_with_much() -> None:
    queue: FairQueue[str] = FairQueue()
    for number in range(100):
        queue.push("loud", 1, SHARE, f"loud {number}")
    queue.push("quiet", 2, 10, "quiet")

    order = emptied(queue)

    assert order.index("quiet") <= 2
    assert [each for each in order if each != "quiet"] == [f"loud {n}" for n in range(100)]


def test_projects_get_equal_shares_of_bytes_however_they_cut_them() -> None:
    queue: FairQueue[str] = FairQueue()
    for number in range(100):
        queue.push("large", 1, 8 * SHARE, f"large {number}")
    for number in range(10_000):
        queue.push("small", 2, SHARE // 8, f"small {number}")

    first = [queue.pop() for _ in range(2_000)]

    large = sum(each.startswith("large") for each in first) * 8 * SHARE
    small = sum(each.startswith("small") for each in first) * SHARE // 8
    assert abs(large - small) <= 16 * SHARE


def test_within_a_project_each_key_has_its_turn() -> None:
    queue: FairQueue[str] = FairQueue()
    for number in range(50):
        queue.push("one", "loud", SHARE, f"loud {number}")
    queue.push("one", "quiet", 10, "quiet")

    assert emptied(queue).index("quiet") == 1


def test_a_share_is_not_saved_up_while_nothing_waits() -> None:
    queue: FairQueue[str] = FairQueue()
    for _ in range(50):
        queue.push("idler", 1, 1, "idler")
        queue.push("other", 2, SHARE, "other")
        emptied(queue)
    for _ in range(50):
        queue.push("idler", 1, SHARE, "idler")
        queue.push("other", 2, SHARE, "other")

    first = [queue.pop() for _ in range(20)]

    assert abs(first.count("idler") - first.count("other")) <= 2


def test_nothing_waits_of_what_is_empty() -> None:
    with pytest.raises(IndexError):
        FairQueue[str]().pop()


@given(
    st.lists(
        st.tuples(st.integers(0, 2), st.integers(0, 2), st.integers(0, 300_000), st.booleans())
    )
)
def test_every_item_comes_out_once_in_the_order_of_its_key_and_is_counted(
    steps: list[tuple[int, int, int, bool]],
) -> None:
    queue: FairQueue[tuple[tuple[int, int], int, int]] = FairQueue()
    pushed: list[tuple[tuple[int, int], int, int]] = []
    popped: list[tuple[tuple[int, int], int, int]] = []
    for number, (project, session, size, pops) in enumerate(steps):
        key = (project, session)
        pushed.append((key, number, size))
        queue.push(str(project), key, size, pushed[-1])
        if pops:
            popped.append(queue.pop())
        waiting = [each for each in pushed if each not in popped]
        assert queue.size_bytes == sum(each[2] for each in waiting)
        for each in {item[0] for item in pushed}:
            assert queue.bytes_of(each) == sum(item[2] for item in waiting if item[0] == each)
    while queue:
        popped.append(queue.pop())

    assert sorted(popped) == sorted(pushed)
    for key in {each[0] for each in pushed}:
        assert [each for each in popped if each[0] == key] == [
            each for each in pushed if each[0] == key
        ]
