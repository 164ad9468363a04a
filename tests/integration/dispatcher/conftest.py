"""A dispatcher and a ticker over each store."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hookline_service.storage.protocols import Store
from hookline_service.storage.sqlite import open_sqlite_store
from tests.builders.dispatching import DispatchRig, a_dispatch_rig
from tests.fakes.memory_store import MemoryStore


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(params=["sqlite", "memory"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    chosen: Store = (
        MemoryStore()
        if request.param == "memory"
        else await open_sqlite_store(tmp_path / "hookline.db")
    )
    yield chosen
    await chosen.aclose()


@pytest.fixture
def rig(store: Store) -> DispatchRig:
    return a_dispatch_rig(store)
