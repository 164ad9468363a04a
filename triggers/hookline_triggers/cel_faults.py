"""What is wrong with a text that the CEL engine does not accept, in words for whoever wrote it.

Of the engine's message only the places count. What stands there is read from the text itself, so that nothing hangs on
how the engine words its complaints.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from hookline_triggers.cel_scan import MACROS, Token, list_tokens

_PLACE = re.compile(r"ERROR: <input>:(\d+):(\d+): (Syntax error: )?")
_VALUE_ENDS = frozenset(")]}")
_PAIRS = {")": "(", "]": "[", "}": "{"}
_CLOSING = {opening: closing for closing, opening in _PAIRS.items()}
_OPERATORS = (
    "&&",
    "||",
    "==",
    "!=",
    "<=",
    ">=",
    "<",
    ">",
    "+",
    "-",
    "*",
    "/",
    "%",
    "!",
    "?",
    ":",
    ",",
)
_NO_OPERATORS = {
    "===": "write `==` to compare",
    "=~": 'write `text.matches("pattern")`',
    "=!": "write `!=`",
    "<>": "write `!=`",
    "->": "write `.` for a member",
    "??": "write `has(data.x) ? data.x : 0` for a value that may be missing",
    "=": "write `==` to compare",
    "&": "write `&&`",
    "|": "write `||`",
    "#": "write `//`",
}
_NO_WORDS = {
    "and": "write `&&`",
    "or": "write `||`",
    "not": "write `!`, as in `!(data.x in [1, 2])`",
    "is": "write `==`",
}
_RESERVED = frozenset(
    {
        "as",
        "break",
        "const",
        "continue",
        "else",
        "for",
        "function",
        "if",
        "import",
        "let",
        "loop",
        "package",
    }
    | {"namespace", "return", "var", "void", "while"}
)
_CONDITION = "write `condition ? a : b`"
_LONGEST = 160
_QUOTES = "\"'"
_CURLY = "“”‘’„«»"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A problem, what would be right (or nothing), and the place; line and column count from 1, 0 is unknown."""

    problem: str
    hint: str = ""
    line: int = 0
    column: int = 0


def find_fault(text: str, complaint: str) -> Fault:
    """What the engine's complaint about this text means."""
    places = [
        (found[3] is None, int(found[1]), int(found[2])) for found in _PLACE.finditer(complaint)
    ]
    if not places:
        return Fault(problem="it is not a CEL expression")
    # The first of the grammar: other complaints are about all that a fault further on left unfinished.
    _, line, column = min(places, key=lambda place: place[0])
    lines = text.split("\n")
    return find_fault_at(text, sum(len(one) + 1 for one in lines[: line - 1]) + column - 1)


def find_fault_at(text: str, offset: int) -> Fault:
    """What is wrong with a text whose grammar breaks there; `offset` counts characters."""
    problem, hint, at = _Spot(text, offset).explain()
    before = text[:at]
    return Fault(
        problem=_presentable(problem),
        hint=_presentable(hint),
        line=before.count("\n") + 1,
        column=at - (before.rfind("\n") + 1) + 1,
    )


