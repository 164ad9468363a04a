"""Signals that people send to sessions."""

from __future__ import annotations

import anyio

from hookline_service.clock import Clock
from hookline_service.engine.protocol import Engine
from hookline_service.model.calls import CallResult, SendSignal, SessionCall, Signal
from hookline_service.storage.protocols import Store


async def send_signal(store: Store, engine: Engine, clock: Clock, signal: Signal) -> None:
    """Queue a signal for a session, which is woken when it waits for it; returns when it is on disk.

    Raises:
        SessionNotFoundError: there is no such session.
        SessionFinalError: it has ended.
    """
    session = await store.get_session(signal.session_id)
    call = SessionCall(
        session_id=session.id,
        project_id=session.project_id,
        at=clock.now(),
        operation=SendSignal(signal=signal),
        entry=None,
    )
    with anyio.CancelScope(shield=True):  # what is on disk must be told; the store bounds the wait
        engine.wake((await _made(store, call)).woken)


async def _made(store: Store, call: SessionCall) -> CallResult:
    results: list[CallResult | Exception] = []
    is_stored = anyio.Event()

    def tell(result: CallResult | Exception) -> None:
        results.append(result)
        is_stored.set()

    store.call_soon(call, tell)
    await is_stored.wait()
    (result,) = results
    if isinstance(result, Exception):
        raise result
    return result
