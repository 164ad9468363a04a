"""Routes of builds."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from hookline_service.api.endpoints import (
    Answer,
    AnyEndpoint,
    Call,
    Endpoint,
    NoBody,
    NoQuery,
    PageQuery,
)
from hookline_service.api.names import Names, load_names
from hookline_service.api.values import ProjectKey, Time, json_value
from hookline_service.model.projects import Build
from hookline_service.use_cases.builds import delete_build, get_build
from hookline_service.use_cases.projects import get_project

TAR = "application/x-tar"


class BuildsQuery(PageQuery):
    """Which builds."""

    project: ProjectKey | None = None


class BuildAnswer(Answer):
    """A build; `files` counts them, `environment` names the Python environment."""

    id: str
    project: str
    environment: str
    files: int
    size_bytes: int
    created_at: Time


class BuildDetail(BuildAnswer):
    """A build with its manifest as it was understood."""

    manifest: Any  # JSON, as the manifest room writes it


class BuildPage(Answer):
    """Builds, newest first."""

    items: list[BuildAnswer]
    next: str | None = None


async def list_builds(call: Call[BuildsQuery, NoBody]) -> BuildPage:
    """Builds, newest first."""
    store = call.services.store
    key = call.query.project
    project_id = (await get_project(store, key)).id if key else None
    builds = await store.list_builds(project_id, call.query.limit)
    names = await load_names(store, (build.project_id for build in builds))
    return BuildPage(items=[BuildAnswer(**_fields(build, names)) for build in builds])


async def show_build(call: Call[NoQuery, NoBody]) -> BuildDetail:
    """One build."""
    build = await get_build(call.services.store, call.path["build"])
    names = await load_names(call.services.store, [build.project_id])
    return BuildDetail(**_fields(build, names), manifest=json_value(build.manifest))


async def remove_build(call: Call[NoQuery, NoBody]) -> None:
    """Delete one build that nothing needs."""
    await delete_build(call.services.store, call.path["build"])


async def download_build(call: Call[NoQuery, NoBody]) -> Response:
    """The build's files as a tar."""
    build = await get_build(call.services.store, call.path["build"])
    archive = await call.services.store.get_archive(build.id)
    headers = {"Content-Disposition": f'attachment; filename="{build.id}.tar"'}
    return Response(archive, headers=headers, media_type=TAR)


def _fields(build: Build, names: Names) -> dict[str, Any]:
    return {
        "id": build.id,
        "project": names.project(build.project_id),
        "environment": build.environment,
        "files": build.file_count,
        "size_bytes": build.size_bytes,
        "created_at": build.created_at,
    }


ENDPOINTS: tuple[AnyEndpoint, ...] = (
    Endpoint(
        method="GET",
        path="/builds",
        summary="Builds, newest first",
        handle=list_builds,
        query=BuildsQuery,
        body=NoBody,
        answer=BuildPage,
    ),
    Endpoint(
        method="GET",
        path="/builds/{build}",
        summary="One build with its manifest",
        handle=show_build,
        query=NoQuery,
        body=NoBody,
        answer=BuildDetail,
    ),
    Endpoint(
        method="DELETE",
        path="/builds/{build}",
        summary="Delete a build that no deployment and no session needs",
        handle=remove_build,
        query=NoQuery,
        body=NoBody,
        status=204,
    ),
    Endpoint(
        method="GET",
        path="/builds/{build}/archive",
        summary="The build's files as an uncompressed tar",
        handle=download_build,
        query=NoQuery,
        body=NoBody,
        media=TAR,
    ),
)
