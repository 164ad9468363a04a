"""A Hookline service in memory, as the command line sees it: speaks the API, without network, store or runner."""

# ruff: noqa: ARG001 (every handler takes the same three things)
from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx2

Handler = Callable[["FakeService", httpx2.Request, re.Match[str]], httpx2.Response]
_ROUTES: list[tuple[str, re.Pattern[str], Handler]] = []

TOKEN = "hkl_test-token-0123456789"
URL = "http://fake.test:9980"


def route(method: str, path: str) -> Callable[[Handler], Handler]:
    def register(handler: Handler) -> Handler:
        pattern = re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path))
        _ROUTES.append((method, pattern, handler))
        return handler

    return register


@dataclass
class FakeService(httpx2.BaseTransport):
    """Holds what tests put in, answers as the service would, remembers what it was asked."""

    things: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    logs: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    variables: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    deploy_events: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    requests: list[httpx2.Request] = field(default_factory=list)
    failures: list[BaseException] = field(default_factory=list)
    records_per_connection: int | None = None
    silent_streams: bool = False
    waits_until_final: int = 0
    absent_projects: set[str] = field(default_factory=set)
    sent_event: dict[str, Any] = field(default_factory=dict)
    stored: dict[str, Any] = field(default_factory=dict)
    matches: dict[str, Any] = field(default_factory=dict)
    has_past: bool = True

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        request.read()
        self.requests.append(request)
        if self.failures:
            raise self.failures.pop(0)
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            return refusal(401, "unauthenticated", "unauthenticated", "a token is needed")
        for method, pattern, handler in _ROUTES:
            match = pattern.fullmatch(request.url.path.removeprefix("/api/v1"))
            if method == request.method and match:
                return handler(self, request, match)
        return refusal(404, "not_found", "route.not_found", f"no route {request.url.path}")

    def find(self, kind: str, name: str) -> dict[str, Any] | None:
        listed = self.things.get(kind, [])
        return next((one for one in listed if name in {one.get("id"), one.get("name")}), None)

    def sent(self, method: str, path: str) -> list[httpx2.Request]:
        return [r for r in self.requests if r.method == method and r.url.path == f"/api/v1{path}"]


def refusal(status: int, kind: str, code: str, message: str, **details: Any) -> httpx2.Response:
    error = {"kind": kind, "code": code, "message": message, "details": details}
    return httpx2.Response(status, json={"error": error})


def sse(name: str, data: dict[str, Any], event_id: object = None) -> bytes:
    head = f"id: {event_id}\n" if event_id is not None else ""
    return f"{head}event: {name}\ndata: {json.dumps(data)}\n\n".encode()


class Stream(httpx2.SyncByteStream):
    """Chunks, at the end of which the connection may break."""

    def __init__(self, chunks: list[bytes], failure: Exception | None = None) -> None:
        self._chunks = chunks
        self._failure = failure

    def __iter__(self) -> Iterator[bytes]:
        yield from self._chunks
        if self._failure:
            raise self._failure


def streamed(stream: Stream) -> httpx2.Response:
    return httpx2.Response(200, headers={"content-type": "text/event-stream"}, stream=stream)


@route("GET", "/version")
def _version(fake: FakeService, request: httpx2.Request, match: re.Match[str]) -> httpx2.Response:
    return httpx2.Response(200, json={"version": "9.8.7"})


@route("GET", "/backup")
def _backup(fake: FakeService, request: httpx2.Request, match: re.Match[str]) -> httpx2.Response:
    return httpx2.Response(200, content=b"SQLite format 3\x00")


@route("GET", "/builds/{id}/archive")
def _archive(fake: FakeService, request: httpx2.Request, match: re.Match[str]) -> httpx2.Response:
    return httpx2.Response(200, content=b"tar")


@route("GET", "/projects/{project}/vars")
def _vars(fake: FakeService, request: httpx2.Request, match: re.Match[str]) -> httpx2.Response:
    if (project := match["project"]) in fake.absent_projects:
        return refusal(404, "not_found", "project.not_found", f"project {project!r} not found")
    revealed = request.url.params.get("reveal") == "1"
    scope = request.url.params.get("scope")
    items = [
        {**one, "value": one["value"] if revealed or not one["secret"] else "********"}
        for one in fake.variables.get(match["project"], {}).values()
        if scope is None or one["scope"] == scope
    ]
    return httpx2.Response(200, json={"items": items, "next": None})


@route("POST", "/projects")
def _make(fake: FakeService, request: httpx2.Request, match: re.Match[str]) -> httpx2.Response:
    project = json.loads(request.content)
    fake.absent_projects.discard(project["name"])
    fake.things.setdefault("projects", []).append({"id": "prj_1", **project})
    return httpx2.Response(201, json=project)


