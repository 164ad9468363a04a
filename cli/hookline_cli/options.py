"""Options that many commands share, and how a command gets its service."""

from __future__ import annotations

import functools
import math
import os
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

import click

from hookline import json_text
from hookline_cli.client import Service
from hookline_cli.failures import (
    AnswerError,
    ArgumentInvalidError,
    SessionNotFoundHereError,
    TriggerNotFoundHereError,
)
from hookline_cli.json_values import JsonObject
from hookline_cli.paths import GivenDirectory, read_file
from hookline_cli.target import DEFAULT_HOME, find_target
from hookline_service.model.likeness import nearest

if TYPE_CHECKING:
    import httpx2

Arguments = ParamSpec("Arguments")
# Any: click calls a command with the values of its parameters.
Command = TypeVar("Command", bound=Callable[..., Any])

_MOST_TRIGGERS = 10_000
_MOST_PROJECTS = 1000
_MINUS_BEFORE_VALUE = re.compile(r"-(\.?\d|Infinity|.*\s)", re.DOTALL)
_QUOTED = (b"{", b"[", b'"')
_UTF_16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_SESSION_ID = re.compile(r"ses_[0-9a-hjkmnp-tv-z]{26}")

json_option = click.option(
    "--json", "as_json", is_flag=True, help="Write one JSON document on stdout."
)


def project_option(function: Callable[..., None]) -> Callable[..., None]:
    """A project to narrow a listing to: by position, as where one must be named, or by option.

    Raises:
        click.UsageError: two different ones are named.
    """

    @click.argument("named_project", metavar="[PROJECT]", required=False)
    @click.option("-p", "--project", metavar="PROJECT", help="Only for this project.")
    @functools.wraps(function)
    def command(*args: object, **kwargs: object) -> None:
        named, by_option = kwargs.pop("named_project"), kwargs["project"]
        if named and by_option and named != by_option:
            raise click.UsageError(f"two projects are named: {named} and {by_option}")
        kwargs["project"] = by_option or named
        function(*args, **kwargs)

    return command


def limit_option(default: int = 50) -> Callable[[Command], Command]:
    """The option that bounds a listing."""
    return click.option(
        "--limit",
        type=click.IntRange(1, 1_000_000),
        default=default,
        show_default=True,
        help="How many to show at most, newest first.",
    )


_PROJECT = GivenDirectory("; `hookline init {path}` makes a project there")


def project_files_options(command: Command) -> Command:
    """DIRECTORY with the files of a project, which manifest in it counts, and the name that the project gets."""
    directory = click.argument("directory", type=_PROJECT, default=".")
    manifest = click.option(
        "--manifest",
        metavar="FILE",
        help="Name of the manifest within the directory.  [default: hookline.yaml, else autokitteh.yaml]",
    )
    project = click.option(
        "-p", "--project", metavar="NAME", help="Name to use instead of the manifest's."
    )
    return directory(manifest(project(command)))


