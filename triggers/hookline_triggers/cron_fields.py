"""The grammar of cron fields: text in, the exact numbers it means out, anything unclear refused."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from hookline_triggers.cron_dialects import foreign_value_hint
from hookline_triggers.errors import ScheduleInvalidError

YEARS = (1970, 2099)
MONTH_NAMES = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
DAY_NAMES = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_MAX_ITEMS = 200
_ITEM = re.compile(r"(?P<base>[^/]+)(?:/(?P<step>[^/]*))?")
_DIGITS = re.compile(r"\d{1,6}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldKind:
    """One column of a cron expression: its name in messages, bounds and named values."""

    name: str
    low: int
    high: int
    names: dict[str, int] = field(default_factory=dict[str, int])

    @property
    def is_day(self) -> bool:
        """Whether a lone `?` may stand for `*` here."""
        return self.name in ("day of month", "day of week")


SECOND = FieldKind(name="second", low=0, high=59)
MINUTE = FieldKind(name="minute", low=0, high=59)
HOUR = FieldKind(name="hour", low=0, high=23)
DAY = FieldKind(name="day of month", low=1, high=31)
MONTH = FieldKind(name="month", low=1, high=12, names={n: i for i, n in enumerate(MONTH_NAMES, 1)})
WEEKDAY = FieldKind(
    name="day of week", low=0, high=7, names={n: i for i, n in enumerate(DAY_NAMES)}
)
YEAR = FieldKind(name="year", low=YEARS[0], high=YEARS[1])

_SECONDS_FIRST = (SECOND, MINUTE, HOUR, DAY, MONTH, WEEKDAY)
_COLUMNS = {
    5: (MINUTE, HOUR, DAY, MONTH, WEEKDAY),
    6: (MINUTE, HOUR, DAY, MONTH, WEEKDAY, YEAR),
    7: (SECOND, MINUTE, HOUR, DAY, MONTH, WEEKDAY, YEAR),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CronFields:
    """What an expression means: the values that match, None where every value does.

    Day of month and day of week must both match. Sunday is 0. `is_periodic` says that the minute or the
    hour was written with a leading `*`: such a schedule counts real time through clock changes.
    """

    seconds: tuple[int, ...] | None
    minutes: tuple[int, ...] | None
    hours: tuple[int, ...] | None
    days: tuple[int, ...] | None
    months: tuple[int, ...] | None
    weekdays: tuple[int, ...] | None
    years: tuple[int, ...] | None
    is_periodic: bool


def parse_fields(expression: str, columns: list[str]) -> CronFields:
    """The meaning of the columns of an expression; the expression itself is for messages.

    Five columns are minute to day of week; a sixth, last, is the year; with seven the first is the second.

    Raises:
        ScheduleInvalidError: names the column at fault, and what would be right.
    """
    kinds = _COLUMNS.get(len(columns))
    texts = [text.lower() for text in columns]
    if kinds is None:
        raise _wrong_count(expression, len(columns))
    try:
        values = _values_of(expression, kinds, texts)
    except ScheduleInvalidError as exc:
        told = _fault_of_seconds_first(expression, columns)
        hint = _hint_for_six(columns)
        if told is None and not hint:
            raise
        raise told or ScheduleInvalidError(expression, exc.field, exc.problem, hint) from exc
    minute_at = kinds.index(MINUTE)
    return CronFields(
        seconds=values.get(SECOND.name, (0,)),
        minutes=values[MINUTE.name],
        hours=values[HOUR.name],
        days=values[DAY.name],
        months=values[MONTH.name],
        weekdays=values[WEEKDAY.name],
        years=values.get(YEAR.name),
        is_periodic=any(text.startswith("*") for text in texts[minute_at : minute_at + 2]),
    )


def _wrong_count(expression: str, count: int) -> ScheduleInvalidError:
    return ScheduleInvalidError(
        expression,
        "",
        f"it has {count} field{'s' if count != 1 else ''}",
        "write 5 (minute hour day month weekday), 6 (a year last) or 7 (seconds first, a year last)",
    )


def _hint_for_six(columns: list[str]) -> str:
    """What six columns that cannot be read were meant to be."""
    if len(columns) != len(_SECONDS_FIRST):
        return ""
    if are_seconds_first(columns):
        return (
            "with 6 fields the last is the year; for seconds first write 7, with a year last: "
            f"`{' '.join(columns)} *`"
        )
    if re.search(r"^[./~]|[a-z]{4}", columns[-1], re.IGNORECASE):
        return "write the first five fields alone; `call` names what is started"
    return ""


def _fault_of_seconds_first(expression: str, columns: list[str]) -> ScheduleInvalidError | None:
    """What is wrong with six columns that can only be meant as second to day of week, by the mark for any day."""
    if len(columns) != len(_SECONDS_FIRST) or "?" not in (columns[3], columns[5]):
        return None
    try:
        _values_of(expression, _SECONDS_FIRST, [text.lower() for text in columns])
    except ScheduleInvalidError as exc:
        hint = "; ".join(
            filter(None, [exc.hint, "and with seconds first write 7 fields, a year last"])
        )
        return ScheduleInvalidError(expression, exc.field, exc.problem, hint, others=exc.others)
    return None


def are_seconds_first(columns: list[str]) -> bool:
    """Whether six columns can be read as second to day of week, as Quartz and Spring do."""
    if len(columns) != len(_SECONDS_FIRST):
        return False
    try:
        _values_of("", _SECONDS_FIRST, [text.lower() for text in columns])
    except ScheduleInvalidError:
        return False
    return True


def _values_of(
    expression: str, kinds: tuple[FieldKind, ...], texts: list[str]
) -> dict[str, tuple[int, ...] | None]:
    """The values of each column; every column at fault is told, in one error."""
    values: dict[str, tuple[int, ...] | None] = {}
    faults: list[ScheduleInvalidError] = []
    for kind, text in zip(kinds, texts, strict=True):
        try:
            values[kind.name] = _Column(expression, kind).parse(text)
        except ScheduleInvalidError as exc:
            faults.append(exc)
    if faults:
        first, *others = faults
        raise ScheduleInvalidError(
            expression, first.field, first.problem, first.hint, others=tuple(others)
        )
    return values


@dataclass(frozen=True, slots=True)
class _Column:
    """The reader of one column of one expression."""

    expression: str
    kind: FieldKind

    def parse(self, text: str) -> tuple[int, ...] | None:
        if text == "*" or (text == "?" and self.kind.is_day):
            return None
        items = text.split(",")
        if len(items) > _MAX_ITEMS:
            raise self._fault(f"it lists more than {_MAX_ITEMS} values", "use a range or a step")
        values: set[int] = set()
        for item in items:
            values.update(self._item(item))
        if self.kind is WEEKDAY:
            values = {value % 7 for value in values}
            return None if len(values) == len(DAY_NAMES) else tuple(sorted(values))
        everything = len(values) == self.kind.high - self.kind.low + 1
        return None if everything else tuple(sorted(values))

    def _item(self, item: str) -> range:
        matched = _ITEM.fullmatch(item)
        if matched is None:
            raise self._fault(f"{item!r} is empty or has two steps" if item else "a value is empty")
        base, step_text = matched["base"], matched["step"]
        step = 1 if step_text is None else self._step(item, step_text)
        if base == "*":
            low, high = self.kind.low, 6 if self.kind is WEEKDAY else self.kind.high
        elif "-" in base:
            low, high = self._range(base)
        else:
            low = high = self._value(base)
            if step_text is not None:
                high = self._open_end(item, low, step)
        self._check_step(item, step)
        return range(low, high + 1, step)

    def _range(self, base: str) -> tuple[int, int]:
        first, _, last = base.partition("-")
        if not first:
            problem = f"{base!r} is not {self._allowed()}"
            raise self._fault(problem, "a range has a number before and after its -, as in 1-5")
        if not last:
            problem = f"the range {base!r} has no end"
            raise self._fault(problem, f"write the last value too, as in {first}-{self._top}")
        low, high = self._value(first), self._value(last)
        if self.kind is WEEKDAY and last == "sun" and low > 0:
            high = 7
        if low == high:
            raise self._fault(f"the range {base!r} has one value", f"write {first}")
        if low > high:
            parts = f"{self._span(low, self._top)},{self._span(self.kind.low, high)}"
            raise self._fault(
                f"the range {base!r} runs backwards", f"write {parts} if it is to wrap around"
            )
        return low, high

    def _open_end(self, item: str, low: int, step: int) -> int:
        if self.kind is WEEKDAY:
            raise self._fault(
                f"{item!r} is read differently where Sunday is 0 and where it is 7",
                f"write the last day too, as in {low}-6/{step}",
            )
        if low == self.kind.high:
            raise self._fault(
                f"{item!r} is read as {low} alone by some and as the whole field by others",
                f"write {low}, or */{step}",
            )
        return self.kind.high

    def _step(self, item: str, text: str) -> int:
        if not _DIGITS.fullmatch(text) or int(text) == 0:
            problem = f"the step of {item!r} is not a whole number above zero"
            raise self._fault(problem, "write one as in */5, or leave it out")
        return int(text)

    def _check_step(self, item: str, step: int) -> None:
        size = len(DAY_NAMES) if self.kind is WEEKDAY else self.kind.high - self.kind.low + 1
        if step <= size:
            return
        unit = {"minute": "m", "hour": "h", "second": "s"}.get(self.kind.name)
        raise self._fault(
            f"the step of {item!r} is longer than the field, which starts again each time",
            f"write @every {step}{unit} for that period"
            if unit
            else "write the values it is to match",
        )

    def _value(self, text: str) -> int:
        if text in self.kind.names:
            return self.kind.names[text]
        if not _DIGITS.fullmatch(text):
            raise self._fault(f"{text!r} is not {self._allowed()}", self._hint_for(text))
        value = int(text)
        if not self.kind.low <= value <= self.kind.high:
            wraps = value == self.kind.high + 1 and self.kind.low == 0
            hint = f"write 0, which comes after {self.kind.high}" if wraps else ""
            if self.kind is WEEKDAY:
                hint = "Sunday is 0 or 7, and Saturday 6; names such as sat are plainer"
            raise self._fault(f"{text} is not {self._allowed()}", hint)
        return value

    @property
    def _top(self) -> int:
        return 6 if self.kind is WEEKDAY else self.kind.high

    def _span(self, low: int, high: int) -> str:
        """The range as it is written, by names where the column has some."""
        names = {value: name for name, value in self.kind.names.items()}
        first, last = (names.get(one, str(one)) for one in (low, high))
        return first if low == high else f"{first}-{last}"

    def _allowed(self) -> str:
        numbers = f"a number from {self.kind.low} to {self.kind.high}"
        return (
            f"{numbers} or a name such as {next(iter(self.kind.names))}"
            if self.kind.names
            else numbers
        )

    def _hint_for(self, text: str) -> str:
        foreign = foreign_value_hint(text, is_weekday=self.kind is WEEKDAY)
        if foreign:
            return foreign
        if self.kind.names and len(text) > 3:  # noqa: PLR2004  # the names have three letters
            known = [name for name in self.kind.names if name == text[:3]]
            if known:
                return f"write {known[0]}"
        return _hint_for_column(text)

    def _fault(self, problem: str, hint: str = "") -> ScheduleInvalidError:
        return ScheduleInvalidError(self.expression, self.kind.name, problem, hint)


def _hint_for_column(text: str) -> str:
    """Where a name belongs that stands in the wrong column."""
    if text[:3] in DAY_NAMES:
        return "days of the week go in the fifth field: minute hour day month weekday"
    if text[:3] in MONTH_NAMES:
        return "months go in the fourth field: minute hour day month weekday"
    return ""
