from __future__ import annotations

import contextlib
import logging
from collections.abc import Mapping
from types import MappingProxyType

import pytest
from hypothesis import example, given, settings, strategies as st

from hookline_triggers import filters
from hookline_triggers.cel_scan import find_foreign_sign
from hookline_triggers.errors import FilterInvalidError
from hookline_triggers.filters import compile_filter

DATA: dict[str, object] = {
    "method": "POST",
    "headers": {"Content-Type": "application/json; charset=utf-8", "X-Github-Event": "push"},
    "url": {"path": "/webhooks/abc/meow", "query": {"unique_id": "u-1"}},
    "body": {
        "json": {"n": 3, "x": 1.5, "big": 2**62, "tags": ["a", "b"], "none": None},
        "bytes": b"hi",
    },
    "issue": {"fields": {"project": {"key": "OPS"}}},
    "action": "created",
    "thread_ts": "",
    "text": "!deploy  Größe ",
    "a": {"b": "c"},
    "n": 3,
    "x": 3.0,
    "ok": True,
    "list": [3, 1, 2, 3],
    "emails": [{"to": "a@x.org", "read": False}, {"to": "b@y.org", "read": True}],
}

# Each of these must be true of DATA and the event type `push`.
SEEN_IN_PROJECTS = [
    'data.method == "GET" || data.method == "POST"',
    'data.method in ["POST","HEAD"]',
    'data.headers["Content-Type"] == "application/json; charset=utf-8"',
    'data.headers["Content-Type"].startsWith("application/json")',
    'data.url.path.endsWith("/meow")',
    "data.thread_ts == '' && data.text.startsWith('!')",
    'data.issue.fields.project.key == "OPS"',
    "data.action in ['created','edited']",
    'event_type == "push" && data.a["b"] == "c"',
    "data.url.query.unique_id == 'u-1'",
]
STANDARD = [
    "data['method'] == 'POST'",
    "'b' in data.a",
    "'b' in data.body.json.tags",
    "!('z' in data.a)",
    "has(data.a.b) && !has(data.a.z)",
    "data.list.all(x, x > 0)",
    "data.list.exists(x, x == 2)",
    "data.list.exists_one(x, x == 1)",
    "data.list.map(x, x * 2) == [6, 2, 4, 6]",
    "data.list.filter(x, x > 2).size() == 2",
    "data.emails.exists(m, m.to.endsWith('y.org') && m.read)",
    "data.a.exists(k, k == 'b')",
    "(data.n > 2 ? 'big' : 'small') == 'big'",
    "data.n + 1 == 4 && data.n * 2 - 1 == 5 && data.n / 2 == 1 && data.n % 2 == 1",
    "-data.n == -3",
    "data.x == 3 && data.n == 3.0 && data.n < 3.5 && data.x >= 3 && 3u == data.n",
    "1.0 in [1, 2] && [1, 2] == [1.0, 2.0]",
    "data.body.json.big == 4611686018427387904",
    "data.body.json.none == null",
    "data.ok && !false",
    "data.text.contains('deploy') && data.text.matches('^!\\\\w+')",
    "data.text.matches(r'^!\\w+')",
    "size(data.text) == 15 && data.text.size() == 15 && 'Größe'.size() == 5",
    "size(data.list) == 4 && size(data.a) == 1 && data.body.bytes.size() == 2",
    "int('3') == 3 && int(3.9) == 3 && double('1.5') == 1.5 && string(3) == '3'",
    "string(true) == 'true' && bool('true')",
    "type(data.n) == int && type(data.text) == string",
    "timestamp('2026-01-01T00:00:00Z') < timestamp('2026-01-02T00:00:00Z')",
    "timestamp('2026-01-01T00:00:00Z').getFullYear() == 2026",
    "duration('1h30m') > duration('60m')",
    "data.nope == 1 || true",
    "!(false && data.nope == 1)",
    "true || data.nope == 1",
    "data.body.bytes == b'hi'",
    "\"a\\\"b\" == 'a\"b' && '''x'y''' == \"x'y\"",
    "'\\u00e9' == 'é'",
    "data.a == {'b': 'c'}",
    "dyn(data.n) == 3",
    "// a remark\ndata.n == 3",
    "[1, 2].exists(data, data == 2) && data.n == 3",
]
EXTENSIONS = [
    "'tEst'.lowerAscii() == 'test' && 'tEst'.upperAscii() == 'TEST'",
    "'a,b,c'.split(',') == ['a','b','c'] && 'a,b,c'.split(',', 2) == ['a','b,c']",
    "'he he'.replace('he', 'we') == 'we we' && 'he he'.replace('he', 'we', 1) == 'we he'",
    "data.text.trim() == '!deploy  Größe'",
    "'tacocat'.substring(4) == 'cat' && 'tacocat'.substring(0, 4) == 'taco'",
    "'Größe'.indexOf('ß') == 3 && 'hello'.indexOf('z') == -1 && 'hello'.indexOf('l', 3) == 3",
    "'hello'.lastIndexOf('l') == 3 && 'hello'.charAt(1) == 'e'",
    "['a','b'].join() == 'ab' && ['a','b'].join('-') == 'a-b'",
    "'gums'.reverse() == 'smug'",
    "strings.quote('a\"b') == '\"a\\\\\"b\"'",
    "'%s has %d of %.2f, %x'.format(['a', 3, 1.5, 255]) == 'a has 3 of 1.50, ff'",
    "'%s'.format([[1, 'a', true]]) == '[1, a, true]' && '%%'.format([]) == '%'",
    "math.greatest(1, 2.5, 2) == 2.5 && math.greatest([1, 5, 3]) == 5 && math.least(1, -2) == -2",
    "math.abs(-3) == 3 && math.ceil(1.2) == 2.0 && math.floor(1.8) == 1.0 && math.round(1.5) == 2.0",
    "math.sign(-4) == -1 && math.trunc(1.9) == 1.0 && !math.isNaN(1.0) && math.bitAnd(6, 3) == 2",
    "[1,2,3,4].slice(1, 3) == [2,3] && [[1],[2,[3]]].flatten() == [1,2,[3]]",
    "lists.range(3) == [0,1,2] && data.list.distinct() == [3,1,2] && data.list.sort() == [1,2,3,3]",
    "[1,2,3].reverse() == [3,2,1]",
    "sets.contains([1,2,3],[2.0]) && sets.equivalent([1,2],[2,1]) && sets.intersects([1],[1,2])",
    "base64.encode(b'hello') == 'aGVsbG8=' && base64.decode('aGVsbG8') == b'hello'",
    "cel.bind(k, data.issue.fields.project.key, k == 'OPS' && k != 'X')",
    "cel.bind(a, 1, cel.bind(b, a + 1, a + b)) == 3",
    "[1, 2].exists(x, cel.bind(y, x * 2, y == 4))",
    "'%d %b %o %X'.format([-5, 5, 8, 255]) == '-5 101 10 FF'",
    "'%e %.1e'.format([1.5, 1500]) == '1.500000e+00 1.5e+03'",
    "'%x %X %b'.format(['hi', b'hi', true]) == '6869 6869 1'",
    "'%s %s %s %s'.format([null, 1.5, 2.0, b'hi']) == 'null 1.5 2 hi'",
]


