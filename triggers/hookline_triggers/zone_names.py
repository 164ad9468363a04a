"""What somebody meant by a time zone that is no IANA name: an offset, an abbreviation, Windows' name, a misspelt city."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

_MAX_NAME: Final = 100
_SHOWN: Final = 3
_MAX_BEHIND, _MAX_AHEAD = 12, 14  # hours, of the zones Etc/GMT±N
_CLOSE: Final = 0.75
_OFFSET: Final = re.compile(
    r"(?:etc/)?(?P<base>utc|gmt|z)?\s*(?P<sign>[+\-\u2212])\s*(?P<h>\d{1,2})(?::?(?P<m>\d{2}))?",
    re.ASCII | re.IGNORECASE,
)
_ODD_OFFSETS: Final = {
    "+03:30": "Asia/Tehran", "+04:30": "Asia/Kabul", "+05:30": "Asia/Kolkata", "+05:45": "Asia/Kathmandu",
    "+06:30": "Asia/Yangon", "+08:45": "Australia/Eucla", "+09:30": "Australia/Darwin",
    "+10:30": "Australia/Lord_Howe", "+12:45": "Pacific/Chatham", "-03:30": "America/St_Johns",
    "-09:30": "Pacific/Marquesas",
}  # fmt: skip
_ABBREVIATIONS: Final = {
    "acdt": "Australia/Adelaide", "acst": "Australia/Darwin Australia/Adelaide",
    "adt": "America/Halifax", "aedt": "Australia/Sydney", "aest": "Australia/Brisbane Australia/Sydney",
    "akdt": "America/Anchorage", "akst": "America/Anchorage", "art": "America/Argentina/Buenos_Aires",
    "ast": "America/Halifax America/Puerto_Rico Asia/Riyadh", "awst": "Australia/Perth",
    "brt": "America/Sao_Paulo", "bst": "Europe/London Asia/Dhaka", "cat": "Africa/Maputo",
    "cdt": "America/Chicago America/Havana", "cest": "Europe/Berlin", "clt": "America/Santiago",
    "cst": "America/Chicago Asia/Shanghai America/Havana", "ct": "America/Chicago",
    "eat": "Africa/Nairobi", "ect": "America/Guayaquil", "edt": "America/New_York",
    "eest": "Europe/Athens", "et": "America/New_York", "gst": "Asia/Dubai", "hdt": "America/Adak",
    "hkt": "Asia/Hong_Kong", "ict": "Asia/Bangkok", "idt": "Asia/Jerusalem",
    "ist": "Asia/Kolkata Asia/Jerusalem Europe/Dublin", "jst": "Asia/Tokyo", "kst": "Asia/Seoul",
    "mdt": "America/Denver", "mest": "Europe/Berlin", "mesz": "Europe/Berlin", "mez": "Europe/Berlin",
    "msk": "Europe/Moscow", "mt": "America/Denver", "myt": "Asia/Kuala_Lumpur", "ndt": "America/St_Johns",
    "npt": "Asia/Kathmandu", "nst": "America/St_Johns", "nzdt": "Pacific/Auckland",
    "nzst": "Pacific/Auckland", "pdt": "America/Los_Angeles", "pht": "Asia/Manila", "pkt": "Asia/Karachi",
    "pst": "America/Los_Angeles Asia/Manila", "pt": "America/Los_Angeles", "sast": "Africa/Johannesburg",
    "sgt": "Asia/Singapore", "sst": "Pacific/Pago_Pago Asia/Singapore", "trt": "Europe/Istanbul",
    "wat": "Africa/Lagos", "west": "Europe/Lisbon", "wib": "Asia/Jakarta", "wita": "Asia/Makassar",
}  # fmt: skip
_WINDOWS: Final = {
    "afghanistan": "Asia/Kabul", "alaskan": "America/Anchorage", "arab": "Asia/Riyadh",
    "arabian": "Asia/Dubai", "arabic": "Asia/Baghdad", "argentina": "America/Argentina/Buenos_Aires",
    "atlantic": "America/Halifax", "aus central": "Australia/Darwin", "aus eastern": "Australia/Sydney",
    "azerbaijan": "Asia/Baku", "azores": "Atlantic/Azores", "bangladesh": "Asia/Dhaka",
    "belarus": "Europe/Minsk", "canada central": "America/Regina", "cape verde": "Atlantic/Cape_Verde",
    "caucasus": "Asia/Yerevan", "cen. australia": "Australia/Adelaide",
    "central america": "America/Guatemala", "central asia": "Asia/Almaty",
    "central brazilian": "America/Cuiaba", "central europe": "Europe/Budapest",
    "central european": "Europe/Warsaw", "central pacific": "Pacific/Guadalcanal",
    "central": "America/Chicago", "china": "Asia/Shanghai", "cuba": "America/Havana",
    "e. africa": "Africa/Nairobi", "e. australia": "Australia/Brisbane", "e. europe": "Europe/Chisinau",
    "e. south america": "America/Sao_Paulo", "eastern": "America/New_York", "egypt": "Africa/Cairo",
    "ekaterinburg": "Asia/Yekaterinburg", "fiji": "Pacific/Fiji", "fle": "Europe/Kiev",
    "georgian": "Asia/Tbilisi", "gmt": "Europe/London", "greenland": "America/Godthab",
    "greenwich": "Atlantic/Reykjavik", "gtb": "Europe/Bucharest", "hawaiian": "Pacific/Honolulu",
    "india": "Asia/Kolkata", "iran": "Asia/Tehran", "israel": "Asia/Jerusalem", "jordan": "Asia/Amman",
    "kaliningrad": "Europe/Kaliningrad", "korea": "Asia/Seoul", "magadan": "Asia/Magadan",
    "mauritius": "Indian/Mauritius", "middle east": "Asia/Beirut", "montevideo": "America/Montevideo",
    "morocco": "Africa/Casablanca", "mountain": "America/Denver", "myanmar": "Asia/Yangon",
    "n. central asia": "Asia/Novosibirsk", "namibia": "Africa/Windhoek", "nepal": "Asia/Kathmandu",
    "new zealand": "Pacific/Auckland", "newfoundland": "America/St_Johns",
    "north asia": "Asia/Krasnoyarsk", "north asia east": "Asia/Irkutsk", "pacific sa": "America/Santiago",
    "pacific": "America/Los_Angeles", "pakistan": "Asia/Karachi", "paraguay": "America/Asuncion",
    "romance": "Europe/Paris", "russian": "Europe/Moscow", "russia time zone 3": "Europe/Samara",
    "sa eastern": "America/Cayenne", "sa pacific": "America/Bogota", "sa western": "America/La_Paz",
    "samoa": "Pacific/Apia", "se asia": "Asia/Bangkok", "singapore": "Asia/Singapore",
    "south africa": "Africa/Johannesburg", "sri lanka": "Asia/Colombo", "syria": "Asia/Damascus",
    "taipei": "Asia/Taipei", "tasmania": "Australia/Hobart", "tokyo": "Asia/Tokyo", "tonga": "Pacific/Tongatapu",
    "turkey": "Europe/Istanbul", "us eastern": "America/Indianapolis", "us mountain": "America/Phoenix",
    "venezuela": "America/Caracas", "vladivostok": "Asia/Vladivostok", "w. australia": "Australia/Perth",
    "w. central africa": "Africa/Lagos", "w. europe": "Europe/Berlin", "west asia": "Asia/Tashkent",
    "west pacific": "Pacific/Port_Moresby", "yakutsk": "Asia/Yakutsk",
}  # fmt: skip
_WINDOWS_NAME: Final = re.compile(r"(.+?)[ _](?:standard|daylight|summer) time", re.IGNORECASE)
_FIXED: Final = {
    "EST": "America/New_York", "MST": "America/Denver",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneGuess:
    """Names that may have been meant, the likeliest first, and what must be said about them; each may be empty."""

    names: tuple[str, ...] = ()
    note: str = ""


def guess_zone(text: str, known: Collection[str]) -> ZoneGuess:
    """What was meant by a text that is none of the known names; only known names are suggested."""
    wanted = text.strip()[:_MAX_NAME]
    by_lower = {name.lower(): name for name in known}
    low = re.sub(r"[\s_]+", "_", wanted.lower().replace("\\", "/"))
    if low in by_lower:
        return ZoneGuess(names=(by_lower[low],))
    offset = _OFFSET.fullmatch(wanted)
    guess = (
        _of_offset(offset, wanted) if offset else _of_table(wanted) or _of_likeness(low, by_lower)
    )
    return ZoneGuess(names=tuple(name for name in guess.names if name in known), note=guess.note)


def doubt_about_zone(name: str) -> list[tuple[str, str]]:
    """What a person may not expect of a zone that is known: (problem, hint), or nothing."""
    city = _FIXED.get(name)
    if city is None:
        return []
    problem = f"the zone {name} has no summer time: its clock is the same the whole year"
    return [(problem, f"write {city} for the clocks there")]


def _of_offset(offset: re.Match[str], wanted: str) -> ZoneGuess:
    """The signs of the zones Etc/GMT±N are reversed: Etc/GMT-1 is one hour ahead of UTC."""
    hours, minutes = int(offset["h"]), int(offset["m"] or 0)
    is_ahead = offset["sign"] == "+"
    if hours == minutes == 0:
        return ZoneGuess(names=("UTC",))
    shown = f"{'+' if is_ahead else '-'}{hours:02}:{minutes:02}"
    if minutes:
        return ZoneGuess(names=tuple(filter(None, [_ODD_OFFSETS.get(shown)])), note=_NAMED_BY_CITY)
    if hours > (_MAX_AHEAD if is_ahead else _MAX_BEHIND):
        return ZoneGuess(note=f"no clock is {wanted} away from UTC; {_NAMED_BY_CITY}")
    name = f"Etc/GMT{'-' if is_ahead else '+'}{hours}"
    return ZoneGuess(
        names=(name,),
        note=f"that is UTC{shown}, because the sign is reversed in these names; {_NAMED_BY_CITY}",
    )


_NAMED_BY_CITY: Final = "a city, such as Europe/Prague, follows its clock changes"


def _of_table(wanted: str) -> ZoneGuess | None:
    low = wanted.lower()
    found = _ABBREVIATIONS.get(low, "").split()
    if found:
        has_many = len(found) > 1
        return ZoneGuess(
            names=tuple(found), note="the abbreviation means several zones" if has_many else ""
        )
    windows = _WINDOWS_NAME.fullmatch(wanted)
    name = _WINDOWS.get(windows[1].lower().replace("_", " ")) if windows else None
    return ZoneGuess(names=(name,), note="that is Windows' name for it") if name else None


def _of_likeness(low: str, by_lower: dict[str, str]) -> ZoneGuess:
    by_city: dict[str, list[str]] = {}
    for lower, name in sorted(by_lower.items()):
        if "/" in lower and not lower.startswith("etc/"):
            by_city.setdefault(lower.rsplit("/", 1)[-1], []).append(name)
    city = low.rsplit("/", 1)[-1]
    exact = by_city.get(city, [])
    if exact:
        return ZoneGuess(names=tuple(exact[:_SHOWN]))
    close = difflib.get_close_matches(low, by_lower, n=_SHOWN, cutoff=_CLOSE)
    if not close or "/" not in low:
        near = difflib.get_close_matches(city, by_city, n=1, cutoff=_CLOSE)
        if near:
            return ZoneGuess(names=tuple(by_city[near[0]][:_SHOWN]))
    return ZoneGuess(names=tuple(by_lower[lower] for lower in close))
