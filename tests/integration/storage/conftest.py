from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hookline_service.storage.sqlite import SqliteStore, open_sqlite_store


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "home" / "hookline.db"


@pytest.fixture
async def store(path: Path) -> AsyncIterator[SqliteStore]:
    async with await open_sqlite_store(path) as store:
        yield store
