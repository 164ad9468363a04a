from __future__ import annotations

import json
from urllib.parse import quote

import pytest

from hookline_service.engine.masking import Mask

SECRETS = [
    "s3cret-value",
    "quotes \"and\" 'others'",
    "back\\slash\\value",
    "ümläut-ß-€-value",
    "a b/c?d=e&f%g",
    "-----BEGIN KEY-----\nMIIEvQIBADANBg\nkqhkiG9w0BAQEF\n-----END KEY-----\n",
    "tab\tand\x00nul",
]


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize(
    "write",
    [
        str,
        repr,
        json.dumps,
        lambda secret: json.dumps({"args": [{"type": "T", "repr": repr([secret])}]}),
        lambda secret: json.dumps([secret], ensure_ascii=False),
        lambda secret: f"https://example.org/?key={quote(secret, safe='')}&x=1",
    ],
)
def test_a_secret_is_covered_however_it_is_written(secret, write) -> None:
    covered = Mask([secret]).cover(f"before {write(secret)} after")

    assert "********" in covered
    assert covered.startswith("before ")
    assert covered.endswith(" after")
    for line in secret.splitlines():
        assert line.strip() not in covered


def test_lines_of_a_secret_are_covered_alone() -> None:
    mask = Mask([SECRETS[5]])

    assert [mask.cover(line) for line in SECRETS[5].splitlines()] == ["********"] * 4


def test_json_stays_json() -> None:
    text = json.dumps({"k": SECRETS[1], "n": [SECRETS[1] + SECRETS[0]]})

    covered = json.loads(Mask(SECRETS).cover(text))

    assert covered == {"k": "********", "n": ["****************"]}


@pytest.mark.parametrize("write", [str, json.dumps])
def test_the_beginning_of_a_secret_is_covered_where_a_text_was_cut(write) -> None:
    text = write("x" * 10 + "s3cret-va… (5000 characters)")

    assert "s3cret" not in Mask(["s3cret-value"]).cover(text)


def test_the_longer_of_two_secrets_is_covered_whole() -> None:
    assert Mask(["abcdef", "abcdefghij"]).cover("abcdefghij") == "********"


@pytest.mark.parametrize("secret", ["", "on", "12345", " \n \n"])
def test_what_stands_in_ordinary_texts_is_left(secret: str) -> None:
    text = f"some ordinary text: {secret} …"

    assert Mask([secret]).cover(text) == text
