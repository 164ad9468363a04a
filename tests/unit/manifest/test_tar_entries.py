"""Tars that are damaged, cut short or made to cost time: none is read in part, and none takes long."""

from __future__ import annotations

import io
import tarfile

import pytest
from hypothesis import given, strategies as st

from hookline_service.manifest.files import ArchiveInvalidError, unpack
from hookline_service.manifest.tar_entries import (
    BLOCK,
    MAX_EXTENDED_BYTES,
    TarUnreadableError,
    count_entries,
)

FILES = {"a.py": b"x = 1\n", "b/c.txt": b"y" * 700, "d.py": b""}


def _tar(tar_format: int = tarfile.PAX_FORMAT, names: tuple[str, ...] = tuple(FILES)) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tar_format) as archive:
        for name in names:
            content = FILES.get(name, b"z")
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def _header(kind: bytes, content: bytes, **fields: bytes) -> bytes:
    """One header with what follows it, its sum made right again after these fields were put in."""
    member = tarfile.TarInfo("x.py")
    member.size = len(content)
    member.type = kind
    block = bytearray(member.tobuf(tarfile.USTAR_FORMAT))
    places = {"size": 124, "mode": 100, "mtime": 136, "name": 0}
    for name, value in fields.items():
        block[places[name] : places[name] + len(value)] = value
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block) + content + bytes(-len(content) % BLOCK)


def _pax(*records: bytes, kind: bytes = b"x") -> bytes:
    return _header(kind, b"".join(records)) + _header(b"0", b"x = 1\n") + bytes(2 * BLOCK)


def _record(key: bytes, value: bytes) -> bytes:
    rest = b" " + key + b"=" + value + b"\n"
    length = len(rest) + len(str(len(rest)))
    length += len(str(length)) - len(str(len(rest)))
    return str(length).encode() + rest


@pytest.mark.parametrize(
    "tar_format", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT]
)
def test_a_tar_of_every_format_is_read(tar_format):
    names = ("a.py", "é/b.py", "/".join(["long"] * 25) + "/c.py")

    assert count_entries(_tar(tar_format, names), most=10) == len(names)
    assert set(unpack(_tar(tar_format, names))) == set(names)


def test_what_other_tars_write_besides_is_read():
    records = [_record(b"mtime", b"1700000000.123456789"), _record(b"SCHILY.xattr.user.x", b"\xff")]

    assert unpack(_pax(*records)) == {"x.py": b"x = 1\n"}
    assert unpack(_pax(_record(b"comment", b"0" * 40), kind=b"g")) == {"x.py": b"x = 1\n"}


@pytest.mark.parametrize(
    ("archive", "problem"),
    [
        (b"hello", "cut short"),
        (b"x" * BLOCK, "not a tar archive"),
        (_tar()[:1600], "cut short in 'b/c.txt'"),
        (_header(b"0", b"a", size=b"0000000garb\0") + bytes(1024), "size of 'x.py'"),
        (_header(b"0", b"a", size=b"\xff" * 12) + bytes(1024), "size of 'x.py'"),
        (_header(b"0", b"a", size=b"\x80" + b"\xff" * 11) + bytes(1024), "cut short"),
        (_header(b"0", b"a") + _header(b"0", b"a", mode=b"xyz") + bytes(1024), "damaged"),
        (_header(b"0", b"a") + _header(b"0", b"a", mtime=b"\x01") + bytes(1024), "damaged"),
        (_header(b"0", b"a") + b"\1" * BLOCK, "header at byte 1,024 is damaged"),
        (_header(b"0", b"a") + bytes(1024) + _header(b"0", b"a"), "something follows its end"),
        (_header(b"5", b"a" * 512) + bytes(1024), "has a size"),
        (_header(b"1", b"") + bytes(1024), "not a regular file"),
        (_header(b"S", b"") + bytes(1024), "not a regular file"),
        (_pax(_record(b"comment", b"1" * 50_000)), "number of over 64 digits"),
        (_pax(b"9" * 50_000), "number of over 64 digits"),
        (_pax(_record(b"size", b"1")), "sets 'size'"),
        (_pax(_record(b"path", b"y.py"), kind=b"g"), "sets 'path'"),
        (_pax(_record(b"GNU.sparse.major", b"1")), "sparse"),
        (_pax(b"5 a=b\n"), "extended header is damaged"),
        (_pax(b"99 a=b\n"), "extended header is damaged"),
        (_pax(b"-1 a=b\n"), "extended header is damaged"),
        (_pax(_record(b"a", b"x" * MAX_EXTENDED_BYTES)), "more than 65,536 bytes"),
        (b"".join([_header(b"5", b"")] * 50_000) + bytes(1024), "more than 20,000 entries"),
        (b"".join([_header(b"x", b"")] * 100_000) + bytes(1024), "more than 20,000 entries"),
    ],
)
def test_a_tar_that_is_not_whole_is_refused_with_the_reason(archive: bytes, problem: str):
    with pytest.raises(ArchiveInvalidError, match=problem):
        unpack(archive)


def test_a_tar_may_end_without_empty_blocks():
    assert count_entries(_header(b"0", b"abc"), most=1) == 1


@given(at=st.integers(0, len(_tar()) - 1), bit=st.integers(0, 7))
def test_a_damaged_tar_is_never_read_in_part(at: int, bit: int):
    archive = bytearray(_tar())
    archive[at] ^= 1 << bit

    try:
        found = unpack(bytes(archive))
    except ArchiveInvalidError:
        return

    assert found.keys() == FILES.keys()


@given(st.binary(max_size=2000))
def test_any_bytes_are_read_or_refused(junk: bytes):
    try:
        count_entries(junk, most=10)
    except TarUnreadableError:
        assert junk
