"""A package laid out as `autokitteh` is, whose functions do nothing: what is installed, where no network is wanted."""

from __future__ import annotations

from pathlib import Path

_FUNCTIONS = {
    "activities": ["register_no_activity"],
    "connections": ["encode_jwt", "refresh_oauth"],
    "events": ["next_event", "start", "subscribe", "unsubscribe"],
    "outcomes": ["http_outcome", "outcome"],
    "packages": ["install"],
    "signals": ["next_signal", "signal"],
    "store": [
        *["add_values", "check_and_set_value", "del_value", "get_value", "list_values_keys"],
        *["mutate_value", "publish_value", "set_value", "unpublish_value"],
    ],
}
_CLASSES = {
    "activities": """
def activity(function):
    function.__ak_activity__ = True
    return function

def inhibit_activities(function):
    function.__ak_inhibit_activities__ = True
    return function
""",
    "attr_dict": """
class AttrDict(dict):
    def __getattr__(self, name):
        try:
            value = self[name]
        except KeyError:
            raise AttributeError(name) from None
        return AttrDict(value) if isinstance(value, dict) else value
""",
    "errors": """
class AutoKittehError(Exception): pass
class ConnectionInitError(AutoKittehError):
    def __init__(self, connection):
        super().__init__(f"{connection} not initialized")
class OAuthRefreshError(AutoKittehError):
    def __init__(self, connection, error):
        super().__init__(f"{connection}: {error}")
""",
    "event": """
from dataclasses import dataclass
@dataclass
class Event:
    data: dict
    event_id: str | None
    event_type: str | None
""",
    "signals": """
from dataclasses import dataclass
@dataclass
class Signal:
    name: str
    payload: object = None
""",
    "store": """
from enum import StrEnum
class Op(StrEnum):
    ADD = "add"
    CHECK_AND_SET = "check_and_set"
class Store(dict): pass
store = Store()
""",
    "triggers": "from hookline import get_webhook_url\n",
    "openai": "from .connections import refresh_oauth\n",
    "pydantic": "def openai_pydantic_ai_provider(connection): return connection\n",
}


def an_inert_package(directory: Path) -> Path:
    """Write the package below this directory; returns the directory, to be put on the path."""
    package = directory / "autokitteh"
    package.mkdir(parents=True)
    for module in sorted(_FUNCTIONS.keys() | _CLASSES.keys()):
        inert = [
            f"def {name}(*args, **kwargs):\n    return 'inert'\n"
            for name in _FUNCTIONS.get(module, [])
        ]
        (package / f"{module}.py").write_text(_CLASSES.get(module, "") + "".join(inert))
    (package / "__init__.py").write_text(
        "from . import errors\n"
        "from .activities import activity, inhibit_activities, register_no_activity\n"
        "from .attr_dict import AttrDict\n"
        "from .errors import AutoKittehError\n"
        "from .event import Event\n"
        f"from .events import {', '.join(_FUNCTIONS['events'])}\n"
        f"from .outcomes import {', '.join(_FUNCTIONS['outcomes'])}\n"
        f"from .signals import Signal, {', '.join(_FUNCTIONS['signals'])}\n"
        f"from .store import store, {', '.join(_FUNCTIONS['store'])}\n"
        "from .triggers import get_webhook_url\n"
    )
    return directory
