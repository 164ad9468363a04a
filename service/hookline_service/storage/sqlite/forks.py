"""Forks: a session, what it keeps of another one, and its subscriptions, in one transaction."""

from __future__ import annotations

from hookline_service.model.calls import SessionFork, Subscription
from hookline_service.storage.sqlite.calls import subscribe
from hookline_service.storage.sqlite.connection import Database
from hookline_service.storage.sqlite.events import record_event
from hookline_service.storage.sqlite.journal import copy_entries, insert_log, session_key
from hookline_service.storage.sqlite.sessions import insert_session
from hookline_service.storage.sqlite.tables import Tables


class ForkTables(Tables):
    """See `SessionStore.fork_session`."""

    async def fork_session(self, fork: SessionFork) -> list[Subscription]:
        """See `SessionStore.fork_session`."""
        return await self._writer.run(_fork_session, fork)


def _fork_session(database: Database, fork: SessionFork) -> list[Subscription]:
    session_key(database, fork.source)
    if fork.event is not None:
        record_event(database, fork.event, [fork.session], None, ())
    else:
        insert_session(database, fork.session)
    last_seq = copy_entries(database, fork)
    insert_log(database, fork.note_after(last_seq))
    key = session_key(database, fork.session.id)
    begun = [
        subscribe(database, key, call, each).subscription
        for call, each in zip(fork.calls(), fork.subscriptions, strict=True)
    ]
    return [each for each in begun if each is not None]
