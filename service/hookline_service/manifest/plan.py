"""What applying a manifest changes: creates, updates and deletes, decided before anything is written."""

from __future__ import annotations

from collections.abc import Iterable, Set as AbstractSet
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum

from hookline_service.manifest.exports import entry_point_of
from hookline_service.manifest.values import Manifest, ManifestExport, ManifestVariable
from hookline_service.model.projects import Connection
from hookline_service.model.secret import Secret
from hookline_triggers.definitions import TriggerDefinition

_SHOWN = 60
_MANIFEST_WINS = (
    "; it was set by hand, but the manifest's value wins: leave `value` out to keep yours"
)
_NESTED = frozenset({"policies", "retries"})


class ActionType(StrEnum):
    """What an action does, and to what; the `keep_…` ones change nothing and say why."""

    CREATE_PROJECT = "create_project"
    UPDATE_PROJECT = "update_project"
    CREATE_CONNECTION = "create_connection"
    UPDATE_CONNECTION = "update_connection"
    DELETE_CONNECTION = "delete_connection"
    SET_VAR = "set_var"
    UPDATE_VAR = "update_var"
    DELETE_VAR = "delete_var"
    KEEP_VAR = "keep_var"
    CREATE_TRIGGER = "create_trigger"
    UPDATE_TRIGGER = "update_trigger"
    DELETE_TRIGGER = "delete_trigger"
    CREATE_EXPORT = "create_export"
    UPDATE_EXPORT = "update_export"
    DELETE_EXPORT = "delete_export"


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One step of a plan. `detail` says what changes or why not; never a secret's value."""

    type: ActionType
    name: str
    detail: str = ""

    @property
    def is_change(self) -> bool:
        """False for a note that something is left as it is."""
        return self.type is not ActionType.KEEP_VAR

    @property
    def line(self) -> str:
        """The step in words."""
        verb, _, noun = self.type.partition("_")
        noun = {"var": "variable"}.get(noun, noun)
        return f"{verb} {noun} {self.name}" + (f": {self.detail}" if self.detail else "")

    def as_object(self) -> dict[str, str]:
        """The step as JSON values."""
        return {"type": str(self.type), "name": self.name, "detail": self.detail}


@dataclass(frozen=True, slots=True, kw_only=True)
class PresentVariable:
    """A variable as it is stored, opened: a secret's `value` is a `Secret`. `scope` as in `StoredVariable`."""

    scope: str
    name: str
    value: str | Secret
    is_secret: bool = False
    description: str = ""

    @property
    def text(self) -> str:
        """The plain value, of a secret too."""
        return self.value.reveal() if isinstance(self.value, Secret) else self.value


