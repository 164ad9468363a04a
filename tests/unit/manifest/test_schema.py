from __future__ import annotations

import json
import re
from pathlib import Path

import jsonschema_rs
import pytest
import yaml
from hypothesis import HealthCheck, given, settings, strategies as st

from hookline_service.manifest.keys import ROOT_KEYS, Key, Shape
from hookline_service.manifest.parse import parse_manifest
from hookline_service.manifest.schema import manifest_schema

DOCS = Path(__file__).parents[3] / "docs" / "manifest.md"
VALIDATOR = jsonschema_rs.Draft202012Validator(manifest_schema())


def parser_accepts(document: object) -> bool:
    return parse_manifest(json.dumps(document), "hookline.yaml").is_valid


def keys_of(keys: tuple[Key, ...]):
    for key in keys:
        yield key
        yield from keys_of(key.keys)


def a_trigger(**keys):
    return {"project": {"name": "p", "triggers": [{"name": "t", **keys}]}}


GOOD_WEBHOOK = {"type": "webhook"}
GOOD_SCHEDULE = {"schedule": "@daily"}


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"project": {"name": "p"}}, True),
        ({"version": "v2", "project": {"name": "p"}}, True),
        ({"version": "v3", "project": {"name": "p"}}, False),
        ({"version": "v1"}, False),
        ({"project": None}, False),
        ({"project": {"name": "a-b"}}, False),
        ({"project": {"name": "p", "nam": 1}}, False),
        ({"x-anything": [1], "project": {"name": "p"}}, True),
        ({"project": {"name": "p", "x-no": 1}}, False),
        ({"project": {"name": "p", "vars": None, "triggers": None, "requirements": None}}, True),
        ({"project": {"name": "p", "vars": [{"name": "A", "value": 1.5}]}}, True),
        ({"project": {"name": "p", "vars": [{"name": "A", "value": None}]}}, True),
        ({"project": {"name": "p", "vars": [{"name": "A", "value": []}]}}, False),
        ({"project": {"name": "p", "vars": [{"name": "A", "secret": None}]}}, False),
        ({"project": {"name": "p", "vars": [{"name": "A", "value": "x" * 8093}]}}, False),
        ({"project": {"name": "p", "vars": [{"name": f"A{n}"} for n in range(65)]}}, False),
        ({"project": {"name": "p", "display_name": 4}}, False),
        ({"project": {"name": "p", "concurrency": 0}}, False),
        ({"project": {"name": "p", "concurrency": 3}}, True),
        ({"project": {"name": "p", "python": "3.12"}}, True),
        ({"project": {"name": "p", "python": "2.7"}}, False),
        ({"project": {"name": "p", "python": "3.9"}}, False),
        ({"project": {"name": "p", "requirements": "r.txt"}}, True),
        ({"project": {"name": "p", "requirements": ["a", 1]}}, False),
        ({"project": {"name": "p", "requirements": {}}}, False),
        ({"project": {"name": "p", "connections": [{"name": "c"}]}}, False),
        (a_trigger(), False),
        (a_trigger(type="webhook"), True),
        (a_trigger(type="webhook", webhook={}), True),
        (a_trigger(webhook={}), True),
        (a_trigger(webhook=None), False),
        (a_trigger(webhook={"a": 1}), False),
        (a_trigger(type="schedule"), False),
        (a_trigger(type="connection"), False),
        (a_trigger(type="schedule", schedule="x"), True),
        (a_trigger(type="webhook", schedule="x"), False),
        (a_trigger(schedule="x", connection="c"), False),
        (a_trigger(webhook={}, connection="c"), False),
        (a_trigger(**GOOD_WEBHOOK, overlap="skip"), False),
        (a_trigger(**GOOD_SCHEDULE, overlap="skip", dst="both", catchup=0, jitter="PT5S"), True),
        (a_trigger(**GOOD_SCHEDULE, overlap="sometimes"), False),
        (a_trigger(**GOOD_SCHEDULE, dedupe="header:A"), False),
        (a_trigger(**GOOD_SCHEDULE, is_sync=True), False),
        (a_trigger(**GOOD_WEBHOOK, is_sync=True, dedupe="header:A"), True),
        (a_trigger(**GOOD_WEBHOOK, timeout="5m"), True),
        (a_trigger(**GOOD_WEBHOOK, timeout="5 m"), False),
        (a_trigger(**GOOD_WEBHOOK, timeout=0), False),
        (a_trigger(**GOOD_WEBHOOK, timeout=-1), False),
        (a_trigger(**GOOD_WEBHOOK, timeout=True), False),
        (a_trigger(**GOOD_WEBHOOK, timeout=1.5), True),
        (a_trigger(**GOOD_WEBHOOK, retries=3), True),
        (a_trigger(**GOOD_WEBHOOK, retries=-1), False),
        (a_trigger(**GOOD_WEBHOOK, retries=None), False),
        (a_trigger(**GOOD_WEBHOOK, retries={"attempts": 3, "factor": 1.5}), True),
        (a_trigger(**GOOD_WEBHOOK, retries={"attempts": 0}), False),
        (a_trigger(**GOOD_WEBHOOK, retries={"tries": 1}), False),
    ],
)
def test_schema_and_parser_agree(document, expected):
    assert VALIDATOR.is_valid(document) is expected
    assert parser_accepts(document) is expected


