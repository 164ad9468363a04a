"""Builds: finding them, and deleting those that nothing needs."""

from __future__ import annotations

from hookline_service.model.errors import BuildNotFoundError
from hookline_service.model.ids import BuildId
from hookline_service.model.projects import Build
from hookline_service.storage.protocols import BuildStore


async def get_build(store: BuildStore, build_id: str) -> Build:
    """The build.

    Raises:
        BuildNotFoundError: there is none.
    """
    build = await store.find_build(BuildId(build_id))
    if build is None:
        raise BuildNotFoundError(build_id)
    return build


async def delete_build(store: BuildStore, build_id: str) -> None:
    """Delete a build.

    Raises:
        BuildNotFoundError: there is none.
        BuildInUseError: a deployment or a session names it.
    """
    build = await get_build(store, build_id)
    await store.delete_build(build.id)
