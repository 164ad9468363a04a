"""Keeps the secrets of a project out of everything that its sessions show to people."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cached_property, lru_cache
from typing import Any, Final

from hookline_service.engine.written_forms import WrittenForm, forms_of
from hookline_service.model.secret import MASK

_CUT_SIGNS: Final = ("…", "\\u2026")  # where a text was cut, also in JSON
_FEW: Final = 24  # so many words are found faster one by one than all at once
_MANY: Final = 160  # the same in what is large
_LARGE: Final = 4096


class Mask:
    """Covers secret values in texts, however programs write them (see `written_forms`), and each line of a longer one.

    It is no protection against code that means to tell: a change of form that no program needs gets past it.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        forms = {form for secret in secrets for form in forms_of(secret)}
        self._forms = tuple(WrittenForm(each) for each in sorted(forms, key=len, reverse=True))
        self._heads = tuple((form.head_anchor, form) for form in self._forms)
        self._tails = tuple((form.tail_anchor, form) for form in self._forms)
        self._window = max((form.window for form in self._forms), default=0)
        self._anchors = tuple({form.anchor: None for form in self._forms})
        self._byte_anchors = tuple(anchor.encode() for anchor in self._anchors)

    def finds_in(self, data: bytes) -> bool:
        """Whether a secret stands in the data."""
        return self._may_stand_in(data) and any(
            form.anchor.encode() in data and form.stored.search(data) for form in self._forms
        )

    def blank(self, data: bytes) -> bytes:
        """The data with stars in the place of secrets, as many as there were bytes, so that its form stays whole."""
        if not self._may_stand_in(data):
            return data
        for form in self._forms:
            if form.anchor.encode() in data:
                data = form.stored.sub(_as_many_stars, data)
        return data

    def cover(self, text: str, *, is_cut: bool = False) -> str:
        """The text with stars in the place of secrets, and of what is left of one where the text was cut.

        `is_cut`: it goes on where it ends.
        """
        if not self._forms:
            return text
        if self._may_stand_in_text(text):
            for form in self._forms:
                if form.anchor in text:
                    text = form.cover(text)
        for sign in _CUT_SIGNS:
            if sign in text:
                first, *others = text.split(sign)
                pieces = [first, *(self._cover_begin(each) for each in others)]
                text = sign.join([*map(self._cover_end, pieces[:-1]), pieces[-1]])
        return self._cover_end(text) if is_cut else text

    def _may_stand_in(self, data: bytes) -> bool:
        if len(self._byte_anchors) > (_FEW if len(data) < _LARGE else _MANY):
            return self._any_byte_anchor.search(data) is not None
        for anchor in self._byte_anchors:  # noqa: SIM110 - the hottest loop: half as fast as a generator
            if anchor in data:
                return True
        return False

    def _may_stand_in_text(self, text: str) -> bool:
        if len(self._anchors) > (_FEW if len(text) < _LARGE else _MANY):
            return self._any_anchor.search(text) is not None
        for anchor in self._anchors:  # noqa: SIM110 - as above
            if anchor in text:
                return True
        return False

    @cached_property
    def _any_anchor(self) -> re.Pattern[str]:
        return re.compile(_one_of(self._anchors))

    @cached_property
    def _any_byte_anchor(self) -> re.Pattern[bytes]:
        return re.compile(_one_of(self._anchors).encode())

    def _cover_end(self, text: str) -> str:
        """The text without the beginning of a secret at its end, where it was cut."""
        core = _without_end(text)
        near = core[-self._window :]
        for form in [each for anchor, each in self._heads if anchor in near]:
            start = form.find_begun(core)
            if start is not None:
                return core[:start] + MASK + text[len(core) :]
        return text

    def _cover_begin(self, text: str) -> str:
        """The text without the end of a secret at its beginning, where it was cut."""
        core = _without_begin(text)
        near = core[: self._window]
        for form in [each for anchor, each in self._tails if anchor in near]:
            end = form.find_ended(core)
            if end is not None:
                return text[: len(text) - len(core)] + MASK + core[end:]
        return text


@lru_cache(maxsize=256)
def mask_of(secrets: frozenset[str]) -> Mask:
    """The mask of these secrets; kept, for it takes about a millisecond for each to make."""
    return Mask(secrets)


def _as_many_stars(match: re.Match[bytes]) -> bytes:
    return b"*" * len(match[0])


def _one_of(words: Sequence[str]) -> str:
    """A pattern of these words of letters and digits. What they begin with alike is looked at once."""
    tree: dict[str, Any] = {}  # Any: such a tree again
    for word in words:
        branch = tree
        for letter in word:
            branch = branch.setdefault(letter, {})
        branch[""] = {}
    return _pattern_of(tree)


def _pattern_of(tree: dict[str, Any]) -> str:
    if "" in tree:
        return ""  # a word ends: others that go on from here need not be told apart
    return (
        "(?:" + "|".join(letter + _pattern_of(rest) for letter, rest in sorted(tree.items())) + ")"
    )


def _without_end(text: str) -> str:
    """The text without blanks at its end, also such as JSON writes."""
    core = text.rstrip()
    for letter in ("n", "r"):
        without = core.removesuffix(letter)
        if len(without) < len(core) and without.endswith("\\"):
            core = without.rstrip("\\").rstrip()
    return core


def _without_begin(text: str) -> str:
    core = text.lstrip()
    without = core.lstrip("\\")
    if len(without) < len(core) and without.startswith(("n", "r")):
        core = without[1:].lstrip()
    return core


NO_MASK: Final = Mask()
