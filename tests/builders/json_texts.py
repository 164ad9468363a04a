"""JSON as strategies: values, and texts that are JSON, or nearly, or not at all."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

_NUMBERS = st.sampled_from(
    [
        *("0", "-0", "1", "-1.0", "1e3", "0.1", "1E-7", "-0.0", "1e400", "NaN", "Infinity", "01", "+1", "1."),
        *("9223372036854775807", "9223372036854775808", "-9223372036854775809", "18446744073709551615"),
        *("18446744073709551616", "9" * 30, "-" + "9" * 309, "9" * 4000, "9" * 4001, "12345678901234567890.5"),
    ]
)  # fmt: skip
_PARTS = st.sampled_from(
    [
        *("\\ud83d", "\\uDE00", "\\ud83d\\ude00", "\\\\ud83d", "\\\\", "\\n", "\\u00", "\\x", "\\u0000"),
        *("a", "é", "\U0001f600", "\ufeff", "\x7f", "\t", "$", "$int", "<", "\u2028"),
    ]
)  # fmt: skip
_STRINGS = st.lists(_PARTS, max_size=4).map(lambda parts: '"' + "".join(parts) + '"')
_SPACES = st.sampled_from(["", " ", "\n", "\t\r", "\x0c", "\u00a0"])
_LEAVES = _NUMBERS | _STRINGS | st.sampled_from(["null", "true", "false", "nul", ""])
_BEFORE = st.sampled_from([b"", b"\xef\xbb\xbf", b"\xff\xfe", b"\xef\xbb\xbf\xef\xbb\xbf", b" "])
_AFTER = st.sampled_from([b"", b"\n", b" x", b"\xff", b"}", b"\x00"])


def json_values() -> st.SearchStrategy[Any]:
    """Values of JSON: whole numbers of any size, texts of any characters."""
    leaves = (
        st.none()
        | st.booleans()
        | st.integers()
        | st.integers(min_value=2**62, max_value=2**70)
        | st.sampled_from([10**400, -(10**30), 10**4000 - 1])
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(max_size=6)
    )
    return st.recursive(
        leaves,
        lambda children: (
            st.lists(children, max_size=4)
            | st.dictionaries(st.text(max_size=4), children, max_size=4)
        ),
        max_leaves=10,
    )


def json_texts() -> st.SearchStrategy[bytes]:
    """Bytes of bodies, good and bad: large numbers, half characters, marks, depth, one key twice, odd spaces."""
    trees = st.recursive(_LEAVES, _containers, max_leaves=8)
    built = st.builds(_joined, _BEFORE, trees, _AFTER, st.sampled_from([0, 0, 0, 1, 99, 199, 260]))
    return (
        built | json_values().map(lambda value: json.dumps(value).encode()) | st.binary(max_size=40)
    )


def _containers(children: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    members = st.lists(st.tuples(_STRINGS, children), max_size=3)
    return st.builds(_list, st.lists(children, max_size=3), _SPACES) | st.builds(
        _object, members, _SPACES
    )


def _list(items: list[str], space: str) -> str:
    return f"[{space}" + f",{space}".join(items) + f"{space}]"


def _object(pairs: list[tuple[str, str]], space: str) -> str:
    return "{" + f",{space}".join(f"{key}{space}:{item}" for key, item in pairs) + "}"


def _joined(before: bytes, tree: str, after: bytes, depth: int) -> bytes:
    return before + b"[" * depth + tree.encode() + b"]" * depth + after
