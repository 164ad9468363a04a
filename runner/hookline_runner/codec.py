"""Values and exceptions of a session as bytes: JSON where it is exact, pickle where it is not.

The one place that pickles, and it runs in session processes only. `encode_…` gives None for what cannot be
carried; the caller then keeps the value live. Standard library only.
"""

from __future__ import annotations

import builtins
import inspect
import io
import itertools
import json
import math
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, cast

JSON: Final = "json"
PICKLE: Final = "pickle"
NONE: Final = "none"

_MAX_JSON_NODES: Final = 5_000  # a larger value is cheaper to pickle than to walk
_MAX_JSON_INT: Final = 1 << 64
_MAX_DEPTH: Final = 50
_MAX_CAUSES: Final = 8
_PICKLE_PROTOCOL: Final = 5

# What a foreign object's own code may raise while it is pickled is not known: everything but an interrupt.
_ANY_FAILURE: Final = Exception

_encode_json = json.JSONEncoder(check_circular=False, separators=(",", ":")).encode
_decode_json = json.JSONDecoder().decode
_WORDS: Final[dict[object, bytes]] = {None: b"null", True: b"true", False: b"false"}


@dataclass(frozen=True, slots=True)
class Encoded:
    """A value as bytes and the name of its form."""

    encoding: str
    data: bytes


NOTHING: Final = Encoded(NONE, b"")
_NULL: Final = Encoded(JSON, b"null")


def encode_value(value: object) -> Encoded | None:
    """The value as bytes that are known to load again; None if there are none."""
    if value is None:
        return _NULL
    kind = type(value)
    if kind is str:
        return Encoded(JSON, _encode_json(value).encode())
    if kind is bool:
        return Encoded(JSON, _WORDS[value])
    if _is_exact_json(value, _Walk()):
        return Encoded(JSON, _encode_json(value).encode())
    return _pickled(value) or _pickled(value, _dump_with_exceptions)


def decode_value(encoding: str, data: bytes) -> Any:
    """The value that `encode_value` was given. Raises whatever loading it raises."""
    if encoding == JSON:
        return _decode_json(data.decode())
    return pickle.loads(data)


@dataclass(slots=True)
class _Walk:
    """How far a look through a value has come, and which containers it has seen."""

    nodes: int = 0
    depth: int = 0
    seen: set[int] | None = None

    def enter(self, container: object) -> bool:
        """False when the container was met before (JSON would make two of one) or lies too deep."""
        seen = self.seen
        if seen is None:
            seen = self.seen = set()
        if id(container) in seen or self.depth > _MAX_DEPTH:
            return False
        seen.add(id(container))
        self.depth += 1
        return True


def _is_exact_json(value: object, walk: _Walk) -> bool:
    """Whether JSON gives back exactly this value: same types, same shape, nothing shared."""
    kind = type(value)
    if kind is str or kind is bool or value is None:
        return True
    if kind is int:
        return -_MAX_JSON_INT < cast("int", value) < _MAX_JSON_INT
    if kind is float:
        return math.isfinite(cast("float", value))
    if kind is not list and kind is not dict:
        return False
    return walk.enter(value) and _is_exact_container(
        cast("list[object] | dict[object, object]", value), walk
    )


def _is_exact_container(value: list[object] | dict[object, object], walk: _Walk) -> bool:
    walk.nodes += len(value)
    if walk.nodes > _MAX_JSON_NODES:
        return False
    if isinstance(value, dict):
        if not all(type(key) is str for key in value):
            return False
        items = value.values()
    else:
        items = value
    exact = all(_is_exact_json(item, walk) for item in items)
    walk.depth -= 1
    return exact


class _ExceptionPickler(pickle.Pickler):
    """Pickles exceptions within a value as `encode_exception` does; many do not load when pickled by themselves."""

    def reducer_override(self, obj: object, /) -> Any:
        return (revived, _portable(obj)) if isinstance(obj, BaseException) else NotImplemented


def _dump_plainly(value: object) -> bytes:
    return pickle.dumps(value, _PICKLE_PROTOCOL)


def _dump_with_exceptions(value: object) -> bytes:
    stream = io.BytesIO()
    _ExceptionPickler(stream, _PICKLE_PROTOCOL).dump(value)
    return stream.getvalue()


def _pickled(value: object, dump: Callable[[object], bytes] = _dump_plainly) -> Encoded | None:
    try:
        data = dump(value)
        pickle.loads(data)  # some things pickle and do not load
    except _ANY_FAILURE:
        return None
    return Encoded(PICKLE, data)