@pytest.mark.parametrize("text", SEEN_IN_PROJECTS + STANDARD + EXTENSIONS)
def test_an_expression_of_the_dialect_is_true_where_cel_says_so(text: str) -> None:
    explained = compile_filter(text).explain(DATA, "push")

    assert explained.reason == ""
    assert explained.is_match


@pytest.mark.parametrize("text", SEEN_IN_PROJECTS)
def test_an_expression_that_looks_for_what_is_missing_matches_nothing(text: str) -> None:
    assert compile_filter(text).matches({}, "") is False


@pytest.mark.parametrize("text", ["", " ", ".", " . \n"])
def test_an_empty_filter_matches_everything(text: str) -> None:
    assert compile_filter(text).matches({}, "anything")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("data.nope == 1", "no such key: 'nope'"),
        ("data.method.nope == 1", "TypeError"),
        ("data.n + 'a' == ''", "TypeError"),
        ("data.list[9] == 1", "IndexError"),
        ("data.n / 0 == 1", "ZeroDivisionError"),
        ("data.body.json.big * 4 > 0", "OverflowError"),
        ("data.text.charAt(99) == ''", "RuntimeError"),
        ("size(data.n) == 1", "RuntimeError"),
        ("string(data.list) == ''", "RuntimeError"),
        ("'%d'.format([]) == data.text", "RuntimeError"),
        ("'%d'.format([1, 2]) == data.text", "RuntimeError"),
        ("'%d'.format(['a']) == data.text", "RuntimeError"),
        ("lists.range(1000000000).size() == data.n", "RuntimeError"),
        ("data.method", "not true or false but str"),
        ("data.n == 4", "false"),
    ],
)
def test_what_fails_or_is_no_truth_value_matches_nothing_and_says_why(
    text: str, reason: str
) -> None:
    explained = compile_filter(text).explain(DATA, "push")

    assert not explained.is_match
    assert reason in explained.reason


