"""What a runner host says of a build may have been written by foreign code in the project's environment."""

from __future__ import annotations

from typing import Any

import pytest

from hookline_service.engine.pool import prepared_of


@pytest.mark.parametrize("value", [None, 5, "text", {"a": 1}, [1, [], {}, None]])
def test_what_is_not_of_its_form_is_left_out(value: Any) -> None:
    prepared = prepared_of({"ok": True, "modules": [], "provided": value, "stdlib": value})

    assert prepared.modules == {}
    assert prepared.provided == prepared.stdlib == frozenset()


def test_names_beside_what_is_not_of_its_form_stay() -> None:
    prepared = prepared_of(
        {"ok": True, "modules": {"a.py": {}}, "provided": ["a", 1], "stdlib": []}
    )

    assert prepared.modules == {"a.py": {}}
    assert prepared.provided == {"a"}
