"""Rules of this house that no linter knows. Each names the place at fault."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FLOORS = ("sdk", "connections", "triggers", "runner", "service", "cli")
PACKAGES = ("hookline", "hookline_connections", "hookline_triggers", "hookline_runner", "hookline_service", "hookline_cli")  # fmt: skip
VAGUE_NAMES = {"util", "utils", "helper", "helpers", "common", "misc", "manager", "base_manager"}
MODULE_LINES = 500
BODY_LINES = 50
SQL = re.compile(
    r"^\s*(select\s.+\sfrom\s|insert\s+(or\s+\w+\s+)?into\s|update\s+\w+\s+set\s|delete\s+from\s"
    r"|create\s+(table|index|trigger|view)\s|drop\s+(table|index)\s|alter\s+table\s)",
    re.IGNORECASE | re.DOTALL,
)  # fmt: skip
Function = ast.FunctionDef | ast.AsyncFunctionDef


def modules() -> list[Path]:
    return sorted(path for floor in FLOORS for path in (ROOT / floor).rglob("*.py"))


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module", autouse=True)
def no_trees_left() -> Iterator[None]:
    """The trees of all modules are many objects, which the tests that follow would carry along."""
    yield
    parsed.cache_clear()


def functions(path: Path) -> Iterator[Function]:
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def body_lines(function: Function) -> int:
    """Lines of the body without the docstring."""
    has_docstring = ast.get_docstring(function, clean=False) is not None
    body = function.body[1:] if has_docstring else function.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


def has_reason_above(path: Path, function: Function) -> bool:
    first = min([function.lineno, *(one.lineno for one in function.decorator_list)])
    above = path.read_text(encoding="utf-8").splitlines()[first - 2]
    return above.lstrip().startswith("#")


def places(path: Path, nodes: list[ast.AST]) -> list[str]:
    return [f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}" for node in nodes]


def test_no_module_is_longer_than_it_may_be() -> None:
    sizes = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in modules()}

    assert [
        str(path.relative_to(ROOT)) for path, size in sizes.items() if size > MODULE_LINES
    ] == []


def test_every_module_is_named_for_what_it_knows() -> None:
    named = [path for path in modules() if {path.stem, path.parent.name} & VAGUE_NAMES]

    assert named == []


def test_a_long_function_says_why_it_is_long() -> None:
    long = [
        f"{path.relative_to(ROOT)}:{function.lineno} {function.name}"
        for path in modules()
        for function in functions(path)
        if body_lines(function) > BODY_LINES and not has_reason_above(path, function)
    ]

    assert long == []


def test_sql_stands_in_sql_files() -> None:
    found: list[str] = []
    for path in modules():
        texts = [
            node
            for node in ast.walk(parsed(path))
            if isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and SQL.match(node.value)
        ]
        found += places(path, list(texts))

    assert found == []


def test_our_own_modules_are_imported_openly() -> None:
    found: list[str] = []
    for path in modules():
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
                hidden = [
                    one
                    for one in ast.walk(node)
                    if isinstance(one, ast.ImportFrom) and (one.module or "").startswith("hookline")
                ]
                found += places(path, list(hidden))

    assert found == []


# Names that once stood for these: a figure of speech says nothing to those who look for the thing.
GIVEN_UP: dict[str, str] = {
    "Switchboard": "EngineEvents",
    "CallDesk": "OperationHandler",
    "Blame": "CrashCause",
    "Taker": "SessionSink",
    r"\w*Wish": "Request, Options",
    "Patience": "RetryDeadline",
    "Surroundings": "CheckContext",
    "Tidying": "CacheEviction",
    "AnswerBoard": "OutcomeBroker",
    "AnswerWaiter": "OutcomeStream",
    "StartContext": "LaunchSpec",
    "EngineParts": "EngineDeps",
    "PutBack": "Undelivered",
    "anew": "fresh_copy, again",
    "pump": "fill_hosts",
    "put_in_force": "triggers_of_manifest",
}


def test_names_that_were_given_up_do_not_come_back() -> None:
    found: list[str] = []
    for path in modules():
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                words = [each for each in GIVEN_UP if re.fullmatch(each, node.name.strip("_"))]
                found += [
                    f"{path.relative_to(ROOT)}: {node.name}: say {GIVEN_UP[each]}" for each in words
                ]

    assert found == []


def test_an_ignore_carries_its_code() -> None:
    bare = re.compile(r"#\s*(type:\s*ignore|pyright:\s*ignore|noqa)(?![\[:])")
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in modules()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if bare.search(line)
    ]

    assert found == []


def test_only_the_codec_unpickles() -> None:
    importers = {
        path.relative_to(ROOT).as_posix()
        for path in modules()
        for node in ast.walk(parsed(path))
        if (isinstance(node, ast.Import) and any(one.name.startswith("pickle") for one in node.names))
        or (isinstance(node, ast.ImportFrom) and node.module == "pickle")
    }  # fmt: skip

    assert importers <= {"runner/hookline_runner/codec.py"}


FRAMES = "frames: reads what `fast_json.write` wrote, writes what `fast_json.read` reads"
OWN_FACTS = "paths, numbers and names that a host gives a process of its own, or gets from it"
JSON_PLACES = {
    "sdk/hookline/json_text.py": "the one way",
    "runner/hookline_runner/fast_json.py": "the same, quicker",
    "runner/hookline_runner/codec.py": "results come back to their own session exactly, with half characters",
    "service/hookline_service/engine/written_forms.py": "how a secret looks within a JSON text",
    **dict.fromkeys(
        [
            f"runner/hookline_runner/session/{name}.py"
            for name in (
                *("attempt", "calling", "decisions", "display", "entering", "journal", "link", "main"),
                *("news", "operations", "output", "stack_taking", "suspension"),
            )
        ],
        FRAMES,
    ),
    **dict.fromkeys(
        [
            f"runner/hookline_runner/{name}.py"
            for name in (
                *("bootstrap", "large_sources", "prepare_step", "project_process"),
                *("warm_up", "zygote", "zygote_messages"),
            )
        ],
        OWN_FACTS,
    ),
}  # fmt: skip


def imports_of(path: Path) -> Iterator[str]:
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            yield from (one.name for one in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def test_json_is_read_and_written_in_one_way() -> None:
    """Elsewhere `hookline.json_text` is to be used, or `fast_json` where orjson may be."""
    users = {
        path.relative_to(ROOT).as_posix()
        for path in modules()
        if {"json", "orjson"} & {name.partition(".")[0] for name in imports_of(path)}
    }

    assert sorted(users - JSON_PLACES.keys()) == []
    assert sorted(JSON_PLACES.keys() - users) == []


def test_the_sdk_needs_the_standard_library_only() -> None:
    code = (
        "import json, sys; sys.path.insert(0, sys.argv[1]); import hookline; "
        "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code, str(ROOT / "sdk")],
        capture_output=True,
        text=True,
        check=True,
    )

    foreign = set(json.loads(done.stdout)) - sys.stdlib_module_names - {"hookline", "__main__"}

    assert foreign == set()


@pytest.mark.parametrize("package", PACKAGES)
def test_every_package_says_that_it_is_typed(package: str) -> None:
    directory = next(
        (ROOT / floor / package) for floor in FLOORS if (ROOT / floor / package).is_dir()
    )

    assert (directory / "py.typed").is_file()


def test_tests_stand_in_one_of_the_folders() -> None:
    folders = {"unit", "contract", "integration", "acceptance"}
    stray = [
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "tests").rglob("test_*.py")
        if path.relative_to(ROOT / "tests").parts[0] not in {*folders, "projects"}
    ]

    assert stray == []


def test_nothing_is_mocked() -> None:
    pattern = re.compile(r"^\s*(from|import)\s+(unittest\.)?mock\b|MagicMock", re.MULTILINE)
    found = [
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "tests").rglob("*.py")
        if path != Path(__file__) and pattern.search(path.read_text(encoding="utf-8"))
    ]

    assert found == []
