"""A schedule in English words that say exactly when it fires, for lists, confirmations and deploys."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from hookline_triggers.cron_fields import CronFields

_MAX_TIMES = 4
_LONG_RUN = 3
_HOUR = 60
_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def describe_fields(fields: CronFields) -> str:
    """`at 09:00 on Monday to Friday`, `every 15 minutes`, … for the meaning of a cron expression."""
    time, days = _time(fields), _day(fields)
    is_daily = time[3:4].isdigit()  # as in `at 09:00`
    if is_daily and not days:
        days = "every day"
    return " ".join(part for part in (time, days, _month(fields), _year(fields)) if part)


def describe_period(seconds: float) -> str:
    """`every 1h30m, counted from 1970-01-01 UTC` for a period in seconds."""
    rest, text = seconds, ""
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        count, rest = divmod(rest, size)
        text += f"{count:.0f}{unit}" if count else ""
    text += f"{rest:.6f}".rstrip("0").rstrip(".") + "s" if rest else ""
    return f"every {text}, counted from 1970-01-01 UTC"


def describe_zone(zone: ZoneInfo, name: str) -> str:
    """`Prague time (Europe/Prague)`, `UTC`, or `Etc/GMT-1 (UTC+01:00)`."""
    area, slash, city = name.rpartition("/")
    if not slash:
        return name
    if area != "Etc":
        return f"{city.replace('_', ' ')} time ({name})"
    offset = zone.utcoffset(None) or timedelta()
    minutes = int(offset.total_seconds() // 60)
    hours, rest = divmod(abs(minutes), _HOUR)
    return f"{name} (UTC{'-' if minutes < 0 else '+'}{hours:02}:{rest:02})"


def _time(fields: CronFields) -> str:
    times = _clock_times(fields)
    if times:
        return "at " + _listed(times)
    if fields.seconds == (0,):
        return _minutes(fields)
    parts = [_unit("second", fields.seconds, 60)]
    if fields.minutes is None and fields.seconds is not None and parts[0].startswith("at"):
        parts.append("of every minute")
    elif fields.minutes is not None:
        parts.append("of " + _named("minute", fields.minutes))
    if fields.hours is not None:
        parts.append("of " + _named("hour", fields.hours))
    elif fields.minutes is not None:
        parts.append("of every hour")
    return " ".join(parts)


def _clock_times(fields: CronFields) -> list[str]:
    """`09:00` and the like, if the times of a day are few enough to be listed."""
    seconds, minutes, hours = fields.seconds, fields.minutes, fields.hours
    if seconds is None or minutes is None or hours is None:
        return []
    if len(seconds) * len(minutes) * len(hours) > _MAX_TIMES:
        return []
    tail = "" if seconds == (0,) else ":{:02}"
    return [f"{h:02}:{m:02}" + tail.format(s) for h in hours for m in minutes for s in seconds]


def _minutes(fields: CronFields) -> str:
    """At whole minutes: by a rhythm and its bounds where there is one, else by their numbers."""
    minutes, hours = fields.minutes, fields.hours
    if minutes is not None and len(minutes) == 1:
        return _once_an_hour(minutes[0], hours)
    rhythm = _unit("minute", minutes, _HOUR)
    if hours is None:
        return rhythm if rhythm.startswith("every") else f"{rhythm} of every hour"
    is_run = hours[-1] - hours[0] == len(hours) - 1
    if rhythm.startswith("every") and is_run:
        last = minutes[-1] if minutes else _HOUR - 1
        return f"{rhythm} from {hours[0]:02}:00 to {hours[-1]:02}:{last:02}"
    return f"{rhythm} of {_named('hour', hours)}"


def _once_an_hour(minute: int, hours: tuple[int, ...] | None) -> str:
    if hours is None:
        return "every hour" if minute == 0 else f"at minute {minute} of every hour"
    step = _even_step(hours)
    if not step:
        return f"at minute {minute} of {_named('hour', hours)}"
    rhythm = "every hour" if step == 1 else f"every {step} hours"
    return f"{rhythm} from {hours[0]:02}:{minute:02} to {hours[-1]:02}:{minute:02}"


def _unit(name: str, values: tuple[int, ...] | None, size: int) -> str:
    if values is None:
        return f"every {name}"
    step = _even_step(values)
    if values[0] == 0 and step and values[-1] + step == size:
        return f"every {step} {name}s"
    return f"at {_named(name, values)}"


def _even_step(values: tuple[int, ...]) -> int:
    """The distance between the values, if it is the same everywhere; one value has none."""
    steps = {later - former for former, later in pairwise(values)}
    return steps.pop() if len(steps) == 1 else 0


def _named(name: str, values: tuple[int, ...]) -> str:
    return f"{name}{'s' if len(values) > 1 else ''} {_numbers(values)}"


def _day(fields: CronFields) -> str:
    weekdays = ""
    if fields.weekdays is not None:
        weekdays = _runs(sorted((day - 1) % 7 for day in fields.weekdays), _DAYS)
    if fields.days is None:
        return f"on {weekdays}" if weekdays else ""
    days = f"on {_named('day', fields.days)} of the month"
    return f"{days} if it is {weekdays}" if weekdays else days


def _month(fields: CronFields) -> str:
    if fields.months is None:
        return ""
    return "in " + _runs([month - 1 for month in fields.months], _MONTHS)


def _year(fields: CronFields) -> str:
    return "" if fields.years is None else f"in {_named('year', fields.years)}"


def _numbers(values: tuple[int, ...]) -> str:
    """`1, 2 and 5-9`: runs of three and more are drawn together."""
    texts: list[str] = []
    for run in _split(list(values)):
        is_long = len(run) >= _LONG_RUN
        texts.extend([f"{run[0]}-{run[-1]}"] if is_long else [str(value) for value in run])
    return _listed(texts)


def _runs(values: list[int], names: tuple[str, ...]) -> str:
    """`Monday to Wednesday and Sunday`: as `_numbers`, with names."""
    texts: list[str] = []
    for run in _split(values):
        is_long = len(run) >= _LONG_RUN
        texts.extend(
            [f"{names[run[0]]} to {names[run[-1]]}"] if is_long else [names[one] for one in run]
        )
    return _listed(texts)


def _split(values: list[int]) -> list[list[int]]:
    runs: list[list[int]] = []
    for value in values:
        if runs and value == runs[-1][-1] + 1:
            runs[-1].append(value)
        else:
            runs.append([value])
    return runs


def _listed(texts: list[str]) -> str:
    return texts[0] if len(texts) == 1 else ", ".join(texts[:-1]) + " and " + texts[-1]
