"""The stores of projects: named values that sessions share."""

from __future__ import annotations

from datetime import datetime

from hookline import storing, values
from hookline_service.model.calls import PublishedValue, StoreOperation, UseStore
from hookline_service.model.errors import TooManyKeysError
from hookline_service.model.ids import ProjectId
from hookline_service.storage.results import Applied, store_step
from hookline_service.storage.sqlite.connection import Database
from hookline_service.storage.sqlite.rows import to_us, to_us_or_none
from hookline_service.storage.sqlite.tables import Tables, project_key


class ValueTables(Tables):
    """See `CallStore`."""

    async def list_values(self, project_id: ProjectId, now: datetime) -> dict[str, bytes]:
        """See `CallStore.list_values`."""
        rows = await self._readers.run(Database.rows, "list_values", (project_id, to_us(now)))
        return {row[0]: row[1] for row in rows}

    async def find_published(
        self, project_id: ProjectId, key: str, now: datetime
    ) -> PublishedValue | None:
        """See `CallStore.find_published`."""
        parameters = (project_id, key, to_us(now))
        row = self._readers.at_once(Database.row, "find_published", parameters)
        return None if row is None else PublishedValue(value=row[0])

    async def use_value(self, project_id: ProjectId, use: UseStore, now: datetime) -> bytes:
        """See `CallStore.use_value`."""
        return await self._writer.run(_use_value, project_id, use, now)

    async def delete_expired_values(self, now: datetime, limit: int) -> int:
        """See `CallStore.delete_expired_values`."""
        return await self._writer.run(_delete_expired, to_us(now), limit)


def _delete_expired(database: Database, now_us: int, limit: int) -> int:
    return database.execute("delete_expired_values", (now_us, limit)).rowcount


def _use_value(database: Database, project_id: ProjectId, use: UseStore, now: datetime) -> bytes:
    return values.encode(use_store(database, project_id, use, now).value)


def use_store(database: Database, project_id: ProjectId, use: UseStore, now: datetime) -> Applied:
    """Do what is asked of the project's store."""
    project = project_key(database, project_id)
    now_us = to_us(now)
    match use.operation:
        case StoreOperation.LIST:
            rows = database.rows("list_keys", (project, now_us))
            return Applied(value=[row[0] for row in rows])
        case StoreOperation.PUBLISH | StoreOperation.UNPUBLISH:
            is_published = int(use.operation is StoreOperation.PUBLISH)
            database.execute("publish_value", (project, use.key, now_us, is_published))
            return Applied()
        case _:
            return Applied(value=_change_value(database, project, now_us, use))


def _change_value(database: Database, project: int, now_us: int, use: UseStore) -> object:
    found = database.row("find_value", (project, use.key, now_us))
    after, result = store_step(use, None if found is None else found[0])
    if after is storing.DELETED:
        database.execute("delete_value", (project, use.key))
    elif after is not storing.UNCHANGED:
        is_published = 0 if found is None else found[1]
        if found is None:
            _check_room(database, project, now_us, use)
        row = (project, use.key, after, is_published, to_us_or_none(use.expires_at), now_us)
        database.execute("save_value", row)
    return result


def _check_room(database: Database, project: int, now_us: int, use: UseStore) -> None:
    """Raise when the store has as many keys as it may; what has expired makes room."""
    limit = use.limits.keys
    if database.value("count_other_values", (project, use.key)) < limit:
        return
    database.execute("delete_expired_values_of_project", (project, now_us))
    if database.value("count_other_values", (project, use.key)) >= limit:
        raise TooManyKeysError(limit)