@route("PUT", "/projects/{project}/vars/{name}")
def _put(fake: FakeService, request: httpx2.Request, match: re.Match[str]) -> httpx2.Response:
    given = {name: one for name, one in json.loads(request.content).items() if one is not None}
    scope = request.url.params.get("scope", "")
    key = f"{scope}.{match['name']}" if scope else match["name"]
    before = fake.variables.setdefault(match["project"], {}).get(key)
    former = before or {"name": match["name"], "scope": scope, "secret": False, "description": ""}
    fake.variables[match["project"]][key] = {**former, **given}
    return httpx2.Response(200, json=fake.variables[match["project"]][key])


@route("DELETE", "/projects/{project}/vars/{name}")
def _unset(fake: FakeService, request: httpx2.Request, match: re.Match[str]) -> httpx2.Response:
    if fake.variables.get(match["project"], {}).pop(match["name"], None) is None:
        return refusal(404, "not_found", "var.not_found", f"variable {match['name']!r} not found")
    return httpx2.Response(204)


@route("POST", "/deployments")
def _deploy(fake: FakeService, request: httpx2.Request, match: re.Match[str]) -> httpx2.Response:
    chunks = [b": heartbeat\n\n", *(sse(name, data) for name, data in fake.deploy_events)]
    return streamed(Stream(chunks))


@route("POST", "/events")
def _send(fake: FakeService, request: httpx2.Request, match: re.Match[str]) -> httpx2.Response:
    sent = {"event": "evt_1", "sessions": ["ses_1"], "duplicate": False}
    return httpx2.Response(202, json=fake.sent_event or sent)


@route("POST", "/events/redispatch")
def _again_many(
    fake: FakeService, request: httpx2.Request, match: re.Match[str]
) -> httpx2.Response:
    counts = {"events": 5, "sessions": 4, "woken": 1, "skipped": 1, "cut": False}
    if not fake.has_past:
        counts |= {"events": 0, "sessions": 0, "woken": 0, "skipped": 0}
    return httpx2.Response(202, json=counts)


@route("GET", "/projects/{id}/store")
def _keys(fake: FakeService, request: httpx2.Request, match: re.Match[str]) -> httpx2.Response:
    return httpx2.Response(200, json={"items": sorted(fake.stored), "next": None})


@route("GET", "/projects/{id}/store/value")
def _value(fake: FakeService, request: httpx2.Request, match: re.Match[str]) -> httpx2.Response:
    key = request.url.params["key"]
    value = fake.stored.get(key, {}).get("value")
    return httpx2.Response(200, json={"key": key, "value": value})


@route("PUT", "/projects/{id}/store/value")
def _keep(fake: FakeService, request: httpx2.Request, match: re.Match[str]) -> httpx2.Response:
    fake.stored[request.url.params["key"]] = json.loads(request.content)
    return httpx2.Response(200, json={})


@route("DELETE", "/projects/{id}/store/value")
def _drop(fake: FakeService, request: httpx2.Request, match: re.Match[str]) -> httpx2.Response:
    fake.stored.pop(request.url.params["key"], None)
    return httpx2.Response(204)


@route("POST", "/sessions/{id}/signals")
def _signal(fake: FakeService, request: httpx2.Request, match: re.Match[str]) -> httpx2.Response:
    return httpx2.Response(204)


@route("POST", "/events/{id}/redispatch")
def _again(fake: FakeService, request: httpx2.Request, match: re.Match[str]) -> httpx2.Response:
    return httpx2.Response(202, json={"event": "evt_2", "sessions": ["ses_2"], "duplicate": False})


@route("POST", "/sessions")
def _start(fake: FakeService, request: httpx2.Request, match: re.Match[str]) -> httpx2.Response:
    body = json.loads(request.content)
    session = fake.find("sessions", "next")
    if session is None:
        return refusal(
            404, "not_found", "project.not_found", f"project {body['project']!r} not found"
        )
    return httpx2.Response(201, json={**session, "id": session["id"], "state": "created"})


@route("GET", "/sessions/{id}/log")
def _log(fake: FakeService, request: httpx2.Request, match: re.Match[str]) -> httpx2.Response:
    params = request.url.params
    after = int(params.get("after") or request.headers.get("last-event-id") or 0)
    records = [one for one in fake.logs.get(match["id"], []) if one["seq"] > after]
    if request.headers["accept"] == "text/event-stream":
        return _stream_log(fake, match["id"], records)
    if params.get("order") == "desc":
        records.reverse()
    return httpx2.Response(
        200, json={"items": records[: int(params.get("limit", 50))], "next": None}
    )


def _stream_log(
    fake: FakeService, session_id: str, records: list[dict[str, Any]]
) -> httpx2.Response:
    if fake.silent_streams:
        return streamed(Stream([b": heartbeat\n\n"], httpx2.ReadTimeout("silence")))
    shown = records[: fake.records_per_connection]
    chunks = [sse("log", one, one["seq"]) for one in shown]
    if len(shown) < len(records):
        return streamed(Stream(chunks, httpx2.ReadError("reset by peer")))
    return streamed(
        Stream([*chunks, sse("end", {"session": fake.find("sessions", session_id) or {}})])
    )


@route("GET", "/sessions/{id}/activities")
def _acts(fake: FakeService, request: httpx2.Request, match: re.Match[str]) -> httpx2.Response:
    return httpx2.Response(200, json={"items": fake.things.get("activities", []), "next": None})


