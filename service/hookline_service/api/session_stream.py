"""A session's log and state, live."""

from __future__ import annotations

from hookline_service.api.names import load_names
from hookline_service.api.services import ApiServices
from hookline_service.api.session_answers import log_object, session_answer
from hookline_service.api.streams import EventSender, EventStream, event_bytes
from hookline_service.api.waits import load_waits
from hookline_service.model.sessions import FINAL_STATES, LogKind, Session

_PAGE = 500


def session_stream(
    services: ApiServices, session: Session, after: int, kinds: frozenset[LogKind]
) -> EventStream:
    """Events `log` from `seq` `after` on, `state` at first and at each change, and `end` when all was said."""

    async def produce(sender: EventSender) -> None:
        since = await services.changes.wait_change(session.id, -1)
        names = await load_names(services.store, [session.project_id])
        seq, shown_state = after, ""
        while True:
            # The session is read before its log: once it is final, no record comes that the log read would miss.
            now = await services.store.get_session(session.id)
            waits = await load_waits(services.store, [now], names)
            answer = session_answer(now, names, waits.get(now.id, ())).model_dump()
            if now.state != shown_state and now.state not in FINAL_STATES:
                await sender.event("state", answer)
                shown_state = now.state
            seq = await _send_log(services, sender, now, seq, kinds)
            if now.state in FINAL_STATES:
                await sender.event("state", answer)
                await sender.event("end", answer)
                return
            since = await services.changes.wait_change(session.id, since)

    return EventStream(produce, services.settings.event_stream_heartbeat_s)


async def _send_log(
    services: ApiServices,
    sender: EventSender,
    session: Session,
    after: int,
    kinds: frozenset[LogKind],
) -> int:
    """Send what the log holds after `after`; the last `seq` seen."""
    while True:
        records = await services.store.list_log(session.id, after, _PAGE)
        encoded = [
            event_bytes("log", log_object(record), event_id=str(record.seq))
            for record in records
            if not kinds or record.kind in kinds
        ]
        if encoded:
            await sender.events(b"".join(encoded))
        if records:
            after = records[-1].seq
        if len(records) < _PAGE:
            return after
