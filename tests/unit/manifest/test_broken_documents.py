"""Whatever the text holds, there are findings, never an exception, and never a long wait."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings, strategies as st

from hookline_service.manifest.document import MAX_BYTES
from hookline_service.manifest.parse import parse_manifest

NAMES = st.sampled_from(["hookline.yaml", "autokitteh.yaml"])
ALIAS_BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
MERGE_BOMB = (
    "x-a: &a {name: p}\n"
    + "".join(
        f"x-{name}: &{name} {{<<: [{', '.join([f'*{before}'] * 9)}]}}\n"
        for before, name in zip("abcdefgh", "bcdefghi", strict=True)
    )
    + "project: {<<: *i}\n"
)


@pytest.mark.parametrize(
    ("text", "line", "column", "code"),
    [
        (b"a: \xff", 1, 4, "manifest.encoding"),
        (b"a: b\nc: \xc3(", 2, 4, "manifest.encoding"),
        ("project:\n  name: \x07", 2, 9, "manifest.encoding"),
        ("", 0, 0, "manifest.empty"),
        ("# nothing\n", 0, 0, "manifest.empty"),
        ("[]", 1, 1, "manifest.not_a_map"),
        ("hello", 1, 1, "manifest.not_a_map"),
        ("a: b\n---\nc: d\n", 2, 1, "manifest.many_documents"),
        ("project:\n\tname: x\n", 2, 1, "manifest.syntax"),
        ("project:\n  schedule: @daily\n", 2, 13, "manifest.syntax"),
        ("project:\n  schedule: * * * * *\n", 2, 14, "manifest.syntax"),
        ("a: 'open\n", 2, 1, "manifest.syntax"),
        ("a: *nowhere\n", 1, 4, "manifest.syntax"),
        ('a: "\\UFFFFFFFF"\n', 1, 7, "manifest.syntax"),
        ("[" * 5000, 1, 33, "manifest.too_deep"),
        ("? " * 5000, 1, 65, "manifest.too_deep"),
        ("x" * (MAX_BYTES + 1), 0, 0, "manifest.too_large"),
        ("[" + "a," * 30_000 + "]", 1, 40_000, "manifest.too_large"),
    ],
)
def test_a_broken_document_gives_one_finding_at_its_place(text, line, column, code):
    parsed = parse_manifest(text, "hookline.yaml")

    assert parsed.manifest is None
    assert [(one.line, one.column, one.code) for one in parsed.findings] == [(line, column, code)]


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("project:\n\tname: x\n", "spaces"),
        ("project:\n  schedule: @daily\n", "quotes"),
        ("project:\n  schedule: * * * * *\n", "quotes"),
        ("project:\n  filter: a: b\n", "quotes"),
    ],
)
def test_a_common_slip_gets_its_cure(text, hint):
    finding = parse_manifest(text, "hookline.yaml").findings[0]

    assert hint in finding.hint
    assert finding.source


@pytest.mark.parametrize(
    "text",
    [
        ALIAS_BOMB + "project: *i\n",
        MERGE_BOMB,
        "a: &a {<<: *a}\n",
        "project: &p {name: x, triggers: [*p, *p]}\n",
        "project: {name: p, vars: &v [{name: A}, *v]}\n",
        "x: &v ["
        + "{name: A}," * 60
        + "]\nproject: {name: p, connections: ["
        + "{name: c, integration: i, vars: *v}," * 900
        + "]}",
    ],
)
def test_aliases_cannot_blow_the_document_up(text):
    parsed = parse_manifest(text, "hookline.yaml")

    assert not parsed.is_valid


def test_a_byte_order_mark_is_no_matter():
    assert parse_manifest(b"\xef\xbb\xbfproject: {name: p}", "hookline.yaml").is_valid


def test_windows_line_ends_are_no_matter():
    finding = parse_manifest(b"project:\r\n  name: p\r\n  bad: x\r\n", "hookline.yaml").findings[0]

    assert (finding.line, finding.column, finding.source) == (3, 3, "  bad: x")


def test_half_a_surrogate_pair_is_refused():
    parsed = parse_manifest('project: {name: p, display_name: "\\uD800"}', "hookline.yaml")

    assert [one.code for one in parsed.findings] == ["manifest.bad_value"]


@given(st.one_of(st.text(), st.binary()), NAMES)
@settings(max_examples=150, deadline=None)
def test_any_text_gives_findings_and_no_exception(text, name):
    parsed = parse_manifest(text, name)

    assert parsed.manifest is not None or parsed.findings


WORDS = st.sampled_from(
    [
        "version",
        "project",
        "name",
        "vars",
        "value",
        "secret",
        "triggers",
        "type",
        "webhook",
        "schedule",
        "connection",
        "connections",
        "integration",
        "retries",
        "attempts",
        "timeout",
        "jitter",
        "python",
        "requirements",
        "ignore",
        "v1",
        "v2",
        "x",
        "true",
        "null",
        "1",
        "-1",
        "1.5",
        "''",
        "[]",
        "{}",
        "<<",
        "&a",
        "*a",
        "!t",
    ]
)
INDENTS = st.integers(0, 4).map(lambda depth: "  " * depth)
LINES = st.builds(
    lambda indent, dash, key, value: f"{indent}{dash}{key}: {value}",
    INDENTS,
    st.sampled_from(["", "- "]),
    WORDS,
    st.one_of(st.just(""), WORDS),
)


@given(st.lists(LINES, max_size=14).map("\n".join), NAMES)
@settings(max_examples=200, deadline=None)
def test_any_lines_of_familiar_words_give_findings_and_no_exception(text, name):
    parsed = parse_manifest(text, name)

    assert parsed.manifest is not None or parsed.findings


VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), WORDS),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(WORDS, inner, max_size=4)),
    max_leaves=20,
)


@given(VALUES, NAMES)
@settings(max_examples=150, deadline=None)
def test_any_structure_gives_findings_and_no_exception(value, name):
    parsed = parse_manifest(json.dumps({"project": value}), name)

    assert parsed.manifest is not None or parsed.findings
