"""In which characters a body is written: as its `Content-Type` says, else UTF-8."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

UTF_8: Final = "utf-8"
_CHARSET: Final = re.compile(
    r""";\s*charset\s*=\s*["']?([A-Za-z0-9_.:+\-]{1,40})["']?""", re.IGNORECASE
)
# Python knows encodings too that are no charsets, and some that take long to read.
_CODECS: Final = re.compile(
    r"utf-(16|32)(-[bl]e)?|iso8859-\d+|cp\d+|koi8-\w|mac-\w+|shift_jis\w*|euc_\w+|iso2022_\w+|gb\w+|hz|big5\w*"
    r"|johab|tis-620|kz1048|ptcp154|hp-roman8"
)
_OTHER_NAMES: Final = {"x-sjis": "cp932", "x-gbk": "gbk", "x-euc-jp": "euc_jp"}
_WIDE: Final = ("utf-16", "utf-32")
_TEXTUAL: Final = re.compile(
    r"\s*(text/|application/(json|xml|x-www-form-urlencoded)|[^;]*\+(json|xml))", re.IGNORECASE
)
_LONGEST: Final = 1000
_MARK: Final = "\ufeff"


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A body read as text.

    Attributes:
        exact: The text without its byte order mark; None when some of its bytes are none in this charset.
        readable: The same with U+FFFD for what is none.
        codec: Python's name of the charset.
    """

    exact: str | None
    readable: str
    codec: str

    @property
    def is_wide(self) -> bool:
        """Whether a character of ASCII takes more than one byte in this charset."""
        return self.codec.startswith(_WIDE)


def read_text(body: bytes, content_type: str) -> Text:
    """The body as text; never raises.

    A UTF-8 mark before it wins; then comes the declared charset, if it is known; then UTF-8, or UTF-16 where its
    mark stands before something that is text by its type.
    """
    codec = _declared(content_type[:_LONGEST]) if "charset" in content_type.lower() else None
    if body.startswith(codecs.BOM_UTF8):
        codec = UTF_8
    elif codec is None:
        has_mark = body.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        codec = "utf-16" if has_mark and _TEXTUAL.match(content_type) else UTF_8
    try:
        exact = body.decode(codec).removeprefix(_MARK)
    except UnicodeError:
        readable = body.decode(codec, "replace").removeprefix(_MARK)
        return Text(exact=None, readable=readable, codec=codec)
    return Text(exact=exact, readable=exact, codec=codec)


def without_charset(content_type: str) -> str:
    """The content type without the charset that it names, which is read as UTF-8.

    Example:
        >>> without_charset('text/plain; charset="iso-8859-1"; format=flowed')
        'text/plain; format=flowed'
    """
    return _CHARSET.sub("", content_type)


@lru_cache(maxsize=256)
def _declared(content_type: str) -> str | None:
    """Python's name of the charset in a content type; None when there is none, or nobody knows it."""
    found = _CHARSET.search(content_type)
    if found is None:
        return None
    label = found[1].lower()
    try:
        name = codecs.lookup(_OTHER_NAMES.get(label, label)).name
    except (LookupError, ValueError):
        return None
    return name if _CODECS.fullmatch(name) else UTF_8 if name in ("utf-8-sig", "ascii") else None
