"""Single values of a manifest: what is accepted for each shape, strictly or as AutoKitteh accepts it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches

from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from hookline_service.manifest.keys import Key
from hookline_service.manifest.reports import shown
from hookline_triggers.durations import parse_duration
from hookline_triggers.errors import DurationInvalidError

_TAGS = "tag:yaml.org,2002:"
_TYPES = {
    "null": "empty",
    "bool": "true or false",
    "int": "a whole number",
    "float": "a number",
    "timestamp": "a date",
    "str": "a string",
}
_TRUE = frozenset({"true", "yes", "on", "y"})
_FALSE = frozenset({"false", "no", "off", "n"})
_WHOLE = re.compile(r"[0-9]{1,9}")
_NUMBER = re.compile(r"[0-9]{1,9}(\.[0-9]{0,9})?")
_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Why a value is not accepted, as the end of a sentence about its key."""

    problem: str
    hint: str = ""


def type_of(node: Node) -> str:
    """The kind of value in plain words."""
    if isinstance(node, MappingNode):
        return "a map"
    if isinstance(node, SequenceNode):
        return "a list"
    tag: str = node.tag
    return _TYPES.get(tag.removeprefix(_TAGS), f"a value tagged {shown(tag)}")


def is_null(node: Node) -> bool:
    """True for an absent value: nothing, `~`, `null`."""
    return node.tag == f"{_TAGS}null"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScalarReader:
    """Reads scalars of a strict or a lenient manifest."""

    is_lenient: bool

    def text(self, node: ScalarNode, key: Key) -> str | Fault:
        """A string; leniently any scalar in its source spelling, and null is empty."""
        if self.is_lenient:
            text = "" if is_null(node) else node.value
            return _checked(text, key) if text or key.is_required else ""
        if is_null(node):
            return Fault(problem="has no value", hint="give it one, or delete the line")
        if node.tag != f"{_TAGS}str":
            hint = f'put it in quotes: "{node.value}"' if node.style is None else ""
            return Fault(problem=f"must be a string, not {type_of(node)}", hint=hint[:100])
        return _checked(node.value, key)

    def spelling(self, node: ScalarNode, key: Key) -> str | Fault | None:
        """Any scalar in its source spelling; null is no value, leniently an empty one."""
        if is_null(node):
            return "" if self.is_lenient else None
        return _checked(node.value, key)

    def flag(self, node: ScalarNode) -> bool | Fault | None:
        """True or false; leniently null is no value."""
        if is_null(node) and self.is_lenient:
            return None
        word = node.value.lower()
        is_boolean = node.tag == f"{_TAGS}bool"
        if word in _TRUE and (is_boolean or self.is_lenient):
            return True
        if word in _FALSE and (is_boolean or self.is_lenient):
            return False
        hint = "write true or false without quotes"
        return Fault(problem=f"must be true or false, not {type_of(node)}", hint=hint)

    def count(self, node: ScalarNode, key: Key) -> int | Fault:
        """A whole number in the key's bounds."""
        if node.tag != f"{_TAGS}int" or not _WHOLE.fullmatch(node.value):
            return Fault(problem=f"must be a whole number{_bounds(key)}", hint="write it in digits")
        value = int(node.value)
        return value if _is_within(value, key) else Fault(problem=_outside(node, key))

    def number(self, node: ScalarNode, key: Key) -> float | Fault:
        """A number in the key's bounds."""
        is_number = node.tag in {f"{_TAGS}int", f"{_TAGS}float"}
        if not is_number or not _NUMBER.fullmatch(node.value):
            return Fault(problem=f"must be a number{_bounds(key)}", hint="write it in digits")
        value = float(node.value)
        return value if _is_within(value, key) else Fault(problem=_outside(node, key))

    def duration(self, node: ScalarNode) -> float | Fault:
        """Seconds, of a number or a text such as `1h30m`."""
        if is_null(node):
            return Fault(problem="has no value", hint="give it one, or delete the line")
        if node.tag not in {f"{_TAGS}str", f"{_TAGS}int", f"{_TAGS}float"}:
            return Fault(
                problem=f"must be a duration, not {type_of(node)}", hint="such as 90s, 1h30m"
            )
        try:
            return parse_duration(node.value)
        except DurationInvalidError as exc:
            hint = "write seconds as a number, or units as in 90s, 1h30m, 2d"
            return Fault(problem=f"is not a duration ({shown(exc.text)}): {exc.problem}", hint=hint)


def _checked(text: str, key: Key) -> str | Fault:
    if len(text.encode("utf-8", errors="surrogatepass")) > key.max_length:
        return Fault(problem=f"is longer than {key.max_length} bytes")
    if "\0" in text or _SURROGATE.search(text):
        return Fault(problem="holds a character that no text may hold (NUL or half of a pair)")
    if key.choices and text not in key.choices:
        return _no_choice(text, key)
    if key.pattern and not re.fullmatch(key.pattern, text):
        return Fault(problem=f"must be {key.rule}, not {shown(text)}", hint=_tidied(text, key))
    return text


def _no_choice(text: str, key: Key) -> Fault:
    choices = ", ".join(f"`{choice}`" for choice in key.choices)
    near = get_close_matches(text[:64].lower().replace("-", "_"), key.choices, n=1, cutoff=0.6)
    hint = f"did you mean `{near[0]}`?" if near else ""
    return Fault(problem=f"must be one of {choices}, not {shown(text)}", hint=hint)


def _tidied(text: str, key: Key) -> str:
    tidy = re.sub(r"[^A-Za-z0-9_]+", "_", text).strip("_")[:64]
    is_name = key.name == "name" and bool(re.fullmatch(key.pattern, tidy))
    return f"such as `{tidy}`" if is_name else ""


def _bounds(key: Key) -> str:
    if key.least is None or key.most is None:
        return ""
    return f" from {key.least:,g} to {key.most:,.0f}"


def _is_within(value: float, key: Key) -> bool:
    least = key.least if key.least is not None else float("-inf")
    most = key.most if key.most is not None else float("inf")
    return least <= value <= most


def _outside(node: ScalarNode, key: Key) -> str:
    return f"must be{_bounds(key)}, not {node.value}"
