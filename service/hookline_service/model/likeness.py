"""What somebody may have meant who named a thing that there is not."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from itertools import islice

_LONGEST = 128
_COMPARED = 500


def nearest(wanted: str, known: Iterable[str]) -> str:
    """The one of these names that is written most like the wanted one; empty if none is.

    Case and the sign between words count for nothing. Only so many names are looked at that an answer costs little.
    """
    names = {_plain(name): name for name in islice(known, _COMPARED) if len(name) <= _LONGEST}
    found = get_close_matches(_plain(wanted[:_LONGEST]), names, n=1)
    return names[found[0]] if found else ""


def meant(near: str) -> str:
    """The end of a message that offers the name; empty for none."""
    return f"; did you mean {near!r}?" if near else ""


def _plain(name: str) -> str:
    return name.lower().replace("-", "_").replace(" ", "_")
