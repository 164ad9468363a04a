"""Names of headers in filters, in the form in which events have them: `data.headers["X-GitHub-Event"]` means `X-Github-Event`."""

from __future__ import annotations

import re
from typing import Final

from hookline_triggers.cel_scan import Token, find_free_names
from hookline_triggers.webhook import canonical_header

_PLAIN: Final = re.compile(r"""(["'])([^"'\\\n]*)\1""")
_AFTER_NAME: Final = 3  # `data`, `.`, `headers`


def with_header_names(tokens: list[Token]) -> list[Token]:
    """The tokens with the names of headers as events have them, after `data.headers[…]` and before `in data.headers`."""
    named = list(tokens)
    for index in find_free_names(tokens):
        if [token.text for token in tokens[index : index + _AFTER_NAME]] != [
            "data",
            ".",
            "headers",
        ]:
            continue
        behind = index + _AFTER_NAME
        if _text(tokens, behind) == "[" and _text(tokens, behind + 2) == "]":
            named[behind + 1] = _canonical(tokens[behind + 1])
        if (
            _text(tokens, index - 1) == "in"
            and index > 1
            and _text(tokens, behind) not in {".", "["}
        ):
            named[index - 2] = _canonical(tokens[index - 2])
    return named


def _text(tokens: list[Token], index: int) -> str:
    return tokens[index].text if 0 <= index < len(tokens) else ""


def _canonical(token: Token) -> Token:
    plain = _PLAIN.fullmatch(token.text) if token.kind == "string" else None
    if plain is None:
        return token
    quote, name = plain[1], plain[2]
    return Token("string", f"{quote}{canonical_header(name.encode())}{quote}", token.start)