@route("GET", "/sessions/{id}/wait")
def _wait(fake: FakeService, request: httpx2.Request, match: re.Match[str]) -> httpx2.Response:
    session = fake.find("sessions", match["id"]) or {}
    fake.waits_until_final -= 1
    if fake.waits_until_final <= 0 and "final" in session:
        session["state"] = session.pop("final")
    return httpx2.Response(200, json=session)


@route("POST", "/{kind}/{id}/{verb}")
@route("POST", "/{kind}/{project}/{name}/{verb}")
def _act(fake: FakeService, request: httpx2.Request, match: re.Match[str]) -> httpx2.Response:
    groups = match.groupdict()
    name = groups.get("id") or f"{groups['project']}/{groups['name']}"
    found = fake.find(groups["kind"], name)
    if found is None:
        return refusal(404, "not_found", f"{groups['kind'][:-1]}.not_found", f"{name!r} not found")
    return httpx2.Response(200, json={**found, "done": groups["verb"]})


_RECORDS = [
    {
        "position": position,
        "session": f"ses_{position:026d}",
        "project": "shop",
        "at": f"2026-03-0{position}T12:00:00.000Z",
        "kind": "print",
        "level": "",
        "text": f"line {position}",
    }
    for position in range(1, 6)
]
_STATUS: dict[str, Any] = {
    "version": "0.1.0",
    "url": "http://127.0.0.1:9980",
    "started_at": "2026-03-01T12:00:00.000Z",
    "ready": True,
    "reason": "",
    "projects": 2,
    "sessions": {"created": 0, "running": 1, "waiting": 7},
    "ended": {"completed": 3, "error": 1, "stopped": 0},
    "runners": 1,
    "capacity": 50,
    "busy": 1,
    "sandbox": ["bubblewrap"],
    "disk_free_bytes": 5 * 1024**3,
}


@route("GET", "/logs")
def _logs(fake: FakeService, request: httpx2.Request, match: re.Match[str]) -> httpx2.Response:
    params = request.url.params
    limit, before = min(int(params["limit"]), 2), int(params.get("before", 99))
    text = params.get("text", "")
    items = [one for one in _RECORDS[::-1] if one["position"] < before and text in one["text"]]
    page = items[:limit]
    end = len(items) <= limit
    after = 0 if end else page[-1]["position"]
    return httpx2.Response(200, json={"items": page, "next": after, "end": end})


@route("GET", "/status")
def _status(fake: FakeService, request: httpx2.Request, match: re.Match[str]) -> httpx2.Response:
    return httpx2.Response(200, json={**_STATUS, **fake.sent_event})


@route("POST", "/prune")
def _prune(fake: FakeService, request: httpx2.Request, match: re.Match[str]) -> httpx2.Response:
    counts = {"sessions": 3, "deployments": 2, "builds": 1}
    return httpx2.Response(200, json=counts if fake.has_past else dict.fromkeys(counts, 0))


@route("GET", "/{kind}")
def _list(fake: FakeService, request: httpx2.Request, match: re.Match[str]) -> httpx2.Response:
    params = request.url.params
    if (project := params.get("project")) in fake.absent_projects:
        return refusal(404, "not_found", "project.not_found", f"project {project!r} not found")
    names = ("project", "state")
    items = [
        one
        for one in reversed(fake.things.get(match["kind"], []))
        if all(params.get(name) in {None, one.get(name)} for name in names)
    ]
    if params.get("before"):
        items = items[[one["id"] for one in items].index(params["before"]) + 1 :]
    page = items[: min(int(params.get("limit", 50)), 2)]  # small pages, so that tests turn them
    more = page[-1]["id"] if len(page) < len(items) else None
    return httpx2.Response(200, json={"items": page, "next": more})


@route("GET", "/triggers/{id}/matches")
def _matches(fake: FakeService, request: httpx2.Request, match: re.Match[str]) -> httpx2.Response:
    if not fake.matches:
        return refusal(429, "rate_limited", "rate_limited", "another trigger is looked at")
    return httpx2.Response(200, json=fake.matches)


@route("GET", "/{kind}/{id}")
@route("GET", "/{kind}/{project}/{name}")
def _get(fake: FakeService, request: httpx2.Request, match: re.Match[str]) -> httpx2.Response:
    groups = match.groupdict()
    name = groups.get("id") or f"{groups['project']}/{groups['name']}"
    found = fake.find(groups["kind"], name)
    if found is None:
        kind = groups["kind"].removesuffix("s")
        return refusal(404, "not_found", f"{kind}.not_found", f"{kind} {name!r} not found")
    return httpx2.Response(200, json=found)


@route("DELETE", "/{kind}/{id}")
def _delete(fake: FakeService, request: httpx2.Request, match: re.Match[str]) -> httpx2.Response:
    found = fake.find(match["kind"], match["id"])
    if found is None:
        return refusal(404, "not_found", "not_found", f"{match['id']!r} not found")
    fake.things[match["kind"]].remove(found)
    return httpx2.Response(204)
