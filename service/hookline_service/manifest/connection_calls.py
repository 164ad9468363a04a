"""Names of connections in the code: calls such as `slack_client("my_slack")` that name none of the project's."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hookline_service.manifest.bindings import MOST_BYTES

_PACKAGES = ("autokitteh", "hookline")
_SUFFIXES = ("_client", "_provider")
_MARK = b"_client"
_OTHER_MARK = b"_provider"
_FUNCTION = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionCall:
    """A call of a client helper with a connection's name written out.

    `is_lazy`: made when a function is called. `is_guarded`: in a `try` that catches something.
    """

    helper: str
    connection: str
    line: int
    column: int
    is_lazy: bool
    is_guarded: bool


def find_connection_calls(source: bytes) -> list[ConnectionCall]:
    """The calls in this file of helpers that it imports from the SDK; none if it cannot be parsed here, or is large."""
    if len(source) > MOST_BYTES or (_MARK not in source and _OTHER_MARK not in source):
        return []
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []  # the project's own interpreter has the say on its syntax
    helpers, modules = _imported(tree)
    return [call for call in _calls(tree, helpers, modules) if call.connection]


def _imported(tree: ast.Module) -> tuple[dict[str, str], set[str]]:
    """Local names of helpers, and local names of modules whose attributes are helpers."""
    helpers: dict[str, str] = {}
    modules: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and _is_ours(node.module):
            for alias in node.names:
                local = alias.asname or alias.name
                if alias.name.endswith(_SUFFIXES):
                    helpers[local] = alias.name
                else:
                    modules.add(local)
        elif isinstance(node, ast.Import):
            modules |= {
                alias.asname or alias.name.partition(".")[0]
                for alias in node.names
                if _is_ours(alias.name)
            }
    return helpers, modules


def _is_ours(module: str | None) -> bool:
    return module is not None and module.partition(".")[0] in _PACKAGES


def _calls(
    tree: ast.Module, helpers: dict[str, str], modules: set[str]
) -> Iterator[ConnectionCall]:
    for node, is_lazy, is_guarded in _walk(tree):
        if not isinstance(node, ast.Call):
            continue
        helper = _helper_of(node.func, helpers, modules)
        argument = _connection_argument(node)
        if helper and argument is not None and isinstance(argument.value, str):
            yield ConnectionCall(
                helper=helper,
                connection=argument.value,
                line=argument.lineno,
                column=argument.col_offset + 1,
                is_lazy=is_lazy,
                is_guarded=is_guarded,
            )


def _walk(tree: ast.Module) -> Iterator[tuple[ast.AST, bool, bool]]:
    """All nodes, each with whether it is in a function, and in a `try` that catches something."""
    waiting: list[tuple[ast.AST, bool, bool]] = [(tree, False, False)]
    while waiting:
        node, is_lazy, is_guarded = waiting.pop()
        yield node, is_lazy, is_guarded
        late = {*_bodies(node)} if isinstance(node, _FUNCTION) else ()
        tried = {*node.body} if isinstance(node, ast.Try | ast.TryStar) and node.handlers else ()
        waiting += [
            (child, is_lazy or child in late, is_guarded or child in tried)
            for child in ast.iter_child_nodes(node)
        ]


def _bodies(function: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> Sequence[ast.AST]:
    """What a call runs; not the decorators and defaults, which are run once, when it is defined."""
    return [function.body] if isinstance(function, ast.Lambda) else function.body


def _helper_of(func: ast.expr, helpers: dict[str, str], modules: set[str]) -> str:
    if isinstance(func, ast.Name):
        return helpers.get(func.id, "")
    if isinstance(func, ast.Attribute) and func.attr.endswith(_SUFFIXES):
        root = func.value
        while isinstance(root, ast.Attribute):
            root = root.value
        return func.attr if isinstance(root, ast.Name) and root.id in modules else ""
    return ""


def _connection_argument(node: ast.Call) -> ast.Constant | None:
    given = node.args[:1] or [one.value for one in node.keywords if one.arg == "connection"]
    first = given[0] if given else None
    return first if isinstance(first, ast.Constant) else None
