"""A schedule in a few English words, for lists and confirmations; best effort."""

from __future__ import annotations

from hookline_triggers.cron_fields import DAY_NAMES, MONTH_NAMES, CronFields

_MAX_TIMES = 4
_WEEKDAYS = (1, 2, 3, 4, 5)
_MONTHS = tuple(name.capitalize() for name in MONTH_NAMES)
_DAYS = tuple(name.capitalize() for name in DAY_NAMES)


def describe_fields(fields: CronFields) -> str:
    """`at 09:00 on weekdays`, `every 15 minutes`, … for the meaning of a cron expression."""
    return " ".join(
        part for part in (_time(fields), _day(fields), _month(fields), _year(fields)) if part
    )


def describe_period(seconds: float) -> str:
    """`every 1h30m, counted from 1970-01-01 UTC` for a period in seconds."""
    rest, text = seconds, ""
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        count, rest = divmod(rest, size)
        text += f"{count:.0f}{unit}" if count else ""
    text += f"{rest:g}s" if rest else ""
    return f"every {text}, counted from 1970-01-01 UTC"


def _time(fields: CronFields) -> str:
    times = _clock_times(fields)
    if times:
        return "at " + _listed(times)
    if fields.seconds == (0,):
        return _minutes(fields.minutes, fields.hours)
    parts = [_unit("second", fields.seconds, 60)]
    if fields.minutes is not None:
        parts.append("of " + _unit("minute", fields.minutes, 60))
    return " ".join([*parts, _hours(fields.hours)]).strip()


def _clock_times(fields: CronFields) -> list[str]:
    """`09:00` and the like, if the times of a day are few enough to be listed."""
    seconds, minutes, hours = fields.seconds, fields.minutes, fields.hours
    if seconds is None or minutes is None or hours is None:
        return []
    if len(seconds) * len(minutes) * len(hours) > _MAX_TIMES:
        return []
    tail = "" if seconds == (0,) else ":{:02}"
    return [f"{h:02}:{m:02}" + tail.format(s) for h in hours for m in minutes for s in seconds]


def _minutes(minutes: tuple[int, ...] | None, hours: tuple[int, ...] | None) -> str:
    if minutes is None or _step(minutes, 60):
        return f"{_unit('minute', minutes, 60)} {_hours(hours)}".strip()
    rhythm = _unit("hour", hours, 24)
    return rhythm if minutes == (0,) else f"{rhythm} at minute {_numbers(minutes)}"


def _unit(name: str, values: tuple[int, ...] | None, size: int) -> str:
    if values is None:
        return f"every {name}"
    step = _step(values, size)
    if step:
        return f"every {step} {name}s"
    return f"{name} {_numbers(values)}"


def _hours(hours: tuple[int, ...] | None) -> str:
    if hours is None:
        return ""
    step = _step(hours, 24)
    return f"of every {step} hours" if step else f"of hour {_numbers(hours)}"


def _step(values: tuple[int, ...], size: int) -> int:
    """The n of `every n`, if the values are all multiples of n and n divides the size."""
    if len(values) < 2 or values[0] != 0:  # noqa: PLR2004  # one value has no step
        return 0
    step = values[1]
    return step if values == tuple(range(0, size, step)) and size % step == 0 else 0


def _day(fields: CronFields) -> str:
    weekdays = ""
    if fields.weekdays == _WEEKDAYS:
        weekdays = "on weekdays"
    elif fields.weekdays is not None:
        weekdays = "on " + _listed([_DAYS[day] for day in fields.weekdays])
    if fields.days is None:
        return weekdays
    days = f"on day {_numbers(fields.days)} of the month"
    return f"{days} if it is {weekdays.removeprefix('on ')}" if weekdays else days


def _month(fields: CronFields) -> str:
    if fields.months is None:
        return ""
    return "in " + _listed([_MONTHS[month - 1] for month in fields.months])


def _year(fields: CronFields) -> str:
    return "" if fields.years is None else f"in {_numbers(fields.years)}"


def _numbers(values: tuple[int, ...]) -> str:
    """`1, 2 and 5-9`: runs of three and more are drawn together."""
    runs: list[list[int]] = []
    for value in values:
        if runs and value == runs[-1][-1] + 1:
            runs[-1].append(value)
        else:
            runs.append([value])
    texts: list[str] = []
    for run in runs:
        is_long = len(run) > 2  # noqa: PLR2004  # two neighbours read better apart
        texts.extend([f"{run[0]}-{run[-1]}"] if is_long else [str(value) for value in run])
    return _listed(texts)


def _listed(texts: list[str]) -> str:
    return texts[0] if len(texts) == 1 else ", ".join(texts[:-1]) + " and " + texts[-1]
