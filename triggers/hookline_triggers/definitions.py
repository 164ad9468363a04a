"""What a trigger is: pure values, the same in the manifest, the store and the dispatcher."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class TriggerKind(StrEnum):
    """Where a trigger's events come from."""

    WEBHOOK = "webhook"
    SCHEDULE = "schedule"
    CONNECTION = "connection"


class OverlapPolicy(StrEnum):
    """What a fire does while a session of an earlier fire has not ended."""

    SKIP = "skip"
    BUFFER_ONE = "buffer_one"
    BUFFER_ALL = "buffer_all"
    CANCEL_OTHER = "cancel_other"
    TERMINATE_OTHER = "terminate_other"
    ALLOW_ALL = "allow_all"


class DstPolicy(StrEnum):
    """What happens to a local time that exists twice, or not at all, on a clock change."""

    ONCE = "once"
    BOTH = "both"
    SKIP = "skip"


@dataclass(frozen=True, slots=True, kw_only=True)
class SchedulePolicies:
    """How fires are turned into sessions. Times in seconds.

    `catchup_s`: fires missed within this window (service down) are made up for; 0 skips them all.
    `jitter_s`: each fire is delayed by a stable pseudo-random time below this.
    """

    overlap: OverlapPolicy = OverlapPolicy.ALLOW_ALL
    dst: DstPolicy = DstPolicy.ONCE
    catchup_s: float = 60.0
    jitter_s: float = 0.0
    pause_on_failure: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How often a session that ended in error is tried again, as a new session. Times in seconds."""

    max_attempts: int = 1
    initial_s: float = 1.0
    factor: float = 2.0
    max_s: float = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggerDefinition:
    """One trigger as its author wrote it.

    `call` is `path/file.py:name`, or empty: then events are recorded and start nothing.
    `event_type` empty or `*` means any. `filter` is a CEL expression, empty matches.
    `dedupe` names where a delivery id is found: `header:NAME` or `json:dotted.path`, or empty.
    `timeout_s` and `concurrency`: None means no limit.
    """

    name: str
    kind: TriggerKind
    call: str = ""
    event_type: str = ""
    filter: str = ""
    schedule: str = ""
    timezone: str = "UTC"
    connection: str = ""
    is_durable: bool = True
    is_sync: bool = False
    policies: SchedulePolicies = field(default_factory=SchedulePolicies)
    retries: RetryPolicy = field(default_factory=RetryPolicy)
    timeout_s: float | None = None
    concurrency: int | None = None
    dedupe: str = ""
