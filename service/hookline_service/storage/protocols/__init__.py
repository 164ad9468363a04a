"""What the service asks of a store: one method, one transaction.

Every write returns only when it is on disk (fsync); the `_soon` forms say so by a callback. Writes of many callers share
transactions; each is atomic by itself. Lists are newest first unless they say otherwise. A read sees every write
that had returned before it began. Every method may raise `StorageUnavailableError`: disk full, closed. A write that names
something missing raises its `…NotFoundError` and changes nothing.
"""

from __future__ import annotations

from hookline_service.storage.protocols.calls import CallStore
from hookline_service.storage.protocols.deployments import BuildStore, DeploymentStore
from hookline_service.storage.protocols.events import EventStore
from hookline_service.storage.protocols.journal import JournalStore
from hookline_service.storage.protocols.keys import KeyStore
from hookline_service.storage.protocols.projects import ProjectStore, VariableStore
from hookline_service.storage.protocols.sessions import SessionStore
from hookline_service.storage.protocols.store import Store
from hookline_service.storage.protocols.triggers import TriggerStore
from hookline_service.storage.protocols.values import ValueStore

__all__ = [
    "BuildStore",
    "CallStore",
    "DeploymentStore",
    "EventStore",
    "JournalStore",
    "KeyStore",
    "ProjectStore",
    "SessionStore",
    "Store",
    "TriggerStore",
    "ValueStore",
    "VariableStore",
]
