from __future__ import annotations

import pytest

from hookline_service.dispatcher.plans import joined_reasons


@pytest.mark.parametrize(
    ("count", "end"),
    [(1, "trigger 't0': no"), (20, "trigger 't19': no"), (21, "and 1 more"), (500, "and 480 more")],
)  # fmt: skip
def test_the_reasons_of_very_many_triggers_are_told_shortly(count: int, end: str) -> None:
    text = joined_reasons([(f"t{number}", "no") for number in range(count)])

    assert text.endswith(end)
    assert text.count(": no") == min(count, 20)
