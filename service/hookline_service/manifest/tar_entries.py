"""A look at a tar before `tarfile` reads it: that it is whole, and holds nothing that costs time out of proportion.

`tarfile` ends quietly at a header that it cannot read, as if the archive ended there, and takes time in the square of the
length of a number in an extended header (CVE-2024-6232), with the interpreter held. What passes here has neither.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

BLOCK: Final = 512
MAX_EXTENDED_BYTES: Final = 64 * 1024
"""How large an extended header may be; one that `tar` writes for a long name has a few hundred bytes."""
MAX_DIGITS: Final = 64

_EMPTY_BLOCK: Final = bytes(BLOCK)
_CHECKSUM: Final = slice(148, 156)
_SIZE: Final = slice(124, 136)
_NAME: Final = slice(0, 100)
_KIND: Final = slice(156, 157)
_REGULAR: Final = frozenset({b"0", b"\0", b"7"})
_DIRECTORY: Final = b"5"
_PAX: Final = frozenset({b"x", b"X", b"g"})
_GLOBAL: Final = b"g"
_GNU_NAMES: Final = frozenset({b"L", b"K"})
_BASE_256: Final = 0x80
_NEGATIVE: Final = 0xFF
_SPACES: Final = 8 * 0x20  # for its own sum a header counts as having spaces in that field
_LONGEST_LENGTH: Final = 8
_MANY_DIGITS: Final = re.compile(rb"\d{%d}" % (MAX_DIGITS + 1))


class TarUnreadableError(ValueError):
    """The archive is refused; the text says why, as the end of a sentence."""


class _Header(NamedTuple):
    kind: bytes
    name: str
    size: int
    content: int  # where it begins

    @property
    def end(self) -> int:
        return self.content + -(-self.size // BLOCK) * BLOCK


def count_entries(archive: bytes, *, most: int) -> int:
    """How many files and directories the tar holds, read to its very end.

    Raises:
        TarUnreadableError: it is damaged, cut short, has more than `most` entries, or holds something else than
            files and directories.
    """
    count = headers = 0
    for header in _headers(archive):
        headers += 1
        if headers > 3 * most:  # each entry may have two headers before its own
            raise TarUnreadableError(f"it has more than {most:,} entries")
        if header.kind in _PAX or header.kind in _GNU_NAMES:
            _check_extended(archive, header)
            continue
        count += 1
        if header.kind not in _REGULAR and header.kind != _DIRECTORY:
            raise TarUnreadableError(f"{header.name!r} is not a regular file")
        if header.kind == _DIRECTORY and header.size:
            raise TarUnreadableError(f"the directory {header.name!r} has a size")
    if count > most:
        raise TarUnreadableError(f"it has more than {most:,} entries")
    return count


def _headers(archive: bytes) -> Iterator[_Header]:
    offset = 0
    while offset < len(archive):
        block = archive[offset : offset + BLOCK]
        if block == _EMPTY_BLOCK:
            if archive.count(0, offset) != len(archive) - offset:
                raise TarUnreadableError("something follows its end")
            return
        header = _read_header(block, offset)
        if header.content + header.size > len(archive):
            raise TarUnreadableError(f"it is cut short in {header.name!r}")
        yield header
        offset = header.end


def _read_header(block: bytes, offset: int) -> _Header:
    if len(block) < BLOCK:
        raise TarUnreadableError("it is cut short")
    name = block[_NAME].partition(b"\0")[0].decode("utf-8", "replace")
    stored = _number(block[_CHECKSUM])
    if stored != sum(block) - sum(block[_CHECKSUM]) + _SPACES:
        where = (
            f"the header at byte {offset:,}" if offset else "it is not a tar archive: its header"
        )
        raise TarUnreadableError(f"{where} is damaged")
    size = _number(block[_SIZE])
    if size is None:
        raise TarUnreadableError(f"the size of {name!r} cannot be read")
    return _Header(block[_KIND], name, size, offset + BLOCK)


def _number(field: bytes) -> int | None:
    """A number of a header, in octal digits or, when it is large, in bytes; None if it is neither."""
    if field[0] == _BASE_256:
        return int.from_bytes(field[1:], "big")
    digits = field.partition(b"\0")[0].strip(b" ")
    if field[0] == _NEGATIVE or digits.strip(b"01234567"):
        return None
    return int(digits or b"0", 8)


def _check_extended(archive: bytes, header: _Header) -> None:
    if header.size > MAX_EXTENDED_BYTES:
        raise TarUnreadableError(f"an extended header has more than {MAX_EXTENDED_BYTES:,} bytes")
    if header.kind in _PAX:
        _check_records(archive[header.content : header.content + header.size], header.kind)


def _check_records(records: bytes, kind: bytes) -> None:
    r"""Refuse what is no sequence of `LENGTH KEY=VALUE\n`, and keys by which sizes here and in `tarfile` would differ."""
    if _MANY_DIGITS.search(records):
        raise TarUnreadableError(f"an extended header has a number of over {MAX_DIGITS} digits")
    at = 0
    while at < len(records):
        digits, space, _ = records[at : at + _LONGEST_LENGTH].partition(b" ")
        end = at + int(digits) if space and digits.isdigit() else at
        record = records[at + len(digits) + 1 : end]
        key, equals, _ = record.partition(b"=")
        if not key or not equals or not record.endswith(b"\n") or end > len(records):
            raise TarUnreadableError("an extended header is damaged")
        if key == b"size" or (kind == _GLOBAL and key in {b"path", b"linkpath"}):
            raise TarUnreadableError(f"an extended header sets {key.decode()!r}")
        if key.startswith(b"GNU.sparse."):
            raise TarUnreadableError("it holds a sparse file")
        at = end
