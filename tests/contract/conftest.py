"""One suite for every store: the real one and the fake."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hookline_service.storage.protocols import Store
from hookline_service.storage.sqlite import open_sqlite_store
from hookline_service.use_cases.value_keys import ValueKeys
from tests.builders.sealing import a_box
from tests.fakes.memory_store import MemoryStore


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def gate() -> ValueKeys:
    """The gate of the store under test, with a key."""
    keys = ValueKeys()
    keys.use(a_box(), (bytes(32),))
    return keys


@pytest.fixture(params=["sqlite", "memory"])
async def store(
    request: pytest.FixtureRequest, tmp_path: Path, gate: ValueKeys
) -> AsyncIterator[Store]:
    store: Store = (
        MemoryStore(gate)
        if request.param == "memory"
        else await open_sqlite_store(tmp_path / "hookline.db", gate=gate)
    )
    yield store
    await store.aclose()
