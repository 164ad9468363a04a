"""Routes of deployments, but for the deploy itself."""

from __future__ import annotations

from typing import Any

from hookline_service.api.deploy import DEPLOY
from hookline_service.api.endpoints import (
    Answer,
    AnyEndpoint,
    Call,
    Endpoint,
    NoBody,
    NoQuery,
    PageQuery,
)
from hookline_service.api.names import load_names
from hookline_service.api.values import ProjectKey, Time
from hookline_service.model.ids import DeploymentId
from hookline_service.model.projects import Deployment, DeploymentState
from hookline_service.use_cases.deployments import activate_deployment
from hookline_service.use_cases.projects import get_project


class DeploymentsQuery(PageQuery):
    """Which deployments."""

    project: ProjectKey | None = None


class DeploymentAnswer(Answer):
    """A deployment; `sessions` counts its sessions by state."""

    id: str
    project: str
    build: str
    state: str
    created_at: Time
    activated_at: Time | None
    sessions: dict[str, int]


class DeploymentPage(Answer):
    """Deployments, newest first."""

    items: list[DeploymentAnswer]
    next: str | None


async def list_deployments(call: Call[DeploymentsQuery, NoBody]) -> DeploymentPage:
    """Deployments, newest first."""
    store, query = call.services.store, call.query
    project_id = (await get_project(store, query.project)).id if query.project else None
    before = DeploymentId(query.before) if query.before else None
    found = await store.list_deployments(project_id, query.limit + 1, before)
    page = found[: query.limit]
    return DeploymentPage(
        items=[await _answer(call, deployment) for deployment in page],
        next=page[-1].id if len(found) > len(page) else None,
    )


async def show_deployment(call: Call[NoQuery, NoBody]) -> DeploymentAnswer:
    """One deployment."""
    return await _answer(call, await call.services.store.get_deployment(_id(call)))


async def remove_deployment(call: Call[NoQuery, NoBody]) -> None:
    """Delete one inactive deployment."""
    deployment = await call.services.store.get_deployment(_id(call))
    await call.services.store.delete_deployment(deployment.id)


async def activate(call: Call[NoQuery, NoBody]) -> DeploymentAnswer:
    """Make one deployment the active one."""
    services = call.services
    deployment = await activate_deployment(
        services.store, services.schedule_lock, services.clock, _id(call)
    )
    return await _changed(call, deployment)


async def deactivate(call: Call[NoQuery, NoBody]) -> DeploymentAnswer:
    """Take one deployment out of force."""
    return await _set_state(call, DeploymentState.INACTIVE)


async def test(call: Call[NoQuery, NoBody]) -> DeploymentAnswer:
    """Put one deployment in state testing."""
    return await _set_state(call, DeploymentState.TESTING)


async def _set_state(call: Call[NoQuery, NoBody], state: DeploymentState) -> DeploymentAnswer:
    async with call.services.schedule_lock:
        deployment = await call.services.store.set_deployment_state(_id(call), state)
    return await _changed(call, deployment)


async def _changed(call: Call[Any, Any], deployment: Deployment) -> DeploymentAnswer:
    call.services.on_project_changed(deployment.project_id)
    call.services.on_schedules_changed()
    return await _answer(call, deployment)


async def _answer(call: Call[Any, Any], deployment: Deployment) -> DeploymentAnswer:
    store = call.services.store
    names = await load_names(store, [deployment.project_id])
    counts = await store.count_sessions(deployment.id)
    return DeploymentAnswer(
        id=deployment.id,
        project=names.project(deployment.project_id),
        build=deployment.build_id,
        state=deployment.state,
        created_at=deployment.created_at,
        activated_at=deployment.activated_at,
        sessions={state.value: count for state, count in counts.items()},
    )


def _id(call: Call[Any, Any]) -> DeploymentId:
    return DeploymentId(call.path["deployment"])


def _one(method: str, path: str, summary: str, handle: Any, status: int = 200) -> AnyEndpoint:
    return Endpoint(
        method=method,
        path=path,
        summary=summary,
        handle=handle,
        query=NoQuery,
        body=NoBody,
        answer=None if handle is remove_deployment else DeploymentAnswer,
        status=status,
    )


_ONE = "/deployments/{deployment}"

ENDPOINTS: tuple[AnyEndpoint, ...] = (
    DEPLOY,
    Endpoint(
        method="GET",
        path="/deployments",
        summary="Deployments, newest first",
        handle=list_deployments,
        query=DeploymentsQuery,
        body=NoBody,
        answer=DeploymentPage,
    ),
    _one("GET", _ONE, "One deployment", show_deployment),
    _one("DELETE", _ONE, "Delete an inactive deployment and its sessions", remove_deployment, 204),
    _one(
        "POST", f"{_ONE}/activate", "Make it the active one; its triggers come into force", activate
    ),
    _one("POST", f"{_ONE}/deactivate", "Deactivate it; its sessions continue", deactivate),
    _one("POST", f"{_ONE}/test", "Let it run by hand, without active triggers", test),
)
