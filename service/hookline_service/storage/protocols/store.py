"""Everything that the service keeps, as one object."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from hookline_service.storage.protocols.calls import CallStore
from hookline_service.storage.protocols.deployments import BuildStore, DeploymentStore
from hookline_service.storage.protocols.events import EventStore
from hookline_service.storage.protocols.journal import JournalStore
from hookline_service.storage.protocols.keys import KeyStore
from hookline_service.storage.protocols.projects import ProjectStore, VariableStore
from hookline_service.storage.protocols.sessions import SessionStore
from hookline_service.storage.protocols.triggers import TriggerStore
from hookline_service.storage.protocols.values import ValueStore


class Store(
    ProjectStore,
    VariableStore,
    DeploymentStore,
    BuildStore,
    TriggerStore,
    EventStore,
    SessionStore,
    JournalStore,
    CallStore,
    ValueStore,
    KeyStore,
    Protocol,
):
    """Everything at once: for consumers that need several parts, and the contract suite."""

    async def backup(self, path: Path) -> None:
        """Write a consistent copy to a new file while the service runs, whole or not at all.

        Raises `BackupExistsError`, `StorageUnavailableError`.
        """
        ...

    async def check_writes(self) -> None:
        """Raise why writes are refused (`StorageUnavailableError`): one was, and another is not taken yet."""
        ...

    def pending_bytes(self) -> int:
        """Roughly how much waits to be written: the measure for back-pressure."""
        ...

    async def aclose(self) -> None:
        """Write what waits and close."""
        ...
