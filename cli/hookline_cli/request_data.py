"""The data of a webhook's event, composed on the command line."""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Callable, Sequence
from typing import Any

import click

from hookline.errors import HooklineError
from hookline.header_rules import is_token, problem_of_header
from hookline.values import to_tree
from hookline_cli.client import Service
from hookline_cli.display import note
from hookline_cli.failures import ArgumentInvalidError
from hookline_cli.json_values import JsonObject
from hookline_cli.options import read_bytes
from hookline_triggers.webhook import event_data, event_meta, with_files_as


def request_options(function: Callable[..., None]) -> Callable[..., None]:
    """The parts of a request: the function gets `request_data`, None when no part is given.

    Raises:
        ArgumentInvalidError: a header or parameter is not of its form.
    """

    @click.option(
        "--body",
        metavar="TEXT|@FILE",
        help="Call it with a webhook request that has this body; `@-` reads stdin.",
    )
    @click.option(
        "--header", "headers", metavar="NAME:VALUE", multiple=True, help="A header of the request."
    )
    @click.option(
        "--query",
        "parameters",
        metavar="NAME=VALUE",
        multiple=True,
        help="A query parameter of the request.",
    )
    @click.option("--method", metavar="METHOD", help="Method of the request.  [default: POST]")
    @functools.wraps(function)
    def command(*args: object, **kwargs: Any) -> None:  # Any: click's values, taken out by name
        body, headers = kwargs.pop("body"), kwargs.pop("headers")
        parameters, method = kwargs.pop("parameters"), kwargs.pop("method")
        is_given = any(part is not None for part in (body, method)) or headers or parameters
        kwargs["request_data"] = (
            request_data(body, headers, parameters, "POST" if method is None else method)
            if is_given
            else None
        )
        function(*args, **kwargs)

    return command


def request_data(
    body: str | None, headers: Sequence[str], parameters: Sequence[str], method: str
) -> JsonObject:
    """The data that a webhook's event would have, without `body.bytes`, which JSON has no form for. Raises as `request_options`."""
    pairs = [_header(text) for text in headers]
    if not is_token(method):
        raise ArgumentInvalidError(
            "--method", f"{method!r} is not a method; write one word, as in PUT"
        )
    query = "&".join("=".join(map(_quoted, _pair("--query", text, "="))) for text in parameters)
    target = f"/webhooks/run{'?' if query else ''}{query}".encode()
    fields = [(name.encode(), os.fsencode(value)) for name, value in pairs]
    data = event_data(
        event_meta(method, target, "run", fields), None if body is None else read_bytes(body)
    )
    return with_files_as({**data, "body": {**data["body"], "bytes": None}}, to_tree)


def tell_of_missing_request(service: Service, request: JsonObject, session: JsonObject) -> None:
    """If a webhook's function was run without the data of a request, and failed, say how it gets some."""
    if "input" in request or session["state"] != "error":
        return
    triggers: list[JsonObject] = []
    with contextlib.suppress(HooklineError):  # the session's own end is what counts
        triggers = service.list_newest("/triggers", limit=1000, project=str(session["project"]))
    kinds = {one.get("kind") for one in triggers if one.get("call") == session["entry_point"]}
    if "webhook" in kinds:
        note(
            "hint: a webhook calls this function; give it a request with --body, --header, --query or --method"
        )


def _pair(option: str, text: str, sign: str) -> tuple[str, str]:
    name, found, value = text.partition(sign)
    if not found or not name.strip():
        raise ArgumentInvalidError(option, f"{text!r} is not of the form NAME{sign}VALUE")
    return name, value


def _header(text: str) -> tuple[str, str]:
    name, value = (part.strip(" \t") for part in _pair("--header", text, ":"))
    problem = problem_of_header(name, value)
    if problem is not None:
        raise ArgumentInvalidError("--header", f"{text!r} is not a valid header: {problem}")
    return name, value


def _quoted(text: str) -> str:
    from urllib.parse import quote

    return quote(text, safe="")
