"""What can be said about a project's modules without running them.

Pure functions from source to JSON-able facts; run at deploy in the interpreter of the project's environment, so that
the syntax is judged by the Python that will run it. Standard library only.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from hookline_runner.source_faults import NOT_COMPILED, fault_of

Facts: TypeAlias = dict[str, Any]  # JSON: see `analyse`

_Function = ast.FunctionDef | ast.AsyncFunctionDef
_EVENT_ARGUMENTS = 1
_CHANGING = frozenset({"setdefault", "update", "pop", "popitem", "clear", "__setitem__"})
_CHANGING_FUNCTIONS = frozenset({"putenv", "unsetenv", "load_dotenv"})


def analyse(files: Mapping[str, bytes]) -> Facts:
    """Facts about each `.py` file, by its path.

    Returns:
        path → `{"error": null or {line, column, message, source}, "names": {name: facts}, "imports": [facts],
        "sets_environment": whether variables of the environment are set when it is imported}`; the last is left out
        where there is an error. An error that is about what a file takes to be judged has `size` besides, which is true.
        A name's facts: `kind` (`function`, `async`, `class`, `value`, `import`), `line`, and for the first three `event`:
        `ok`, or why it cannot be called with one event, or `unknown` (decorated: only running it would tell); plus
        `session_id`, whether it asks for that.
        An import's: `module, names, level, line, column, lazy` (inside a function), `in_try` (its failure is
        caught), `type_checking`.
    """
    return {
        path: analyse_module(source, path) for path, source in files.items() if path.endswith(".py")
    }


def analyse_module(source: bytes, path: str) -> Facts:
    """Facts about one module: see `analyse`."""
    try:
        tree = ast.parse(source, path)
    except NOT_COMPILED as exc:
        return {"error": fault_of(exc, source), "names": {}, "imports": []}
    names: Facts = {}
    _collect_names(tree.body, names)
    imports = sorted(_imports(tree), key=lambda facts: (facts["line"], facts["column"]))
    return {
        "error": None,
        "names": names,
        "imports": imports,
        "sets_environment": any(map(_sets_environment, _at_import(tree))),
    }


def _collect_names(body: list[ast.stmt], names: Facts) -> None:
    """The names that the statements of the module give a meaning, also below `if`, `try`, `with` and loops."""
    waiting = body[::-1]  # no recursion: a long chain of `elif` is deep
    while waiting:
        statement = waiting.pop()
        if isinstance(statement, _Function):
            kind = "async" if isinstance(statement, ast.AsyncFunctionDef) else "function"
            names[statement.name] = {
                "kind": kind,
                "line": statement.lineno,
                **_function_facts(statement),
            }
        elif isinstance(statement, ast.ClassDef):
            names[statement.name] = {
                "kind": "class",
                "line": statement.lineno,
                **_class_facts(statement),
            }
        elif isinstance(statement, ast.Import | ast.ImportFrom):
            for alias in statement.names:
                is_from = isinstance(statement, ast.ImportFrom)
                name = alias.asname or (alias.name if is_from else alias.name.partition(".")[0])
                names[name] = {"kind": "import", "line": statement.lineno}
        else:
            waiting.extend(reversed(_collect_values(statement, names)))


def _collect_values(statement: ast.stmt, names: Facts) -> list[ast.stmt]:
    """Add the names that the statement's own expressions bind; returns the statements below it."""
    below: list[ast.stmt] = []
    for child in ast.iter_child_nodes(statement):
        if isinstance(child, ast.stmt):
            below.append(child)
        elif isinstance(child, ast.ExceptHandler | ast.match_case):
            below.extend(child.body)
        elif isinstance(child, ast.expr | ast.withitem):
            for node in _same_scope(child):
                if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                    names[node.id] = {"kind": "value", "line": node.lineno}
    return below


def _same_scope(root: ast.AST) -> Iterator[ast.AST]:
    waiting = [root]
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(
            node, ast.Lambda | ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
        ):
            waiting.extend(ast.iter_child_nodes(node))