def encode_exception(exc: BaseException) -> Encoded:
    """The exception as bytes that load again, as near to the original as it can be carried.

    Its class is kept, so that `except` finds it. Arguments and attributes that cannot be carried become None;
    a class that cannot be carried gives way to one made up under its nearest importable base.
    """
    simple = _simple_exception(exc)
    if simple is not None:
        return simple
    chain = [_portable(item) for item in _cause_chain(exc)]
    encoded = _pickled((chain, exc.__suppress_context__))
    return encoded if encoded is not None else _described_exception(exc)


def decode_exception(encoding: str, data: bytes) -> BaseException:
    """The exception that `encode_exception` was given."""
    if encoding == JSON:
        name, args = _decode_json(data.decode())
        return cast("BaseException", getattr(builtins, name)(*args))
    chain, suppress_context = pickle.loads(data)
    causes = [revived(*state) for state in chain]
    for outer, inner in itertools.pairwise(causes):
        outer.__cause__ = inner
    causes[0].__suppress_context__ = suppress_context
    return causes[0]


def _simple_exception(exc: BaseException) -> Encoded | None:
    """A builtin exception with plain arguments and nothing else to remember."""
    kind = type(exc)
    is_plain = (
        kind.__module__ == "builtins"
        and not exc.__dict__
        and exc.__cause__ is None
        and not isinstance(
            exc,
            OSError | ImportError | UnicodeError | SyntaxError | BaseExceptionGroup | StopIteration,
        )
        and getattr(builtins, kind.__name__, None) is kind
    )
    if not is_plain:
        return None
    args = list(exc.args)
    if not _is_exact_json(args, _Walk()):
        return None
    return Encoded(JSON, _encode_json([kind.__name__, args]).encode())


def _cause_chain(exc: BaseException) -> list[BaseException]:
    chain = [exc]
    cause = exc.__cause__
    while cause is not None and cause not in chain and len(chain) < _MAX_CAUSES:
        chain.append(cause)
        cause = cause.__cause__
    return chain


_State = tuple[type[BaseException], str, str, tuple[object, ...], dict[str, object], object]


def _portable(exc: BaseException) -> _State:
    """Class, its name and module if it had to be replaced, arguments, attributes, and a plain pickle if that works."""
    whole = _pickled(exc)
    attributes: dict[str, object] = {
        key: value if _pickled(value) else None for key, value in vars(exc).items()
    }
    args: tuple[object, ...] = tuple(value if _pickled(value) else None for value in exc.args)
    kind = type(exc)
    if whole is not None and type(pickle.loads(whole.data)) is kind:
        return (BaseException, "", "", (), {}, whole.data)
    if _pickled(kind) is not None:
        return (kind, "", "", args, attributes, None)
    base = next(base for base in kind.__mro__ if _pickled(base) is not None)
    return (
        cast("type[BaseException]", base),
        kind.__name__,
        kind.__module__,
        args,
        attributes,
        None,
    )


def _padded(
    kind: type[BaseException], args: tuple[object, ...], attributes: dict[str, object]
) -> tuple[object, ...]:
    """The arguments, filled up with attributes named as the parameters of `__init__`, None where there is none."""
    try:
        parameters = list(inspect.signature(kind.__init__).parameters.values())[1:]
    except (TypeError, ValueError):
        return args
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    missing = [p for p in positional[len(args) :] if p.default is p.empty]
    return args + tuple(attributes.get(p.name) for p in missing)


def revived(
    kind: type[BaseException],
    replaced_name: str,
    replaced_module: str,
    args: tuple[object, ...],
    attributes: dict[str, object],
    whole: object,
) -> BaseException:
    """The exception of which `_portable` told; recorded values name this function, so it stays."""
    if isinstance(whole, bytes):
        return cast("BaseException", pickle.loads(whole))
    if replaced_name:
        kind = type(replaced_name, (kind,), {"__module__": replaced_module})
    try:
        exc = kind.__new__(
            kind, *args
        )  # not its __init__, which may want other arguments than it kept
        exc.args = args
    except _ANY_FAILURE:
        exc = kind(*_padded(kind, args, attributes))
    vars(exc).update(attributes)
    return exc


def _described_exception(exc: BaseException) -> Encoded:
    """What is left when nothing of the exception can be carried: its words."""
    text = f"{type(exc).__name__}: {_safe_text(exc)}"
    return Encoded(JSON, _encode_json(["RuntimeError", [text]]).encode())


def _safe_text(exc: BaseException) -> str:
    try:
        return str(exc)
    except _ANY_FAILURE:
        return "its text is not available"
