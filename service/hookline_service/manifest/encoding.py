"""The manifest as canonical JSON: what a build keeps of it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TypeGuard

from hookline.errors import InternalError
from hookline_runner import fast_json
from hookline_service.manifest.values import (
    Manifest,
    ManifestConnection,
    ManifestExport,
    ManifestVariable,
)
from hookline_service.model.secret import Secret
from hookline_triggers.definitions import (
    DstPolicy,
    OverlapPolicy,
    RetryPolicy,
    SchedulePolicies,
    TriggerDefinition,
    TriggerKind,
)

FORMAT = 1


class StoredManifestError(InternalError):
    """A stored manifest cannot be read back."""

    code = "manifest.stored"

    def __init__(self, problem: str) -> None:
        super().__init__(f"the stored manifest cannot be read: {problem}")


def canonical_json(manifest: Manifest) -> bytes:
    """The same bytes for equal manifests; values of secrets and places in the file are not in it."""
    document: dict[str, object] = {
        "format": FORMAT,
        "project": manifest.project,
        "display_name": manifest.display_name,
        "python": manifest.python,
        "requirements": manifest.requirements,
        "ignore": manifest.ignore,
        "process": manifest.process,
        "concurrency": manifest.concurrency,
        "variables": [_variable_object(one) for one in manifest.variables],
        "connections": [
            {
                "name": one.name,
                "integration": one.integration,
                "variables": [_variable_object(variable) for variable in one.variables],
            }
            for one in manifest.connections
        ],
        "triggers": [asdict(one) for one in manifest.triggers],
    }
    if manifest.exports:  # left out where there is none: builds made before keep their ids
        document["exports"] = [asdict(one) for one in manifest.exports]
    return fast_json.write(document, sort_keys=True)


def manifest_from_json(text: bytes) -> Manifest:
    """What `canonical_json` was given, but for the values of secrets.

    Raises:
        StoredManifestError: these are not bytes of `canonical_json`.
    """
    try:
        node = _Node(value=fast_json.read(text))
    except ValueError as exc:
        raise StoredManifestError(str(exc)) from exc
    if node.get("format").value != FORMAT:
        raise StoredManifestError(f"its format is not {FORMAT}")
    requirements = node.get("requirements")
    return Manifest(
        project=node.get("project").text,
        display_name=node.get("display_name").text,
        python=node.get("python").text,
        requirements=requirements.texts if requirements.is_list else requirements.optional_text,
        ignore=node.get("ignore").texts,
        process=node.get("process").text,
        concurrency=node.get("concurrency").optional_count,
        variables=_variables(node),
        connections=tuple(
            ManifestConnection(
                name=one.get("name").text,
                integration=one.get("integration").text,
                variables=_variables(one),
            )
            for one in node.get("connections").items
        ),
        triggers=tuple(_trigger(one) for one in node.get("triggers").items),
        exports=tuple(_export(one) for one in node.get("exports", []).items),
    )


def _variable_object(variable: ManifestVariable) -> dict[str, object]:
    value = None if isinstance(variable.value, Secret) or variable.is_secret else variable.value
    return {
        "name": variable.name,
        "value": value,
        "is_secret": variable.is_secret,
        "description": variable.description,
        "is_required": variable.is_required,
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class _Node:
    """A value of parsed JSON that is asked for its type."""

    value: object

    def get(self, name: str, missing: object = None) -> _Node:
        if not _is_object(self.value):
            raise StoredManifestError(f"no object around {name!r}")
        if name not in self.value and missing is None:
            raise StoredManifestError(f"no {name!r}")
        return _Node(value=self.value.get(name, missing))

    @property
    def is_list(self) -> bool:
        return isinstance(self.value, list)

    @property
    def items(self) -> list[_Node]:
        if not _is_array(self.value):
            raise StoredManifestError("a list is missing")
        return [_Node(value=item) for item in self.value]

    @property
    def text(self) -> str:
        if not isinstance(self.value, str):
            raise StoredManifestError("a text is missing")
        return self.value

    @property
    def texts(self) -> tuple[str, ...]:
        return tuple(item.text for item in self.items)

    @property
    def optional_text(self) -> str | None:
        return None if self.value is None else self.text

    @property
    def flag(self) -> bool:
        if not isinstance(self.value, bool):
            raise StoredManifestError("true or false is missing")
        return self.value

    @property
    def count(self) -> int:
        if not isinstance(self.value, int) or isinstance(self.value, bool):
            raise StoredManifestError("a whole number is missing")
        return self.value

    @property
    def optional_count(self) -> int | None:
        return None if self.value is None else self.count

    @property
    def number(self) -> float:
        return self.value if isinstance(self.value, float) else float(self.count)

    @property
    def optional_number(self) -> float | None:
        return None if self.value is None else self.number


def _variables(node: _Node) -> tuple[ManifestVariable, ...]:
    return tuple(
        ManifestVariable(
            name=one.get("name").text,
            value=one.get("value").optional_text,
            is_secret=one.get("is_secret").flag,
            description=one.get("description").text,
            is_required=one.get("is_required").flag,
        )
        for one in node.get("variables").items
    )


def _trigger(node: _Node) -> TriggerDefinition:
    try:
        kind = TriggerKind(node.get("kind").text)
        policies = _policies(node.get("policies"))
    except ValueError as exc:
        raise StoredManifestError(str(exc)) from exc
    return TriggerDefinition(
        name=node.get("name").text,
        kind=kind,
        call=node.get("call").text,
        event_type=node.get("event_type").text,
        filter=node.get("filter").text,
        schedule=node.get("schedule").text,
        timezone=node.get("timezone").text,
        connection=node.get("connection").text,
        is_durable=node.get("is_durable").flag,
        is_sync=node.get("is_sync").flag,
        policies=policies,
        retries=_retries(node.get("retries")),
        timeout_s=node.get("timeout_s").optional_number,
        concurrency=node.get("concurrency").optional_count,
        dedupe=node.get("dedupe").text,
    )


def _export(node: _Node) -> ManifestExport:
    callers = node.get("callers")
    return ManifestExport(
        call=node.get("call").text,
        callers=None if callers.value is None else callers.texts,
    )


def _policies(node: _Node) -> SchedulePolicies:
    return SchedulePolicies(
        overlap=OverlapPolicy(node.get("overlap").text),
        dst=DstPolicy(node.get("dst").text),
        catchup_s=node.get("catchup_s").number,
        jitter_s=node.get("jitter_s").number,
        pause_on_failure=node.get("pause_on_failure").flag,
    )


def _retries(node: _Node) -> RetryPolicy:
    return RetryPolicy(
        max_attempts=node.get("max_attempts").count,
        initial_s=node.get("initial_s").number,
        factor=node.get("factor").number,
        max_s=node.get("max_s").number,
    )


def _is_object(value: object) -> TypeGuard[dict[str, object]]:
    return isinstance(value, dict)


def _is_array(value: object) -> TypeGuard[list[object]]:
    return isinstance(value, list)
