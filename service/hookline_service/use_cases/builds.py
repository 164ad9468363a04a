"""Builds: finding them, and deleting those that nothing needs."""

from __future__ import annotations

from typing import Protocol

from hookline_service.model.errors import BuildNotFoundError
from hookline_service.model.ids import BuildId
from hookline_service.model.projects import Build


class BuildReads(Protocol):
    """The part of the store that finds builds."""

    async def find_build(self, build_id: BuildId) -> Build | None:
        """See `ProjectStore.find_build`."""
        ...


class BuildRemoval(BuildReads, Protocol):
    """The part of the store that deletes builds."""

    async def delete_build(self, build_id: BuildId) -> None:
        """See `ProjectStore.delete_build`."""
        ...


async def get_build(store: BuildReads, build_id: str) -> Build:
    """The build.

    Raises:
        BuildNotFoundError: there is none.
    """
    build = await store.find_build(BuildId(build_id))
    if build is None:
        raise BuildNotFoundError(build_id)
    return build


async def delete_build(store: BuildRemoval, build_id: str) -> None:
    """Delete a build.

    Raises:
        BuildNotFoundError: there is none.
        BuildInUseError: a deployment or a session names it.
    """
    build = await get_build(store, build_id)
    await store.delete_build(build.id)
