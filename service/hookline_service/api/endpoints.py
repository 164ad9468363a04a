"""How a route is declared: one value per route, from which both serving and the OpenAPI document are made."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response

from hookline_service.api.services import ApiServices

BASE = "/api/v1"
JSON_LIMIT_BYTES = 1024 * 1024
MAX_SEQ = 2**63 - 1

Query = TypeVar("Query", bound=BaseModel)
Body = TypeVar("Body", bound="BaseModel | bytes")

_PARAMETER = re.compile(r"{(\w+)}")


class Shape(BaseModel):
    """Base of what is read from a request: unknown fields are refused, so that a typo is not lost."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Answer(BaseModel):
    """Base of what is answered."""

    model_config = ConfigDict(frozen=True)


class NoQuery(Shape):
    """No query parameters."""


class NoBody(Shape):
    """No body; an empty JSON object is let through."""


class PageQuery(Shape):
    """Paging: newest first, at most `limit`, older than the id `before`."""

    limit: Annotated[int, Field(ge=1, le=1000)] = 50
    before: Annotated[str, Field(max_length=64)] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Call(Generic[Query, Body]):
    """One request, parsed: what a handler gets."""

    services: ApiServices
    request: Request
    path: Mapping[str, str]
    query: Query
    body: Body

    @property
    def wants_stream(self) -> bool:
        """True when the client asks for server-sent events."""
        return "text/event-stream" in self.request.headers.get("accept", "")


Outcome = BaseModel | Response | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint(Generic[Query, Body]):
    """One route.

    `path` is under `BASE`. A handler's model is rendered as JSON with `status`, None as an empty answer, a
    `Response` is sent as it is; `media` names the type of such a response where it is not JSON, and `streams`
    says that server-sent events can be asked for instead. `is_open`: no token is needed.
    """

    method: str
    path: str
    summary: str
    handle: Callable[[Call[Query, Body]], Awaitable[Outcome]]
    query: type[Query]
    body: type[Body]
    answer: type[BaseModel] | None = None
    status: int = 200
    media: str = "application/json"
    body_media: str = "application/json"
    streams: bool = False
    is_open: bool = False
    variant: str = ""

    @property
    def name(self) -> str:
        """A unique name: the handler's, with `variant` where a handler has several paths."""
        return getattr(self.handle, "__name__", self.path) + self.variant

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of the path's parameters, in order."""
        return tuple(_PARAMETER.findall(self.path))


AnyEndpoint = Endpoint[Any, Any]
