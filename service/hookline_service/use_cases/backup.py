"""A copy of the database while the service runs."""

from __future__ import annotations

import secrets
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio

from hookline_service.storage.protocols import Store


@asynccontextmanager
async def backup_file(store: Store, scratch: Path) -> AsyncGenerator[Path, None]:
    """A consistent copy in a file under `scratch`, which is deleted at the end.

    It holds sealed secrets, but not the key that opens them.
    """
    path = scratch / f"backup-{secrets.token_hex(8)}.sqlite3"
    await anyio.Path(scratch).mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        await store.backup(path)
        yield path
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.Path(path).unlink(missing_ok=True)
