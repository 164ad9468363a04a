"""How programs write a text: escaped, quoted, encoded. What recognises a secret, and a part of one where a text was cut.

Letters and digits of ASCII are written as they are by everything that is known here, so a run of them tells whether it is
worth looking. A pattern reads any text in one way only (its units give nothing back): no input makes it slow.
"""

from __future__ import annotations

import base64
import json
import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import cache, cached_property
from html.entities import codepoint2name
from itertools import pairwise
from typing import Final
from urllib.parse import quote

from hookline_service.model.secret import MASK, SHORTEST_COVERED

_LONGEST_ANCHOR: Final = 12
_LONGEST_ENCODED: Final = 16 * 1024
_LONGEST_WINDOW: Final = 20_000
_MOST_TRIES: Final = 64
_RARE: Final = frozenset("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZjqkvwxz")

_PLAIN: Final = re.compile(r"[A-Za-z0-9]+")
_QUOTING: Final = "'\"\\"
_BLANKS: Final = " \t\n\r\v\f"
_RUNS: Final = re.compile(rf"[A-Za-z0-9]|[{_BLANKS}]+|[^\x00-\x7f]+|(.)\1*", re.DOTALL)
_UNITS: Final = re.compile(rf"['\"\\]+|{_RUNS.pattern}", re.DOTALL)
_DOUBLED: Final = frozenset("%${}")  # written so in formats and templates
_LETTERS: Final = {
    "\a": "a",
    "\b": "b",
    "\x1b": "e",
    "\x85": "N",
    "\xa0": "_",
    "\u2028": "L",
    "\u2029": "P",
}
_LATIN: Final = range(128, 256)  # what is one byte in old encodings
_PERCENT: Final = "[%=](?:25){0,4}"  # also quoted-printable
_ENTITY: Final = "&(?:amp;){0,4}"
_ESCAPE: Final = r"\\{1,32}+"  # JSON in JSON in JSON …
_SPACE: Final = (
    r"\\{0,32}+\s|\\{1,32}+(?:[nrtvf]|x0[9A-Da-d]|x20|u000[9A-Da-d]|u0020|0?1[1-5]|0?40)"
    rf"|{_PERCENT}(?:20|0[9A-Da-d])|{_ENTITY}(?:nbsp|NewLine|Tab|\#0*(?:9|1[0-3]|32|160)|\#[xX]0*(?:[9A-Da-d]|20|[Aa]0));"
)
_SOFT_BREAK: Final = r"(?:\\?\r?\n[ ]{1,32}+(?:\\(?=[ ]))?|=\r?\n)?+"  # of YAML and quoted-printable, beside what is escaped
# An escape that ends with the first letter of the secret, as `\nabc` does. What is left of it would be none.
_BEGUN_ESCAPE: Final = re.compile(
    r"(?<!\\)\\{1,32}+(?:u[0-9A-Fa-f]{0,3}|x[0-9A-Fa-f]?|U[0-9A-Fa-f]{0,7})?\Z"
)
_LONGEST_ESCAPE: Final = 41
# A secret that ends with backslashes: none of those that escape what follows may stay alone.
_LAST_SLASHES: Final = r"(?:(?:\\\\){1,16}+(?!\\)|(?:\\\\){0,16}+\\[\"/bfnrtu]?)"
# What is left of one character where a text was cut.
_PIECE: Final = re.compile(r"[\\&%=][\\A-Za-z0-9#;%{]{0,24}")
_REST: Final = re.compile(r"[A-Za-z0-9#%{}\\]{0,12};?")


