"""The environment that a session starts with: the one place where secrets are opened for user code."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from hookline_service.model.ids import ProjectId
from hookline_service.model.projects import Connection, StoredVariable, Trigger
from hookline_service.storage.protocols import Store
from hookline_service.use_cases.secrets import SecretBox
from hookline_service.use_cases.variables import open_variable
from hookline_service.use_cases.webhook_urls import webhook_url


async def variables_for(
    store: Store, box: SecretBox, project_id: ProjectId, base_url: str
) -> dict[str, str]:
    """Names and values for the environment of a session of this project, as they are now.

    The project's variables by name; `CONNECTION__NAME` for each variable of a connection;
    `CONNECTION__connection_id`; `TRIGGER__webhook_url` for each webhook; `store_public_url`, under which published values
    are found. Blank values are there as "".
    The result holds opened secrets: it goes to the session's process and nowhere else.

    Raises:
        SecretKeyMissingError, SecretDamagedError: a secret cannot be opened.
    """
    composed = compose_variables(
        box,
        variables=await store.list_variables(project_id),
        connections=await store.list_connections(project_id),
        triggers=await store.list_triggers(project_id),
        base_url=base_url,
    )
    return {"store_public_url": f"{base_url}/store/{project_id}"} | composed


def compose_variables(
    box: SecretBox,
    *,
    variables: Sequence[StoredVariable],
    connections: Iterable[Connection],
    triggers: Iterable[Trigger],
    base_url: str,
) -> dict[str, str]:
    """See `variables_for`; without a store. A name set by the author wins over one that is made here."""
    made: dict[str, str] = {}
    for trigger in triggers:
        if trigger.slug is not None:
            made[f"{trigger.definition.name}__webhook_url"] = webhook_url(base_url, trigger.slug)
    names = set[str]()
    for connection in connections:
        names.add(connection.name)
        made[f"{connection.name}__connection_id"] = f"{connection.project_id}/{connection.name}"
    for variable in variables:
        if not variable.scope:
            continue
        if variable.scope in names:
            made[f"{variable.scope}__{variable.name}"] = open_variable(box, variable)
    own = [variable for variable in variables if not variable.scope]
    return made | {variable.name: open_variable(box, variable) for variable in own}
