"""The socket at which runner hosts find the service, made again when somebody takes it away."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from pathlib import Path

import anyio
from anyio.abc import TaskStatus

logger = logging.getLogger(__name__)

_LOOK_S = 1.0

LinkFactory = Callable[[], asyncio.BaseProtocol]


async def keep_links(
    path: Path, factory: LinkFactory, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED
) -> None:
    """Listen at the path until this task is cancelled; it is started once hosts can connect.

    Links that there are live on when the socket is taken away, but no further host would find it.
    """
    server = await _listen(path, factory)
    try:
        made = _identity_of(path)
        task_status.started()
        while True:
            await anyio.sleep(_LOOK_S)
            if _identity_of(path) == made:
                continue
            logger.warning("the socket of runner hosts is gone; making it again")
            server.close()  # first: it may remove what has its name
            try:
                server = await _listen(path, factory)
            except OSError as exc:
                logger.warning("the socket cannot be made yet", extra={"reason": str(exc)})
                continue
            made = _identity_of(path)
    finally:
        server.close()


async def _listen(path: Path, factory: LinkFactory) -> asyncio.Server:
    _make_way(path)
    loop = asyncio.get_running_loop()
    server = await loop.create_unix_server(factory, path=str(path))
    os.chmod(path, 0o600)  # noqa: PTH101 - done at once
    return server


def _make_way(path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.unlink(missing_ok=True)


def _identity_of(path: Path) -> tuple[int, int] | None:
    try:
        found = path.lstat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
