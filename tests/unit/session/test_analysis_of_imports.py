from __future__ import annotations

from typing import Any

import pytest

from hookline_runner.analysis import analyse


def imports_of(source: str) -> dict[str, dict[str, Any]]:
    module: Any = analyse({"main.py": source.encode()})["main.py"]
    return {each["module"]: each for each in module["imports"]}


@pytest.mark.parametrize(
    ("source", "fact"),
    [
        ("try:\n    import fast\nexcept ImportError:\n    fast = None\n", "in_try"),
        ("try:\n    from fast import x\nexcept ImportError:\n    x = None\n", "in_try"),
        ("try:\n    import other\nexcept ImportError:\n    import fast\n", "in_try"),
        ("if TYPE_CHECKING:\n    import fast\n", "type_checking"),
        ("if typing.TYPE_CHECKING:\n    from fast import x\n", "type_checking"),
        ("def f():\n    import fast\n", "lazy"),
        ("def f():\n    if a:\n        import fast\n", "lazy"),
    ],
)
def test_an_optional_import_is_known_as_such(source: str, fact: str) -> None:
    found = imports_of(source)

    assert found["fast"][fact] is True


@pytest.mark.parametrize(
    "source",
    [
        "import fast\n",
        "try:\n    x = 1\nfinally:\n    import fast\n",
        "if TYPE_CHECKING:\n    x = 1\nelse:\n    import fast\n",
    ],
)
def test_an_import_that_always_runs_is_not_optional(source: str) -> None:
    found = imports_of(source)

    assert not found["fast"]["in_try"]
    assert not found["fast"]["type_checking"]
    assert not found["fast"]["lazy"]
