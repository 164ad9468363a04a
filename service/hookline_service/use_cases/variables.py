"""Variables of projects and connections: shown masked, kept sealed when they are secret."""

from __future__ import annotations

from dataclasses import dataclass

from hookline.errors import InvalidError
from hookline_connections.names import HELPER_VARIABLES
from hookline_service.clock import Clock
from hookline_service.manifest.encoding import manifest_from_json
from hookline_service.manifest.keys import MAX_NAME, is_symbol, is_variable_name
from hookline_service.manifest.values import ManifestVariable
from hookline_service.model.errors import VariableNotFoundError
from hookline_service.model.ids import ProjectId
from hookline_service.model.likeness import meant, nearest
from hookline_service.model.projects import StoredVariable
from hookline_service.model.secret import MASK, TOO_SHORT, Secret, is_too_short
from hookline_service.storage.protocols import Store
from hookline_service.use_cases.secrets import SecretBox, SecretPlace

MAX_VALUE_BYTES = 64 * 1024


class VariableInvalidError(InvalidError):
    """A variable cannot be set as given."""

    code = "var.invalid"

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(f"variable {name[:200]!r}: {problem}")
        self.name = name

    @property
    def details(self) -> dict[str, object]:
        """The variable's name."""
        return {"name": self.name}


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownVariable:
    """A variable for people: `value` is stars for a secret that has one, unless it was to be revealed.

    `doubt` says why it may be of no use, "" if nothing is known.
    """

    variable: StoredVariable
    value: str
    doubt: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewVariable:
    """A value to be set; `is_secret` and `description` None keep what the variable was, or take what the manifest says."""

    scope: str
    name: str
    value: str
    is_secret: bool | None = None
    description: str | None = None


async def list_variables(
    store: Store,
    box: SecretBox,
    project_id: ProjectId,
    *,
    scope: str | None = None,
    reveal: bool = False,
) -> list[ShownVariable]:
    """Variables by scope and name; of one scope if it is given ("" is the project's own).

    Raises:
        SecretKeyMissingError, SecretDamagedError: with `reveal`, when a secret cannot be opened.
    """
    variables = [
        variable
        for variable in await store.list_variables(project_id)
        if scope is None or variable.scope == scope
    ]
    return [
        ShownVariable(variable=variable, value=_shown(box, variable, reveal=reveal))
        for variable in variables
    ]


async def set_variable(
    store: Store, box: SecretBox, clock: Clock, project_id: ProjectId, new: NewVariable
) -> ShownVariable:
    """Set one variable; the answer masks a secret.

    Raises:
        VariableInvalidError: name, value or scope cannot be used.
    """
    existing = await _find(store, project_id, new.scope, new.name)
    await _check(store, project_id, new, is_there=existing is not None)
    declared = await _declared(store, project_id, new)
    is_secret = new.is_secret
    if is_secret is None:
        is_secret = existing.is_secret if existing else declared.is_secret
    description = new.description
    if description is None:
        description = existing.description if existing else declared.description
    place = SecretPlace(project_id=project_id, scope=new.scope, name=new.name)
    plain = new.value.encode()
    variable = StoredVariable(
        project_id=project_id,
        scope=new.scope,
        name=new.name,
        value=box.seal(place, Secret(new.value)) if is_secret else plain,
        is_secret=is_secret,
        description=description,
        updated_at=clock.now(),
    )
    await store.set_variables([variable])
    shown = _shown(box, variable, reveal=False)
    doubts = [await _doubt(store, project_id, new)]
    if is_secret and is_too_short(new.value):
        doubts.append(f"{TOO_SHORT}; take a longer one")
    doubt = "; ".join(one for one in doubts if one)
    return ShownVariable(variable=variable, value=shown, doubt=doubt)


async def delete_variable(store: Store, project_id: ProjectId, scope: str, name: str) -> None:
    """Delete one variable.

    Raises:
        VariableNotFoundError: there is none.
    """
    if not await store.delete_variable(project_id, scope, name):
        labels = [_label(one.scope, one.name) for one in await store.list_variables(project_id)]
        label = _label(scope, name)
        raise VariableNotFoundError(label, nearest(label, labels))


def _label(scope: str, name: str) -> str:
    return f"{scope}/{name}" if scope else name


def open_variable(box: SecretBox, variable: StoredVariable) -> str:
    """The plain value. Raises as `SecretBox.open`."""
    if not variable.is_secret:
        return variable.value.decode()
    place = SecretPlace(project_id=variable.project_id, scope=variable.scope, name=variable.name)
    return box.open(place, variable.value).reveal()  # for the session, or a person who asked


def _shown(box: SecretBox, variable: StoredVariable, *, reveal: bool) -> str:
    return open_variable(box, variable) if reveal or not variable.is_secret else MASK


async def _find(
    store: Store, project_id: ProjectId, scope: str, name: str
) -> StoredVariable | None:
    for variable in await store.list_variables(project_id):
        if (variable.scope, variable.name) == (scope, name):
            return variable
    return None


async def _doubt(store: Store, project_id: ProjectId, new: NewVariable) -> str:
    for connection in await store.list_connections(project_id) if new.scope else ():
        names = HELPER_VARIABLES.get(connection.integration, ())
        if connection.name == new.scope and names and new.name not in names:
            return (
                f"the helper of {connection.integration} reads {', '.join(names)}, not {new.name}"
            )
    return ""


async def _declared(store: Store, project_id: ProjectId, new: NewVariable) -> ManifestVariable:
    """The variable as the active deployment's manifest declares it; a plain one if it does not."""
    deployment = await store.find_active_deployment(project_id)
    build = await store.find_build(deployment.build_id) if deployment else None
    if build is not None:
        manifest = manifest_from_json(build.manifest)
        whose = [one.variables for one in manifest.connections if one.name == new.scope]
        for variable in whose[0] if whose else () if new.scope else manifest.variables:
            if variable.name == new.name:
                return variable
    return ManifestVariable(name=new.name)


async def _check(store: Store, project_id: ProjectId, new: NewVariable, *, is_there: bool) -> None:
    if not is_there and not is_variable_name(new.name):
        problem = f"a name has letters, digits and _, and at most {MAX_NAME} characters"
        raise VariableInvalidError(new.name, problem)
    if len(new.value.encode()) > MAX_VALUE_BYTES:
        raise VariableInvalidError(new.name, f"the value is larger than {MAX_VALUE_BYTES} bytes")
    if "\0" in new.value:
        raise VariableInvalidError(new.name, "the value holds a NUL character")
    if new.scope:
        names = [connection.name for connection in await store.list_connections(project_id)]
        is_deployed = bool(await store.list_deployments(project_id, 1))
        if new.scope not in names and is_deployed:
            known = ", ".join(names) or "it has none"
            problem = f"the project has no connection {new.scope[:200]!r} ({known})"
            raise VariableInvalidError(new.name, problem + meant(nearest(new.scope, names)))
        if new.scope not in names and not is_there and not is_symbol(new.scope):
            problem = f"no connection can be called {new.scope[:200]!r}: letters, digits and _, not beginning with a digit"
            raise VariableInvalidError(new.name, problem)
