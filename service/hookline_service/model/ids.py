"""Identifiers: sortable by time of creation, with a prefix that says the kind."""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import NewType

ProjectId = NewType("ProjectId", str)
BuildId = NewType("BuildId", str)
DeploymentId = NewType("DeploymentId", str)
TriggerId = NewType("TriggerId", str)
EventId = NewType("EventId", str)
SessionId = NewType("SessionId", str)
RunnerId = NewType("RunnerId", str)
SubscriptionId = NewType("SubscriptionId", str)

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_SUFFIX_LENGTH = 26


_PAIRS = tuple(first + second for first in _ALPHABET for second in _ALPHABET)
_PAIR_SHIFTS = tuple(range((_SUFFIX_LENGTH - 2) * 5, -1, -10))


def _base32(value: int) -> str:
    return "".join([_PAIRS[(value >> shift) & 1023] for shift in _PAIR_SHIFTS])


def new_suffix(at: datetime) -> str:
    """26 lower-case Crockford base32 characters of a UUIDv7: 48 bits of milliseconds, then chance."""
    milliseconds = int(at.timestamp() * 1000)
    chance = secrets.randbits(74)
    value = (
        (milliseconds << 80)
        | (7 << 76)
        | ((chance >> 62) << 64)
        | (2 << 62)
        | (chance & (2**62 - 1))
    )
    return _base32(value)


def new_project_id(at: datetime) -> ProjectId:
    """A fresh `prj_…`."""
    return ProjectId(f"prj_{new_suffix(at)}")


def new_deployment_id(at: datetime) -> DeploymentId:
    """A fresh `dep_…`."""
    return DeploymentId(f"dep_{new_suffix(at)}")


def new_trigger_id(at: datetime) -> TriggerId:
    """A fresh `trg_…`."""
    return TriggerId(f"trg_{new_suffix(at)}")


def new_event_id(at: datetime) -> EventId:
    """A fresh `evt_…`."""
    return EventId(f"evt_{new_suffix(at)}")


def first_event_id(at: datetime) -> EventId:
    """What sorts before the ids of all events from this time on, to the millisecond."""
    return EventId(f"evt_{_base32(int(at.timestamp() * 1000) << 80)}")


def new_session_id(at: datetime) -> SessionId:
    """A fresh `ses_…`."""
    return SessionId(f"ses_{new_suffix(at)}")


def new_runner_id(at: datetime) -> RunnerId:
    """A fresh `run_…`."""
    return RunnerId(f"run_{new_suffix(at)}")


def new_subscription_id(at: datetime) -> SubscriptionId:
    """A fresh `sub_…`."""
    return SubscriptionId(f"sub_{new_suffix(at)}")


def build_id_of(digest_hex: str) -> BuildId:
    """The id of the build with this SHA-256 of its content: same content, same id."""
    return BuildId(f"bld_{_base32(int(digest_hex, 16) >> 126)}")