class WrittenForm:
    """A text that is to be found however it is written.

    `anchor` stands in each of its forms ("" if nothing does), the others in those of its first and last characters. `window`:
    no form is longer.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.anchor = _anchor_of(text)
        self.window = min(12 * len(text), _LONGEST_WINDOW)
        self.head_anchor = _anchor_of(text[:SHORTEST_COVERED])
        self.tail_anchor = _anchor_of(text[-SHORTEST_COVERED:])

    def cover(self, text: str) -> str:
        """The text with stars in its place, and in that of what would be half an escape without it."""
        pieces: list[str] = []
        last = 0
        for match in self._shown.finditer(text):
            start = match.start()
            begun = _BEGUN_ESCAPE.search(text[max(last, start - _LONGEST_ESCAPE) : start])
            pieces += [text[last : start - (len(begun[0]) if begun else 0)], MASK]
            last = match.end()
        return "".join([*pieces, text[last:]]) if pieces else text

    @cached_property
    def _shown(self) -> re.Pattern[str]:
        core = self.text.rstrip("\\") or self.text
        size = len(self.text) - len(core)
        escaped = _escaped("\\")
        end = f"(?>(?:{escaped}){{{size}}}|{_LAST_SLASHES})" if size else ""
        return re.compile(f"(?:{_any_of(core)}){end}")

    @cached_property
    def stored(self) -> re.Pattern[bytes]:
        """Finds it in bytes, and nothing besides."""
        return re.compile(_any_of(self.text).encode("utf-8", "surrogatepass"))

    def find_begun(self, text: str) -> int | None:
        """Where the beginning of it starts with which the text ends, if it does."""
        first = max(0, len(text) - self.window)
        starts = [match.span() for match in self._head.finditer(text, first)]
        for start, end in starts[-_MOST_TRIES:]:
            position, _ = _walk(self._characters, SHORTEST_COVERED, text, end)
            if position == len(text) or _PIECE.fullmatch(text, position):
                return start
        return None

    def find_ended(self, text: str) -> int | None:
        """Where the end of it is over with which the text begins, if it does."""
        if self._tail.search(text, 0, self.window) is None:
            return None
        for skipped in range(13):
            if _REST.fullmatch(text, 0, skipped) is None:
                continue
            for number in range(1, len(self._characters) - SHORTEST_COVERED + 1):
                position, is_whole = _walk(self._characters, number, text, skipped)
                if is_whole:
                    return position
        return None

    @cached_property
    def _characters(self) -> Sequence[re.Pattern[str]]:
        first = _character(self.text[0], is_after_slash=False)
        others = [
            _character(each, is_after_slash=before in _QUOTING)
            for before, each in pairwise(self.text)
        ]
        return [first, *others]

    @cached_property
    def _head(self) -> re.Pattern[str]:
        return re.compile("".join(each.pattern for each in self._characters[:SHORTEST_COVERED]))

    @cached_property
    def _tail(self) -> re.Pattern[str]:
        return re.compile("".join(each.pattern for each in self._characters[-SHORTEST_COVERED:]))


def forms_of(secret: str) -> Iterator[str]:
    """The secret, each line of a longer one, and the whole of it in base64 and in hexadecimal; each for `WrittenForm`.

    Nothing for what is too short.
    """
    whole = secret.strip()
    for part in {whole, *(line.strip() for line in secret.splitlines())}:
        if len(part) >= SHORTEST_COVERED:
            yield part
    if SHORTEST_COVERED <= len(whole) <= _LONGEST_ENCODED:
        for data in _encoded(whole):
            yield data.hex()
            yield data.hex().upper()
            yield from _base64_of(data)


def _encoded(text: str) -> set[bytes]:
    """As bytes, in UTF-8 and, where that is possible, as old headers are."""
    found = {text.encode("utf-8", "surrogatepass")}
    try:
        found.add(text.encode("latin-1"))
    except UnicodeEncodeError:
        return found
    return found


def _base64_of(data: bytes) -> Iterator[str]:
    """What stands in base64 for the data, whatever comes before and after them, in both alphabets."""
    for before in range(3):
        text = base64.b64encode(bytes(before) + data).decode()
        core = text[-(-before * 8 // 6) : (before + len(data)) * 8 // 6]
        yield core
        yield core.replace("+", "-").replace("/", "_")


def _anchor_of(text: str) -> str:
    """The longest run that is written as it is; of a long one a part with a rare beginning."""
    run = max(_PLAIN.findall(text), key=len, default="")
    spare = max(0, len(run) - _LONGEST_ANCHOR)
    start = next((place for place in range(spare + 1) if run[place : place + 1] in _RARE), 0)
    return run[start : start + _LONGEST_ANCHOR]


def _any_of(text: str) -> str:
    """A pattern of all ways in which the text is written."""
    known = {text, repr(text)[1:-1], quote(text, safe="", errors="surrogatepass")}
    known |= {json.dumps(each)[1:-1] for each in known}
    exact = [re.escape(each) for each in sorted(known, key=lambda each: (-len(each), each))]
    return "|".join(dict.fromkeys([*exact, _mixed(text)]))


def _mixed(text: str) -> str:
    """A pattern of the text in which each character is written in whatever way."""
    units = [match[0] for match in _UNITS.finditer(text)]
    parts = [_outer_unit(units[0])]
    for before, unit in pairwise(units):
        is_last = len(parts) == len(units) - 1
        part = _outer_unit(unit) if is_last else _unit(unit)
        if before[-1] in _QUOTING:
            part = _without_slashes(part)
        if unit[0] in _BLANKS:  # a break before it is a blank of its own
            parts[-1] = parts[-1].removesuffix(_SOFT_BREAK)
        parts.append(part)
    return "".join(parts)


def _unit(unit: str) -> str:
    """A pattern of a letter, or a run of characters of one kind. It gives nothing back."""
    if _PLAIN.match(unit):
        return unit
    if any(each in unit for each in "'\""):
        each = "|".join(_escaped(one) for one in _QUOTING)
        return rf"(?>(?:{each}|['\"\\]){{{len(unit)},{64 * len(unit)}}}+){_SOFT_BREAK}"
    if unit[0] in _DOUBLED:
        twice = re.escape(unit[0]) + f"{{{2 * len(unit)}}}"
        return f"(?>{twice}|{_run(unit)}){_SOFT_BREAK}"
    return _run(unit) + _SOFT_BREAK


def _outer_unit(unit: str) -> str:
    """The same for the first and the last, beside which there may be quotes and signs that belong to others."""
    if _PLAIN.match(unit):
        return unit
    return "".join(_run(match[0]) for match in _RUNS.finditer(unit))


def _run(run: str) -> str:
    """A pattern of the same sign several times, of blanks, or of letters outside ASCII."""
    first, size = run[0], len(run)
    if first == "\\":
        return rf"(?>(?:{_escaped(first)}){{{size}}}|\\{{{size},{32 * size}}}+)"
    if first in _BLANKS:
        return rf"(?>(?:{_SPACE}){{1,{40 + size}}}|(?:\+|{_PERCENT}2[Bb]){{{size}}})"
    if first.isascii():
        return f"(?>(?:{_written(first)}){{{size}}})"
    each = _SOFT_BREAK.join(f"(?>{_written(one)})" for one in run)
    most = len(run.encode("utf-8", "surrogatepass"))
    return f"(?>{each}|(?:\\?|{_PERCENT}3[Ff]){{{size}}}|(?:\ufffd){{{most}}}|(?:\ufffd){{{size}}})"


@cache
def _character(one: str, *, is_after_slash: bool) -> re.Pattern[str]:
    pattern = _outer_unit(one)
    return re.compile(_without_slashes(pattern) if is_after_slash else pattern)


def _without_slashes(pattern: str) -> str:
    """The pattern after something that took the backslashes of its escapes."""
    return pattern.replace(_ESCAPE, r"\\{0,32}+")


@cache
def _written(one: str) -> str:
    """A pattern of one character that is no letter of ASCII: longer forms first."""
    parts = [_escaped(one)]
    if one == "'":
        parts += [_quoted(_quoted(one)), _quoted(one), rf"'{_ESCAPE}''"]
    if one == "&":
        parts.append("&(?:amp;){1,5}+")
    if not one.isascii():
        parts += [re.escape(each) for each in _misread(one)]
    parts.append(rf"\\{{0,32}}+{re.escape(one)}")
    return "|".join(parts)


def _quoted(text: str) -> str:
    """How a shell is told a single quote, also by JSON."""
    return text.replace("'", r"""'\\{0,32}+"'\\{0,32}+"'""")