@dataclass(frozen=True, slots=True, kw_only=True)
class PresentState:
    """What there is of a project before a deploy.

    `display_name` None: there is no such project. `former` is the manifest of the deployment that is active, or was
    last: it tells what came from a manifest from what was set by hand.
    """

    display_name: str | None = None
    variables: tuple[PresentVariable, ...] = ()
    connections: tuple[Connection, ...] = ()
    triggers: tuple[TriggerDefinition, ...] = ()
    former: Manifest | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VariableChange:
    """A variable to be stored with this value; a `Secret` is to be sealed."""

    scope: str
    name: str
    value: str | Secret
    description: str

    @property
    def is_secret(self) -> bool:
        """True if the value must be sealed."""
        return isinstance(self.value, Secret)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The steps in the order of doing, and the variables they set and delete (by scope and name)."""

    actions: tuple[Action, ...] = ()
    variables_set: tuple[VariableChange, ...] = ()
    variables_deleted: tuple[tuple[str, str], ...] = ()

    @property
    def is_empty(self) -> bool:
        """True if nothing changes."""
        return not any(action.is_change for action in self.actions)

    def lines(self) -> list[str]:
        """The plan for people, a line each."""
        return [action.line for action in self.actions]

    def objects(self) -> list[dict[str, str]]:
        """The plan for machines: `type`, `name`, `detail`."""
        return [action.as_object() for action in self.actions]


@dataclass(slots=True)
class _Draft:
    given: AbstractSet[tuple[str, str]] = frozenset()
    actions: list[Action] = field(default_factory=list[Action])
    variables_set: list[VariableChange] = field(default_factory=list[VariableChange])
    variables_deleted: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])

    def add(self, kind: ActionType, name: str, detail: str = "") -> None:
        self.actions.append(Action(type=kind, name=name, detail=detail))


def plan_release(
    present: PresentState, manifest: Manifest, given: AbstractSet[tuple[str, str]] = frozenset()
) -> Plan:
    """What applying the manifest changes; the values of those `given` (scope and name) came beside it.

    Variables follow five rules. (1) A value in the manifest is set where the stored one differs. (2) A blank never takes
    the place of a secret's value. (3) Nor of a plain value, unless the blank is new in the manifest: then its author
    emptied it. (4) A variable that left the manifest is deleted if it still has the value that the former manifest
    gave it. (5) What was set by hand, and every secret with a value, is kept, with a note where it was the manifest's.
    """
    draft = _Draft(given=given)
    _plan_project(draft, present, manifest)
    _plan_connections(draft, present, manifest)
    _plan_variables(draft, present, manifest)
    _plan_triggers(draft, present, manifest)
    _plan_exports(draft, present.former, manifest)
    return Plan(
        actions=tuple(draft.actions),
        variables_set=tuple(draft.variables_set),
        variables_deleted=tuple(draft.variables_deleted),
    )


def _plan_project(draft: _Draft, present: PresentState, manifest: Manifest) -> None:
    if present.display_name is None:
        draft.add(ActionType.CREATE_PROJECT, manifest.project)
    elif present.display_name != manifest.display_name:
        detail = _change("display_name", present.display_name, manifest.display_name)
        draft.add(ActionType.UPDATE_PROJECT, manifest.project, detail)


def _plan_connections(draft: _Draft, present: PresentState, manifest: Manifest) -> None:
    known = {one.name: one.integration for one in present.connections}
    for connection in manifest.connections:
        integration = known.pop(connection.name, None)
        if integration is None:
            detail = f"integration {connection.integration}"
            draft.add(ActionType.CREATE_CONNECTION, connection.name, detail)
        elif integration != connection.integration:
            detail = _change("integration", integration, connection.integration)
            draft.add(ActionType.UPDATE_CONNECTION, connection.name, detail)
    for name in sorted(known):
        draft.add(ActionType.DELETE_CONNECTION, name, "it is not in the manifest")


def _plan_variables(draft: _Draft, present: PresentState, manifest: Manifest) -> None:
    stored = {(one.scope, one.name): one for one in present.variables}
    former = _by_key(present.former) if present.former is not None else {}
    wanted = _by_key(manifest)
    for key, variable in wanted.items():
        _plan_variable(draft, key, variable, stored.get(key), former.get(key))
    for key in sorted(stored.keys() & former.keys() - wanted.keys()):
        _plan_vanished(draft, stored[key], former[key])


def _plan_variable(
    draft: _Draft,
    key: tuple[str, str],
    wanted: ManifestVariable,
    stored: PresentVariable | None,
    former: ManifestVariable | None,
) -> None:
    name = _shown_name(key)
    if stored is None:
        if wanted.value is not None:
            detail = "new" + _value_shown(wanted)
            _set(draft, key, wanted, Action(type=ActionType.SET_VAR, name=name, detail=detail))
        return
    text, note = _settled_text(wanted, stored, former)
    if note:
        draft.add(ActionType.KEEP_VAR, name, note)
    changes = _differences(wanted, stored, text)
    if changes:
        is_secret = wanted.is_secret or _stays_secret(wanted, stored)
        settled = replace(wanted, value=text, is_secret=is_secret)
        detail = ", ".join(changes)
        if _undoes_a_hand(text, stored, former) and key not in draft.given:
            detail += _MANIFEST_WINS
        _set(draft, key, settled, Action(type=ActionType.UPDATE_VAR, name=name, detail=detail))


def _undoes_a_hand(text: str, stored: PresentVariable, former: ManifestVariable | None) -> bool:
    """Whether a value that somebody set since the former deploy is replaced."""
    was_set = bool(stored.text) and (former is None or former.text != stored.text)
    return was_set and text != stored.text


def _settled_text(
    wanted: ManifestVariable, stored: PresentVariable, former: ManifestVariable | None
) -> tuple[str, str]:
    """The value to have, and a note if that is not what the manifest says."""
    if wanted.text or not stored.text:
        return wanted.text, ""
    if stored.is_secret:
        note = "" if wanted.value is None else "the secret keeps its value; the manifest has none"
        return stored.text, note
    was_emptied = former is not None and former.text != "" and wanted.value is not None
    if was_emptied:
        return "", ""
    note = "" if wanted.value is None else "it keeps the value set by hand; the manifest has none"
    return stored.text, note


def _stays_secret(wanted: ManifestVariable, stored: PresentVariable) -> bool:
    """A value that was sealed is not laid open by a manifest that does not know it."""
    return stored.is_secret and not wanted.text


def _differences(wanted: ManifestVariable, stored: PresentVariable, text: str) -> list[str]:
    is_secret = wanted.is_secret or _stays_secret(wanted, stored)
    changes: list[str] = []
    if text != stored.text:
        either_secret = is_secret or stored.is_secret
        changes.append("value" if either_secret else _change("value", stored.text, text))
    if is_secret != stored.is_secret:
        changes.append("becomes a secret" if is_secret else "is no longer a secret")
    if wanted.description != stored.description:
        changes.append("description")
    return changes


def _set(draft: _Draft, key: tuple[str, str], wanted: ManifestVariable, step: Action) -> None:
    """Store what is wanted, with its text for a value."""
    draft.actions.append(step)
    draft.variables_set.append(
        VariableChange(
            scope=key[0],
            name=key[1],
            value=Secret(wanted.text) if wanted.is_secret else wanted.text,
            description=wanted.description,
        )
    )


def _plan_vanished(draft: _Draft, stored: PresentVariable, former: ManifestVariable) -> None:
    """A stored variable that the former manifest named and this one does not."""
    key = (stored.scope, stored.name)
    if stored.is_secret and stored.text:
        note = "it left the manifest; a secret is deleted only by `hookline var delete`"
        draft.add(ActionType.KEEP_VAR, _shown_name(key), note)
    elif stored.text != former.text:
        note = "it left the manifest; its value was set by hand"
        draft.add(ActionType.KEEP_VAR, _shown_name(key), note)
    else:
        draft.add(ActionType.DELETE_VAR, _shown_name(key), "it left the manifest")
        draft.variables_deleted.append(key)


def _plan_triggers(draft: _Draft, present: PresentState, manifest: Manifest) -> None:
    known = {one.name: one for one in present.triggers}
    for trigger in manifest.triggers:
        old = known.pop(trigger.name, None)
        if old is None:
            draft.add(ActionType.CREATE_TRIGGER, trigger.name, _described(trigger))
        elif old != trigger:
            draft.add(ActionType.UPDATE_TRIGGER, trigger.name, ", ".join(_compared(old, trigger)))
    for name in sorted(known):
        draft.add(ActionType.DELETE_TRIGGER, name, "it is not in the manifest")


def _plan_exports(draft: _Draft, former: Manifest | None, manifest: Manifest) -> None:
    known = {} if former is None else {entry_point_of(one): one for one in former.exports}
    for export in manifest.exports:
        name = entry_point_of(export)
        old = known.pop(name, None)
        if old is None:
            draft.add(ActionType.CREATE_EXPORT, name, f"to {_receivers(export)}")
        elif old.callers != export.callers:
            detail = f"to {_receivers(export)}, no longer to {_receivers(old)}"
            draft.add(ActionType.UPDATE_EXPORT, name, detail)
    for name in sorted(known):
        draft.add(ActionType.DELETE_EXPORT, name, "it is not in the manifest")


def _receivers(export: ManifestExport) -> str:
    return "every project" if export.callers is None else _cut(", ".join(export.callers))


def _described(trigger: TriggerDefinition) -> str:
    source = trigger.schedule or trigger.connection
    call = f" → {trigger.call}" if trigger.call else ""
    return f"{trigger.kind}{f' {_cut(source)!r}' if source else ''}{call}"


def _compared(old: TriggerDefinition, new: TriggerDefinition) -> list[str]:
    before, after = _fields(old), _fields(new)
    return [
        _change(name, before[name], after[name]) for name in after if before[name] != after[name]
    ]


def _fields(trigger: TriggerDefinition) -> dict[str, object]:
    """Every field under the key that its author writes, policies beside the others."""
    plain = {name: value for name, value in asdict(trigger).items() if name not in _NESTED}
    retries = {f"retries.{name}": value for name, value in asdict(trigger.retries).items()}
    fields = {**plain, **asdict(trigger.policies), **retries}
    fields["retries.attempts"] = fields.pop("retries.max_attempts")
    return {name.removesuffix("_s"): value for name, value in fields.items()}


def _by_key(manifest: Manifest) -> dict[tuple[str, str], ManifestVariable]:
    owners: Iterable[tuple[str, tuple[ManifestVariable, ...]]] = [
        ("", manifest.variables),
        *((one.name, one.variables) for one in manifest.connections),
    ]
    return {(scope, one.name): one for scope, variables in owners for one in variables}


def _shown_name(key: tuple[str, str]) -> str:
    scope, name = key
    return f"{scope}/{name}" if scope else name


def _value_shown(variable: ManifestVariable) -> str:
    if variable.is_secret:
        return ", a secret" if variable.text else ", a secret without a value yet"
    return f", {_cut(variable.text)!r}"


def _change(name: str, old: object, new: object) -> str:
    return f"{name} {_worded(old)} → {_worded(new)}"


def _worded(value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    return repr(_cut(str(value))) if isinstance(value, str) else str(value)


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
