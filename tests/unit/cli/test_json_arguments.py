"""JSON on the command line: exact, and refused with the option's name when it is none or cannot be sent."""

from __future__ import annotations

import json

import pytest

from tests.fakes.fake_service import FakeService
from tests.unit.cli.conftest import CommandLine

LARGE = 123456789012345678901234567890
SESSION = "ses_01jx0000000000000000000000"
PLACES = [
    ("the value", ["store", "set", "hello", "k", "{}"]),
    ("--payload", ["session", "signal", SESSION, "go", "--payload", "{}"]),
    ("--data", ["event", "send", "hello", "greet", "--data", "{}"]),
    ("--event", ["run", "hello", "hello.py:greet", "--event", "{}"]),
]


def sent(fake: FakeService) -> object:
    return json.loads(fake.requests[-1].content)


@pytest.mark.parametrize(("name", "command"), PLACES)
@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("NaN", "NaN is not JSON"),
        ("-Infinity", "-Infinity is not JSON"),
        ("1e999", "beyond every float"),
        ('{"s":"\\ud83d"}', "\\ud83d at character 6 is half a character"),
        ('{"s":"\udcff"}', "it is not UTF-8: byte 6 is 0xff"),
        ("9" * 4001, "4000 digits"),
        ("[" * 201 + "]" * 201, "more than 200 levels"),
        ("[" * 100_000, "too deeply"),
        ("hello", "A text needs double quotes"),
        ("@/nowhere/at/all.json", "/nowhere/at/all.json"),
    ],
)  # fmt: skip
def test_what_cannot_be_sent_is_refused_by_name(
    hookline: CommandLine, fake: FakeService, name: str, command: list[str], text: str, says: str
) -> None:
    outcome = hookline(*[text if each == "{}" else each for each in command])

    assert outcome.code == 1
    assert says in outcome.err
    assert says.startswith("/") or name in outcome.err
    assert [one for one in fake.requests if one.method != "GET"] == []


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (str(LARGE), LARGE),
        ("-5", -5),
        ("-0.5e3", -500.0),
        (str(-LARGE), -LARGE),
        ('"-5"', "-5"),
        ('"\\ud83d\\ude00"', "\U0001f600"),
        ("\ufeff[1]", [1]),
    ],
)
def test_a_value_is_kept_as_it_is_given(
    hookline: CommandLine, fake: FakeService, text: str, value: object
) -> None:
    outcome = hookline("store", "set", "hello", "k", text)

    assert outcome.code == 0, outcome.err
    assert sent(fake) == {"value": value}


def test_options_stand_before_and_behind_a_negative_number(
    hookline: CommandLine, fake: FakeService
) -> None:
    for arguments in (["--ttl", "60", "k", "-5"], ["k", "-5", "--ttl", "60"]):
        outcome = hookline("store", "set", "hello", *arguments)

        assert outcome.code == 0, outcome.err
        assert sent(fake) == {"value": -5, "ttl_s": 60.0}


@pytest.mark.parametrize("ttl", ["nan", "inf", "-5", "0", "x"])
def test_a_time_to_live_has_an_end(hookline: CommandLine, fake: FakeService, ttl: str) -> None:
    outcome = hookline("store", "set", "hello", "k", "1", "--ttl", ttl)

    assert (outcome.code, fake.requests) == (2, [])
    assert "--ttl" in outcome.err


def test_a_wrong_option_is_told_beside_a_value(hookline: CommandLine) -> None:
    outcome = hookline("store", "set", "hello", "k", "5", "--tll", "60")

    assert outcome.code == 2
    assert "--tll" in outcome.err


@pytest.mark.parametrize("value", ["-5", "-----BEGIN KEY-----\nx\n-----END KEY-----"])
def test_a_variable_may_begin_with_a_minus(
    hookline: CommandLine, fake: FakeService, value: str
) -> None:
    outcome = hookline("var", "set", "hello", "NAME", value)

    assert outcome.code == 0, outcome.err
    assert json.loads(fake.requests[-1].content)["value"] == value


@pytest.mark.parametrize(
    "arguments",
    [
        ["store", "get", "hello", "\udcff"],
        ["store", "set", "hel\udcfflo", "k", "1"],
        ["event", "send", "hello", "greet", "--type", "\udcff"],
        ["session", "signal", SESSION, "g\udcff"],
        ["var", "set", "hello", "NAME", "\udcff"],
    ],
)
def test_an_argument_that_is_no_text_is_told_as_such(
    hookline: CommandLine, arguments: list[str]
) -> None:
    outcome = hookline(*arguments)

    assert outcome.code == 1
    assert "\\udcff" in outcome.err
    assert "it is not UTF-8" in outcome.err


def test_a_file_may_have_a_mark_and_be_of_a_windows_shell(
    hookline: CommandLine, fake: FakeService, tmp_path_factory: pytest.TempPathFactory
) -> None:
    file = tmp_path_factory.mktemp("json") / "value.json"
    for content in (b"\xef\xbb\xbf[%d]" % LARGE, f"[{LARGE}]".encode("utf-16")):
        file.write_bytes(content)

        outcome = hookline("store", "set", "hello", "k", f"@{file}")

        assert outcome.code == 0, outcome.err
        assert sent(fake) == {"value": [LARGE]}


def test_a_body_goes_out_byte_for_byte(
    hookline: CommandLine, fake: FakeService, tmp_path_factory: pytest.TempPathFactory
) -> None:
    file = tmp_path_factory.mktemp("body") / "body"
    file.write_bytes(b"\xef\xbb\xbf\xff")

    hookline("event", "send", "hello", "greet", "--body", f"@{file}")
    hookline("event", "send", "hello", "greet", "--body", "plain")

    first, second = [json.loads(one.content)["body"] for one in fake.requests]
    assert first == {"bytes": "77u//w==", "form": None, "json": None, "text": None}
    assert second == "plain"


@pytest.mark.parametrize(
    ("given", "value"),
    [("data.n=" + str(LARGE), LARGE), ("data.s=plain", "plain"), ("data.s=NaN", "NaN"), ("data.n=-5", -5)],
)  # fmt: skip
def test_a_place_of_an_event_is_set_to_json_or_a_text(
    hookline: CommandLine, fake: FakeService, given: str, value: object
) -> None:
    hookline("session", "fork", SESSION, "--from", "1", "--set", given)

    bodies = [json.loads(one.content) for one in fake.requests if one.method == "POST"]
    assert list(bodies[0]["edits"].values()) == [value]


@pytest.mark.parametrize("value", ['"\\ud83d"', "\udcff", '"\udcff"'])
def test_a_place_of_an_event_is_not_set_to_half_a_character(
    hookline: CommandLine, fake: FakeService, value: str
) -> None:
    outcome = hookline("session", "fork", SESSION, "--from", "1", "--set", f"data.s={value}")

    assert (outcome.code, fake.requests) == (1, [])
    assert "--set" in outcome.err
