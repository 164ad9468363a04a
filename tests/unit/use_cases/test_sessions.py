from __future__ import annotations

from dataclasses import replace

import anyio
import pytest

from hookline_service.model.errors import SessionNotFoundError
from hookline_service.model.ids import SessionId, new_session_id
from hookline_service.model.sessions import SessionState
from hookline_service.use_cases.sessions import restart_session, wait_until_final
from tests.builders.service import ServiceInMemory, a_service


async def _started() -> tuple[ServiceInMemory, SessionId]:
    service = a_service()
    deployed = await service.deploy()
    async with service.client() as client:
        await client.post(deployed["triggers"][0]["url"], content=b"x")
    return service, service.engine.started[0][0].id


async def test_a_restarted_session_is_a_new_one_with_the_same_event_and_build():
    service, session_id = await _started()
    former = await service.engine.finish(session_id, SessionState.ERROR)
    services = service.services

    fresh = await restart_session(services.store, services.engine, services.clock, session_id)

    assert fresh.id != former.id
    assert (fresh.event_id, fresh.build_id) == (former.event_id, former.build_id)
    assert (fresh.state, fresh.retry_of, fresh.ended_at) == (SessionState.CREATED, former.id, None)
    assert service.engine.started[-1][0] == fresh


async def test_waiting_ends_when_the_session_does():
    service, session_id = await _started()
    services = service.services

    async with anyio.create_task_group() as group:
        group.start_soon(service.engine.finish, session_id)
        with anyio.fail_after(5):
            session = await wait_until_final(services.store, services.changes, session_id, 60)

        assert session.state is SessionState.COMPLETED


async def test_waiting_gives_up_with_the_session_as_it_is():
    service, session_id = await _started()
    services = service.services

    session = await wait_until_final(services.store, services.changes, session_id, 0.01)

    assert session.state is SessionState.CREATED


async def test_nobody_waits_for_a_session_that_does_not_exist():
    services = a_service().services

    with pytest.raises(SessionNotFoundError):
        await wait_until_final(services.store, services.changes, SessionId("ses_nope"), 60)


async def test_a_fork_that_is_restarted_begins_at_its_beginning_and_is_none():
    service, session_id = await _started()
    services = service.services
    former = await service.engine.finish(session_id, SessionState.ERROR)
    fork = replace(former, id=new_session_id(former.created_at), forked_from=session_id)
    await services.store.add_sessions([fork])

    fresh = await restart_session(services.store, services.engine, services.clock, fork.id)

    assert (fresh.retry_of, fresh.forked_from) == (fork.id, None)
