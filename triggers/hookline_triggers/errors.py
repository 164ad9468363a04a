"""What can be wrong with a trigger as written: each error names the place, the fault and the cure."""

from __future__ import annotations

from collections.abc import Sequence

from hookline.errors import InvalidError

_EXCERPT = 60


class ScheduleInvalidError(InvalidError):
    """A schedule expression that has no clear meaning, or never fires.

    `field` is the part at fault (`minute`, `day of week`, `timezone`, …), or empty for the whole.
    `hint` says what would be right, or is empty. `others` are the further parts at fault.
    """

    code = "schedule.invalid"

    def __init__(
        self,
        expression: str,
        field: str,
        problem: str,
        hint: str = "",
        *,
        others: tuple[ScheduleInvalidError, ...] = (),
    ) -> None:
        self.expression = expression
        self.field = field
        self.problem = problem
        self.hint = hint
        self.others = others
        place = f", {field}" if field else ""
        parts = [f"schedule {_shown(expression)}{place}: {self.advice}"]
        parts += [f"{other.field}: {other.advice}" for other in others]
        super().__init__("; and ".join(parts))

    @property
    def advice(self) -> str:
        """The fault and its cure."""
        return f"{self.problem}; {self.hint}" if self.hint else self.problem

    @property
    def details(self) -> dict[str, object]:
        """See `HooklineError.details`."""
        return {
            "expression": self.expression,
            "field": self.field,
            "problem": self.problem,
            "hint": self.hint,
            "others": [
                {"field": one.field, "problem": one.problem, "hint": one.hint}
                for one in self.others
            ],
        }


class TimezoneUnknownError(InvalidError):
    """The IANA database does not have this time zone.

    `suggestions` may have been meant, and `note` says what must be known of them, or is empty.
    """

    code = "timezone.unknown"

    def __init__(self, timezone: str, suggestions: tuple[str, ...] = (), note: str = "") -> None:
        self.timezone = timezone
        self.suggestions = suggestions
        if suggestions:
            cure = "did you mean " + " or ".join(suggestions) + "?"
        else:
            cure = "write an IANA name such as Europe/Prague or UTC"
        self.note = note
        more = f" ({note})" if note else ""
        super().__init__(f"unknown time zone {_shown(timezone)}; {cure}{more}")

    @property
    def details(self) -> dict[str, object]:
        """See `HooklineError.details`."""
        return {"timezone": self.timezone, "suggestions": list(self.suggestions)}


class FilterInvalidError(InvalidError):
    """A filter is not a CEL expression over `data` and `event_type`.

    `line` and `column` count from 1; 0 means that the place is not known. `hint` says what would be right, or is empty.
    """

    code = "filter.invalid"

    def __init__(
        self,
        text: str,
        problem: str,
        *,
        hint: str = "",
        line: int = 0,
        column: int = 0,
        undeclared: tuple[str, ...] = (),
    ) -> None:
        self.text = text
        self.problem = problem
        self.line = line
        self.column = column
        self.undeclared = undeclared
        self.hint = hint
        place = f" at line {line}, column {column}" if line else ""
        cure = f"; {hint}" if hint else ""
        super().__init__(f"filter {_shown(text)}{place}: {problem}{cure}")

    def fresh_copy(self) -> FilterInvalidError:
        """The same refusal, raised nowhere yet."""
        return FilterInvalidError(
            self.text,
            self.problem,
            hint=self.hint,
            line=self.line,
            column=self.column,
            undeclared=self.undeclared,
        )

    @property
    def excerpt(self) -> str:
        """The line at fault with a caret under the place, indented; empty when the place is not known."""
        if not self.line:
            return ""
        line = self.text.split("\n")[self.line - 1]
        begin = max(0, self.column - 1 - _EXCERPT)
        shown = "".join(
            sign if sign.isprintable() else " " for sign in line[begin : begin + 2 * _EXCERPT]
        )
        return f"    {shown}\n    {' ' * (self.column - 1 - begin)}^"

    @property
    def details(self) -> dict[str, object]:
        """See `HooklineError.details`."""
        return {
            "filter": self.text,
            "problem": self.problem,
            "hint": self.hint,
            "line": self.line,
            "column": self.column,
            "undeclared": list(self.undeclared),
        }


class CallInvalidError(InvalidError):
    """A `call` does not name a function in a file of the project."""

    code = "entry_point.invalid"

    def __init__(self, text: str, problem: str) -> None:
        self.text = text
        self.problem = problem
        super().__init__(
            f"call {_shown(text)}: {problem}; write PATH.py:NAME, as in handlers.py:run"
        )

    @property
    def details(self) -> dict[str, object]:
        """See `HooklineError.details`."""
        return {"call": self.text, "problem": self.problem}


class DedupeInvalidError(InvalidError):
    """A `dedupe` does not say where to find the delivery id."""

    code = "dedupe.invalid"

    def __init__(self, text: str, problem: str) -> None:
        self.text = text
        self.problem = problem
        super().__init__(
            f"dedupe {_shown(text)}: {problem}; "
            "write header:NAME or json:dotted.path, as in header:X-GitHub-Delivery"
        )

    @property
    def details(self) -> dict[str, object]:
        """See `HooklineError.details`."""
        return {"dedupe": self.text, "problem": self.problem}


class DurationInvalidError(InvalidError):
    """A duration cannot be parsed."""

    code = "duration.invalid"

    def __init__(self, text: str, problem: str) -> None:
        self.text = text
        self.problem = problem
        super().__init__(
            f"duration {_shown(text)}: {problem}; "
            "write seconds as a number, or units as in 90s, 1h30m, 2d"
        )

    @property
    def details(self) -> dict[str, object]:
        """See `HooklineError.details`."""
        return {"duration": self.text, "problem": self.problem}


def _shown(text: str, limit: int = 120) -> str:
    cut = text if len(text) <= limit else text[:limit] + "…"
    return repr(cut)


class CodingUnknownError(InvalidError):
    """A body has an unsupported `Content-Encoding`."""

    code = "body.coding_unknown"

    def __init__(self, coding: str, readable: Sequence[str]) -> None:
        super().__init__(
            f"Content-Encoding: {coding!r} is not read; those that are: {', '.join(readable)}, identity"
        )
        self.coding = coding

    @property
    def details(self) -> dict[str, object]:
        """The coding."""
        return {"coding": self.coding}


class BodyUndecodableError(InvalidError):
    """A body does not match its `Content-Encoding`."""

    code = "body.undecodable"

    def __init__(self, problem: str) -> None:
        super().__init__(f"the body cannot be decoded as its Content-Encoding says: {problem}")
        self.problem = problem


class DecodedTooLargeError(InvalidError):
    """A body exceeds the limit once it is decoded."""

    code = "body.too_large_decoded"

    def __init__(self, limit_bytes: int) -> None:
        super().__init__(f"the body is larger than {limit_bytes} bytes once it is decoded")
        self.limit_bytes = limit_bytes

    @property
    def details(self) -> dict[str, object]:
        """The limit."""
        return {"limit_bytes": self.limit_bytes}