def _at_import(tree: ast.Module) -> Iterator[ast.AST]:
    """What runs when the module is imported: all but the bodies of functions."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, _Function | ast.Lambda):
            waiting.extend(ast.iter_child_nodes(node))


def _sets_environment(node: ast.AST) -> bool:
    if isinstance(node, ast.Subscript):
        return not isinstance(node.ctx, ast.Load) and _last_name(node.value) == "environ"
    if isinstance(node, ast.AugAssign):
        return _last_name(node.target) == "environ"
    if not isinstance(node, ast.Call):
        return False
    is_method = isinstance(node.func, ast.Attribute) and _last_name(node.func.value) == "environ"
    return _last_name(node.func) in (_CHANGING if is_method else _CHANGING_FUNCTIONS)


def _last_name(node: ast.AST) -> str:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def _function_facts(node: _Function) -> Facts:
    facts = _call_facts(node.args, bound=0)
    if node.decorator_list:
        facts["event"] = "unknown"
    return facts


def _class_facts(node: ast.ClassDef) -> Facts:
    for statement in node.body:
        if (
            isinstance(statement, _Function)
            and statement.name == "__init__"
            and not node.decorator_list
        ):
            facts = _call_facts(statement.args, bound=1)
            return facts if not statement.decorator_list else {**facts, "event": "unknown"}
    return {"event": "unknown", "session_id": False}


def _call_facts(arguments: ast.arguments, *, bound: int) -> Facts:
    """Whether `f(event)` works, or `f(event, session_id=…)` when it asks for that by name."""
    positional = [argument.arg for argument in (*arguments.posonlyargs, *arguments.args)]
    required = positional[: len(positional) - len(arguments.defaults)]
    keyword_names = {argument.arg for argument in (*arguments.args, *arguments.kwonlyargs)}
    wants_session_id = "session_id" in keyword_names
    given = bound + _EVENT_ARGUMENTS
    missing = [name for name in required[given:] if name != "session_id"]
    missing += [
        argument.arg
        for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
        if default is None and argument.arg != "session_id"
    ]
    if len(positional) < given and arguments.vararg is None:
        verdict = "it takes no argument, and is called with the event"
    elif wants_session_id and "session_id" in positional[:given]:
        verdict = "its first argument is session_id, and the first one is the event"
    elif missing:
        verdict = f"it also requires {', '.join(missing)}, and is called with the event alone"
    else:
        verdict = "ok"
    return {"event": verdict, "session_id": wants_session_id}


@dataclass(frozen=True, slots=True, kw_only=True)
class _ImportContext:
    """What encloses an import."""

    lazy: bool = False
    in_try: bool = False
    type_checking: bool = False


def _imports(tree: ast.Module) -> Iterator[Facts]:
    """Facts about each import of the module, in no order."""
    waiting: list[tuple[ast.AST, _ImportContext]] = [(tree, _ImportContext())]
    while waiting:
        node, around = waiting.pop()
        guarded, for_checkers = _guarded_by(node), _for_type_checkers_in(node)
        for child in ast.iter_child_nodes(node):
            inner = _within(
                around, child, is_guarded=child in guarded, is_for_checkers=child in for_checkers
            )
            if isinstance(child, ast.Import):
                for alias in child.names:
                    module: Facts = {"module": alias.name, "names": [], "level": 0}
                    yield {**_import_facts(child, inner), **module}
            elif isinstance(child, ast.ImportFrom):
                names = [alias.name for alias in child.names]
                module = {"module": child.module or "", "names": names, "level": child.level}
                yield {**_import_facts(child, inner), **module}
            else:
                waiting.append((child, inner))


def _import_facts(node: ast.Import | ast.ImportFrom, around: _ImportContext) -> Facts:
    return {
        "line": node.lineno,
        "column": node.col_offset + 1,
        "lazy": around.lazy,
        "in_try": around.in_try,
        "type_checking": around.type_checking,
    }


def _within(
    around: _ImportContext, child: ast.AST, *, is_guarded: bool, is_for_checkers: bool
) -> _ImportContext:
    return _ImportContext(
        lazy=around.lazy or isinstance(child, _Function | ast.Lambda),
        in_try=around.in_try or is_guarded,
        type_checking=around.type_checking or is_for_checkers,
    )


def _guarded_by(node: ast.AST) -> set[ast.AST]:
    """What stands in the body of a `try` that catches something, and the handlers of one (the second choice)."""
    if not isinstance(node, ast.Try | ast.TryStar) or not node.handlers:
        return set()
    return {*node.body, *node.handlers}


def _for_type_checkers_in(node: ast.AST) -> set[ast.AST]:
    if not isinstance(node, ast.If) or _last_name(node.test) != "TYPE_CHECKING":
        return set()
    return {*node.body}
