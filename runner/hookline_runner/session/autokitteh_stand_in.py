"""Modules to take the place of the package `autokitteh` where it is not installed: its core, without client helpers."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, TypeVar

import hookline
from hookline.activities import ACTIVITY_MARK, INHIBIT_MARK
from hookline_runner.session.autokitteh_functions import LIVE, PACKAGE

CLIENT_MODULES: Final = frozenset(
    [
        "airtable",
        "anthropic",
        "asana",
        "atlassian",
        "auth0",
        "aws",
        "azurebot",
        "discord",
        "github",
        "google",
        "hubspot",
        "kubernetes",
        "linear",
        "microsoft",
        "notion",
        "oauth2_session",
        "openai",
        "pipedrive",
        "pydantic",
        "reddit",
        "salesforce",
        "slack",
        "telegram",
        "twilio",
        "zoom",
    ]
)


_Class = TypeVar("_Class", bound=type)


def _of(module: str) -> Callable[[_Class], _Class]:
    """Say in which module of the package the class is; there pickle looks for it."""

    def move(cls: _Class) -> _Class:
        cls.__module__ = f"{PACKAGE}.{module}"
        return cls

    return move


@_of("attr_dict")
class AttrDict(hookline.AttrDict):
    """See `hookline.AttrDict`."""

    __slots__ = ()


@_of("event")
@dataclass
class Event:
    """What a session is started with; id and type are None for a manual start."""

    data: AttrDict
    event_id: str | None = None
    event_type: str | None = None


@_of("signals")
@dataclass
class Signal:
    """What another session, or the end of a child session, sends."""

    name: str
    payload: Any = None


@_of("errors")
class AutoKittehError(Exception):
    """Root of the package's errors."""


@_of("errors")
class ConnectionInitError(AutoKittehError):
    """The connection has no credentials yet."""

    def __init__(self, connection: str) -> None:
        super().__init__(f"AutoKitteh connection {connection!r} not initialized")


@_of("errors")
class EnvVarError(AutoKittehError):
    """An environment variable is missing or invalid."""

    def __init__(self, env_var: str, desc: str) -> None:
        super().__init__(f"Environment variable {env_var!r} is {desc}")


@_of("errors")
class OAuthRefreshError(AutoKittehError):
    """A connection gets no fresh token."""

    def __init__(self, connection: str, error: object) -> None:
        super().__init__(f"OAuth refresh failed for {connection!r} connection: {error}")


@_of("errors")
class AtlassianOAuthError(AutoKittehError):
    """A connection authorized with OAuth cannot be used for this."""

    def __init__(self, connection: str) -> None:
        super().__init__(f"API calls need a connection with a token; {connection!r} uses OAuth")


@_of("errors")
class AuthenticationError(Exception):
    """Credentials were refused."""

    def __init__(self, connection: str, reason: str) -> None:
        super().__init__(f"Authentication failed for connection {connection!r}: {reason}")


@_of("store")
class Op(StrEnum):
    """Operations of `mutate_value`."""

    SET = "set"
    GET = "get"
    DEL = "del"
    ADD = "add"
    CHECK_AND_SET = "check_and_set"


def check_connection_name(connection: str) -> None:
    """Raises `ValueError` unless a connection can be called so."""
    if not re.fullmatch(r"[A-Za-z_]\w*", connection):
        raise ValueError(f"{connection!r} is not the name of a connection")


def _exports() -> dict[str, Any]:
    """The names of the package itself."""
    exports: dict[str, Any] = {}
    for name, names in _CORE.items():
        if name not in _NOT_EXPORTED:
            exports |= {key: one for key, one in names.items() if key not in _NOT_EXPORTED}
    exports["AutoKittehError"] = AutoKittehError
    return {**exports, "__all__": ["errors", *exports]}


_CORE: Final[Mapping[str, Mapping[str, Any]]] = {
    "activities": {
        "ACTIVITY_ATTR": ACTIVITY_MARK,
        "INHIBIT_ACTIVITIES_ATTR": INHIBIT_MARK,
        "activity": hookline.activity,
        "inhibit_activities": hookline.inhibit_activities,
        **LIVE[f"{PACKAGE}.activities"],
    },
    "attr_dict": {"AttrDict": AttrDict},
    "connections": {
        "check_connection_name": check_connection_name,
        **LIVE[f"{PACKAGE}.connections"],
    },
    "errors": {
        "AtlassianOAuthError": AtlassianOAuthError,
        "AuthenticationError": AuthenticationError,
        "AutoKittehError": AutoKittehError,
        "ConnectionInitError": ConnectionInitError,
        "EnvVarError": EnvVarError,
        "OAuthRefreshError": OAuthRefreshError,
    },
    "event": {"Event": Event},
    "events": LIVE[f"{PACKAGE}.events"],
    "outcomes": LIVE[f"{PACKAGE}.outcomes"],
    "packages": LIVE[f"{PACKAGE}.packages"],
    "signals": {"Signal": Signal, **LIVE[f"{PACKAGE}.signals"]},
    "store": {
        "Op": Op,
        "get_store_public_url": hookline.get_store_public_url,
        **LIVE[f"{PACKAGE}.store"],
    },
    "triggers": {"get_webhook_url": hookline.get_webhook_url},
}
_NOT_EXPORTED: Final = frozenset(
    {"ACTIVITY_ATTR", "INHIBIT_ACTIVITIES_ATTR", "Op", "Store", "connections", "errors", "packages"}
)

SUB_MODULES: Final = tuple(f"{PACKAGE}.{name}" for name in _CORE)
# The names of each module, and of the package, whose sub-modules have to be there first.
MODULES: Final[Mapping[str, Mapping[str, Any]]] = {
    **{f"{PACKAGE}.{name}": names for name, names in _CORE.items()},
    PACKAGE: _exports(),
}
