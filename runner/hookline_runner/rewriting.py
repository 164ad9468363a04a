"""Rewrites a module so that its calls pass the gate of a durable session.

`f(x)` becomes `__hookline_call__(f, x)`, `await f(x)` becomes `await __hookline_await__(f, x)`, and `async with x` becomes
`async with __hookline_enter__(x)`. The names live in `builtins` while a session runs, so the module's own namespace stays as its author wrote it. Rewriting
begins inside top-level functions and classes; statements of the module itself run as written.

Left alone: calls of builtins by their bare name (unless the module gives that name another meaning), calls
that look at their own frame (`super()`, `locals()`, …), annotations, and everything that is not a call.
"""

from __future__ import annotations

import ast
import builtins
from typing import Final

REWRITER_VERSION: Final = 2
CALL_GATE: Final = "__hookline_call__"
AWAIT_GATE: Final = "__hookline_await__"
DECORATOR_GATE: Final = "__hookline_decorator__"
ENTER_GATE: Final = "__hookline_enter__"

_BUILTIN_NAMES: Final = frozenset(
    name for name in dir(builtins) if callable(getattr(builtins, name))
)
_FRAME_BOUND: Final = frozenset(
    {"super", "locals", "globals", "vars", "dir", "eval", "exec", "__import__"}
)
_PLAIN_DECORATORS: Final = frozenset({"property", "staticmethod", "classmethod"})

_Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def rewrite(tree: ast.Module) -> ast.Module:
    """The same tree, changed in place: every call inside its functions and classes goes through the gate."""
    rewriter = _Rewriter(_BUILTIN_NAMES - _bound_names(tree))
    for index, statement in enumerate(tree.body):
        if isinstance(statement, _Definition):
            tree.body[index] = rewriter.visit(statement)
    return ast.fix_missing_locations(tree)


def _bound_names(tree: ast.Module) -> set[str]:
    """Every name that the module binds anywhere, in any scope."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            if not isinstance(node.ctx, ast.Load):
                names.add(node.id)
        elif isinstance(node, ast.arg):
            names.add(node.arg)
        elif isinstance(node, _Definition):
            names.add(node.name)
        elif isinstance(node, ast.alias):
            names |= _imported_names(node)
        elif isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name:
            names.add(node.name)
        elif isinstance(node, ast.MatchMapping) and node.rest:
            names.add(node.rest)
    return names


def _imported_names(alias: ast.alias) -> set[str]:
    if alias.name == "*":
        return set(_BUILTIN_NAMES)  # may bring anything
    return {(alias.asname or alias.name).partition(".")[0]}


class _Rewriter(ast.NodeTransformer):
    """Walks definitions; `depth` tells a top-level definition, whose decorators run while the module loads."""

    def __init__(self, untouched: frozenset[str]) -> None:
        self._untouched = untouched | _FRAME_BOUND
        self._depth = 0

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        return self._definition(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        return self._definition(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        return self._definition(node)

    def visit_arg(self, node: ast.arg) -> ast.AST:
        """An annotation is left as written: libraries read it as text."""
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        node.target = self.visit(node.target)
        if node.value is not None:
            node.value = self.visit(node.value)
        return node

    def visit_Await(self, node: ast.Await) -> ast.AST:
        if isinstance(node.value, ast.Call) and not self._is_untouched(node.value):
            node.value = self._gated(node.value, AWAIT_GATE)
        else:
            node.value = self.visit(node.value)
        return node

    def visit_AsyncWith(self, node: ast.AsyncWith) -> ast.AST:
        self.generic_visit(node)
        for item in node.items:
            entered = item.context_expr
            gate = ast.copy_location(ast.Name(ENTER_GATE, ast.Load()), entered)
            item.context_expr = ast.copy_location(ast.Call(gate, [entered], []), entered)
        return node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        if self._is_untouched(node):
            return self.generic_visit(node)
        return self._gated(node, CALL_GATE)

    def _definition(self, node: _Definition) -> ast.AST:
        is_nested = self._depth > 0
        self._depth += 1
        returns = None if isinstance(node, ast.ClassDef) else node.returns
        if not isinstance(node, ast.ClassDef):
            node.returns = None
        self.generic_visit(node)
        if not isinstance(node, ast.ClassDef):
            node.returns = returns
        self._depth -= 1
        if is_nested:
            node.decorator_list = [self._decorator(decorator) for decorator in node.decorator_list]
        return node

    def _decorator(self, node: ast.expr) -> ast.expr:
        """Applying a decorator is a call too."""
        if isinstance(node, ast.Name) and node.id in _PLAIN_DECORATORS & self._untouched:
            return node
        gate = ast.copy_location(ast.Name(DECORATOR_GATE, ast.Load()), node)
        return ast.copy_location(ast.Call(gate, [node], []), node)

    def _is_untouched(self, node: ast.Call) -> bool:
        return isinstance(node.func, ast.Name) and node.func.id in self._untouched

    def _gated(self, node: ast.Call, gate_name: str) -> ast.Call:
        self.generic_visit(node)
        gate = ast.copy_location(ast.Name(gate_name, ast.Load()), node.func)
        call = ast.copy_location(ast.Call(gate, [node.func, *node.args], node.keywords), node)
        called = node.func
        if isinstance(called, ast.Attribute) and called.end_lineno and called.end_col_offset:
            # as the compiler does for a method call: it happens on the line of the method's name
            call.lineno = called.end_lineno
            call.col_offset = max(0, called.end_col_offset - len(called.attr.encode()))
        return call
