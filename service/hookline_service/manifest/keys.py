"""Every key a manifest may hold: the one table behind the parser, the JSON Schema and the docs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from hookline_triggers.definitions import DstPolicy, OverlapPolicy, TriggerKind

SYMBOL = r"^[A-Za-z_][A-Za-z0-9_]*$"
WORD = r"^[A-Za-z0-9_]+$"
PYTHON_VERSION = r"^3\.(1[1-9]|[2-9][0-9])(\.[0-9]{1,3})?$"
MAX_NAME = 128
MAX_VALUE_BYTES = 8092
MAX_VARIABLES = 64
MAX_TEXT = 10_000
MAX_ITEMS = 1000
MAX_PATTERNS = 200


def is_symbol(text: str) -> bool:
    """Whether a project, a trigger or a connection may be called this."""
    return len(text) <= MAX_NAME and re.fullmatch(SYMBOL, text) is not None


def is_variable_name(text: str) -> bool:
    """Whether a variable may be called this."""
    return len(text) <= MAX_NAME and re.fullmatch(WORD, text) is not None


class Shape(StrEnum):
    """What kind of value a key takes."""

    TEXT = "a string"
    SCALAR = "a string, a number or true/false"
    FLAG = "true or false"
    COUNT = "a whole number"
    NUMBER = "a number"
    DURATION = "a duration such as 90s or 1h30m"
    TEXTS = "a list of strings"
    TEXT_OR_TEXTS = "a string or a list of strings"
    MARKER = "an empty map, written {}"
    MAP = "a map"
    MAPS = "a list of maps"
    TEXTS_OR_MAPS = "a list of strings or maps"
    COUNT_OR_MAP = "a whole number or a map"


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One key: what it takes and what it means.

    `is_ours`: AutoKitteh does not know it, so that `autokitteh.yaml` cannot use it. `only`: the one kind of
    trigger it may stand on. `choices`, `pattern` (explained by `rule`), `least`, `most`, `max_length` and `max_items` narrow
    the value.
    """

    name: str
    shape: Shape
    description: str
    default: str = ""
    is_required: bool = False
    is_ours: bool = False
    only: TriggerKind | None = None
    choices: tuple[str, ...] = ()
    pattern: str = ""
    rule: str = ""
    least: float | None = None
    most: float | None = None
    max_length: int = MAX_TEXT
    max_items: int = MAX_ITEMS
    keys: tuple[Key, ...] = ()


def _symbol(description: str) -> Key:
    return Key(
        name="name",
        shape=Shape.TEXT,
        description=description,
        is_required=True,
        pattern=SYMBOL,
        rule="letters, digits and _, not beginning with a digit",
        max_length=MAX_NAME,
    )


VARIABLE_KEYS = (
    Key(
        name="name",
        shape=Shape.TEXT,
        description="Name of the variable, under which user code finds it in its environment.",
        is_required=True,
        pattern=WORD,
        rule="letters, digits and _",
        max_length=MAX_NAME,
    ),
    Key(
        name="value",
        shape=Shape.SCALAR,
        description="The value, kept exactly as written here. Leave it out to set it with `hookline var set`.",
        max_length=MAX_VALUE_BYTES,
    ),
    Key(
        name="secret",
        shape=Shape.FLAG,
        description="Encrypt the value at rest and mask it everywhere.",
        default="false",
    ),
    Key(name="description", shape=Shape.TEXT, description="What the variable is for."),
    Key(
        name="required",
        shape=Shape.FLAG,
        description="Refuse to deploy while the variable has no value.",
        default="false",
        is_ours=True,
    ),
)

CONNECTION_KEYS = (
    _symbol("Name of the connection, unique in the project."),
    Key(
        name="integration",
        shape=Shape.TEXT,
        description="The kind of outside system, such as `slack` or `github`.",
        is_required=True,
        pattern=r"^\S+$",
        rule="one word",
        max_length=MAX_NAME,
    ),
    Key(
        name="vars",
        shape=Shape.MAPS,
        description="Variables of the connection.",
        keys=VARIABLE_KEYS,
    ),
)

