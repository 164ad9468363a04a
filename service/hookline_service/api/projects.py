"""Routes of projects."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from hookline_service.api.endpoints import (
    Answer,
    AnyEndpoint,
    Call,
    Endpoint,
    NoBody,
    NoQuery,
    PageQuery,
    Shape,
)
from hookline_service.api.values import Time
from hookline_service.model.projects import Deployment, Project
from hookline_service.use_cases.projects import create_project, delete_project, get_project


class ProjectAnswer(Answer):
    """A project; `active_deployment` is null when nothing is deployed."""

    id: str
    name: str
    display_name: str
    created_at: Time
    updated_at: Time
    active_deployment: str | None


class ProjectBody(Shape):
    """A new project's name, as manifests will have it."""

    name: Annotated[str, Field(min_length=1, max_length=200)]


class ProjectPage(Answer):
    """All projects, by name."""

    items: list[ProjectAnswer]
    next: str | None = None


async def list_projects(call: Call[PageQuery, NoBody]) -> ProjectPage:
    """All projects; there are few, so one page holds them all."""
    store = call.services.store
    return ProjectPage(
        items=[
            _answer(project, await store.find_active_deployment(project.id))
            for project in await store.list_projects()
        ]
    )


async def add_project(call: Call[NoQuery, ProjectBody]) -> ProjectAnswer:
    """Make a project of which nothing is deployed yet."""
    services = call.services
    return _answer(await create_project(services.store, services.clock, call.body.name), None)


async def show_project(call: Call[NoQuery, NoBody]) -> ProjectAnswer:
    """One project."""
    store = call.services.store
    project = await get_project(store, call.path["project"])
    return _answer(project, await store.find_active_deployment(project.id))


async def remove_project(call: Call[NoQuery, NoBody]) -> None:
    """Delete one project with everything in it."""
    services = call.services
    project = await get_project(services.store, call.path["project"])
    await delete_project(services.store, services.engine, project)
    services.on_project_changed(project.id)
    services.on_schedules_changed()


def _answer(project: Project, active: Deployment | None) -> ProjectAnswer:
    return ProjectAnswer(
        id=project.id,
        name=project.name,
        display_name=project.display_name,
        created_at=project.created_at,
        updated_at=project.updated_at,
        active_deployment=active.id if active else None,
    )


ENDPOINTS: tuple[AnyEndpoint, ...] = (
    Endpoint(
        method="GET",
        path="/projects",
        summary="All projects, by name",
        handle=list_projects,
        query=PageQuery,
        body=NoBody,
        answer=ProjectPage,
    ),
    Endpoint(
        method="POST",
        path="/projects",
        summary="Make a project, to set its variables before the first deploy",
        handle=add_project,
        query=NoQuery,
        body=ProjectBody,
        answer=ProjectAnswer,
        status=201,
    ),
    Endpoint(
        method="GET",
        path="/projects/{project}",
        summary="One project, by name or id",
        handle=show_project,
        query=NoQuery,
        body=NoBody,
        answer=ProjectAnswer,
    ),
    Endpoint(
        method="DELETE",
        path="/projects/{project}",
        summary="Stop what the project runs and delete it with everything in it",
        handle=remove_project,
        query=NoQuery,
        body=NoBody,
        status=204,
    ),
)
