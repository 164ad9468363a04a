"""What Python itself says of a source: the error for which it cannot be compiled, or the warnings it compiles with.

Python finds faults in several stages (decoding, parsing, the symbol table, code generation), and each tells the place in
its own way; here they come in one form. Standard library only.
"""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

Facts: TypeAlias = dict[
    str, Any
]  # JSON: line and column (from 1), message, source (the line's text)

TOO_DEEP: Final = "nested too deeply to be compiled"
NOT_COMPILED: Final = (
    SyntaxError,
    ValueError,
    RecursionError,
    MemoryError,
    OverflowError,
    LookupError,
)

_MAX_WARNINGS: Final = 20
_MAX_SOURCE: Final = 4000
_BESIDE: Final = 100
_DECLARATION: Final = re.compile(rb"^[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)")
_UTF_16: Final = (b"\xff\xfe", b"\xfe\xff")
# Code generation shows a line of the file whose name it is given, not of the source; a directory has no lines.
_NO_FILE: Final = "/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """The verdict on one source: why it cannot be compiled, or None; and what Python warns of."""

    error: Facts | None
    warnings: list[Facts]


def judge(source: bytes) -> Judgement:
    """Compile the source as the interpreter would, and keep what it says."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            compile(source, _NO_FILE, "exec", dont_inherit=True)
        except NOT_COMPILED as exc:
            return Judgement(error=fault_of(exc, source), warnings=[])
    told = [
        _facts(source, line=one.lineno, column=0, message=str(one.message))
        for one in caught
        if issubclass(one.category, SyntaxWarning | DeprecationWarning)
    ]
    unique = {(facts["line"], facts["message"]): facts for facts in told}
    return Judgement(error=None, warnings=list(unique.values())[:_MAX_WARNINGS])


def fault_of(error: BaseException, source: bytes) -> Facts:
    """Where and why the source cannot be compiled, in Python's words."""
    if isinstance(error, RecursionError | MemoryError):
        return {"line": 1, "column": 1, "message": TOO_DEEP, "source": ""}
    message = error.msg if isinstance(error, SyntaxError) else str(error)
    if b"\0" in source and "null" in message:
        return _null_byte(source, message)
    if not isinstance(error, SyntaxError):
        return _facts(source, line=1, column=1, message=message)
    if not error.lineno or error.lineno < 0:
        return _declaration(source, message)
    if error.text is None:
        return _generated(error, source, error.lineno)
    return _parsed(error, source, error.lineno)


def _parsed(error: SyntaxError, source: bytes, line: int) -> Facts:
    """A fault of reading: the column counts characters of the text that the error carries."""
    column = max(error.offset or 1, 1)
    told = (error.text or "").rstrip("\r\n")
    written = _line_of(source, line)
    inner = told[1:-1] if told.startswith("(") and told.endswith(")") else ""
    if inner and told not in written and written.count(inner) == 1:
        # an f-string's expression, which older Pythons show alone and in parentheses
        return _facts(
            source, line=line, column=written.index(inner) + column - 1, message=error.msg
        )
    facts = _facts(source, line=line, column=column, message=error.msg)
    if told.strip() and told.strip() not in written:
        facts["source"] = told[: max(column + _BESIDE, 2 * _BESIDE)]
    return facts


def _generated(error: SyntaxError, source: bytes, line: int) -> Facts:
    """A fault found after parsing: the column counts bytes of the line in UTF-8."""
    before = _line_of(source, line).encode("utf-8", "replace")[: max((error.offset or 1) - 1, 0)]
    column = len(before.decode("utf-8", "replace")) + 1
    return _facts(source, line=line, column=column, message=error.msg)


def _declaration(source: bytes, message: str) -> Facts:
    """A fault of the encoding that the source declares, for which Python tells no line."""
    for number, line in enumerate(source.split(b"\n", 2)[:2], start=1):
        found = _DECLARATION.match(line.removeprefix(b"\xef\xbb\xbf"))
        if found:
            return _facts(source, line=number, column=found.start(1) + 1, message=message)
    return _facts(source, line=1, column=1, message=message)


def _null_byte(source: bytes, message: str) -> Facts:
    if source.startswith(_UTF_16):
        return {
            "line": 1,
            "column": 1,
            "message": f"{message}: the file is UTF-16; save it as UTF-8",
            "source": "",
        }
    before = source[: source.index(0)]
    start = max(before.rfind(b"\n"), before.rfind(b"\r")) + 1
    column = len(before[start:].decode("utf-8", "replace")) + 1
    return _facts(source, line=len(_lines(before + b"x")), column=column, message=message)


def _facts(source: bytes, *, line: int, column: int, message: str) -> Facts:
    end = min(max(column + _BESIDE, 2 * _BESIDE), _MAX_SOURCE)
    return {
        "line": line,
        "column": column,
        "message": message,
        "source": _line_of(source, line).replace("\0", " ")[:end],
    }


def _line_of(source: bytes, line: int) -> str:
    lines = _lines(source)
    return lines[line - 1] if 0 < line <= len(lines) else ""


def _lines(source: bytes) -> list[str]:
    """The lines as Python counts them, without their ends."""
    text = source.removeprefix(b"\xef\xbb\xbf").decode(_encoding(source), "replace")
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def _encoding(source: bytes) -> str:
    for line in source.split(b"\n", 2)[:2]:
        found = _DECLARATION.match(line)
        if found:
            try:
                "".encode(name := found[1].decode("ascii", "replace"))
                b"".decode(name)
            except (LookupError, ValueError):
                return "utf-8"
            return name
    return "utf-8"
