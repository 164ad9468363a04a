"""The routes of the API as a table for people."""

from __future__ import annotations

from hookline_service.api.application import ENDPOINTS
from hookline_service.api.endpoints import AnyEndpoint, NoBody


def routes_table() -> str:
    """The routes as a Markdown table, for docs/http-api.md."""
    lines = ["| Request | Query | Body | Answer | Meaning |", "|---|---|---|---|---|"]
    lines += [_row(endpoint) for endpoint in ENDPOINTS]
    return "\n".join(lines) + "\n"


def _row(endpoint: AnyEndpoint) -> str:
    names = [field.alias or name for name, field in endpoint.query.model_fields.items()]
    query = ", ".join(f"`{name}`" for name in names)
    answer = f"{endpoint.status}"
    if endpoint.streams:
        answer += ", or a stream"
    request = f"`{endpoint.method} {endpoint.path}`"
    return f"| {request} | {query} | {_body(endpoint)} | {answer} | {endpoint.summary} |"


def _body(endpoint: AnyEndpoint) -> str:
    if endpoint.body is bytes:
        return f"`{endpoint.body_media}`"
    if endpoint.body is NoBody:
        return ""
    fields = endpoint.body.model_fields.items()
    return ", ".join(f"`{name}`" if field.is_required() else f"`{name}`?" for name, field in fields)
