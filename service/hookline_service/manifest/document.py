"""YAML text to nodes with marks, guarded against what hostile or broken text can do."""

from __future__ import annotations

import re
from typing import Protocol, cast

import yaml
from yaml.composer import ComposerError
from yaml.nodes import MappingNode, Node
from yaml.reader import ReaderError

from hookline_service.manifest.reports import Reports
from hookline_service.manifest.values import Position

MAX_BYTES = 1024 * 1024
MAX_DEPTH = 32
MAX_NODES = 20_000

_LINE_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")


class _TooDeepError(yaml.YAMLError):
    def __init__(self, position: Position) -> None:
        super().__init__("too deep")
        self.position = position


class _TooManyNodesError(_TooDeepError):
    pass


class _BoundedLoader(yaml.SafeLoader):
    """Composes nodes with marks; refuses documents that are nested or long beyond reason."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = 0
        self._count = 0

    def compose_node(self, parent: Node | None, index: int) -> Node | None:
        self._depth += 1
        self._count += 1
        if self._depth > MAX_DEPTH or self._count > MAX_NODES:
            position = _next_position(self)
            kind = _TooDeepError if self._depth > MAX_DEPTH else _TooManyNodesError
            raise kind(position)
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node


class _Mark(Protocol):
    line: int
    column: int


class _Event(Protocol):
    start_mark: _Mark


def _next_position(loader: _BoundedLoader) -> Position:
    event = cast(_Event, loader.peek_event())  # pyright: ignore[reportUnknownMemberType] - no stubs
    return Position(line=event.start_mark.line + 1, column=event.start_mark.column + 1)


def decode(text: str | bytes, reports: Reports) -> str | None:
    """The text, if it is UTF-8 of a sensible size."""
    size = len(text)
    if size > MAX_BYTES:
        message = f"the file has {size:,} bytes; a manifest may have up to {MAX_BYTES:,}"
        reports.error("manifest.too_large", Position(), message)
        return None
    if isinstance(text, str):
        return text.removeprefix("\ufeff")
    try:
        return text.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        before = text[: exc.start].decode("utf-8", errors="replace")
        message = f"byte 0x{text[exc.start]:02x} at offset {exc.start} is not UTF-8"
        hint = "save the file as UTF-8"
        reports.error("manifest.encoding", _position_after(before), message, hint=hint)
        return None


def compose(text: str, reports: Reports) -> MappingNode | None:
    """The document's root map, or None with findings that say why there is none."""
    root = _compose(text, reports)
    if root is None or isinstance(root, MappingNode):
        return root
    position = position_of(root)
    hint = "begin with `project:` and a `name:` under it"
    reports.error("manifest.not_a_map", position, "the document is not a map of keys", hint=hint)
    return None


def position_of(node: Node) -> Position:
    """Where the node begins."""
    mark: yaml.Mark = node.start_mark
    return Position(line=mark.line + 1, column=mark.column + 1)


def source_lines(text: str) -> list[str]:
    """The text's lines, as YAML counts them."""
    return _LINE_BREAK.split(text)


def _compose(text: str, reports: Reports) -> Node | None:
    try:
        loader = _BoundedLoader(text)
    except ReaderError as exc:
        _report_unprintable(text, exc, reports)
        return None
    try:
        node = loader.get_single_node()
    except _TooManyNodesError as exc:
        message = f"the document has more than {MAX_NODES:,} values"
        reports.error("manifest.too_large", exc.position, message)
    except _TooDeepError as exc:
        message = f"nested more than {MAX_DEPTH} levels deep"
        reports.error("manifest.too_deep", exc.position, message)
    except yaml.MarkedYAMLError as exc:
        _report_syntax(text, exc, reports)
    except (ValueError, OverflowError):
        mark = loader.get_mark()
        position = Position(line=mark.line + 1, column=mark.column + 1)
        message = "an escape sequence names no character"
        reports.error("manifest.syntax", position, message)
    else:
        if node is None:
            hint = "begin with `project:` and a `name:` under it"
            reports.error("manifest.empty", Position(), "the file is empty", hint=hint)
        return node
    return None


def _report_unprintable(text: str, exc: ReaderError, reports: Reports) -> None:
    offset = int(exc.position)
    position = _position_after(text[:offset])
    message = f"character U+{ord(text[offset]):04X} is not allowed in YAML"
    hint = 'remove it, or write it as an escape inside "double quotes"'
    reports.error("manifest.encoding", position, message, hint=hint)


def _report_syntax(text: str, exc: yaml.MarkedYAMLError, reports: Reports) -> None:
    mark = exc.problem_mark or exc.context_mark
    if mark is None:
        reports.error("manifest.syntax", Position(), f"not valid YAML: {exc.problem}")
        return
    position = Position(line=mark.line + 1, column=mark.column + 1)
    lines = source_lines(text)
    line = lines[mark.line] if mark.line < len(lines) else ""
    if isinstance(exc, ComposerError) and _begins_document(line):
        message = "a manifest is one document; here a second one begins"
        hint = "remove the line `---` and what follows, or put it into a file of its own"
        reports.error("manifest.many_documents", position, message, hint=hint)
        return
    context = f" {exc.context}" if exc.context else ""
    message = f"not valid YAML: {exc.problem}{context}"
    hint = _syntax_hint(line, mark.column)
    reports.error("manifest.syntax", position, message, hint=hint)


def _begins_document(line: str) -> bool:
    return line.startswith("---")


def _syntax_hint(line: str, column: int) -> str:
    at = line[column : column + 1]
    if "\t" in line[: column + 1] and not line[: column + 1].strip():
        return "YAML allows no tabs in the indentation; use spaces"
    if at in {"@", "`", "%"} or (at == "*" or line[:column].endswith("*")):
        return 'put a value that begins with a special character in "quotes"'
    if at == ":":
        return 'put a value that holds ": " in "quotes", and check the indentation'
    return "check indentation, quotes and brackets here and in the line above"


def _position_after(before: str) -> Position:
    lines = source_lines(before)
    return Position(line=len(lines), column=len(lines[-1]) + 1)
