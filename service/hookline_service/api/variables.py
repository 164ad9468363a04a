"""Routes of variables."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from hookline_service.api.endpoints import (
    Answer,
    AnyEndpoint,
    Call,
    Endpoint,
    NoBody,
    PageQuery,
    Shape,
)
from hookline_service.api.values import Time
from hookline_service.use_cases.projects import get_project
from hookline_service.use_cases.variables import (
    NewVariable,
    ShownVariable,
    delete_variable,
    list_variables,
    set_variable,
)

Scope = Annotated[str, Field(max_length=200)]


class VariablesQuery(PageQuery):
    """Which variables; without `scope` all, with an empty one the project's own."""

    scope: Scope | None = None
    reveal: bool = False


class ScopeQuery(Shape):
    """Whose variable: a connection's, or the project's when empty."""

    scope: Scope = ""


class VariableBody(Shape):
    """A value to set; `secret` and `description` left out stay as they are, or as the manifest declares them."""

    value: str
    secret: bool | None = None
    description: Annotated[str, Field(max_length=1000)] | None = None


class VariableAnswer(Answer):
    """A variable; the value of a secret is stars unless it was to be revealed.

    `warning` says why one that was set may be of no use; else it is null.
    """

    name: str
    scope: str
    value: str
    secret: bool
    description: str
    updated_at: Time
    warning: str | None = None


class VariablePage(Answer):
    """Variables by scope and name."""

    items: list[VariableAnswer]
    next: str | None = None


async def show_variables(call: Call[VariablesQuery, NoBody]) -> VariablePage:
    """Variables of a project and its connections."""
    services = call.services
    project = await get_project(services.store, call.path["project"])
    shown = await list_variables(
        services.store,
        services.box,
        project.id,
        scope=call.query.scope,
        reveal=call.query.reveal,
    )
    return VariablePage(items=[_answer(variable) for variable in shown])


async def put_variable(call: Call[ScopeQuery, VariableBody]) -> VariableAnswer:
    """Set one variable."""
    services = call.services
    project = await get_project(services.store, call.path["project"])
    new = NewVariable(
        scope=call.query.scope,
        name=call.path["name"],
        value=call.body.value,
        is_secret=call.body.secret,
        description=call.body.description,
    )
    shown = await set_variable(services.store, services.box, services.clock, project.id, new)
    services.on_project_changed(project.id)
    return _answer(shown)


async def remove_variable(call: Call[ScopeQuery, NoBody]) -> None:
    """Delete one variable."""
    services = call.services
    project = await get_project(services.store, call.path["project"])
    await delete_variable(services.store, project.id, call.query.scope, call.path["name"])
    services.on_project_changed(project.id)


def _answer(shown: ShownVariable) -> VariableAnswer:
    return VariableAnswer(
        name=shown.variable.name,
        scope=shown.variable.scope,
        value=shown.value,
        secret=shown.variable.is_secret,
        description=shown.variable.description,
        updated_at=shown.variable.updated_at,
        warning=shown.doubt or None,
    )


ENDPOINTS: tuple[AnyEndpoint, ...] = (
    Endpoint(
        method="GET",
        path="/projects/{project}/vars",
        summary="Variables of a project and its connections",
        handle=show_variables,
        query=VariablesQuery,
        body=NoBody,
        answer=VariablePage,
    ),
    Endpoint(
        method="PUT",
        path="/projects/{project}/vars/{name}",
        summary="Set a variable; sessions that start from now on see it",
        handle=put_variable,
        query=ScopeQuery,
        body=VariableBody,
        answer=VariableAnswer,
    ),
    Endpoint(
        method="DELETE",
        path="/projects/{project}/vars/{name}",
        summary="Delete a variable",
        handle=remove_variable,
        query=ScopeQuery,
        body=NoBody,
        status=204,
    ),
)
