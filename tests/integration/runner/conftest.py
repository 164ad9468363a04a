from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.builders.runner_host import Tether, need_bubblewrap


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(params=["sandbox", "plain"])
def sandbox(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The host's sandbox mode: every test runs contained and, where it can be, not."""
    if request.param == "plain":
        return "off"
    need_bubblewrap(tmp_path)
    return "require"


@pytest.fixture
def bubblewrap(tmp_path: Path) -> str:
    need_bubblewrap(tmp_path)
    return "require"


@pytest.fixture
def tether() -> Iterator[Tether]:
    made = Tether()
    yield made
    made.close()