RETRY_KEYS = (
    Key(
        name="attempts",
        shape=Shape.COUNT,
        description="How many sessions may be tried in all, the first included.",
        default="1",
        is_ours=True,
        least=1,
        most=1000,
    ),
    Key(
        name="initial",
        shape=Shape.DURATION,
        description="The wait before the second attempt.",
        default="1s",
        is_ours=True,
    ),
    Key(
        name="factor",
        shape=Shape.NUMBER,
        description="By how much each wait is longer than the one before.",
        default="2",
        is_ours=True,
        least=1,
        most=100,
    ),
    Key(
        name="max",
        shape=Shape.DURATION,
        description="The longest wait between two attempts.",
        default="1h",
        is_ours=True,
    ),
)

_SCHEDULE = TriggerKind.SCHEDULE

TRIGGER_KEYS = (
    _symbol(
        "Name of the trigger, unique in the project. A webhook keeps its URL while it keeps its name."
    ),
    Key(
        name="type",
        shape=Shape.TEXT,
        description="Where events come from; optional with `webhook`, `schedule` or `connection`.",
        choices=tuple(TriggerKind),
    ),
    Key(
        name="webhook",
        shape=Shape.MARKER,
        description="Marks a webhook; the same as `type: webhook`.",
    ),
    Key(
        name="schedule",
        shape=Shape.TEXT,
        description="Cron expression of 5, 6 or 7 fields, a macro such as `@daily`, or `@every 15m`.",
    ),
    Key(
        name="connection",
        shape=Shape.TEXT,
        description="Name of a connection of this project, whose events these are.",
    ),
    Key(
        name="event_type",
        shape=Shape.TEXT,
        description="Only events of exactly this type; empty or `*` means any.",
        default="any",
    ),
    Key(
        name="filter",
        shape=Shape.TEXT,
        description="CEL expression over `data` and `event_type`; only events for which it is true.",
        default="all",
    ),
    Key(
        name="call",
        shape=Shape.TEXT,
        description="Entry point `path/file.py:function`. Without it events are recorded and start nothing.",
    ),
    Key(
        name="is_durable",
        shape=Shape.FLAG,
        description="Record each step in a journal, so that a session survives crashes and may wait for weeks.",
        default="true; false with `version: v2`",
    ),
    Key(
        name="is_sync",
        shape=Shape.FLAG,
        description="The HTTP response of a webhook comes from the session.",
        default="false",
        only=TriggerKind.WEBHOOK,
    ),
    Key(
        name="timezone",
        shape=Shape.TEXT,
        description="IANA name of the zone in which the schedule is read.",
        default="UTC",
        is_ours=True,
        only=_SCHEDULE,
    ),
    Key(
        name="overlap",
        shape=Shape.TEXT,
        description="What a fire does while a session of an earlier fire has not ended.",
        default="allow_all",
        is_ours=True,
        only=_SCHEDULE,
        choices=tuple(OverlapPolicy),
    ),
    Key(
        name="dst",
        shape=Shape.TEXT,
        description="What happens to a local time that exists twice, or not at all, when clocks change.",
        default="once",
        is_ours=True,
        only=_SCHEDULE,
        choices=tuple(DstPolicy),
    ),
    Key(
        name="catchup",
        shape=Shape.DURATION,
        description="Fires missed within this window are started late; 0 drops all that are more than 10 s late.",
        default="60s",
        is_ours=True,
        only=_SCHEDULE,
    ),
    Key(
        name="jitter",
        shape=Shape.DURATION,
        description="Each fire is delayed by a stable pseudo-random time below this.",
        default="0",
        is_ours=True,
        only=_SCHEDULE,
    ),
    Key(
        name="pause_on_failure",
        shape=Shape.FLAG,
        description="Pause the schedule when one of its sessions ends in error.",
        default="false",
        is_ours=True,
        only=_SCHEDULE,
    ),
    Key(
        name="timeout",
        shape=Shape.DURATION,
        description="A session that runs longer, waiting included, ends in error.",
        default="none",
        is_ours=True,
    ),
    Key(
        name="retries",
        shape=Shape.COUNT_OR_MAP,
        description="How often a session that ended in error is tried again: a number of further attempts, or a map.",
        default="0",
        is_ours=True,
        least=0,
        most=999,
        keys=RETRY_KEYS,
    ),
    Key(
        name="concurrency",
        shape=Shape.COUNT,
        description="How many sessions of this trigger may run at once.",
        default="no limit",
        is_ours=True,
        least=1,
        most=1_000_000,
    ),
    Key(
        name="dedupe",
        shape=Shape.TEXT,
        description="Where a delivery id is found, `header:NAME` or `json:dotted.path`; the same id starts nothing twice.",
        is_ours=True,
        only=TriggerKind.WEBHOOK,
    ),
)

