from __future__ import annotations

import jsonschema_rs
import pytest
from starlette.routing import Route

from hookline_service.api.application import ENDPOINTS, create_api
from hookline_service.api.openapi import openapi_document
from tests.builders.service import a_service

DOCUMENT = openapi_document(ENDPOINTS)


def _operations():
    return {
        (method.upper(), path): operation
        for path, item in DOCUMENT["paths"].items()
        for method, operation in item.items()
    }


def test_the_document_describes_exactly_the_routes_that_are_served():
    app = create_api(a_service().services)
    served = {
        (method, route.path)
        for route in app.routes  # pyright: ignore[reportAttributeAccessIssue]
        if isinstance(route, Route) and route.path.startswith("/api/v1/")
        for method in route.methods or ()
        if method != "HEAD"
    }

    assert served - {("GET", "/api/v1/openapi.json")} == set(_operations())


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda each: each.name)
def test_parameters_in_the_document_are_those_of_the_route(endpoint):
    operation = _operations()[endpoint.method, "/api/v1" + endpoint.path]
    told = [(each["in"], each["name"]) for each in operation["parameters"]]
    fields = endpoint.query.model_fields.items()

    expected = [("path", name) for name in endpoint.parameters]
    expected += [("query", field.alias or name) for name, field in fields]
    assert told == expected


def test_every_reference_leads_somewhere():
    text = str(DOCUMENT)
    names = {part.partition("'")[0] for part in text.split("#/components/schemas/")[1:]}

    assert names <= set(DOCUMENT["components"]["schemas"])


def test_operations_have_names_and_summaries_of_their_own():
    operations = list(_operations().values())

    assert len({each["operationId"] for each in operations}) == len(operations)
    assert all(each["summary"] for each in operations)


async def test_answers_are_as_the_document_says():
    service = a_service()
    deployed = await service.deploy()
    async with service.client() as client:
        await client.post(deployed["triggers"][0]["url"], json={"a": 1})
        session = service.engine.started[0][0].id
        await service.engine.print_line(session, "hello")
        trigger = (await client.get("/api/v1/triggers")).json()["items"][0]["id"]
        paths = {
            "/projects": {},
            "/projects/{project}": {"project": "hello"},
            "/projects/{project}/vars": {"project": "hello"},
            "/deployments": {},
            "/deployments/{deployment}": {"deployment": deployed["deployment"]},
            "/builds": {},
            "/builds/{build}": {"build": deployed["build"]},
            "/triggers": {},
            "/triggers/{trigger}/matches": {"trigger": trigger},
            "/schedules": {},
            "/schedules/{project}/{name}": {"project": "hello", "name": "nightly"},
            "/events": {},
            "/sessions": {},
            "/sessions/{session}": {"session": session},
            "/sessions/{session}/log": {"session": session},
            "/sessions/{session}/activities": {"session": session},
            "/sessions/{session}/attempts": {"session": session},
            "/runners": {},
            "/version": {},
        }
        for path, values in paths.items():
            operation = _operations()["GET", "/api/v1" + path]
            schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
            validator = jsonschema_rs.Draft202012Validator(
                {**schema, "components": DOCUMENT["components"]}
            )

            answer = (await client.get("/api/v1" + path.format(**values))).json()

            validator.validate(answer)
