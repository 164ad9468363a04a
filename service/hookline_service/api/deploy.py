"""The route that deploys a project."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field
from starlette.responses import Response

from hookline_service.api.endpoints import Answer, Call, Endpoint, Shape
from hookline_service.api.serving import json_response
from hookline_service.api.streams import EventSender, EventStream
from hookline_service.api.values import Time
from hookline_service.model.errors import Finding
from hookline_service.use_cases.deploy import Deployed, Deployer, DeployRequest

_CREATED = 201
_OK = 200


class DeployQuery(Shape):
    """What to do with the archive: `manifest` names a file in it, `project` overrides the manifest's name."""

    dry_run: bool = False
    manifest: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    project: Annotated[str, Field(min_length=1, max_length=200)] | None = None


class FindingAnswer(Answer):
    """One thing worth a warning; `line` and `column` count from 1."""

    level: str
    code: str
    file: str
    line: int
    column: int
    message: str
    hint: str
    source: str


class DeployedTrigger(Answer):
    """A trigger that is now in force; `url` is set for webhooks, `description` and `next_fire_at` for schedules."""

    name: str
    kind: str
    url: str | None
    description: str
    next_fire_at: Time | None


class PlannedStep(Answer):
    """One thing that the deploy created, updated or deleted."""

    type: str
    name: str
    detail: str


class DeployAnswer(Answer):
    """What a deploy did, or with `dry_run` would do."""

    project: str
    build: str
    deployment: str | None
    dry_run: bool
    triggers: list[DeployedTrigger]
    warnings: list[FindingAnswer]
    plan: list[PlannedStep]
    environment: str
    created_build: bool


async def deploy_project(call: Call[DeployQuery, bytes]) -> Response:
    """Deploy the project in the body."""
    services = call.services
    deployer = Deployer(
        store=services.store,
        preparer=services.preparer,
        box=services.box,
        clock=services.clock,
        settings=services.settings,
        lock=services.schedule_lock,
        on_schedules_changed=services.on_schedules_changed,
        on_project_changed=services.on_project_changed,
    )
    request = DeployRequest(
        archive=call.body,
        manifest_name=call.query.manifest,
        project=call.query.project,
        is_dry_run=call.query.dry_run,
    )
    if call.wants_stream:

        async def produce(sender: EventSender) -> None:
            async def progress(text: str) -> None:
                await sender.event("progress", {"text": text})

            deployed = await deployer.deploy(request, progress)
            await sender.event("result", _answer(deployed).model_dump())

        return EventStream(produce, services.settings.event_stream_heartbeat_s)
    deployed = await deployer.deploy(request, _ignore)
    return json_response(_answer(deployed).model_dump(), _OK if deployed.is_dry_run else _CREATED)


async def _ignore(_: str) -> None:
    return


def _answer(deployed: Deployed) -> DeployAnswer:
    return DeployAnswer(
        project=deployed.project,
        build=deployed.build_id,
        deployment=deployed.deployment_id,
        dry_run=deployed.is_dry_run,
        triggers=[
            DeployedTrigger(
                name=each.name,
                kind=each.kind,
                url=each.url,
                description=each.description,
                next_fire_at=each.next_fire_at,
            )
            for each in deployed.triggers
        ],
        warnings=[_finding(finding) for finding in deployed.warnings],
        plan=[
            PlannedStep(type=step.type, name=step.name, detail=step.detail)
            for step in deployed.plan
        ],
        environment=deployed.environment,
        created_build=deployed.created_build,
    )


def _finding(finding: Finding) -> FindingAnswer:
    fields: dict[str, Any] = {name: getattr(finding, name) for name in FindingAnswer.model_fields}
    return FindingAnswer(**fields)


DEPLOY: Endpoint[DeployQuery, bytes] = Endpoint(
    method="POST",
    path="/deployments",
    summary="Deploy a project: validate, build, make it the active deployment",
    handle=deploy_project,
    query=DeployQuery,
    body=bytes,
    answer=DeployAnswer,
    status=_CREATED,
    body_media="application/x-tar",
    streams=True,
)
