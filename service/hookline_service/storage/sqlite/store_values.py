"""The stores of projects: named values that sessions share."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from hookline import store_rules, values
from hookline_service.model.calls import PublishedValue, StoreOperation, UseStore
from hookline_service.model.errors import TooManyKeysError
from hookline_service.model.ids import ProjectId
from hookline_service.model.sealing import Finds, ValueKind, finds_nothing
from hookline_service.storage.results import Applied, store_step
from hookline_service.storage.sqlite.connection import Database, Row
from hookline_service.storage.sqlite.records import to_us, to_us_or_none
from hookline_service.storage.sqlite.sealing import sealed
from hookline_service.storage.sqlite.tables import Tables, project_key

_BLIND = frozenset({StoreOperation.SET, StoreOperation.DEL})  # they do not ask for what is kept


@dataclass(frozen=True, slots=True)
class _Place:
    project_id: ProjectId
    project: int
    now_us: int


class ValueTables(Tables):
    """See `CallStore`."""

    async def list_values(self, project_id: ProjectId, now: datetime) -> dict[str, bytes]:
        """See `ValueStore.list_values`."""
        return await self._readers.run(_list_values, project_id, to_us(now))

    async def find_published(
        self, project_id: ProjectId, key: str, now: datetime
    ) -> PublishedValue | None:
        """See `ValueStore.find_published`."""
        return self._readers.at_once(_find_published, project_id, key, to_us(now))

    async def use_value(self, project_id: ProjectId, use: UseStore, now: datetime) -> bytes:
        """See `ValueStore.use_value`."""
        return await self._writer.run(_use_value, project_id, use, now)

    async def delete_expired_values(self, now: datetime, limit: int) -> int:
        """See `ValueStore.delete_expired_values`."""
        return await self._writer.run(_delete_expired, to_us(now), limit)


def _delete_expired(database: Database, now_us: int, limit: int) -> int:
    return database.execute("delete_expired_values", (now_us, limit)).rowcount


def _list_values(database: Database, project_id: ProjectId, now_us: int) -> dict[str, bytes]:
    rows = database.rows("list_values", (project_id, now_us))
    return {
        row["name"]: database.gate.open(project_id, ValueKind.STORED, row["value"]) for row in rows
    }


def _find_published(
    database: Database, project_id: ProjectId, key: str, now_us: int
) -> PublishedValue | None:
    row = database.row("find_published", (project_id, key, now_us))
    if row is None:
        return None
    return PublishedValue(value=database.gate.open(project_id, ValueKind.STORED, row["value"]))


def _use_value(database: Database, project_id: ProjectId, use: UseStore, now: datetime) -> bytes:
    return values.encode(use_store(database, project_id, use, now).value)


def use_store(
    database: Database,
    project_id: ProjectId,
    use: UseStore,
    now: datetime,
    finds: Finds = finds_nothing,
) -> Applied:
    """Do what is asked of the project's store; a value in which `finds` sees a secret is sealed."""
    project = project_key(database, project_id)
    now_us = to_us(now)
    match use.operation:
        case StoreOperation.LIST:
            rows = database.rows("list_keys", (project, now_us))
            return Applied(value=[row["name"] for row in rows])
        case StoreOperation.PUBLISH | StoreOperation.UNPUBLISH:
            is_published = int(use.operation is StoreOperation.PUBLISH)
            database.execute("publish_value", (project, use.key, now_us, is_published))
            return Applied()
        case _:
            place = _Place(project_id, project, now_us)
            return Applied(value=_change_value(database, place, use, finds))


def _change_value(database: Database, place: _Place, use: UseStore, finds: Finds) -> object:
    project, now_us = place.project, place.now_us
    found = database.row("find_value", (project, use.key, now_us))
    after, result = store_step(use, _current(database, place, use, found))
    if after is store_rules.DELETED:
        database.execute("delete_value", (project, use.key))
    elif isinstance(after, bytes):
        is_published = 0 if found is None else found["is_published"]
        if found is None:
            _check_room(database, project, now_us, use)
        after = sealed(database, place.project_id, ValueKind.STORED, after, finds)
        row = (project, use.key, after, is_published, to_us_or_none(use.expires_at), now_us)
        database.execute("save_value", row)
    return result


def _current(database: Database, place: _Place, use: UseStore, found: Row | None) -> bytes | None:
    """What is kept, opened; None where it does not matter: so what cannot be opened can be replaced."""
    if found is None or use.operation in _BLIND:
        return None
    return database.gate.open(place.project_id, ValueKind.STORED, found["value"])


def _check_room(database: Database, project: int, now_us: int, use: UseStore) -> None:
    """Raise when the store has as many keys as it may; what has expired makes room."""
    limit = use.limits.keys
    if database.value("count_other_values", (project, use.key)) < limit:
        return
    database.execute("delete_expired_values_of_project", (project, now_us))
    if database.value("count_other_values", (project, use.key)) >= limit:
        raise TooManyKeysError(limit)
