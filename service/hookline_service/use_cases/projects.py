"""Finding projects by what people call them, and taking them away."""

from __future__ import annotations

import anyio

from hookline.errors import HooklineError, InvalidError
from hookline_service.clock import Clock
from hookline_service.engine.protocol import Engine
from hookline_service.manifest.keys import MAX_NAME, is_symbol
from hookline_service.model.errors import (
    ProjectNotFoundError,
    SessionFinalError,
    SessionNotFoundError,
)
from hookline_service.model.ids import ProjectId, new_project_id
from hookline_service.model.likeness import nearest
from hookline_service.model.projects import DeploymentState, Project
from hookline_service.model.sessions import Session, SessionFilter, SessionState
from hookline_service.storage.protocols import ProjectStore, Store

UNFINISHED = (SessionState.CREATED, SessionState.RUNNING, SessionState.WAITING)
_TOGETHER = 100


class ProjectNameInvalidError(InvalidError):
    """A project cannot have this name."""

    code = "project.bad_name"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"a project cannot be called {name[:200]!r}: a name has letters, digits and _, does not begin with a digit, "
            f"and has at most {MAX_NAME} characters"
        )


async def get_project(store: ProjectStore, key: str) -> Project:
    """The project of this name or id.

    Raises:
        ProjectNotFoundError: there is none; names the one that is written like it.
    """
    project = await store.find_project(key)
    if project is not None:
        return project
    if not key.startswith("prj_"):
        names = [each.name for each in await store.list_projects()]
        raise ProjectNotFoundError(key, nearest(key, names))
    return await store.get_project(ProjectId(key))


def check_project_name(name: str) -> None:
    """Refuse what no new project may be called, whoever names it.

    Raises:
        ProjectNameInvalidError: no manifest could name it so.
    """
    if not is_symbol(name):
        raise ProjectNameInvalidError(name)


async def create_project(store: ProjectStore, clock: Clock, name: str) -> Project:
    """A new project of which nothing is deployed: its variables can be set before the first deploy.

    Raises:
        ProjectNameInvalidError: no manifest could name it so.
        ProjectNameTakenError: there is one of this name.
    """
    check_project_name(name)
    now = clock.now()
    project = Project(
        id=new_project_id(now), name=name, display_name="", created_at=now, updated_at=now
    )
    await store.add_project(project)
    return project


async def delete_project(store: Store, engine: Engine, project: Project) -> None:
    """Stop what the project runs, then delete it with everything that belongs to it."""
    active = await store.find_active_deployment(project.id)
    if active is not None:
        await store.set_deployment_state(active.id, DeploymentState.INACTIVE)
    for state in UNFINISHED:
        await _stop_all(store, engine, project.id, state)
    await store.delete_project(project.id)


async def _stop_all(
    store: Store, engine: Engine, project_id: ProjectId, state: SessionState
) -> None:
    before = None
    while True:
        which = SessionFilter(project_id=project_id, state=state, before=before, limit=_TOGETHER)
        sessions = await store.list_sessions(which)
        await _stop_together(engine, sessions)
        if len(sessions) < _TOGETHER:
            return
        before = sessions[-1].id


async def _stop_together(engine: Engine, sessions: list[Session]) -> None:
    """Stop them at the same time: their ends are written together, so that they cost few commits."""
    failures: list[HooklineError] = []

    async def stop(session: Session) -> None:
        try:
            await engine.stop(session.id, reason="the project is deleted", force=True)
        except (SessionFinalError, SessionNotFoundError):
            return  # it ended by itself meanwhile, or went with another deletion
        except HooklineError as exc:
            failures.append(exc)

    async with anyio.create_task_group() as tasks:
        for session in sessions:
            tasks.start_soon(stop, session, name=f"stop {session.id}")
    if failures:
        raise failures[0]