# Not `is_ours`: AutoKitteh passes over keys that it does not know, and a project that serves in both places can say it.
EXPORT_KEYS = (
    Key(
        name="call",
        shape=Shape.TEXT,
        description="Entry point `path/file.py:function`.",
        is_required=True,
    ),
    Key(
        name="from",
        shape=Shape.TEXTS,
        description="Names of the projects that may start it.",
        default="every project",
        pattern=SYMBOL,
        rule="the name of a project: letters, digits and _, not beginning with a digit",
        max_length=MAX_NAME,
    ),
)

PROJECT_KEYS = (
    _symbol("Name of the project, unique on the service."),
    Key(name="display_name", shape=Shape.TEXT, description="Name shown to people."),
    Key(
        name="python",
        shape=Shape.SCALAR,
        description="Python version of the project's environment, 3.11 or newer, such as `3.12`.",
        default="the service's own",
        is_ours=True,
        pattern=PYTHON_VERSION,
        rule="3.11 or newer, such as 3.12 or 3.12.4",
    ),
    Key(
        name="requirements",
        shape=Shape.TEXT_OR_TEXTS,
        description="Name of a requirements file, or a list of requirements.",
        default="`requirements.txt` if there is one",
        is_ours=True,
        max_length=1000,
    ),
    Key(
        name="ignore",
        shape=Shape.TEXTS,
        description="Patterns of files that do not belong to the project, in the manner of `.gitignore`.",
        is_ours=True,
        max_length=500,
        max_items=MAX_PATTERNS,
    ),
    Key(
        name="process",
        shape=Shape.TEXT,
        description="`fork` gives each session a fresh process; `reuse` keeps a clean one for the next.",
        default="fork",
        is_ours=True,
        choices=("fork", "reuse"),
    ),
    Key(
        name="concurrency",
        shape=Shape.COUNT,
        description="How many sessions of the project may run at once.",
        default="no limit",
        is_ours=True,
        least=1,
        most=1_000_000,
    ),
    Key(
        name="connections",
        shape=Shape.MAPS,
        description="Links to outside systems.",
        keys=CONNECTION_KEYS,
    ),
    Key(
        name="triggers",
        shape=Shape.MAPS,
        description="What starts sessions.",
        keys=TRIGGER_KEYS,
    ),
    Key(
        name="exports",
        shape=Shape.TEXTS_OR_MAPS,
        description="Entry points that sessions of other projects may start: `path/file.py:function`, or a map.",
        keys=EXPORT_KEYS,
    ),
    Key(
        name="vars",
        shape=Shape.MAPS,
        description="Variables of the project, at most 64.",
        keys=VARIABLE_KEYS,
    ),
)

ROOT_KEYS = (
    Key(
        name="version",
        shape=Shape.TEXT,
        description="`v1` or `v2`; with `v2` triggers are not durable unless they say so.",
        default="v1",
        choices=("v1", "v2"),
    ),
    Key(
        name="project",
        shape=Shape.MAP,
        description="The project.",
        is_required=True,
        keys=PROJECT_KEYS,
    ),
)