def _escaped(one: str) -> str:
    """A pattern of the character as its number, or by name, in whatever notation."""
    code = ord(one)
    data = one.encode("utf-8", "surrogatepass")
    wide = one.encode("utf-16-be", "surrogatepass").hex()
    numbers = [f"x\\{{0*{code:x}\\}}", f"u\\{{0*{code:x}\\}}", f"U{code:08x}"]
    numbers.append(_ESCAPE.join(f"u{wide[at : at + 4]}" for at in range(0, len(wide), 4)))
    numbers.append(_ESCAPE.join(f"x{byte:02x}" for byte in data))
    numbers.append(_ESCAPE.join(f"0?{byte:03o}" for byte in data))
    if code in _LATIN:
        numbers.append(f"x{code:02x}")
    name = unicodedata.name(one, "")
    numbers += [f"N\\{{{name}\\}}"] if name else []
    entities = [f"\\#0*{code}", f"\\#x0*{code:x}"]
    entities += {"'": ["apos"]}.get(one, [])
    percents = ["".join(f"{_PERCENT}{byte:02x}" for byte in data), f"%u{wide[:4]}"]
    percents += [f"{_PERCENT}{code:02x}"] if code in _LATIN else []
    found = [
        f"(?i:{_ESCAPE}(?:{'|'.join(numbers)})|{'|'.join(percents)}|{_ENTITY}(?:{'|'.join(entities)});)"
    ]
    if code in codepoint2name:
        found.append(f"{_ENTITY}{codepoint2name[code]};")
    if one in _LETTERS:
        found.append(_ESCAPE + _LETTERS[one])
    return "|".join(found)


def _misread(one: str) -> set[str]:
    """The character in its other normal form, and as its UTF-8 looks to those who take it for something else."""
    data = one.encode("utf-8", "surrogatepass")
    found = {unicodedata.normalize(form, one) for form in ("NFD", "NFC", "NFKC")}
    for codec in ("latin-1", "cp1252"):
        found.add(data.decode(codec, "replace"))
    return found - {one}


def _walk(
    characters: Sequence[re.Pattern[str]], first: int, text: str, position: int
) -> tuple[int, bool]:
    """How far the text goes on with these characters from the first on, and whether all of them are there."""
    for number in range(first, len(characters)):
        match = characters[number].match(text, position)
        if match is None:
            return position, False
        position = match.end()
    return position, True
