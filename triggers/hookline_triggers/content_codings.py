"""Bodies that were compressed on their way (`Content-Encoding`), as they were before, and never more of them than a limit."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any, Final, cast

import brotli

from hookline_triggers.errors import BodyUndecodableError, CodingUnknownError, DecodedTooLargeError

READABLE: Final = ("gzip", "deflate", "br")
"""The codings that are read, beside `identity`."""
MOST_DECODED_BYTES: Final = 64 * 1024 * 1024
"""No body is read that is larger than this, whatever the settings say."""

_MOST_CODINGS: Final = 4
_MOST_MEMBERS: Final = 1000
_PIECE_BYTES: Final = 64 * 1024
_GZIP: Final = 16 + zlib.MAX_WBITS
_RAW: Final = -zlib.MAX_WBITS
_SHOWN: Final = 60


def decoded(body: bytes, codings: str, limit_bytes: int = MOST_DECODED_BYTES) -> bytes:
    """The body as it was before the codings of this `Content-Encoding` were applied to it, one after the other.

    At no time is more than `limit_bytes` and a piece of 64 KiB held beside the body. An empty body stays empty.

    Raises:
        CodingUnknownError: one of the codings is not read.
        BodyUndecodableError: the body is not what its codings say, or is cut off, or there are more than four of them.
        DecodedTooLargeError: it would be larger than `limit_bytes`.
    """
    if not codings or not body:
        return body
    names = [name.strip().lower() for name in codings.split(",")]
    names = [name for name in names if name not in ("", "identity")]
    for name in names:
        if name not in _DECODERS:
            raise CodingUnknownError(name[:_SHOWN], READABLE)
    if len(names) > _MOST_CODINGS:
        raise BodyUndecodableError(f"it names {len(names)} codings, and {_MOST_CODINGS} are read")
    for name in reversed(names):
        body = _DECODERS[name](body, limit_bytes)
    return body


class _Output:
    """What has come out so far."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._pieces: list[bytes] = []
        self._size_bytes = 0

    def add(self, piece: bytes) -> None:
        self._size_bytes += len(piece)
        if self._size_bytes > self._limit_bytes:
            raise DecodedTooLargeError(self._limit_bytes)
        self._pieces.append(piece)

    def joined(self) -> bytes:
        return b"".join(self._pieces)


def _gunzipped(body: bytes, limit_bytes: int) -> bytes:
    """All members of the stream, one behind the other; zeros may follow."""
    output, at = _Output(limit_bytes), 0
    for _ in range(_MOST_MEMBERS):
        at = _inflate(body, at, _GZIP, "gzip", output)
        if body[at : at + 1] == b"\0":
            at = len(body) - len(body[at:].lstrip(b"\0"))
        if at == len(body):
            return output.joined()
    raise BodyUndecodableError(f"its gzip has more than {_MOST_MEMBERS} members")


def _inflated(body: bytes, limit_bytes: int) -> bytes:
    """What HTTP calls deflate is zlib's format; some send the stream without its header."""
    try:
        return _whole(body, zlib.MAX_WBITS, limit_bytes)
    except BodyUndecodableError:
        return _whole(body, _RAW, limit_bytes)


def _whole(body: bytes, bits: int, limit_bytes: int) -> bytes:
    output = _Output(limit_bytes)
    if _inflate(body, 0, bits, "deflate", output) != len(body):
        raise BodyUndecodableError("something follows the end of its deflate")
    return output.joined()


def _inflate(body: bytes, at: int, bits: int, name: str, output: _Output) -> int:
    """Add what one stream holds that begins at this place; where it ends."""
    stream = zlib.decompressobj(bits)
    while not stream.eof:
        piece = stream.unconsumed_tail
        if not piece:
            piece = body[at : at + _PIECE_BYTES]
            at += len(piece)
        try:
            made = stream.decompress(piece, _PIECE_BYTES)
        except zlib.error as exc:
            raise BodyUndecodableError(f"it is not {name}") from exc
        if not made and not piece:
            raise BodyUndecodableError(f"its {name} is cut off")
        output.add(made)
    return at - len(stream.unused_data)


def _unbrotlied(body: bytes, limit_bytes: int) -> bytes:
    output = _Output(limit_bytes)
    library: Any = brotli  # Any: it has no types
    stream = library.Decompressor()
    try:
        output.add(cast("bytes", stream.process(body, output_buffer_limit=_PIECE_BYTES)))
        while not stream.can_accept_more_data():
            output.add(cast("bytes", stream.process(b"", output_buffer_limit=_PIECE_BYTES)))
    except library.error as exc:
        raise BodyUndecodableError("it is not br") from exc
    if not stream.is_finished():
        raise BodyUndecodableError("its br is cut off")
    return output.joined()


_DECODERS: Final[dict[str, Callable[[bytes, int], bytes]]] = {
    "gzip": _gunzipped,
    "x-gzip": _gunzipped,
    "deflate": _inflated,
    "br": _unbrotlied,
}