@pytest.mark.parametrize(
    ("text", "says", "place"),
    [
        ("data.a ==", "a value is missing after `==`", (1, 10)),
        ("data.", "a name is missing after `.`", (1, 6)),
        ("(data.a == 1", "the `(` is not closed", (1, 1)),
        ("data.a == 'x", "the text that begins here is not closed", (1, 11)),
        ("data.a = 1", "`=` is not an operator; write `==` to compare", (1, 8)),
        ("data.a == None", "did you mean null?", (1, 11)),
        ("type == 'x'", "did you mean event_type?", (1, 1)),
        ("data.a == 1 &&\n  foo > 2", "undeclared reference to 'foo'", (2, 3)),
        ("data.exists(x, x == 1) && x == 2", "undeclared reference to 'x'", (1, 27)),
        ("data.list.sum_of(1) == 1", "undeclared reference to 'sum_of'", (1, 11)),
        ("math.nope(1) == 1", "undeclared reference to 'math.nope'", (1, 1)),
        ("math == 1", "undeclared reference to 'math'", (1, 1)),
        ("__import__('os') == 1", "undeclared reference to '__import__'", (1, 1)),
        ("event_type", "not true or false but str", (0, 0)),
        ("1 + 1", "not true or false but int", (0, 0)),
        ("1 + 'a' == 2", "TypeError", (0, 0)),
        ("x" * 9000, "longer than", (0, 0)),
    ],
)
def test_a_filter_that_cannot_work_is_refused_with_its_place(
    text: str, says: str, place: tuple[int, int]
) -> None:
    with pytest.raises(FilterInvalidError) as refused:
        compile_filter(text)

    assert says in refused.value.message
    assert (refused.value.line, refused.value.column) == place
    assert (refused.value.kind, refused.value.code) == ("invalid", "filter.invalid")