class FiniteNumber(click.FloatRange):
    """A number that is one, and not infinite."""

    def convert(
        self, value: float, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """See `click.ParamType.convert`."""
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{value} is not a finite number", param, ctx)
        return number


class ValueCommand(click.Command):
    """A command with a value among its arguments, which may be a negative number: that is no option."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """See `click.Command.parse_args`."""
        ctx.ignore_unknown_options = any(_MINUS_BEFORE_VALUE.match(arg) for arg in args)
        return super().parse_args(ctx, args)


timeout_option = click.option(
    "--timeout",
    type=FiniteNumber(min=0),
    metavar="SECONDS",
    help="Give up waiting after this time (exit code 4). By default, wait forever.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetOptions:
    """What the command line says about the service that is meant; see `find_target`."""

    home: str | None
    url: str | None
    token: str | None
    transport: httpx2.BaseTransport | None = None

    def connect(self) -> Service:
        """The service, which may turn out not to run. Raises as `find_target`."""
        target = find_target(home=self.home, url=self.url, token=self.token)
        return Service(target, self.transport)


def with_target(
    function: Callable[Concatenate[TargetOptions, Arguments], None],
) -> Callable[..., None]:
    """Add the options that say which service is meant, and call `function` with them."""

    @click.option(
        "--home",
        envvar="HOOKLINE_HOME",
        metavar="DIR",
        help=f"Home of the service on this machine.  [default: {DEFAULT_HOME}]",
    )
    @click.option("--url", envvar="HOOKLINE_URL", help="URL of the service, if it runs elsewhere.")
    @click.option("--token", envvar="HOOKLINE_TOKEN", help="Token of the service.")
    @functools.wraps(function)
    def command(
        *args: Arguments.args,
        **kwargs: Arguments.kwargs,
    ) -> None:
        home, url, token = (_taken(kwargs, name) for name in ("home", "url", "token"))
        transport = click.get_current_context().obj
        options = TargetOptions(home=home, url=url, token=token, transport=transport)
        function(options, *args, **kwargs)

    return command


def with_service(
    function: Callable[Concatenate[Service, Arguments], None],
) -> Callable[..., None]:
    """Add the options that say which service is meant, and call `function` with the service."""

    @with_target
    @functools.wraps(function)
    def command(
        options: TargetOptions,
        *args: Arguments.args,
        **kwargs: Arguments.kwargs,
    ) -> None:
        with options.connect() as service:
            function(service, *args, **kwargs)

    return command


def _taken(arguments: dict[str, object], name: str) -> str | None:
    value = arguments.pop(name)
    return None if value is None else str(value)


def session_id_of(service: Service, name: str) -> str:
    """The id itself, or that of the latest session of the project of this name; of a child, the one it all began with.

    Raises:
        SessionNotFoundHereError: the project has no session, or there is neither such a project nor such a session.
    """
    if _SESSION_ID.fullmatch(name):
        return name
    try:
        latest = service.list_newest("/sessions", limit=1, project=name)
    except AnswerError as exc:
        if exc.answer_code != "project.not_found":
            raise
        near = nearest(name, project_names(service))
        raise SessionNotFoundHereError(name, is_project=False, near=near) from exc
    if not latest:
        raise SessionNotFoundHereError(name)
    return str(_first_of_family(service, latest[0])["id"])


def _first_of_family(service: Service, session: JsonObject) -> JsonObject:
    """The session that no other of the project started: this one, or one above it that is still there."""
    while session.get("parent"):
        try:
            parent = service.get(f"/sessions/{segment(str(session['parent']))}")
        except AnswerError as exc:
            if exc.answer_code != "session.not_found":
                raise
            break
        if parent.get("project") != session.get("project"):
            break
        session = parent
    return session


def find_trigger(service: Service, name: str) -> JsonObject:
    """The trigger of this id, or of this PROJECT/NAME.

    Raises:
        TriggerNotFoundHereError: the project has no trigger of this name in force.
    """
    project, slash, trigger = name.partition("/")
    if not slash:
        return service.get(f"/triggers/{segment(name)}")
    triggers = service.list_newest("/triggers", limit=_MOST_TRIGGERS, project=project)
    for found in triggers:
        if found.get("name") == trigger:
            return found
    near = nearest(trigger, (str(found.get("name")) for found in triggers))
    raise TriggerNotFoundHereError(project, trigger, near)


def project_names(service: Service) -> list[str]:
    """What the projects of the service are called."""
    return [str(one.get("name")) for one in service.list_newest("/projects", limit=_MOST_PROJECTS)]


def segment(text: str) -> str:
    """The text as one segment of a path."""
    from urllib.parse import quote

    return quote(text, safe="")


def read_json(name: str, text: str | None) -> object:
    """A JSON value from the command line: the text itself, `@file`, or `@-` for stdin; None if none was given.

    Raises:
        ArgumentInvalidError: the text is not JSON, or what the service would not take.
        FileUnusableError: the file cannot be read.
    """
    if text is None:
        return None
    source = read_bytes(text)
    try:
        if source.startswith(_UTF_16_MARKS):  # a file of a Windows shell
            source = source.decode("utf-16").encode()
        value: object = json_text.read_given(source)
    except ValueError as exc:
        hint = "" if source[:1] in _QUOTED else ". A text needs double quotes, as in '\"text\"'"
        raise ArgumentInvalidError(name, f"not JSON: {exc}{hint}") from exc
    if json_text.is_deeper(value):
        most = json_text.MAX_DEPTH
        raise ArgumentInvalidError(name, f"more than {most} levels of nesting")
    return value


def read_bytes(text: str) -> bytes:
    """What `@file` or `@-` names, else the bytes of the text itself.

    Raises:
        FileUnusableError: the file cannot be read.
    """
    if not text.startswith("@"):
        return os.fsencode(text)
    if text == "@-":
        return sys.stdin.buffer.read()
    return read_file(Path(text[1:]))
