"""What a CEL text refers to: read from its tokens, because the CEL engine shows no syntax tree.

A text comes here after the engine has accepted its grammar; for any other text the answers mean nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_TOKEN = re.compile(
    r"""
    (?P<space>[\ \t\n\f\r]+|//[^\n]*)
  | (?P<string>(?:[rR][bB]?|[bB][rR]?)?(?:\"\"\"(?:\\.|[^\\])*?\"\"\"|'''(?:\\.|[^\\])*?'''
               |"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'))
  | (?P<number>0[xX][0-9a-fA-F]+u?|(?:\d+\.\d+|\.\d+|\d+)(?:[eE][+-]?\d+)?[uU]?)
  | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
  | (?P<sign>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_RAW_STRING = re.compile(
    r"""[bB]?[rR](?:\"\"\".*?\"\"\"|'''.*?'''|"[^"\n]*"|'[^'\n]*')""",
    re.DOTALL,
)
_SIGNS = frozenset("()[]{}.,:?!<>+-*/%")
_PAIRS = frozenset({"==", "!=", "<=", ">=", "&&", "||"})
_PLAIN_STRING = re.compile(r"""(["'])([^"'\\\n]*)\1""")
MACROS = frozenset({"all", "exists", "exists_one", "existsOne", "map", "filter", "bind"})
_WORDS = frozenset({"true", "false", "null", "in"})
_TYPES = frozenset(
    {
        "int",
        "uint",
        "double",
        "bool",
        "string",
        "bytes",
        "list",
        "map",
        "null_type",
        "timestamp",
        "duration",
    }
)
_NAMESPACES = frozenset({"math", "sets", "base64", "strings", "lists", "cel", "optional"})

Paths = frozenset[tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Token:
    """One token: its kind (`string`, `number`, `name`, `sign`), its text and where it begins."""

    kind: str
    text: str
    start: int


@dataclass(frozen=True, slots=True, kw_only=True)
class References:
    """What a text refers to: free variables, called functions (`math.abs`), and paths into `data`.

    An empty path means that all of `data` is needed.
    """

    variables: tuple[Token, ...]
    functions: tuple[Token, ...]
    data_paths: Paths


def list_tokens(text: str) -> list[Token]:
    """The tokens of a text, without white space and comments."""
    return list(iterate_tokens(text))


def find_foreign_sign(text: str) -> int | None:
    """Where the first sign is that CEL does not have, if any: a lone `=`, a control character, a quote that is not closed."""
    paired_to = 0
    for token in iterate_tokens(text):
        if token.kind != "sign" or token.start < paired_to:
            continue
        if text[token.start : token.start + 2] in _PAIRS:
            paired_to = token.start + 2
        elif token.text not in _SIGNS:
            return token.start
    return None


def iterate_tokens(text: str) -> Iterator[Token]:
    """See `list_tokens`; read as they are asked for."""
    at = 0
    while at < len(text):
        found = _RAW_STRING.match(text, at)
        kind = "string"
        if found is None:
            found = _TOKEN.match(text, at)
            if found is None:  # every character is at least a sign
                break
            kind = found.lastgroup or "sign"
        if kind != "space":
            yield Token(kind, found.group(), at)
        at = found.end()


def find_references(tokens: list[Token]) -> References:
    """See `References`; names bound by a macro such as `exists(x, …)` are not free."""
    variables: list[Token] = []
    functions: list[Token] = []
    paths: set[tuple[str, ...]] = set()
    for index, is_bound in _names(tokens):
        token = tokens[index]
        called = _called_name(tokens, index)
        if called is not None:
            functions.append(called)
        elif (
            not is_bound and not _is_member(tokens, index) and not _is_type_or_space(tokens, index)
        ):
            variables.append(token)
            if token.text == "data":
                paths.add(path_with_end(tokens, index)[0])
    return References(
        variables=tuple(variables), functions=tuple(functions), data_paths=frozenset(paths)
    )


def spell_for_engine(tokens: list[Token], renamed: dict[str, str]) -> str:
    """The text as the engine is to read it: functions renamed, `cel.bind(x, a, b)` as `[a].map(x, b)[0]`.

    Raises:
        ValueError: a `cel.bind` without a name, a value and an expression.
    """
    words: list[str] = []
    index = 0
    while index < len(tokens):
        if _is_bind(tokens, index):
            parts, index = _arguments(tokens, index + 3)
            if not (len(parts) == 3 and len(parts[0]) == 1 and parts[0][0].kind == "name"):  # noqa: PLR2004  # its three arguments
                raise ValueError("cel.bind takes a name, a value and an expression")
            value, body = (spell_for_engine(part, renamed) for part in parts[1:])
            words.append(f"[{value}].map({parts[0][0].text}, {body})[0]")
            continue
        token = tokens[index]
        is_call = token.kind == "name" and _sign(tokens, index + 1) == "("
        words.append(renamed.get(token.text, token.text) if is_call else token.text)
        index += 1
    return _spaced(words)


def _names(tokens: list[Token]) -> Iterator[tuple[int, bool]]:
    """The index of each name that is no reserved word, and whether a macro around it binds it."""
    depth = 0
    scopes: list[tuple[int, str]] = []
    for index, token in enumerate(tokens):
        if token.kind == "sign":
            depth += (token.text in "([{") - (token.text in ")]}")
            while scopes and scopes[-1][0] > depth:
                scopes.pop()
        elif token.kind == "name" and token.text not in _WORDS:
            bound = _bound_by_macro(tokens, index)
            if bound:
                scopes.append((depth + 1, bound))
            yield index, any(name == token.text for _, name in scopes)


def _bound_by_macro(tokens: list[Token], index: int) -> str:
    is_macro = tokens[index].text in MACROS and _is_member(tokens, index)
    if not is_macro or _sign(tokens, index + 1) != "(" or _sign(tokens, index + 3) != ",":
        return ""
    return tokens[index + 2].text if tokens[index + 2].kind == "name" else ""


def _called_name(tokens: list[Token], index: int) -> Token | None:
    if _sign(tokens, index + 1) != "(":
        return None
    token = tokens[index]
    if _is_member(tokens, index) and index > 1:
        space = tokens[index - 2]
        if space.text in _NAMESPACES and not _is_member(tokens, index - 2):
            return Token("name", f"{space.text}.{token.text}", space.start)
    return token


def _is_type_or_space(tokens: list[Token], index: int) -> bool:
    text = tokens[index].text
    if text in _NAMESPACES:
        return _sign(tokens, index + 1) == "." and _sign(tokens, index + 3) == "("
    return text in _TYPES


def find_free_names(tokens: list[Token]) -> frozenset[int]:
    """The indexes of names that no macro binds, and that are members of nothing."""
    return frozenset(
        index
        for index, is_bound in _names(tokens)
        if not is_bound and not _is_member(tokens, index)
    )


def path_with_end(tokens: list[Token], index: int) -> tuple[tuple[str, ...], int]:
    """The constant members after a name, `data.a["b"].c` has the path a, b, c; and the index after them."""
    path: list[str] = []
    index += 1
    while True:
        if _sign(tokens, index) == "." and _sign(tokens, index + 2) != "(":
            path.append(tokens[index + 1].text)
            index += 2
        elif _sign(tokens, index) == "[" and _sign(tokens, index + 2) == "]":
            plain = _PLAIN_STRING.fullmatch(tokens[index + 1].text)
            if plain is None:
                return tuple(path), index
            path.append(plain[2])
            index += 3
        else:
            return tuple(path), index


def _is_member(tokens: list[Token], index: int) -> bool:
    """Whether a dot with something to its left stands before."""
    if index < 2 or _sign(tokens, index - 1) != ".":  # noqa: PLR2004  # the dot and its left side
        return False
    left = tokens[index - 2]
    return left.kind != "sign" or left.text in ")]}"


def _is_bind(tokens: list[Token], index: int) -> bool:
    texts = [token.text for token in tokens[index : index + 4]]
    return texts == ["cel", ".", "bind", "("] and not _is_member(tokens, index)


def _arguments(tokens: list[Token], opening: int) -> tuple[list[list[Token]], int]:
    """The arguments of the call whose `(` is given, as tokens, and the index after its `)`."""
    parts: list[list[Token]] = [[]]
    depth = 0
    for index in range(opening, len(tokens)):
        token = tokens[index]
        if token.kind == "sign":
            depth += (token.text in "([{") - (token.text in ")]}")
            if depth == 0:
                return parts, index + 1
            if token.text == "," and depth == 1:
                parts.append([])
                continue
        if index > opening:
            parts[-1].append(token)
    return parts, len(tokens)


def _sign(tokens: list[Token], index: int) -> str:
    if 0 <= index < len(tokens) and tokens[index].kind == "sign":
        return tokens[index].text
    return ""


def _spaced(words: list[str]) -> str:
    """The words joined, with a space only between two that would read as one."""
    text = ""
    for word in words:
        if (
            text
            and (text[-1].isalnum() or text[-1] in "_'\"")
            and (word[0].isalnum() or word[0] in "_'\"")
        ):
            text += " "
        text += word
    return text