def value_for(key: Key) -> st.SearchStrategy[object]:
    """Values right and wrong for a key, near its limits."""
    anything = st.sampled_from([None, True, "", "x", 0, 1, 1.5, [], {}, "v1", "5m", "webhook", -1])
    match key.shape:
        case Shape.MAP | Shape.MARKER:
            right = mapping_for(key.keys)
        case Shape.MAPS:
            right = st.lists(mapping_for(key.keys), max_size=1)
        case Shape.COUNT_OR_MAP:
            right = st.one_of(st.integers(-1, 3), mapping_for(key.keys))
        case Shape.COUNT:
            right = st.integers(-1, 3)
        case Shape.NUMBER:
            right = st.sampled_from([0.5, 1, 2.5, 101])
        case Shape.DURATION:
            right = st.sampled_from([0, 1, 0.5, "1m", "1h30m", "PT1H", "1x", "", "1", "90", ".5s"])
        case Shape.TEXTS:
            right = st.lists(st.sampled_from(["a", "", 1]), max_size=2)
        case Shape.TEXT_OR_TEXTS:
            right = st.sampled_from(["a", ["a"], ["a", 1]])
        case Shape.FLAG:
            right = st.booleans()
        case _:
            right = st.sampled_from([*key.choices, "name", "a b", "3.12", "", 7, True])
    return st.one_of(right, right, right, anything)


def mapping_for(keys: tuple[Key, ...]) -> st.SearchStrategy[dict[str, object]]:
    required = {key.name: value_for(key) for key in keys if key.is_required}
    optional = {key.name: value_for(key) for key in keys if not key.is_required}
    return st.fixed_dictionaries(required, optional=optional)


@given(mapping_for(ROOT_KEYS))
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_schema_and_parser_agree_on_made_up_documents(document):
    retries = json.dumps(document).count('"initial"')  # a schema cannot compare two values
    expected = VALIDATOR.is_valid(document)

    if not retries:
        assert parser_accepts(document) is expected, document


def test_the_schema_is_a_valid_schema():
    jsonschema_rs.meta.validate(manifest_schema())


def test_every_key_is_described():
    assert all(key.description.endswith(".") for key in keys_of(ROOT_KEYS))


def test_every_key_of_the_schema_stands_in_the_docs():
    text = DOCS.read_text("utf-8")

    missing = {key.name for key in keys_of(ROOT_KEYS) if f"| `{key.name}` |" not in text}

    assert missing == set()


def test_every_choice_of_the_schema_stands_in_the_docs():
    text = DOCS.read_text("utf-8")

    missing = {c for key in keys_of(ROOT_KEYS) for c in key.choices if f"`{c}`" not in text}

    assert missing == set()


def test_the_examples_in_the_docs_are_valid():
    blocks = re.findall(r"```yaml\n(.*?)```", DOCS.read_text("utf-8"), re.DOTALL)
    whole = [block for block in blocks if re.search("^project:", block, re.MULTILINE)]

    assert whole
    for block in whole:
        assert parse_manifest(block, "hookline.yaml").findings == ()
        VALIDATOR.validate(yaml.safe_load(block))
