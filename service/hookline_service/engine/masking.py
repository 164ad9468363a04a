"""Keeps the secrets of a project out of everything that its sessions show to people."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from urllib.parse import quote

from hookline_service.model.secret import MASK, SHORTEST_COVERED

_CUT_SIGNS = ("…", "\\u2026")  # what follows a text that was cut short, also in JSON


class Mask:
    """Covers secret values in texts, also as JSON, Python and URLs write them, and each line of a longer one.

    It is no protection against code that means to tell: any change of form gets past it.
    """

    __slots__ = ("_bytes", "_forms")

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        forms = {form for secret in secrets for form in _forms_of(secret)}
        self._forms = tuple(sorted(forms, key=len, reverse=True))
        self._bytes = tuple(form.encode("utf-8", "surrogatepass") for form in self._forms)

    def finds_in(self, data: bytes) -> bool:
        """Whether a secret stands in the data."""
        return any(form in data for form in self._bytes)

    def blank(self, data: bytes) -> bytes:
        """The data with stars in the place of secrets, as many as there were bytes, so that its form stays whole."""
        for form in self._bytes:
            data = data.replace(form, b"*" * len(form))
        return data

    def cover(self, text: str) -> str:
        """The text with stars in the place of secrets."""
        for form in self._forms:
            if form in text:
                text = text.replace(form, MASK)
        for sign in _CUT_SIGNS:
            if self._forms and sign in text:
                text = sign.join(map(self._cover_end, text.split(sign)))
        return text

    def _cover_end(self, text: str) -> str:
        """The text without the beginning of a secret at its end, where it was cut."""
        for form in self._forms:
            for size in range(min(len(form) - 1, len(text)), SHORTEST_COVERED - 1, -1):
                if text.endswith(form[:size]):
                    return text[:-size] + MASK
        return text


def _forms_of(secret: str) -> Iterator[str]:
    for part in {secret, *secret.splitlines()}:
        if len(part.strip()) < SHORTEST_COVERED:
            continue
        written = repr(part)[1:-1]
        for form in {part, written, quote(part, safe=""), quote(part)}:
            yield form
            yield json.dumps(form)[1:-1]
            yield json.dumps(form, ensure_ascii=False)[1:-1]


NO_MASK = Mask()
