"""The OpenAPI document, made from the declared endpoints and their models."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, Literal

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from hookline_service.api.endpoints import BASE, AnyEndpoint, NoBody, NoQuery
from hookline_service.api.version import version

_REF = "#/components/schemas/{model}"
_HEADING = re.compile(r"^/([^/]+)")
_ERRORS = {
    "400": "The request cannot be used; `details` says which field.",
    "401": "No valid token.",
    "404": "The thing named in the path does not exist.",
    "409": "The present state forbids it.",
}

JsonObject = dict[str, Any]


def openapi_document(endpoints: Iterable[AnyEndpoint]) -> JsonObject:
    """The document that describes these endpoints."""
    declared = tuple(endpoints)
    schemas = _schemas(declared)
    paths: JsonObject = {}
    for endpoint in declared:
        operation = _operation(endpoint)
        paths.setdefault(BASE + endpoint.path, {})[endpoint.method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {"title": "Hookline", "version": version()},
        "servers": [{"url": "/"}],
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _schemas(endpoints: tuple[AnyEndpoint, ...]) -> JsonObject:
    wanted: list[tuple[type[BaseModel], Literal["serialization", "validation"]]] = []
    for endpoint in endpoints:
        if endpoint.answer is not None:
            wanted.append((endpoint.answer, "serialization"))
        if _has_json_body(endpoint):
            wanted.append((endpoint.body, "validation"))
    _, document = models_json_schema(list(dict.fromkeys(wanted)), ref_template=_REF)
    return {**document.get("$defs", {}), "Error": _error_schema()}


def _error_schema() -> JsonObject:
    text = {"type": "string"}
    fields = {"code": text, "kind": text, "message": text, "details": {"type": "object"}}
    inner = {"type": "object", "required": list(fields), "properties": fields}
    return {"type": "object", "required": ["error"], "properties": {"error": inner}}


def _has_json_body(endpoint: AnyEndpoint) -> bool:
    return endpoint.body is not bytes and endpoint.body is not NoBody


def _operation(endpoint: AnyEndpoint) -> JsonObject:
    heading = _HEADING.match(endpoint.path)
    operation: JsonObject = {
        "operationId": endpoint.name,
        "summary": endpoint.summary,
        "tags": [heading[1] if heading else ""],
        "parameters": [*_path_parameters(endpoint), *_query_parameters(endpoint.query)],
        "responses": _responses(endpoint),
    }
    if endpoint.is_open:
        operation["security"] = []
    if endpoint.body is bytes:
        binary = {"schema": {"type": "string", "format": "binary"}}
        operation["requestBody"] = {"required": True, "content": {endpoint.body_media: binary}}
    elif _has_json_body(endpoint):
        content = {endpoint.body_media: {"schema": _reference(endpoint.body)}}
        required = bool(_schema_of(endpoint.body, "validation").get("required"))
        operation["requestBody"] = {"required": required, "content": content}
    return operation


def _path_parameters(endpoint: AnyEndpoint) -> list[JsonObject]:
    schema = {"type": "string", "minLength": 1}
    return [
        {"name": name, "in": "path", "required": True, "schema": schema}
        for name in endpoint.parameters
    ]


def _query_parameters(model: type[BaseModel]) -> list[JsonObject]:
    if model is NoQuery:
        return []
    schema = _schema_of(model, "validation")
    required = schema.get("required", [])
    return [
        {
            "name": name,
            "in": "query",
            "required": name in required,
            "schema": _inlined(field, schema.get("$defs", {})),
        }
        for name, field in schema["properties"].items()
    ]


def _inlined(schema: Any, definitions: Mapping[str, Any]) -> Any:
    """The schema with references to the model's own definitions replaced by them; it has no cycles."""
    if isinstance(schema, list):
        return [_inlined(item, definitions) for item in schema]  # pyright: ignore[reportUnknownVariableType]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return definitions[schema["$ref"].rpartition("/")[2]]  # pyright: ignore[reportUnknownMemberType]
    return {key: _inlined(value, definitions) for key, value in schema.items()}  # pyright: ignore[reportUnknownVariableType]


@cache
def _schema_of(model: type[BaseModel], mode: Literal["serialization", "validation"]) -> JsonObject:
    return model.model_json_schema(mode=mode)


def _reference(model: type[BaseModel]) -> JsonObject:
    return {"$ref": _REF.format(model=model.__name__)}


def _responses(endpoint: AnyEndpoint) -> JsonObject:
    responses: JsonObject = {}
    if endpoint.answer is not None:
        content: JsonObject = {"application/json": {"schema": _reference(endpoint.answer)}}
        if endpoint.streams:
            content["text/event-stream"] = {"schema": {"type": "string"}}
        responses[str(endpoint.status)] = {"description": "Done.", "content": content}
    elif endpoint.status == _NO_CONTENT:
        responses["204"] = {"description": "Done; nothing to say."}
    else:
        content = {endpoint.media: {"schema": {}}}
        responses[str(endpoint.status)] = {"description": "Done.", "content": content}
    error = {"application/json": {"schema": {"$ref": _REF.format(model="Error")}}}
    for status, description in _ERRORS.items():
        responses[status] = {"description": description, "content": error}
    responses["default"] = {"description": "Any other failure.", "content": error}
    return responses


_NO_CONTENT = 204
