"""Maps of the document, read key by key against what is known, with a finding for all that is wrong."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TypeVar

from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from hookline_service.manifest.document import position_of
from hookline_service.manifest.keys import Key
from hookline_service.manifest.reports import Reports, shown
from hookline_service.manifest.scalars import Fault, ScalarReader, type_of
from hookline_service.manifest.values import Position

Value = TypeVar("Value")

_NULL = "tag:yaml.org,2002:null"
_MERGE = "tag:yaml.org,2002:merge"
PRIVATE = "x-"
_MAX_VISITS = 100_000
_COMPARED = 64
_FORMER = {"entrypoint": "call"}  # keys of older manifests


@dataclass(slots=True, kw_only=True)
class Reading:
    """What reading one document shares: its findings, its manner, the places it found."""

    reports: Reports
    is_lenient: bool
    positions: dict[str, Position] = field(default_factory=dict[str, Position])
    visits: int = 0

    def visit(self, node: Node) -> bool:
        """Count a node; false once aliases have made the document too large."""
        self.visits += 1
        if self.visits == _MAX_VISITS:
            message = "the document is too large once its aliases are filled in"
            self.reports.error("manifest.too_large", position_of(node), message)
        return self.visits < _MAX_VISITS


class Section:
    """One map. Each reader gives the value of a key, or None if it is absent, empty or wrong.

    What is wrong has become a finding by then.
    """

    def __init__(
        self,
        reading: Reading,
        node: MappingNode,
        keys: Iterable[Key],
        *,
        what: str,
        allows_private: bool = False,
    ) -> None:
        self._reading = reading
        self._reports = reading.reports
        self._scalars = ScalarReader(is_lenient=reading.is_lenient)
        self._keys = {key.name: key for key in keys}
        self._what = what
        self._allows_private = allows_private
        self._nodes: dict[str, Node] = {}
        self._places: dict[str, Position] = {}
        self._collect(node)
        self.position = position_of(node)

    @property
    def is_lenient(self) -> bool:
        """True if the document is read as AutoKitteh reads it."""
        return self._reading.is_lenient

    def has(self, name: str) -> bool:
        """True if the key is there and not null."""
        node = self._nodes.get(name)
        return node is not None and node.tag != _NULL

    def is_given(self, name: str) -> bool:
        """True if the key is there, be it null."""
        return name in self._nodes

    def is_null(self, name: str) -> bool:
        """True if the key is there and has no value."""
        return self.is_given(name) and not self.has(name)

    def place(self, name: str) -> Position:
        """Where the value of the key stands; where the map begins if there is none."""
        return self._places.get(name, self.position)

    def names(self) -> list[str]:
        """The known keys that are there and not null, in the order of the file."""
        return [name for name in self._nodes if self.has(name)]

    def note(self, path: str) -> None:
        """Remember for later findings where this map and its values stand."""
        self._reading.positions.setdefault(path, self.position)
        for name, position in self._places.items():
            self._reading.positions.setdefault(f"{path}.{name}", position)

    def text(self, name: str) -> str | None:
        """A string that keeps to the key's choices and pattern."""
        node = self._scalar(name)
        if node is None:
            return None
        return self._settle(name, node, self._scalars.text(node, self._keys[name]))

    def spelling(self, name: str) -> str | None:
        """Any scalar, as it is spelled in the file."""
        node = self._scalar(name)
        if node is None:
            return None
        return self._settle(name, node, self._scalars.spelling(node, self._keys[name]))

    def flag(self, name: str, *, default: bool) -> bool:
        """True or false."""
        node = self._scalar(name)
        if node is None:
            return default
        value = self._settle(name, node, self._scalars.flag(node))
        return default if value is None else value

    def count(self, name: str) -> int | None:
        """A whole number within the key's bounds."""
        node = self._scalar(name)
        if node is None:
            return None
        return self._settle(name, node, self._scalars.count(node, self._keys[name]))

    def number(self, name: str) -> float | None:
        """A number within the key's bounds."""
        node = self._scalar(name)
        if node is None:
            return None
        return self._settle(name, node, self._scalars.number(node, self._keys[name]))

    def duration(self, name: str) -> float | None:
        """Seconds."""
        node = self._scalar(name)
        if node is None:
            return None
        return self._settle(name, node, self._scalars.duration(node))

    def is_scalar(self, name: str) -> bool:
        """True if the value is neither a map nor a list."""
        return isinstance(self._nodes.get(name), ScalarNode)

    def is_map(self, name: str) -> bool:
        """True if the value is a map."""
        return isinstance(self._nodes.get(name), MappingNode)

    def texts(self, name: str, *, path: str) -> list[str]:
        """A list of strings; notes the place of each under `PATH.INDEX`."""
        key = self._keys[name]
        found: list[str] = []
        for index, node in enumerate(self._items(name)):
            place = position_of(node)
            self._reading.positions[f"{path}.{index}"] = place
            if not isinstance(node, ScalarNode):
                self._wrong(name, place, f"item {index + 1} must be a string, not {type_of(node)}")
                continue
            value = self._scalars.text(node, key)
            if isinstance(value, Fault):
                self._wrong(name, place, f"item {index + 1} {value.problem}", value.hint)
            elif self._reading.visit(node):
                found.append(value)
        return found

    def section(self, name: str) -> Section | None:
        """A map."""
        node = self._nodes.get(name)
        if node is None or (node.tag == _NULL and self._reading.is_lenient):
            return None
        if isinstance(node, MappingNode):
            if not self._reading.visit(node):
                return None
            return Section(self._reading, node, self._keys[name].keys, what=f"`{name}`")
        self._wrong(name, self.place(name), f"must be a map, not {type_of(node)}")
        return None

    def sections(self, name: str, noun: str) -> list[Section]:
        """A list of maps, each called `noun` in findings."""
        found: list[Section] = []
        for index, node in enumerate(self._items(name)):
            if not isinstance(node, MappingNode):
                problem = f"item {index + 1} must be a map with keys, not {type_of(node)}"
                self._wrong(name, position_of(node), problem)
            elif self._reading.visit(node):
                found.append(Section(self._reading, node, self._keys[name].keys, what=noun))
        return found

    def texts_or_sections(self, name: str, noun: str) -> list[tuple[str | Section, Position]]:
        """A list of strings and of maps, each called `noun` in findings, with the place of each."""
        found: list[tuple[str | Section, Position]] = []
        for index, node in enumerate(self._items(name)):
            place = position_of(node)
            if isinstance(node, MappingNode):
                if self._reading.visit(node):
                    section = Section(self._reading, node, self._keys[name].keys, what=noun)
                    found.append((section, place))
            elif isinstance(node, ScalarNode):
                text = self._settle(name, node, self._scalars.text(node, self._keys[name]))
                if text is not None and self._reading.visit(node):
                    found.append((text, place))
            else:
                problem = f"item {index + 1} must be a string or a map, not {type_of(node)}"
                self._wrong(name, place, problem)
        return found

    def wrong(self, name: str, problem: str, hint: str = "") -> None:
        """Add an error about the value of this key."""
        self._wrong(name, self.place(name), problem, hint)

    def error(self, code: str, message: str, hint: str = "") -> None:
        """Add an error about this map as a whole."""
        self._reports.error(code, self.position, message, hint=hint)

    def missing(self, name: str) -> None:
        """Add an error about a key that must be there."""
        shape = self._keys[name].shape
        self.error("manifest.missing_key", f"{self._what} needs `{name}`, {shape}")

    def duplicate(self, name: str, first: Position) -> None:
        """Add an error about a name that was given to an earlier item."""
        message = f"the name `{name}` is taken already, at line {first.line}"
        self._reports.error("manifest.duplicate_name", self.place("name"), message)

    def _wrong(self, name: str, position: Position, problem: str, hint: str = "") -> None:
        self._reports.error("manifest.bad_value", position, f"`{name}` {problem}", hint=hint)

    def _settle(self, name: str, node: ScalarNode, value: Value | Fault) -> Value | None:
        if isinstance(value, Fault):
            self._wrong(name, position_of(node), value.problem, value.hint)
            return None
        return value

    def _scalar(self, name: str) -> ScalarNode | None:
        node = self._nodes.get(name)
        if node is None:
            return None
        if not isinstance(node, ScalarNode):
            shape = self._keys[name].shape
            self._wrong(name, position_of(node), f"must be {shape}, not {type_of(node)}")
            return None
        return node

    def _items(self, name: str) -> list[Node]:
        node = self._nodes.get(name)
        if node is None or node.tag == _NULL:
            return []
        if not isinstance(node, SequenceNode):
            hint = "begin each item with `- `" if isinstance(node, MappingNode) else ""
            self._wrong(name, position_of(node), f"must be a list, not {type_of(node)}", hint)
            return []
        items: list[Node] = node.value
        most = self._keys[name].max_items
        if len(items) > most:
            self._wrong(name, position_of(node), f"has {len(items)} items; up to {most} fit")
        return items[:most]

    def _collect(self, node: MappingNode) -> None:
        merged: list[Node] = []
        for key_node, value_node in _pairs(node):
            if not self._reading.visit(value_node):
                return
            if key_node.tag == _MERGE:
                merged.append(value_node)
            elif not isinstance(key_node, ScalarNode):
                message = f"a key must be a word, not {type_of(key_node)}"
                self._reports.error("manifest.bad_key", position_of(key_node), message)
            elif key_node.value in self._nodes:
                self._report_duplicate(key_node)
            else:
                self._add(key_node, value_node)
        for value_node in merged:
            self._merge(value_node, frozenset({id(node)}))

    def _add(self, key_node: ScalarNode, value_node: Node) -> None:
        name: str = key_node.value
        known = self._keys.get(name)
        if known is None or (known.is_ours and self._reading.is_lenient):
            self._report_unknown(name, position_of(key_node))
            return
        self._nodes[name] = value_node
        self._places[name] = position_of(value_node)

    def _merge(self, value_node: Node, above: frozenset[int]) -> None:
        """Take over keys by `<<`; those that are there already win, and earlier maps before later ones."""
        sources: list[Node] = (
            value_node.value if isinstance(value_node, SequenceNode) else [value_node]
        )
        for source in sources:
            if id(source) in above or not self._reading.visit(source):
                return
            if not isinstance(source, MappingNode):
                message = f"`<<` takes a map or a list of maps, not {type_of(source)}"
                self._reports.error("manifest.bad_value", position_of(source), message)
                continue
            self._merge_map(source, above | {id(source)})

    def _merge_map(self, source: MappingNode, above: frozenset[int]) -> None:
        nested: list[Node] = []
        for key_node, node in _pairs(source):
            if not self._reading.visit(node):
                return
            if key_node.tag == _MERGE:
                nested.append(node)
            elif isinstance(key_node, ScalarNode) and key_node.value not in self._nodes:
                self._add(key_node, node)
        for node in nested:
            self._merge(node, above)

    def _report_duplicate(self, key_node: ScalarNode) -> None:
        first = self._places[key_node.value]
        message = f"`{key_node.value}` is given twice; the first is at line {first.line}"
        self._reports.error("manifest.duplicate_key", position_of(key_node), message)

    def _report_unknown(self, name: str, position: Position) -> None:
        if self._allows_private and name.startswith(PRIVATE):
            return
        known = self._keys.get(name)
        if not self._reading.is_lenient:
            message = f"unknown key {shown(name)} in {self._what}"
            self._reports.error("manifest.unknown_key", position, message, hint=self._guess(name))
            return
        message = f"the key {shown(name)} in {self._what} is ignored, as AutoKitteh does"
        hint = self._guess(name)
        if known is not None and known.is_ours:
            hint = "hookline.yaml knows this key; rename the file to use it"
        self._reports.warning("manifest.ignored_key", position, message, hint=hint)

    def _guess(self, name: str) -> str:
        known = [
            key.name
            for key in self._keys.values()
            if not (key.is_ours and self._reading.is_lenient)
        ]
        if _FORMER.get(name) in known:
            return f"it is called `{_FORMER[name]}` now"
        close = get_close_matches(name[:_COMPARED].lower(), known, n=1, cutoff=0.6)
        if close:
            return f"did you mean `{close[0]}`?"
        return "known keys: " + ", ".join(known) if known else "it takes no keys"


def _pairs(node: MappingNode) -> list[tuple[Node, Node]]:
    return node.value
