"""The JSON Schema of `hookline.yaml`, for editors; made from the table that the parser reads by."""

from __future__ import annotations

from hookline_service.manifest.keys import (
    MAX_ITEMS,
    MAX_VARIABLES,
    ROOT_KEYS,
    TRIGGER_KEYS,
    VARIABLE_KEYS,
    Key,
    Shape,
)
from hookline_triggers.definitions import TriggerKind

DIALECT = "https://json-schema.org/draft/2020-12/schema"

_NUMBER = r"([0-9]{1,18}(\.[0-9]{0,18})?|\.[0-9]{1,18})"
_GO = rf"({_NUMBER}(ns|us|µs|μs|ms|s|m|h|d|w))+"
_TIME = rf"[Tt](?=.)({_NUMBER}[Hh])?({_NUMBER}[Mm])?({_NUMBER}[Ss])?"
_ISO = rf"[Pp](?=.)({_NUMBER}[Ww])?({_NUMBER}[Dd])?({_TIME})?"
_DURATION = rf"^\s*({_NUMBER}|{_GO}|{_ISO})\s*$"
_LONGEST_S = 100 * 366 * 86400

Schema = dict[str, object]


def manifest_schema() -> Schema:
    """JSON Schema 2020-12 of the strict manifest.

    It accepts what the parser accepts, except for what no schema can say (unique names, sizes in bytes, what
    other files hold).
    """
    root = _map(ROOT_KEYS)
    return {
        "$schema": DIALECT,
        "title": "Hookline manifest",
        "description": "hookline.yaml: one project, its triggers, connections and variables.",
        **root,
        "patternProperties": {"^x-": True},
    }


def _map(keys: tuple[Key, ...]) -> Schema:
    schema: Schema = {
        "type": "object",
        "properties": {key.name: _property(key) for key in keys},
        "additionalProperties": False,
    }
    required = [key.name for key in keys if key.is_required]
    if required:
        schema["required"] = required
    if keys is TRIGGER_KEYS:
        schema["allOf"] = _kind_rules()
    return schema


def _property(key: Key) -> Schema:
    schema: Schema = {"description": key.description, **_value(key)}
    if key.default:
        schema["description"] = f"{key.description} Default: {key.default}."
    return schema


def _value(key: Key) -> Schema:  # noqa: C901, PLR0911, PLR0912 - one arm for each shape
    match key.shape:
        case Shape.TEXT:
            return {"type": "string", **_text_rules(key)}
        case Shape.SCALAR if key.pattern:
            version = {"type": "number", "minimum": 3.1, "exclusiveMaximum": 4}
            return {"anyOf": [{"type": "string", **_text_rules(key)}, version, {"type": "null"}]}
        case Shape.SCALAR:
            return {"type": ["string", "number", "boolean", "null"], **_text_rules(key)}
        case Shape.FLAG:
            return {"type": "boolean"}
        case Shape.COUNT:
            return {"type": "integer", **_bounds(key)}
        case Shape.NUMBER:
            return {"type": "number", **_bounds(key)}
        case Shape.DURATION:
            positive = {"exclusiveMinimum": 0} if key.name == "timeout" else {"minimum": 0}
            return {
                "type": ["string", "number"],
                "pattern": _DURATION,
                "maxLength": 100,
                "maximum": _LONGEST_S,
                **positive,
            }
        case Shape.TEXTS:
            return {"type": ["array", "null"], "items": _items(key), "maxItems": key.max_items}
        case Shape.TEXT_OR_TEXTS:
            return {
                "type": ["string", "array", "null"],
                "items": _items(key),
                "maxItems": key.max_items,
                **_text_rules(key),
            }
        case Shape.MARKER | Shape.MAP:
            return _map(key.keys)
        case Shape.MAPS:
            most = MAX_VARIABLES if key.keys is VARIABLE_KEYS else MAX_ITEMS
            return {"type": ["array", "null"], "items": _map(key.keys), "maxItems": most}
        case Shape.TEXTS_OR_MAPS:
            either: Schema = {"anyOf": [{"type": "string", **_text_rules(key)}, _map(key.keys)]}
            return {"type": ["array", "null"], "items": either, "maxItems": key.max_items}
        case Shape.COUNT_OR_MAP:
            return {**_map(key.keys), "type": ["integer", "object"], **_bounds(key)}


def _items(key: Key) -> Schema:
    return {"type": "string", **_text_rules(key)}


def _text_rules(key: Key) -> Schema:
    schema: Schema = {"maxLength": key.max_length}
    if key.choices:
        schema = {"enum": [str(choice) for choice in key.choices]}
    elif key.pattern:
        schema["pattern"] = key.pattern
    return schema


def _bounds(key: Key) -> Schema:
    schema: Schema = {}
    if key.least is not None:
        schema["minimum"] = key.least
    if key.most is not None:
        schema["maximum"] = key.most
    return schema


def _kind_rules() -> list[Schema]:
    """A trigger is of exactly one kind, and has only the keys of that kind."""
    has_kind: list[Schema] = [{"required": [str(kind)]} for kind in TriggerKind]
    rules: list[Schema] = [{"anyOf": [*has_kind, {"required": ["type"]}]}]
    for kind in TriggerKind:
        others = [str(other) for other in TriggerKind if other is not kind]
        foreign = [key.name for key in TRIGGER_KEYS if key.only not in {None, kind}]
        forbidden: list[Schema] = [{"required": [name]} for name in (*others, *foreign)]
        needed: Schema = {} if kind is TriggerKind.WEBHOOK else {"required": [str(kind)]}
        by_type: Schema = {"properties": {"type": {"const": str(kind)}}, "required": ["type"]}
        rules.append(
            {
                "if": {"anyOf": [{"required": [str(kind)]}, by_type]},
                "then": {**needed, "not": {"anyOf": forbidden}},
            }
        )
        others_by_type: Schema = {"properties": {"type": {"const": str(kind)}}}
        rules.append({"if": {"required": [str(kind)]}, "then": others_by_type})
    return rules
