"""Every code that somebody may meet is explained in docs/errors.md."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from hookline_cli.reference import PACKAGES

ROOT = Path(__file__).resolve().parents[2]
EXPLAINED = set(re.findall(r"^\| `([a-z_.]+)` \|", (ROOT / "docs" / "errors.md").read_text(), flags=re.MULTILINE))  # fmt: skip
KINDS_OF_CODES = {code.partition(".")[0] for code in EXPLAINED}
NO_CODES = {
    "build.json", "host.conf", "runner.sock", "runner.token", "requirements.txt", "secret.key", "service.json", "service.log",
    "project.ignore", "project.python", "project.requirements",
    "store.add", "store.check_and_set", "store.del", "store.get", "store.list", "store.publish", "store.set",
    "store.unpublish",
    "runner.host_failed", "runner.lost",
}  # fmt: skip
"""Files, places in a manifest, calls as they are shown; two codes that the service puts as `build.interrupted`."""


def sources() -> list[Path]:
    tops = [path for package in PACKAGES for path in ROOT.glob(f"*/{package}")]
    return sorted(path for top in tops for path in top.rglob("*.py"))


def codes_in(tree: ast.AST) -> Iterator[str]:
    """Texts that are used as a code, or look like one of a kind that is known."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            kind, dot, rest = node.value.partition(".")
            if dot and kind in KINDS_OF_CODES and re.fullmatch("[a-z_]+", rest):
                yield node.value
        if (
            isinstance(node, ast.keyword)
            and node.arg == "code"
            and isinstance(node.value, ast.Constant)
        ):
            yield str(node.value.value)


@pytest.mark.parametrize("source", sources(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_code_is_explained(source: Path) -> None:
    named = set(codes_in(ast.parse(source.read_text())))

    assert sorted(named - EXPLAINED - NO_CODES) == []


def test_what_is_no_code_is_still_named_somewhere() -> None:
    texts = "".join(path.read_text() for path in sources())

    assert [one for one in sorted(NO_CODES) if f'"{one}"' not in texts and one.rpartition(".")[2] not in texts] == []  # fmt: skip
