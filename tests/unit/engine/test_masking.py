from __future__ import annotations

import base64
import csv
import html
import io
import json
import quopri
import re
import shlex
import unicodedata
from urllib.parse import quote, quote_plus, urlencode
from xml.sax import saxutils

import pytest
import yaml

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


HARD = [
    "plain-secret-42",
    "p@ss'\"\\é&w0rd\\",
    "tab\tand\nnew\\line é&\"'x",
    "a b/c?d=e&f%g<h>${i}",
    "ümläut-ß-€-value😀",
    "C:\\new\\table\\",
    "nabcdef",
    "'''triple\"\"\"quotes''",
]


def _as_table(secret: str) -> str:
    written = io.StringIO()
    csv.writer(written).writerow(["a", secret])
    return written.getvalue()


def _for_pages(secret: str) -> str:
    text = json.dumps({"k": secret}).replace("/", "\\/")
    for sign in "<>&'":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text


def _in_small_letters(secret: str) -> str:
    return re.sub("%..", lambda match: match[0].lower(), quote(secret))


WRITERS = {
    "bytes": lambda secret: repr(secret.encode()),
    "bytes in a display": lambda secret: json.dumps([repr(secret.encode())]),
    "ascii": ascii,
    "json in json": lambda secret: json.dumps(json.dumps({"k": secret})),
    "json in json in json": lambda secret: json.dumps(json.dumps(json.dumps([secret]))),
    "json for pages": _for_pages,
    "html": html.escape,
    "html twice": lambda secret: html.escape(html.escape(secret)),
    "html of ascii": lambda secret: (
        html.escape(secret).encode("ascii", "xmlcharrefreplace").decode()
    ),
    "an attribute": saxutils.quoteattr,
    "a shell": shlex.quote,
    "a shell in a shell": lambda secret: shlex.quote(f"ssh {shlex.quote(secret)}"),
    "a shell's backslashes": lambda secret: re.sub(r"([^A-Za-z0-9])", r"\\\1", secret),
    "yaml": lambda secret: yaml.safe_dump({"k": secret}),
    "yaml in double quotes": lambda secret: yaml.safe_dump([secret], default_style='"'),
    "yaml in single quotes": lambda secret: yaml.safe_dump([secret], default_style="'"),
    "yaml of long lines": lambda secret: yaml.safe_dump({"k": 14 * "word " + secret}),
    "a form": lambda secret: urlencode({"k": secret}),
    "a url twice": lambda secret: quote(quote_plus(secret), safe=""),
    "a url in small letters": _in_small_letters,
    "a header": lambda secret: base64.b64encode(f"user:{secret}".encode()).decode(),
    "base64 after one": lambda secret: base64.b64encode(f"x{secret}y".encode()).decode(),
    "base64 after two": lambda secret: base64.urlsafe_b64encode(f"xy{secret}".encode()).decode(),
    "base64 in a url": lambda secret: quote(base64.b64encode(secret.encode()), safe=""),
    "hex": lambda secret: secret.encode().hex(),
    "hex in capitals": lambda secret: secret.encode().hex().upper(),
    "a table": _as_table,
    "sql": lambda secret: "'" + secret.replace("'", "''") + "'",
    "a template": lambda secret: re.sub(r"([%${}])", r"\1\1", secret),
    "mail": lambda secret: quopri.encodestring(secret.encode()).decode(),
    "names of signs": lambda secret: secret.encode("ascii", "namereplace").decode(),
    "question marks": lambda secret: secret.encode("ascii", "replace").decode(),
    "lost signs": lambda secret: secret.encode().decode("ascii", "replace"),
    "misread signs": lambda secret: secret.encode().decode("latin-1"),
    "letters and accents": lambda secret: unicodedata.normalize("NFD", secret),
    "lines of windows": lambda secret: secret.replace("\n", "\r\n"),
}


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS.keys())
@pytest.mark.parametrize("secret", HARD)
def test_no_library_writes_a_secret_so_that_it_shows(secret, write) -> None:
    text = f"before <{write(secret)}> after"
    mask = Mask([secret])

    covered = mask.cover(text)

    assert "********" in covered
    assert covered.startswith("before <")
    assert covered.endswith("> after")
    assert mask.finds_in(text.encode())
    for word in re.findall("[A-Za-z0-9]{3,}", secret):
        assert word not in covered


@pytest.mark.parametrize("secret", HARD)
def test_what_is_blanked_keeps_its_length(secret: str) -> None:
    data = json.dumps({"k": secret, "n": repr(secret.encode())}).encode()

    blank = Mask([secret]).blank(data)

    assert len(blank) == len(data)
    assert not Mask([secret]).finds_in(blank)


@pytest.mark.parametrize("secret", [*HARD, "e9abcdef", "00e9abcdef", '"begun', "ended\\"])
@pytest.mark.parametrize("around", ["", "\n", "é", "\\", '"'])
def test_json_stays_json_whatever_is_beside_a_secret(secret: str, around: str) -> None:
    text = json.dumps({"k": [around + secret + around, "\n" + secret]})

    covered = Mask([secret]).cover(text)

    assert secret not in str(json.loads(covered))


@pytest.mark.parametrize("cut", range(8, 30))
@pytest.mark.parametrize("write", [repr, json.dumps, quote_plus, str])
def test_neither_side_of_a_cut_shows_a_piece_of_a_secret(write, cut: int) -> None:
    secret = "one&two'three\"four-five/six+seven"
    written = write(secret)
    mask = Mask([secret])

    before = mask.cover(f"text {written[:cut]} \n… (the rest of the line was cut)")
    after = mask.cover(f"text\n… [cut: 90 characters] …\n{written[cut - 7 :]} text")

    assert before.startswith("text ")
    assert after.endswith(" text")
    assert not any(piece in before for piece in ("one", "two", "three", "four", "five"))
    assert not any(piece in after for piece in ("three", "four", "five", "six", "seven"))


def test_many_secrets_are_found_as_one_is() -> None:
    secrets = [f"secret-{number}-{number * 7919}" for number in range(60)]
    mask = Mask(secrets)

    assert [mask.cover(f"it is {secret}.") for secret in secrets] == ["it is ********."] * 60
    assert all(mask.finds_in(secret.encode()) for secret in secrets)
    assert mask.cover("it is secret-60-474") == "it is secret-60-474"
    assert not mask.finds_in(b"it is secret-60-474")
