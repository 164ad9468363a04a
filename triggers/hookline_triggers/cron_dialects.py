"""How other systems write schedules, and what is right here: Quartz, Spring, AWS, Jenkins, systemd, Go, Celery.

What cannot be read gets a translation; what can be read, but means something else there, is doubted.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

_UNITS: Final = {
    "s": "s", "sec": "s", "secs": "s", "second": "s", "seconds": "s",
    "m": "m", "min": "m", "mins": "m", "minute": "m", "minutes": "m",
    "h": "h", "hr": "h", "hrs": "h", "hour": "h", "hours": "h",
    "d": "d", "day": "d", "days": "d", "w": "w", "week": "w", "weeks": "w",
}  # fmt: skip
_DAYS: Final = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_PHRASES: Final = {
    "minutely": "* * * * *", "@minutely": "* * * * *", "@every_minute": "* * * * *", "hourly": "@hourly",
    "daily": "@daily", "weekly": "0 0 * * mon", "monthly": "@monthly", "yearly": "@yearly",
    "annually": "@yearly", "quarterly": "0 0 1 1,4,7,10 *", "@quarterly": "0 0 1 1,4,7,10 *",
    "semiannually": "0 0 1 1,7 *", "@weekdays": "0 0 * * mon-fri", "@weekends": "0 0 * * sat,sun",
    "midnight": "@daily", "noon": "0 12 * * *", "@noon": "0 12 * * *", "@biweekly": "@every 2w", "@fortnightly": "@every 2w",
}  # fmt: skip
_EVERY: Final = re.compile(
    r"(?:@?every|rate)?[\s(:]*(?P<n>\d{1,9})?\s*(?P<unit>[a-z]{1,7})\s*\)?",
    re.IGNORECASE | re.ASCII,
)
_AWS: Final = re.compile(r"cron\((?P<fields>[^()]*)\)", re.IGNORECASE)
_AT: Final = re.compile(
    r"at\((\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d)(?::(\d\d))?\)", re.IGNORECASE | re.ASCII
)
_CLOCK: Final = re.compile(
    r"(?:daily\s+|at\s+)?(\d{1,2}):(\d\d)(?:\s+daily)?", re.IGNORECASE | re.ASCII
)
_ISO: Final = re.compile(
    r"(?:R\d*/)?(?:[^/\s]+/)?P(?=\d|T\d)(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?",
    re.ASCII,
)
_CALENDAR: Final = re.compile(
    r"(?:(?P<days>[a-z]{3}[a-z,. \-]*?)\s+)?(?:(?P<y>\*|\d{4})-)?(?P<mo>\*|[\d,/.]+)-(?P<d>\*|[\d,/.]+)"
    r"(?:\s+(?P<h>\*|[\d,/.]+):(?P<mi>\*|[\d,/.]+)(?::(?P<s>\*|[\d,/.]+))?)?",
    re.IGNORECASE | re.ASCII,
)
_TIME_OF_CALENDAR: Final = re.compile(
    r"(?P<h>\*|[\d,/.]+):(?P<mi>\*|[\d,/.]+)(?::(?P<s>[\d,/.]+))?", re.ASCII
)
_CELERY: Final = re.compile(r"crontab\((?P<arguments>[^()]*)\)", re.IGNORECASE)
_CELERY_FIELDS: Final = ("minute", "hour", "day_of_month", "month_of_year", "day_of_week")
_ARGUMENT: Final = re.compile(
    r"(?P<name>[a-z_]+)\s*=\s*(?:'([^']*)'|\"([^\"]*)\"|(\d+))", re.IGNORECASE
)
_TEST = "and test the date in the function"
_FOREIGN: Final = (
    (re.compile(r"lw|wl"), f"there is no LW, the last working day; write 26-31 with mon-fri, {_TEST}"),
    (
        re.compile(r"\d{1,2}w"),
        f"there is no W, the nearest working day; write the days it can be with mon-fri, {_TEST}",
    ),
    (
        re.compile(r"(?:[0-7]|[a-z]{3})l|[a-z]{3}#l"),
        f"there is no L, the last one of a month; write 22-31 as day of month and the day's name, {_TEST}",
    ),
    (re.compile(r"l(?:-\d+)?"), f"there is no L; write 28-31 {_TEST}"),
    (
        re.compile(r"[hr](?:\(.*)?|\d*~\d*"),
        "there is no random value; the trigger's jitter spreads load",
    ),
    (re.compile(r".*[\u2010-\u2015\u2212].*"), "write a plain - for a range"),
)  # fmt: skip
_NTH: Final = re.compile(r"(?P<day>[0-7]|[a-z]{3})#(?P<n>\d{1,3})", re.ASCII)
_MOST_OF_A_DAY: Final = 5  # in a month


def translate(text: str) -> str:
    """The expression here for one written as another system writes it, or an empty text."""
    bare = text.strip().strip("`'\"").strip()
    for known in _TRANSLATIONS:
        found = known(bare)
        if found:
            return found
    return ""


def foreign_value_hint(text: str, *, is_weekday: bool) -> str:
    """What to write for a value that other systems know and cron does not; the text is in lower case."""
    nth = _NTH.fullmatch(text)
    if nth:
        return _nth_weekday(nth["day"], int(nth["n"]))
    if text == "l" and is_weekday:
        return "write sat"
    if ".." in text:
        return f"write {text.replace('..', '-')}"
    return next((hint for pattern, hint in _FOREIGN if pattern.fullmatch(text)), "")


def doubt_about(columns: list[str], *, is_readable_with_seconds: bool) -> list[tuple[str, str]]:
    """What these columns mean elsewhere, where that is not what they mean here: (problem, hint) of each doubt."""
    doubts: list[tuple[str, str]] = []
    minute_at = 1 if len(columns) == 7 else 0  # noqa: PLR2004  # seconds first, and a year
    day, _, weekday = columns[minute_at + 2 : minute_at + 5]
    has_mark = "?" in (day, weekday)
    here, there = _with_names(weekday), _with_names(weekday, shift=1)
    if has_mark and here != there:
        problem = (
            "a `?` is written where Sunday is 1 (Quartz, AWS); here it is 0 or 7, and Monday is 1"
        )
        hint = f"name the days: `{there}` if it comes from there, else `{here}`"
        doubts.append((problem, hint))
    if len(columns) == 6 and columns[5] == "*" and is_readable_with_seconds and not has_mark:  # noqa: PLR2004
        problem = "with 6 fields the last is the year, and the first the minute"
        doubts.append(
            (
                problem,
                f"for seconds first write `{' '.join(columns)} *`, else leave out the last `*`",
            )
        )
    if not has_mark and _is_either(day, weekday):
        problem = "it fires only on days that fit both day of month and day of week; a crontab fires on either"
        doubts.append((problem, "for either, make it two triggers"))
    return doubts


def _is_either(day: str, weekday: str) -> bool:
    """Whether a crontab would take either column; a whole week of days (`1-7 * mon`) can only mean both."""
    if day.startswith("*") or weekday.startswith("*"):
        return False
    span = re.fullmatch(r"(\d+)-(\d+)", day, re.ASCII)
    return not (span and int(span[2]) - int(span[1]) >= 6)  # noqa: PLR2004  # a week and more


def _with_names(weekday: str, *, shift: int = 0) -> str:
    """The column with names for its numbers; `shift` 1 where Sunday is 1."""

    def named(found: re.Match[str]) -> str:
        return _DAYS[(int(found[0]) - shift) % 7]

    items = [item.partition("/") for item in weekday.lower().split(",")]
    return ",".join(
        re.sub(r"(?<![\w#])[0-7](?![\w])", named, base) + slash + step
        for base, slash, step in items
    )


def _nth_weekday(day: str, number: int) -> str:
    if not 1 <= number <= _MOST_OF_A_DAY:
        return "write 1-7, 8-14, 15-21, 22-28 or 29-31 as day of month and the day's name as day of week; both must fit"
    days = _days_of_nth(number)
    name = f"`{day}`" if day.isalpha() else "the day's name (with `#` numbers differ)"
    return f"write {days} as day of month and {name} as day of week; both must fit"


def _nth(text: str) -> str:
    """A schedule on the nth day of the week of a month, as in `0 0 12 ? * SUN#2`: such a day and such a date."""
    columns = text.lower().split()
    at = next((n for n, one in enumerate(columns) if _NTH.fullmatch(one)), -1)
    has_seconds = (len(columns), at) in {(6, 5), (7, 5)}
    if not has_seconds and (len(columns), at) not in {(5, 4), (6, 4)}:
        return ""
    found = _NTH.match(columns[at])
    day, number = (found["day"], int(found["n"])) if found else ("", 0)
    if columns[at - 2] not in {"*", "?"} or not 1 <= number <= _MOST_OF_A_DAY:
        return ""
    if day.isdigit():
        if "?" not in columns:
            return ""  # Sunday may be 0 or 1
        day = _with_names(day, shift=1)
    columns[at - 2 : at + 1] = [_days_of_nth(number), columns[at - 1], day]
    if has_seconds and columns[0] == "0" and columns[6:] in ([], ["*"]):
        return " ".join(columns[1:6])
    return " ".join([*columns, "*"] if has_seconds and len(columns) == 6 else columns)  # noqa: PLR2004


def _days_of_nth(number: int) -> str:
    return f"{number * 7 - 6}-{number * 7}" if number < _MOST_OF_A_DAY else "29-31"


def _phrase(text: str) -> str:
    return _PHRASES.get(" ".join(text.lower().split()), "")


def _every(text: str) -> str:
    found = _EVERY.fullmatch(text)
    unit = _UNITS.get(found["unit"].lower(), "") if found else ""
    if (
        found is None
        or not unit
        or not (found["n"] or text.lower().startswith(("every", "@every")))
    ):
        return ""
    count = int(found["n"] or 1)
    return f"@every {count}{unit}" if count else ""


def _aws(text: str) -> str:
    found = _AWS.fullmatch(text)
    columns = found["fields"].lower().split() if found else []
    if len(columns) != 6:  # noqa: PLR2004  # as AWS writes them
        return ""
    minute, hour, day, month, weekday, year = columns
    parts = [minute, hour, day, month, _with_names(weekday, shift=1)]
    written = " ".join([one.replace("?", "*") for one in parts] + ([] if year == "*" else [year]))
    return _nth(written) or written


def _once(text: str) -> str:
    found = _AT.fullmatch(text)
    if found is None:
        return ""
    year, month, day, hour, minute = (int(found[n]) for n in range(1, 6))
    return f"{minute} {hour} {day} {month} * {year}"


def _clock(text: str) -> str:
    found = _CLOCK.fullmatch(text)
    return f"{int(found[2])} {int(found[1])} * * *" if found else ""


def _iso(text: str) -> str:
    found = _ISO.fullmatch(text.upper())
    parts = zip(found.groups(), "dhms", strict=True) if found else ()
    period = "".join(f"{int(count)}{unit}" for count, unit in parts if count and int(count))
    return f"@every {period}" if period else ""


def _calendar(text: str) -> str:
    """The OnCalendar of systemd, as in `Mon..Fri *-*-* 10:00:00` and `*:0/5`."""
    found = _CALENDAR.fullmatch(text) or _TIME_OF_CALENDAR.fullmatch(text)
    if found is None:
        return ""
    about = {name: (value or "").replace("..", "-") for name, value in found.groupdict().items()}
    days = re.sub(r"([a-z]{3})[a-z]*", r"\1", about.get("days", "").lower()).replace(" ", "")
    has_time = bool(about.get("h"))
    columns = [
        about["mi"] if has_time else "0", about["h"] if has_time else "0",
        about.get("d") or "*", about.get("mo") or "*", days or "*",
    ]  # fmt: skip
    seconds, year = about.get("s") or "0", about.get("y") or "*"
    if seconds.strip("0"):
        columns = [seconds, *columns, year]
    elif year != "*":
        columns.append(year)
    return " ".join(_plain_number(column) for column in columns)


def _plain_number(column: str) -> str:
    return re.sub(r"\b0+(?=\d)", "", column)


def _celery(text: str) -> str:
    found = _CELERY.fullmatch(text)
    if found is None:
        return ""
    given = {
        one["name"].lower(): one[2] or one[3] or one[4]
        for one in _ARGUMENT.finditer(found["arguments"])
    }
    if set(given) - set(_CELERY_FIELDS):
        return ""
    return " ".join((given.get(name) or "*").replace(" ", "") for name in _CELERY_FIELDS)


_TRANSLATIONS: Final[tuple[Callable[[str], str], ...]] = (
    _phrase, _every, _aws, _once, _clock, _iso, _calendar, _celery, _nth,
)  # fmt: skip
