"""The HTTP client of the service: JSON in, JSON out, every failure one of `failures`."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, BinaryIO, Self

from hookline_cli.failures import (
    AnswerError,
    NotHooklineError,
    ServiceNotRunningError,
    ServiceUnreachableError,
)
from hookline_cli.json_values import JsonObject, as_object, object_of, objects_in
from hookline_cli.sse import ServerEvent, read_events
from hookline_cli.target import Target, find_target, is_loopback

if TYPE_CHECKING:
    import httpx2

_API = "/api/v1"
_CONNECT_TIMEOUT_S = 5.0
# Longer than the silence between two heartbeats of a live stream, and than one `wait`.
_READ_TIMEOUT_S = 60.0
_PAGE = 1000

# Any: values of a query, as the HTTP client takes them; None leaves the parameter out.
Query = Any


class Service:
    """One service, spoken to as its API wants it. Close it, or use it in a `with` statement."""

    def __init__(self, target: Target, transport: httpx2.BaseTransport | None = None) -> None:
        import httpx2

        self.target = target
        headers = {"Accept": "application/json"}
        if target.token is not None:
            # Leaves the process only in this header.
            headers["Authorization"] = f"Bearer {target.token.reveal()}"
        self._client = httpx2.Client(
            headers=headers,
            timeout=httpx2.Timeout(_READ_TIMEOUT_S, connect=_CONNECT_TIMEOUT_S),
            # A proxy from the environment cannot reach this machine's loopback.
            trust_env=not is_loopback(target.url),
            transport=transport,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._client.close()

    def refresh(self) -> None:
        """Find the service again: after a restart it may listen elsewhere.

        Raises:
            ServiceNotRunningError: see `find_target`.
        """
        if self.target.home is not None:
            url = find_target(home=str(self.target.home), url=None, token=None).url
            self.target = Target(url=url, token=self.target.token, home=self.target.home)

    def get(self, path: str, **query: Query) -> JsonObject:
        """The object at this path."""
        return self._exchange("GET", path, query)

    def list_newest(self, path: str, *, limit: int, **query: Query) -> list[JsonObject]:
        """Up to `limit` items of a listing, newest first, over as many pages as it takes."""
        items: list[JsonObject] = []
        before: str | None = None
        while len(items) < limit:
            page = self.get(path, limit=min(limit - len(items), _PAGE), before=before, **query)
            found = objects_in(page, "items")
            items += found
            before = page.get("next")
            if not before or not found:
                break
        return items[:limit]

    def post(self, path: str, body: JsonObject | None = None, **query: Query) -> JsonObject:
        """What the service answers to this request."""
        return self._exchange("POST", path, query, body or {})

    def put(self, path: str, body: JsonObject, **query: Query) -> JsonObject:
        """What the service answers to this replacement."""
        return self._exchange("PUT", path, query, body)

    def delete(self, path: str, **query: Query) -> None:
        """Delete what stands at this path."""
        self._exchange("DELETE", path, query)

    def download(self, path: str, file: BinaryIO) -> int:
        """Write what stands at this path into the file; returns its size in bytes."""
        size = 0
        with self._stream("GET", path, {}, {"Accept": "*/*"}) as response:
            for chunk in response.iter_bytes():
                file.write(chunk)
                size += len(chunk)
        return size

    def events(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Query] | None = None,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
        silence_s: float = _READ_TIMEOUT_S,
    ) -> Generator[ServerEvent]:
        """Server-sent events, until the service ends the stream or is silent for `silence_s`.

        An answer that is no stream comes as one event of the name `answer`.
        """
        all_headers = {"Accept": "text/event-stream", **(headers or {})}
        request = (method, path, query or {}, all_headers)
        with self._stream(*request, content=content, silence_s=silence_s) as response:
            if response.headers.get("content-type", "").startswith("text/event-stream"):
                yield from read_events(response.iter_bytes())
            else:
                response.read()
                yield ServerEvent(name="answer", data=response.text)

    def _exchange(
        self, method: str, path: str, query: Mapping[str, Query], body: JsonObject | None = None
    ) -> JsonObject:
        with self._translated():
            response = self._client.request(
                method, self._url(path), params=_without_none(query), json=body
            )
        self._check(response)
        return self._decode(response)

    @contextlib.contextmanager
    def _stream(
        self,
        method: str,
        path: str,
        query: Mapping[str, Query],
        headers: Mapping[str, str],
        *,
        content: bytes | None = None,
        silence_s: float = _READ_TIMEOUT_S,
    ) -> Generator[httpx2.Response]:
        import httpx2

        with (
            self._translated(),
            self._client.stream(
                method,
                self._url(path),
                params=_without_none(query),
                headers=dict(headers),
                content=content,
                timeout=httpx2.Timeout(silence_s, connect=_CONNECT_TIMEOUT_S),
            ) as response,
        ):
            if response.is_error:
                response.read()
            self._check(response)
            yield response

    def _url(self, path: str) -> str:
        return f"{self.target.url}{_API}{path}"

    @contextlib.contextmanager
    def _translated(self) -> Generator[None]:
        import httpx2

        url = self.target.url
        try:
            yield
        except httpx2.ConnectError as exc:
            raise ServiceNotRunningError(f"at {url}") from exc
        except httpx2.TimeoutException as exc:
            raise ServiceUnreachableError(url, "no answer in time") from exc
        except (httpx2.InvalidURL, httpx2.UnsupportedProtocol) as exc:
            raise ServiceUnreachableError(url, "this is not the URL of a service") from exc
        except httpx2.HTTPError as exc:
            raise ServiceUnreachableError(url, str(exc) or type(exc).__name__) from exc

    def _check(self, response: httpx2.Response) -> None:
        if not response.is_error and not response.is_redirect:
            return
        try:
            failure = error_of(as_object(response.content)["error"])
        except (ValueError, KeyError, TypeError) as exc:
            raise NotHooklineError(self.target.url, response.status_code) from exc
        raise failure

    def _decode(self, response: httpx2.Response) -> JsonObject:
        if not response.content:
            return {}
        try:
            return as_object(response.text)
        except ValueError as exc:
            raise NotHooklineError(self.target.url, response.status_code) from exc


def error_of(error: JsonObject) -> AnswerError:
    """The exception for an error object of the service."""
    return AnswerError(
        kind=str(error["kind"]),
        code=str(error["code"]),
        message=str(error["message"]),
        details=object_of(error.get("details")) or {},
    )


def _without_none(query: Mapping[str, Query]) -> dict[str, str | int]:
    return {
        name: int(value) if isinstance(value, bool) else value
        for name, value in query.items()
        if value is not None
    }
