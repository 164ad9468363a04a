"""The media type of a body by its first bytes, as the WHATWG MIME Sniffing Standard says."""

from __future__ import annotations

from typing import Final

_LOOKED_AT_BYTES: Final = 512
_SPACE: Final = b"\t\n\x0c\r "
_BINARY: Final = frozenset({*range(9), 0x0B, *range(0x0E, 0x1B), *range(0x1C, 0x20)})

_HTML: Final = tuple(
    b"<" + tag
    for tag in (
        b"!DOCTYPE HTML",
        *(b"HTML", b"HEAD", b"SCRIPT", b"IFRAME", b"H1", b"DIV", b"FONT", b"TABLE", b"A"),
        *(b"STYLE", b"TITLE", b"B", b"BODY", b"BR", b"P", b"!--"),
    )
)
_PREFIXES: Final = (
    (b"%PDF-", "application/pdf"),
    (b"%!PS-Adobe-", "application/postscript"),
    (b"\xef\xbb\xbf", "text/plain; charset=utf-8"),
    (b"\x00\x00\x01\x00", "image/x-icon"),
    (b"\x00\x00\x02\x00", "image/x-icon"),
    (b"BM", "image/bmp"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"ID3", "audio/mpeg"),
    (b"OggS\x00", "application/ogg"),
    (b"MThd\x00\x00\x00\x06", "audio/midi"),
    (b"\x1a\x45\xdf\xa3", "video/webm"),
    (b"\x00" * 34 + b"LP", "application/vnd.ms-fontobject"),
    (b"\x00\x01\x00\x00", "font/ttf"),
    (b"OTTO", "font/otf"),
    (b"ttcf", "font/collection"),
    (b"wOFF", "font/woff"),
    (b"wOF2", "font/woff2"),
    (b"\x1f\x8b\x08", "application/x-gzip"),
    (b"PK\x03\x04", "application/zip"),
    (b"Rar!\x1a\x07\x00", "application/x-rar-compressed"),
    (b"Rar!\x1a\x07\x01\x00", "application/x-rar-compressed"),
    (b"\x00asm", "application/wasm"),
)
_BOMS: Final = (
    (b"\xfe\xff", "text/plain; charset=utf-16be"),
    (b"\xff\xfe", "text/plain; charset=utf-16le"),
)
_CONTAINERS: Final = (
    (b"RIFF", b"WEBPVP", "image/webp"),
    (b"RIFF", b"AVI ", "video/avi"),
    (b"RIFF", b"WAVE", "audio/wave"),
    (b"FORM", b"AIFF", "audio/aiff"),
)
_MIN_BOM_BYTES: Final = 4
_MIN_MP4_BYTES: Final = 12


def sniff(body: bytes) -> str:
    """The media type of what begins so; `application/octet-stream` when nothing is known of it."""
    head = body[:_LOOKED_AT_BYTES]
    text = head.lstrip(_SPACE)
    if _is_html(text):
        return "text/html; charset=utf-8"
    if text.startswith(b"<?xml"):
        return "text/xml; charset=utf-8"
    known = _signature(head)
    if known:
        return known
    if _BINARY.isdisjoint(text):
        return "text/plain; charset=utf-8"
    return "application/octet-stream"


def _is_html(text: bytes) -> bool:
    upper = text.upper()
    for tag in _HTML:
        if upper.startswith(tag) and text[len(tag) : len(tag) + 1] in {b" ", b">"}:
            return True
    return False


def _signature(head: bytes) -> str:
    for prefix, media_type in _BOMS:
        if head.startswith(prefix) and len(head) >= _MIN_BOM_BYTES:
            return media_type
    for prefix, media_type in _PREFIXES:
        if head.startswith(prefix):
            return media_type
    for outer, inner, media_type in _CONTAINERS:
        if head.startswith(outer) and head[8:].startswith(inner):
            return media_type
    return "video/mp4" if _is_mp4(head) else ""


def _is_mp4(head: bytes) -> bool:
    """Whether the first box is of type `ftyp` and names a brand that begins with `mp4`."""
    if len(head) < _MIN_MP4_BYTES or head[4:8] != b"ftyp":
        return False
    size = int.from_bytes(head[:4], "big")
    if size > len(head) or size % 4:
        return False
    places = [8, *range(16, size, 4)]  # between the first brand and the others stands its version
    return any(head[at : at + 3] == b"mp4" for at in places)
