"""Schedules: when an expression fires, in UTC, through every change of the clock.

An expression is cron with 5 fields (minute, hour, day of month, month, day of week), 6 (a year last) or
7 (seconds first, a year last); a macro such as `@daily`; or `@every` with a duration, counted from
1970-01-01 UTC. `CRON_TZ=Zone` or `TZ=Zone` in front sets the time zone. Day of month and day of week must
both match.

croniter answers for naive local times only; the step to UTC is made here, in two ways:

- **Fixed times** (neither minute nor hour begins with `*`, as in `30 2 * * *`) follow the `DstPolicy`. ONCE:
  a local time that a clock change jumps over fires when the jump is over, one that comes twice fires
  the first time. BOTH: as ONCE, and one that comes twice fires both times. SKIP: as ONCE, and one that is
  jumped over does not fire.
- **Periodic** expressions (`*/15 * * * *`, `0 * * * *`) fire at every instant at which the clock shows a time
  that matches. They run on through a repeated hour, and nothing extra happens after a jump, whatever the
  policy.

Several times jumped over at once make one fire.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from fractions import Fraction
from functools import lru_cache
from typing import Protocol, cast
from zoneinfo import ZoneInfo

from croniter import CroniterBadDateError, croniter

from hookline_triggers.cron_dialects import doubt_about, translate
from hookline_triggers.cron_fields import YEARS, CronFields, are_seconds_first, parse_fields
from hookline_triggers.cron_words import describe_fields, describe_period, describe_zone
from hookline_triggers.definitions import DstPolicy
from hookline_triggers.durations import exact_seconds
from hookline_triggers.errors import DurationInvalidError, ScheduleInvalidError
from hookline_triggers.zone_names import doubt_about_zone
from hookline_triggers.zones import (
    ClockChange,
    clock_change_over,
    get_zone,
    instant_of,
    list_clock_changes,
)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST = datetime(YEARS[0], 1, 1, tzinfo=UTC) - timedelta(days=1)
_LAST = datetime(YEARS[1] + 1, 1, 1, tzinfo=UTC)
_SECOND = timedelta(seconds=1)
_MICROSECOND = timedelta(microseconds=1)
_YEAR = timedelta(days=366)
_MAX_TEXT = 1000
_MAX_EVERY_S = 10 * 366 * 86400
_PREFIX = re.compile(r"(?:CRON_)?TZ=(?P<zone>\S*)\s*(?P<rest>.*)", re.DOTALL | re.ASCII)
_SPACE = re.compile(r"[ \t\r\n\f\v]+")
_MACROS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}


_STARTS = frozenset({"@reboot", "@start", "@startup", "@boot", "@once"})
_WRAPPED = re.compile(r"(cron|rate|at)\s*\(", re.IGNORECASE)
_RIGHT = {
    "cron": "write the fields alone, as in `0 12 * * mon-fri`",
    "rate": "write `@every 5m` for each five minutes",
    "at": "write `0 9 24 12 * 2030` for one time in a year",
}


class _LocalTimes(Protocol):
    """The part of croniter that is used, typed."""

    def get_next(
        self, ret_type: type[datetime], start_time: datetime, update_current: bool
    ) -> datetime: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleDoubt:
    """Why an expression may not mean what its author means, and what to write for the other meaning."""

    problem: str
    hint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleExpression:
    """A schedule that was understood; made by `parse_schedule`.

    `text` is as written, `timezone` the IANA name that counts, be it from the prefix or from the trigger. `doubts` are
    what it would mean elsewhere, where that is something else.
    """

    text: str
    timezone: str
    doubts: tuple[ScheduleDoubt, ...] = ()
    _zone: ZoneInfo = field(repr=False, compare=False)
    _fields: CronFields | None = field(repr=False, compare=False)
    _times: _LocalTimes | None = field(repr=False, compare=False)
    _every: timedelta = field(repr=False, compare=False)

    def next_after(self, at: datetime, dst: DstPolicy = DstPolicy.ONCE) -> datetime | None:
        """The first fire strictly after an aware time, in UTC; None if there is none before 2100."""
        start = max(at.astimezone(UTC), _FIRST)
        if start >= _LAST:
            return None
        found = self._next_cron(start, dst) if self._fields else self._next_period(start)
        return found if found is not None and found < _LAST else None

    def iter_between(
        self, start: datetime, end: datetime, dst: DstPolicy = DstPolicy.ONCE
    ) -> Iterator[datetime]:
        """Every fire after `start`, up to and including `end`, in order, in UTC."""
        fire = self.next_after(start, dst)
        while fire is not None and fire <= end:
            yield fire
            fire = self.next_after(fire, dst)

    def describe(self) -> str:
        """What the schedule does, in a few English words."""
        if self._fields is None:
            return describe_period(self._every.total_seconds())
        return f"{describe_fields(self._fields)}, {describe_zone(self._zone, self.timezone)}"

    def describe_clock_changes(
        self, after: datetime, dst: DstPolicy = DstPolicy.ONCE
    ) -> tuple[str, ...]:
        """What becomes of its fires at the clock changes of the following year, a sentence for each that touches one."""
        if self._fields is None:
            return ()
        start = min(max(after.astimezone(UTC), _FIRST), _LAST)
        end = min(start + _YEAR, _LAST)
        told = (self._at_change(one, dst) for one in list_clock_changes(self._zone, start, end))
        return tuple(filter(None, told))

    def _at_change(self, change: ClockChange, dst: DstPolicy) -> str:
        """What happens to the local times that the change leaves out or repeats; empty if none of them fires."""
        low, high = sorted((change.before, change.after))
        local = self._local_after(low - _SECOND)
        fields = self._fields
        if local is None or local >= high or fields is None:
            return ""
        if fields.is_periodic and fields.hours is None:
            return ""  # an every-so-often runs on, and nobody would ask
        day, first, last = low.date(), f"{low:%H:%M}", f"{high:%H:%M}"
        if change.before < change.after:
            jump = f"on {day} the clock jumps from {first} to {last}"
            is_late = not fields.is_periodic and dst is not DstPolicy.SKIP
            return f"{jump}: what is due in between {f'fires at {last}' if is_late else 'does not fire'}"
        is_twice = fields.is_periodic or dst is DstPolicy.BOTH
        times = "both times" if is_twice else "the first time only"
        return f"on {day} the clock goes back from {last} to {first}: what is due in between fires {times}"

    def _next_period(self, at: datetime) -> datetime | None:
        count = (at - _EPOCH) // self._every + 1
        left = (_LAST - _EPOCH) // self._every
        return _EPOCH + count * self._every if count <= left else None

    def _next_cron(self, at: datetime, dst: DstPolicy) -> datetime | None:
        is_periodic = self._fields is not None and self._fields.is_periodic
        repeats = is_periodic or dst is DstPolicy.BOTH
        fires_late = not is_periodic and dst is not DstPolicy.SKIP
        here = at.astimezone(self._zone)
        local = here.replace(tzinfo=None, fold=0)
        change = clock_change_over(self._zone, local)
        if change is None or (repeats and here.fold == 1):
            return self._from_local(local, at, fires_late=fires_late)
        if not repeats and here.fold == 1:
            return self._from_local(change.before - _SECOND, at, fires_late=fires_late)
        first_pass = self._from_local(local, at, fires_late=fires_late)
        if repeats and (first_pass is None or first_pass >= change.at):
            return self._in_second_pass(change) or first_pass
        return first_pass

    def _from_local(self, local: datetime, at: datetime, *, fires_late: bool) -> datetime | None:
        """The fire for the first matching local time after `local`, at an instant after `at`."""
        while True:
            candidate = self._local_after(local)
            if candidate is None:
                return None
            first = instant_of(self._zone, candidate)
            change = clock_change_over(self._zone, candidate)
            if change is None:
                return first
            if change.before > change.after:
                return first if first > at else instant_of(self._zone, candidate, fold=1)
            if fires_late:
                return change.at
            local = change.after - _SECOND

    def _in_second_pass(self, change: ClockChange) -> datetime | None:
        candidate = self._local_after(change.after - _SECOND)
        if candidate is None or candidate >= change.before:
            return None
        return instant_of(self._zone, candidate, fold=1)

    def _local_after(self, local: datetime) -> datetime | None:
        if self._times is None:
            return None
        # A copy, because croniter notes where it is; the schedule itself stays a value.
        times = copy.copy(self._times)
        try:
            return times.get_next(datetime, local.replace(microsecond=0), update_current=False)
        except CroniterBadDateError:
            return None


@lru_cache(maxsize=4096)
def parse_schedule(expression: str, timezone: str = "UTC") -> ScheduleExpression:
    """The schedule that the text means, in the given zone unless it names its own.

    Raises:
        ScheduleInvalidError: it has no clear meaning, or never fires.
        TimezoneUnknownError: there is no such zone.
    """
    if len(expression) > _MAX_TEXT:
        raise ScheduleInvalidError(expression, "", f"it is longer than {_MAX_TEXT} characters")
    body, zone_name = _split_zone(expression, timezone)
    zone = get_zone(zone_name)
    columns = _SPACE.split(body) if body else []
    try:
        if columns and columns[0].lower() == "@every":
            return ScheduleExpression(
                text=expression, timezone=zone_name, doubts=_doubts([], zone_name), _zone=zone,
                _fields=None, _times=None, _every=_period(expression, columns[1:]),
            )  # fmt: skip
        fields = parse_fields(expression, _expand_macro(expression, columns))
    except ScheduleInvalidError as exc:
        raise _with_translation(exc, body) from exc
    schedule = ScheduleExpression(
        text=expression, timezone=zone_name, doubts=_doubts(columns, zone_name), _zone=zone,
        _fields=fields, _times=_local_times(fields), _every=timedelta(),
    )  # fmt: skip
    if schedule.next_after(_FIRST) is None:
        raise ScheduleInvalidError(
            expression,
            "",
            "it never fires",
            "no day fits its day, month, weekday and year together",
        )
    return schedule


def _with_translation(refused: ScheduleInvalidError, body: str) -> ScheduleInvalidError:
    """The refusal, with the same in cron where the text is written as another system writes it."""
    written = translate(body)
    if not written or written == body:
        return _wrapped(refused, body) or refused
    try:
        parse_schedule(written)
    except ScheduleInvalidError as exc:
        if _WRAPPED.match(body) is None:
            return refused
        return ScheduleInvalidError(refused.expression, exc.field, exc.problem, exc.hint)
    is_cron = len(body.split()) >= 5 and _WRAPPED.match(body) is None  # noqa: PLR2004  # with a mark of others
    problem = refused.problem if is_cron else "this is not how a schedule is written here"
    field = refused.field if is_cron else ""
    return ScheduleInvalidError(refused.expression, field, problem, f"write `{written}`")


def _wrapped(refused: ScheduleInvalidError, body: str) -> ScheduleInvalidError | None:
    """The refusal of `cron(…)`, `rate(…)` and `at(…)` that not even AWS could read."""
    found = _WRAPPED.match(body)
    if found is None:
        return None
    problem = f"this is not how a schedule is written here, and {found[1].lower()}(…) has no meaning with this in it"
    return ScheduleInvalidError(refused.expression, "", problem, _RIGHT[found[1].lower()])


def _doubts(columns: list[str], zone: str) -> tuple[ScheduleDoubt, ...]:
    is_cron = len(columns) > 1
    found = (
        doubt_about(columns, is_readable_with_seconds=are_seconds_first(columns)) if is_cron else []
    )
    found += doubt_about_zone(zone)
    return tuple(ScheduleDoubt(problem=problem, hint=hint) for problem, hint in found)


def _split_zone(expression: str, timezone: str) -> tuple[str, str]:
    """The expression without its prefix, and the zone that counts."""
    body = expression.strip(" \t\r\n\f\v")
    prefix = _PREFIX.fullmatch(body)
    if prefix is None:
        return body, timezone
    zone = prefix["zone"]
    if timezone not in ("UTC", zone):
        raise ScheduleInvalidError(
            expression,
            "timezone",
            f"it names {zone!r} while the trigger's timezone is {timezone!r}",
            "keep one of the two",
        )
    return prefix["rest"], zone


def _expand_macro(expression: str, columns: list[str]) -> list[str]:
    if not columns:
        raise ScheduleInvalidError(
            expression, "", "it is empty", "write for example 0 9 * * mon-fri"
        )
    if not columns[0].startswith("@"):
        return columns
    macro = columns[0].lower()
    if macro not in _MACROS or len(columns) > 1:
        problem = "nothing may follow it" if macro in _MACROS else "there is no such macro"
        raise ScheduleInvalidError(expression, columns[0], problem, _hint_for_macro(macro))
    return _MACROS[macro].split()


def _hint_for_macro(macro: str) -> str:
    if macro in _STARTS:
        return "nothing here starts with the machine or the service; schedules fire by the clock, as @hourly"
    near = get_close_matches(macro, [*_MACROS, "@every"], n=1) if macro not in _MACROS else []
    if near:
        return f"did you mean {near[0]}?"
    return f"write one of {', '.join(_MACROS)}, or @every DURATION"


def _period(expression: str, columns: list[str]) -> timedelta:
    hint = "write for example @every 15m or @every 1h30m"
    if len(columns) != 1 or columns[0][-1] in "0123456789.":
        raise ScheduleInvalidError(expression, "@every", "it needs one duration with units", hint)
    try:
        seconds = exact_seconds(columns[0])
    except DurationInvalidError as exc:
        raise ScheduleInvalidError(expression, "@every", exc.problem, hint) from exc
    if not 1 <= seconds <= _MAX_EVERY_S:
        raise ScheduleInvalidError(
            expression, "@every", "the period must be from 1 second to 10 years", hint
        )
    if seconds % Fraction(1, 1_000_000):
        raise ScheduleInvalidError(
            expression, "@every", "the period must be a whole number of microseconds", hint
        )
    return int(seconds * 1_000_000) * _MICROSECOND


def _local_times(fields: CronFields) -> _LocalTimes:
    columns = [
        fields.seconds, fields.minutes, fields.hours,
        fields.days, fields.months, fields.weekdays,
    ]  # fmt: skip
    if fields.years is not None:
        columns.append(fields.years)
    text = " ".join("*" if values is None else ",".join(map(str, values)) for values in columns)
    return cast(
        "_LocalTimes",  # croniter has no types; this module is its one door
        croniter(
            text, datetime(YEARS[0], 1, 1), day_or=False,  # noqa: DTZ001  # croniter gets naive local times
            max_years_between_matches=YEARS[1] - YEARS[0] + 1, second_at_beginning=True,
        ),
    )  # fmt: skip