class _Spot:
    """The place where the engine stopped, with the tokens around it."""

    def __init__(self, text: str, offset: int) -> None:
        self.text = text
        self.at = min(offset, len(text))
        tokens = list_tokens(text)
        self.before = [token for token in tokens if token.start < self.at]
        self.here = next((token for token in tokens if token.start >= self.at), None)
        self.last = self.before[-1] if self.before else None

    def explain(self) -> tuple[str, str, int]:
        """Problem, hint, and where in the text."""
        for step in (
            self._of_foreign_signs,
            self._of_words,
            self._of_texts,
            self._of_members,
            self._of_macros,
        ):
            found = step()
            if found is not None:
                return found
        if self.here is None:
            return self._of_the_end()
        return self._of_order(self.here)

    def _of_foreign_signs(self) -> tuple[str, str, int] | None:
        """Operators of other languages, and signs that CEL does not have."""
        for sign, hint in _NO_OPERATORS.items():
            for start in range(max(0, self.at - len(sign) + 1), self.at + 1):
                if self.text.startswith(sign, start) and not self._is_in_operator(start, sign):
                    what = "begins no remark" if sign == "#" else "is not an operator"
                    return f"`{sign}` {what}", hint, start
        if self.here is None or self.here.kind != "sign" or self.here.start != self.at:
            return None
        sign = self.here.text
        if sign in _CURLY:
            return (
                f"`{sign}` is not a quotation mark",
                "put texts in straight quotes, as in 'text'",
                self.at,
            )
        if not sign.isascii() and sign.isalpha():
            hint = "other names go in brackets, as in `data['größe']`"
            return f"names have no letters such as `{sign}`", hint, self.at
        if sign in _QUOTES or sign in "()[]{}." or any(sign in known for known in _OPERATORS):
            return None
        return f"{_shown(sign)} has no meaning here", "", self.at

    def _is_in_operator(self, start: int, sign: str) -> bool:
        """Whether what looks like a foreign sign is part of one that CEL has, or of a text or a remark."""
        holder = next(
            (one for one in self.before if one.start <= start < one.start + len(one.text)), None
        )
        if holder is not None and holder.kind != "sign":
            return True
        if len(sign) > 1:
            return False
        around = (self.text[max(0, start - 1) : start + 1], self.text[start : start + 2])
        return any(pair in _OPERATORS for pair in around)

    def _of_words(self) -> tuple[str, str, int] | None:
        for token in (self.last, self.here):
            is_near = token is not None and token.kind == "name" and not self._is_member(token)
            if token is None or not is_near or (token is self.here and token.start != self.at):
                continue
            if token.text in _NO_WORDS:
                return f"`{token.text}` is not an operator", _NO_WORDS[token.text], token.start
            if token.text in _RESERVED:
                hint = _CONDITION if token.text in {"if", "else"} else ""
                return f"`{token.text}` is a reserved word", hint, token.start
        return None

    def _of_texts(self) -> tuple[str, str, int] | None:
        here, last = self.here, self.last
        if (
            here is not None
            and here.start == self.at
            and here.text[0] in _QUOTES
            and here.kind == "sign"
        ):
            return (
                "the text that begins here is not closed",
                f"add `{here.text}` at its end",
                self.at,
            )
        is_text = here is not None and here.kind == "string" and here.start == self.at
        if is_text and here is not None and "\\" in here.text and not self._ends_value():
            hint = "write `\\\\` for a backslash"
            return (
                "the text has a backslash before something that it does not escape",
                hint,
                self.at,
            )
        is_glued = (
            here is not None and here.kind in {"name", "number"} and _is_after_text(here, last)
        )
        if is_glued and here is not None and last is not None:
            hint = f"write `\\{last.text[-1]}` for a quotation mark inside of a text"
            return f"the text ends before `{here.text}`", hint, self.at
        return None

    def _of_members(self) -> tuple[str, str, int] | None:
        here = self.here
        if self.last is not None and self.last.text == ".":
            if here is None or here.kind != "name":
                return "a name is missing after `.`", "", self.at
            hint = f'write `["{here.text}"]`'
            return f"the name after `.` cannot be `{here.text}`", hint, self.at
        if (
            here is not None
            and here.kind == "number"
            and here.text.startswith(".")
            and self._ends_value()
        ):
            return (
                f"`{here.text}` is not a member",
                f"write `[{here.text[1:]}]` for an element",
                self.at,
            )
        return None

    def _of_macros(self) -> tuple[str, str, int] | None:
        opening = self.before[-2:]
        if self.here is None or [one.text for one in opening[1:]] != ["("]:
            return None
        name = opening[0].text
        if name == "has" and self.here.text != ")":
            return "has() takes a member of something", "as in `has(data.user)`", self.at
        if name in MACROS and self.here.kind not in {"name", "sign"}:
            hint = f"as in `data.items.{name}(item, item > 0)`"
            return f"the first argument of {name}() is a name", hint, self.at
        return None

    def _of_the_end(self) -> tuple[str, str, int]:
        if self.last is not None and not self._ends_value() and self.last.text not in _CLOSING:
            return f"a value is missing after `{self._operator_before()}`", "", self.at
        if self._has_unanswered_question():
            return "a `?` has no `:`", _CONDITION, self.at
        opened = self._opened()
        if opened is not None:
            return (
                f"the `{opened.text}` is not closed",
                f"add `{_CLOSING[opened.text]}`",
                opened.start,
            )
        return "it ends too early", "", self.at

    def _of_order(self, here: Token) -> tuple[str, str, int]:
        """A token that cannot follow what stands before it."""
        shown = _operator_at(self.text, here.start) or here.text
        if here.kind == "sign" and here.text in _PAIRS:
            opened = self._opened()
            if opened is None or opened.text != _PAIRS[here.text]:
                what = "closes nothing" if opened is None else f"does not close the `{opened.text}`"
                return f"`{here.text}` {what}", "", here.start
        if here.kind == "sign" and not self._ends_value() and here.text not in _CLOSING:
            return f"a value is missing before `{shown}`", "", here.start
        if here.kind == "number" and not self._ends_value():
            return "the number is too large", "", here.start
        if self._ends_value() and (here.kind != "sign" or here.text in _CLOSING):
            opened = self._opened()
            other = (
                "a comma or an operator"
                if opened is not None
                else "an operator such as `&&` or `==`"
            )
            return (
                f"something is missing before {_shown(shown)}",
                f"write {other} between the two values",
                here.start,
            )
        return f"{_shown(shown)} is not expected here", "", here.start

    def _ends_value(self) -> bool:
        last = self.last
        return (
            last is not None
            and (last.kind != "sign" or last.text in _VALUE_ENDS)
            and last.text != "in"
        )

    def _operator_before(self) -> str:
        if self.last is None:
            return ""
        return _operator_at(self.text, self.last.start - 1) or self.last.text

    def _opened(self) -> Token | None:
        """The bracket that is open at the place."""
        opened: list[Token] = []
        for token in self.before:
            if token.kind == "sign" and token.text in _CLOSING:
                opened.append(token)
            elif token.kind == "sign" and token.text in _PAIRS and opened:
                opened.pop()
        return opened[-1] if opened else None

    def _has_unanswered_question(self) -> bool:
        signs = [token.text for token in self.before if token.kind == "sign"]
        return signs.count("?") > signs.count(":")

    def _is_member(self, token: Token) -> bool:
        index = next((i for i, one in enumerate(self.before) if one is token), len(self.before))
        return index > 0 and self.before[index - 1].text == "."


def _is_after_text(token: Token, last: Token | None) -> bool:
    """Whether it stands right behind the end of a text."""
    return last is not None and last.kind == "string" and last.start + len(last.text) == token.start


def _operator_at(text: str, start: int) -> str:
    pair = text[max(0, start) : start + 2]
    return pair if pair in _OPERATORS and len(pair) > 1 else ""


def _presentable(words: str) -> str:
    cut = words if len(words) <= _LONGEST else words[:_LONGEST] + "…"
    return "".join(sign if sign.isprintable() else " " for sign in cut)


def _shown(sign: str) -> str:
    return f"`{sign}`" if sign.isprintable() and sign != "`" else f"the character {sign!a}"