@pytest.mark.parametrize(
    "sign", ["\0", "\x0b", "\x1c", "\x7f", "\xa0", ";", "~", "é", "😀", "a=", "a;", '\\"']
)
def test_signs_that_cel_lacks_are_refused_at_the_first_of_them(sign: str) -> None:
    text = "data.x == 1 && " + sign * (8000 // len(sign))

    with pytest.raises(FilterInvalidError) as refused:
        compile_filter(text)

    place = 15 + sign.startswith("a")
    assert (refused.value.text, refused.value.line, refused.value.column) == (text, 1, place + 1)
    assert find_foreign_sign(text) == place


@pytest.mark.parametrize(
    "sign", ["\0", "\x0b", "\x7f", "\xa0", ";", "~", "é", "😀", "=", "&", "|", "`"]
)
def test_any_sign_may_stand_in_a_text(sign: str) -> None:
    assert compile_filter(f"data.x == '{sign}' // {sign}").matches({"x": sign}, "")


def test_a_refusal_is_found_once_and_raised_anew() -> None:
    refusals: list[FilterInvalidError] = []
    hits = filters._compile_once.cache_info().hits
    for _ in range(2):
        with pytest.raises(FilterInvalidError) as refused:
            compile_filter("data.x == 1 && nowhere_else_written")
        refusals.append(refused.value)

    assert filters._compile_once.cache_info().hits == hits + 1
    assert refusals[0] is not refusals[1]
    assert refusals[0].details == refusals[1].details
    assert refusals[0].message == refusals[1].message


def test_raw_bytes_may_end_with_a_backslash() -> None:
    assert compile_filter("bytes(data.x) == br'ab\\' || event_type == 'a;'").matches({}, "a;")


def test_a_text_that_is_too_long_is_not_kept() -> None:
    before = filters._compile_once.cache_info().currsize

    for text in (" " * 10_000, "x" * 10_000):
        with contextlib.suppress(FilterInvalidError):
            compile_filter(text)

    assert filters._compile_once.cache_info().currsize == before


def test_all_undeclared_names_are_told_at_once() -> None:
    with pytest.raises(FilterInvalidError) as refused:
        compile_filter("foo == 1 || bar(foo) || data.x == baz")

    assert refused.value.undeclared == ("foo", "baz", "bar")


def test_names_in_texts_remarks_and_members_are_no_references() -> None:
    text = "data.foo == 'foo bar(' && data['x y'] == \"baz\" // quux"

    assert compile_filter(text).matches({"foo": "foo bar(", "x y": "baz"}, "")


def test_data_may_be_any_mapping_and_is_left_as_it_was() -> None:
    inner = {"b": {"c": 1, "d": object()}, "e": 2}
    data: Mapping[str, object] = MappingProxyType({"a": inner, "z": object()})

    found = compile_filter("data.a.b.c == 1 && data.a.e == 2").matches(data, "")

    assert found
    assert set(inner) == {"b", "e"}


def test_overlapping_paths_see_the_same_data() -> None:
    data = {"a": {"b": {"c": 1, "d": 2}}}

    assert compile_filter("data.a.b.c == 1 && size(data.a.b) == 2 && 'b' in data.a").matches(
        data, ""
    )


def test_data_nested_too_deep_for_the_engine_matches_nothing() -> None:
    deep: dict[str, object] = {}
    for _ in range(100_000):
        deep = {"a": deep}

    explained = compile_filter("has(data.a) && size(data) == 1").explain(deep, "")

    assert not explained.is_match
    assert "nested too deep" in explained.reason


class Record(dict[str, object]):
    """A subclass, as the attribute dictionaries of user code are."""


def test_data_may_hold_subclasses_of_dict() -> None:
    data = Record(a=Record(b=1))

    assert compile_filter("data.a == {'b': 1} && size(data) == 1").matches(data, "")


@pytest.mark.parametrize(
    "value", [object(), "\ud800", 2**70, float("nan"), {1: 2}, {None: 1}, (1,), {1}]
)
def test_values_that_cel_does_not_know_never_raise(value: object) -> None:
    explained = compile_filter("data.v == data.w || data.v != 1").explain({"v": value}, "x")

    assert explained.is_match in (True, False)


def test_a_failing_function_does_not_log_the_payload(caplog: pytest.LogCaptureFixture) -> None:
    made = compile_filter("base64.decode(data.secret) == b''")

    with caplog.at_level(logging.DEBUG):
        assert not made.matches({"secret": "!!not base64!!"}, "")

    assert caplog.records == []


@settings(max_examples=300, deadline=None)
@given(
    text=st.text(max_size=60)
    | st.lists(
        st.sampled_from(
            ["data", ".", "a", "(", ")", "[", "]", "==", "'x'", '"', "&&", "||", "!", "1", "1.5", ",", "?", ":",
             "in", "size", "cel", "bind", "has", "exists", "x", "{", "}", "event_type", "-", "//", "\n", "r'", "b'"]
        ),
        max_size=14,
    ).map("".join)
)  # fmt: skip
@example(text="(" * 4000 + "1" + ")" * 4000)
@example(text="!" * 8000 + "true")
@example(text="true" + " || true" * 1000)
@example(text="[" * 4000 + "]" * 4000)
@example(text="cel.bind(")
@example(text="cel.bind(x)")
@example(text="cel.bind(x, 1)")
@example(text="cel.bind(1, 1, 1)")
@example(text="data.exists(1, true)")
@example(text="has(1)")
def test_any_text_gives_a_filter_or_a_clear_refusal(text: str) -> None:
    try:
        made = compile_filter(text)
    except FilterInvalidError as exc:
        shown = exc.message
    else:
        shown = str(made.matches(DATA, "push"))

    assert shown


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (2**63 - 1, "data.n == 9223372036854775807 && type(data.n) == int"),
        (2**63, "type(data.n) == double && data.n == 9223372036854775808.0 && data.n > 5"),
        (-(2**63) - 1, "data.n < -5"),
        (10**30, "data.n == 1.0e30"),
        (10**4000 - 1, "data.n > 1.7e308"),
        (-(10**400), "data.n < -1.7e308"),
        (10**400, 'data.other == "x"'),
    ],
)
def test_a_number_beyond_64_bits_is_the_nearest_double(number: int, text: str) -> None:
    data = {"n": number, "other": "x", "deep": [{"n": number}]}
    everything = f'{text} && data.exists(key, key == "other")'

    assert compile_filter(text).explain(data, "push").is_match
    assert compile_filter(everything).explain(data, "push").is_match
    assert data["n"] == number


@pytest.mark.parametrize(
    "text",
    [
        'data.headers["x-github-event"] == "push"',
        "data.headers['X-GitHub-Event'] == 'push'",
        "'X-GITHUB-EVENT' in data.headers",
        "has(data.headers.Host) && data.headers['X-Github-Event'].startsWith('p')",
    ],
)
def test_names_of_headers_are_read_in_any_case(text: str) -> None:
    data = {"headers": {"X-Github-Event": "push", "Host": "a"}}
    assert compile_filter(text).matches(data, "post")


@pytest.mark.parametrize(("pattern", "column"), [('"["', 32), ('"(?=a)"', 32), ("r'(a)\\1'", 32)])
def test_a_pattern_that_is_none_is_refused_at_its_place(pattern: str, column: int) -> None:
    with pytest.raises(FilterInvalidError, match="not a regular expression") as caught:
        compile_filter(f"true || data.body.text.matches({pattern})")
    assert (caught.value.line, caught.value.column) == (1, column)
