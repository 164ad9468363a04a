"""The gate in front of the tables: values of sessions in which a secret stands are sealed on their way in."""

from __future__ import annotations

import logging
from dataclasses import replace

from hookline_service.model.calls import Subscription
from hookline_service.model.errors import ValueUnreadableError
from hookline_service.model.ids import ProjectId
from hookline_service.model.projects import StoredVariable
from hookline_service.model.sealing import (
    Finds,
    ValueKey,
    ValueKind,
    finds_nothing,
    guarded,
    is_sealed,
    is_sealed_text,
    sealed_of_text,
    text_of_sealed,
)
from hookline_service.storage.sqlite.connection import Database
from hookline_service.storage.sqlite.records import from_us
from hookline_service.storage.sqlite.tables import Tables

logger = logging.getLogger(__name__)

_FINDERS_KEPT = 1_000
_NO_TIME = from_us(0)  # nobody asks when a secret was set


class KeyTables(Tables):
    """See `KeyStore`."""

    async def list_value_keys(self) -> list[ValueKey]:
        """See `KeyStore.list_value_keys`."""
        rows = await self._readers.run(Database.rows, "list_value_keys")
        return [ValueKey(id=row["id"], box=row["box"]) for row in rows]

    async def add_value_key(self, box: bytes) -> None:
        """See `KeyStore.add_value_key`."""
        await self._writer.run(_add_key, box)

    async def replace_value_key(self, former: ValueKey, box: bytes) -> bool:
        """See `KeyStore.replace_value_key`."""
        return await self._writer.run(_replace_key, former, box)


def _add_key(database: Database, box: bytes) -> None:
    database.execute("insert_value_key", (box,))


def _replace_key(database: Database, former: ValueKey, box: bytes) -> bool:
    row = (box, former.id, former.box)
    return database.execute("replace_value_key", row).rowcount > 0


def sealed(
    database: Database,
    project_id: ProjectId,
    kind: ValueKind,
    value: bytes,
    finds: Finds = finds_nothing,
) -> bytes:
    """The value as it is to be stored: sealed if a secret of its project stands in it, or one that `finds` knows."""
    return guarded(database.gate, project_id, kind, value, _finder(database, project_id), finds)


def sealed_filter(database: Database, subscription: Subscription, finds: Finds) -> str:
    """The subscription's filter as it is to be stored; see `sealed`."""
    plain = subscription.filter.encode()
    value = sealed(database, subscription.project_id, ValueKind.FILTER, plain, finds)
    return text_of_sealed(value) if is_sealed(value) else subscription.filter


def opened_filter(database: Database, subscription: Subscription) -> Subscription:
    """The subscription with its filter as it was given.

    One that cannot be read stays sealed, which is no filter: nothing passes it.
    """
    if not is_sealed_text(subscription.filter):
        return subscription
    value = sealed_of_text(subscription.filter)
    try:
        plain = database.gate.open(subscription.project_id, ValueKind.FILTER, value)
    except ValueUnreadableError as exc:
        facts = {"subscription": subscription.id, "reason": exc.message}
        logger.warning("subscription gets no events: its filter cannot be read", extra=facts)
        return subscription
    return replace(subscription, filter=plain.decode())


def _finder(database: Database, project_id: ProjectId) -> Finds:
    known = database.finders.get(project_id)
    if known is None:
        key = database.find_key("find_project_key", project_id)
        if key is None:  # it is about to be deleted, and has no secrets any more
            return finds_nothing
        rows = database.rows("list_secrets", (key,))
        known = database.gate.finder([_secret(project_id, *row) for row in rows])
        if len(database.finders) >= _FINDERS_KEPT:
            database.finders.clear()
        database.finders[project_id] = known
    return known


def _secret(project_id: ProjectId, scope: str, name: str, value: bytes) -> StoredVariable:
    return StoredVariable(
        project_id=project_id,
        scope=scope,
        name=name,
        value=value,
        is_secret=True,
        description="",
        updated_at=_NO_TIME,
    )
