"""`autokitteh.yaml` is read as AutoKitteh reads it, with a warning where that hides something."""

from __future__ import annotations

import pytest

from hookline_service.manifest.parse import is_lenient, parse_manifest
from hookline_triggers.definitions import TriggerKind


def parse(text: str):
    return parse_manifest(text, "autokitteh.yaml")


def trigger(keys: str):
    return parse(f"version: v1\nproject: {{name: p, triggers: [{{name: t, {keys}}}]}}\n")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("autokitteh.yaml", True),
        ("some/dir/autokitteh.yaml", True),
        ("demo.ak.yaml", True),
        ("hookline.yaml", False),
        ("notautokitteh.yaml", False),
        ("other.yaml", False),
    ],
)
def test_the_file_name_decides_the_manner(name, expected):
    assert is_lenient(name) is expected


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("24", "24"),
        ("False", "False"),
        ("1.50", "1.50"),
        ("null", ""),
        ("", ""),
        ("~", ""),
        ("0x10", "0x10"),
        ("2020-01-01", "2020-01-01"),
        ('"a b"', "a b"),
        ("yes", "yes"),
    ],
)
def test_scalars_keep_their_spelling_and_null_is_empty(written, value):
    parsed = parse(
        f"version: v1\nproject:\n  name: p\n  vars:\n    - name: A\n      value: {written}\n"
    )

    assert parsed.findings == ()
    assert parsed.manifest.variables[0].value == value


def test_a_missing_value_is_no_value():
    parsed = parse("version: v1\nproject: {name: p, vars: [{name: A}]}\n")

    assert parsed.findings == ()
    assert parsed.manifest.variables[0].text == ""


def test_unknown_keys_are_ignored_with_a_warning_each():
    parsed = trigger("type: schedule, schedule: '@daily', timezone: Europe/Prague, memo: x")

    assert parsed.is_valid
    assert [(one.level, one.code, one.message) for one in parsed.findings] == [
        (
            "warning",
            "manifest.ignored_key",
            "the key 'timezone' in a trigger is ignored, as AutoKitteh does",
        ),
        (
            "warning",
            "manifest.ignored_key",
            "the key 'memo' in a trigger is ignored, as AutoKitteh does",
        ),
    ]
    assert parsed.findings[0].hint == "hookline.yaml knows this key; rename the file to use it"
    assert parsed.manifest.triggers[0].timezone == "UTC"


def test_a_key_of_old_manifests_is_named_as_it_is_called_now():
    parsed = trigger("type: webhook, entrypoint: 'main.py:f'")

    assert [one.hint for one in parsed.findings] == ["it is called `call` now"]
    assert parsed.manifest.triggers[0].call == ""


@pytest.mark.parametrize(
    ("keys", "kind"),
    [
        ("webhook: {}", TriggerKind.WEBHOOK),
        ("type: webhook", TriggerKind.WEBHOOK),
        ("connection: c", TriggerKind.CONNECTION),
        ("type: connection, connection: c", TriggerKind.CONNECTION),
        ("schedule: '@daily'", TriggerKind.SCHEDULE),
        ("type: schedule, schedule: '@daily'", TriggerKind.SCHEDULE),
        ("webhook: , schedule: '@daily'", TriggerKind.SCHEDULE),
        ("webhook: {}, schedule: '@daily'", TriggerKind.WEBHOOK),
        ("connection: c, schedule: '@daily'", TriggerKind.CONNECTION),
        ("type: , webhook: {}", TriggerKind.WEBHOOK),
    ],
)
def test_the_kind_is_found_as_autokitteh_finds_it(keys, kind):
    parsed = trigger(keys)

    assert parsed.findings == ()
    assert parsed.manifest.triggers[0].kind is kind


@pytest.mark.parametrize(
    "keys",
    [
        "type: schedule",
        "type: connection",
        "type: webhook, schedule: x",
        "type: nonsense",
        "webhook: ",
        "call: a.py:f",
    ],
)
def test_a_kind_that_is_missing_or_contradicted_is_an_error(keys):
    parsed = trigger(keys)

    assert not parsed.is_valid
    assert [one.name for one in parsed.manifest.triggers] == ["t"]


@pytest.mark.parametrize(
    ("written", "expected"),
    [("true", True), ("yes", True), ("on", True), ("no", False), ("off", False), ("null", True)],
)
def test_flags_are_read_in_all_of_yamls_spellings(written, expected):
    parsed = trigger(f"webhook: {{}}, is_durable: {written}")

    assert parsed.findings == ()
    assert parsed.manifest.triggers[0].is_durable is expected


def test_a_lone_dot_is_no_filter():
    assert trigger("webhook: {}, filter: .").manifest.triggers[0].filter == ""


def test_a_manifest_with_only_a_version_is_valid():
    parsed = parse("version: v1\n")

    assert parsed.is_valid
    assert [one.level for one in parsed.findings] == ["warning"]


def test_an_unsupported_version_is_refused():
    parsed = parse("version: v3\nproject: {name: p}\n")

    assert [one.message for one in parsed.findings] == [
        "`version` must be one of `v1`, `v2`, not 'v3'"
    ]


def test_a_list_where_a_string_belongs_is_refused():
    parsed = trigger("webhook: {}, call: [a]")

    assert [one.message for one in parsed.findings] == ["`call` must be a string, not a list"]
