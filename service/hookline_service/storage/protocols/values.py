"""Values that sessions keep in their project's store."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from hookline_service.model.calls import PublishedValue, UseStore
from hookline_service.model.ids import ProjectId


class ValueStore(Protocol):
    """Values by project and key; sealed where a secret stands in them, as those of `CallStore`."""

    async def list_values(self, project_id: ProjectId, now: datetime) -> dict[str, bytes]:
        """What the project's store holds, by key: values as JSON text; none that has expired."""
        ...

    async def find_published(
        self, project_id: ProjectId, key: str, now: datetime
    ) -> PublishedValue | None:
        """The value if it is there, published and not expired."""
        ...

    async def use_value(self, project_id: ProjectId, use: UseStore, now: datetime) -> bytes:
        """Do to the project's store what a person asks for; the result as JSON text. Raises what refuses it to a session."""
        ...

    async def delete_expired_values(self, now: datetime, limit: int) -> int:
        """Delete up to `limit` values that have expired; returns how many."""
        ...
