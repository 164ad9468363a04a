"""Findings as they are collected, with the source line beside each where that gives nothing away."""

from __future__ import annotations

import re
from collections.abc import Sequence

from hookline_service.manifest.values import Position
from hookline_service.model.errors import Finding
from hookline_service.model.secret import MASK

MAX_FINDINGS = 200

_VALUE = re.compile(r"""(["']?\bvalue["']?\s*:\s*)(?=\S).*""")
_KEY_LINE = re.compile(r"""\s*(- +)*(?:\{ *)?["']?\w+["']?\s*:""", re.ASCII)
_MAX_SOURCE = 200
_MAX_SHOWN = 60


class Reports:
    """A growing list of findings of one file."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.lines: Sequence[str] = ()
        self._findings: list[Finding] = []

    @property
    def findings(self) -> list[Finding]:
        """Everything found so far, in the order of finding; beyond `MAX_FINDINGS` only a last word."""
        if len(self._findings) <= MAX_FINDINGS:
            return list(self._findings)
        left = len(self._findings) - MAX_FINDINGS
        has_error = any(one.level == "error" for one in self._findings)
        last = Finding(
            level="error" if has_error else "warning",
            code="manifest.too_many",
            file=self.file,
            line=0,
            column=0,
            message=f"{left} more findings are not shown",
        )
        return [*self._findings[:MAX_FINDINGS], last]

    def error(self, code: str, position: Position, message: str, *, hint: str = "") -> None:
        """Add something that forbids deploying."""
        self._add("error", code, position, message, hint)

    def warning(self, code: str, position: Position, message: str, *, hint: str = "") -> None:
        """Add something that its author should know."""
        self._add("warning", code, position, message, hint)

    def _add(self, level: str, code: str, position: Position, message: str, hint: str) -> None:
        self._findings.append(
            Finding(
                level=level,
                code=code,
                file=self.file,
                line=position.line,
                column=position.column,
                message=message,
                hint=hint,
                source=self._source(position),
            )
        )

    def _source(self, position: Position) -> str:
        """The line, with anything that could be a variable's value behind stars."""
        if not 0 < position.line <= len(self.lines):
            return ""
        line = self.lines[position.line - 1]
        if len(line) > _MAX_SOURCE or not _KEY_LINE.match(line):
            return ""
        return _VALUE.sub(rf"\g<1>{MASK}", line)


def shown(text: str) -> str:
    """The text in quotes, cut when it is long."""
    cut = text if len(text) <= _MAX_SHOWN else text[:_MAX_SHOWN] + "…"
    return repr(cut)
