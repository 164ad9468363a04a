"""Findings about a project, shown as compilers show them: place, message, source line, caret, hint."""

from __future__ import annotations

from collections.abc import Sequence

import click

from hookline.errors import HooklineError
from hookline_cli.failures import AnswerError
from hookline_cli.json_values import JsonObject, objects_in

_COLOURS = {"error": "red", "warning": "yellow"}
_WIDTH = 160


def write_findings(findings: Sequence[JsonObject]) -> None:
    """Write the findings on stderr, in the order given."""
    for finding in findings:
        click.echo(format_finding(finding), err=True)


def describe_failure(error: HooklineError) -> None:
    """Tell a person on stderr what went wrong, every finding with its source line."""
    write_findings(objects_in(error.details, "findings"))
    hint = ""
    if isinstance(error, AnswerError) and error.answer_kind == "unauthenticated":
        hint = "\nhint: set HOOKLINE_TOKEN, or name the service's home with --home"
    click.echo(f"error: {error.message}{hint}", err=True)


def format_finding(finding: JsonObject) -> str:
    """One finding as text of one or more lines."""
    level = str(finding.get("level") or "error")
    lines = [
        f"{_place(finding)}: {click.style(level, fg=_COLOURS.get(level))}: {finding['message']}"
    ]
    source = str(finding.get("source") or "")
    line = int(finding.get("line") or 0)
    if source and line:
        lines += _excerpt(source, line, int(finding.get("column") or 0))
    if finding.get("hint"):
        lines.append(f"  hint: {finding['hint']}")
    return "\n".join(lines)


def _place(finding: JsonObject) -> str:
    parts = [str(finding.get("file") or "project")]
    if finding.get("line"):
        parts.append(str(finding["line"]))
        if finding.get("column"):
            parts.append(str(finding["column"]))
    return ":".join(parts)


def _excerpt(source: str, line: int, column: int) -> list[str]:
    """The line with a caret under the column; of a long line, the part around it."""
    text = source.rstrip("\r\n").replace("\t", " ")
    has_caret = 0 < column <= len(text) + 1
    begin = max(0, column - 1 - _WIDTH // 2) if has_caret and column > _WIDTH else 0
    shown = text[begin : begin + _WIDTH]
    before = "…" if begin else ""
    after = "…" if len(text) > begin + _WIDTH else ""
    excerpt = [f"{line:>6} | {before}{shown}{after}"]
    if has_caret:
        excerpt.append(" " * 7 + "| " + " " * (column - 1 - begin + len(before)) + "^")
    return excerpt
