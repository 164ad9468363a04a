from __future__ import annotations

import io
import tarfile

import pytest
from hypothesis import given, settings, strategies as st

from hookline_service.manifest.files import (
    ArchiveInvalidError,
    check_sizes,
    digest,
    find_manifest,
    pack,
    select_files,
    unpack,
)
from hookline_service.manifest.ignore_rules import IgnorePatterns

NAMES = st.text(st.characters(codec="utf-8", categories=("L", "N")), min_size=1, max_size=120)
FILES = st.dictionaries(NAMES.map(lambda name: f"d/{name}.py"), st.binary(max_size=50), max_size=6)


def a_tar(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for member, content in members:
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def a_link(kind: bytes) -> tarfile.TarInfo:
    member = tarfile.TarInfo("x.py")
    member.type = kind
    member.linkname = "/etc/passwd"
    return member


def test_a_projects_files_are_those_that_matter():
    entries = [
        "main.py",
        "pkg/__init__.py",
        "pkg/_shared.py",
        "data/x.json",
        "requirements.txt",
        "conf/autokitteh.yaml",
        "hookline.yaml",
        "demo.ak.yaml",
        ".env",
        ".git/config",
        "pkg/__pycache__/a.pyc",
        "old.pyc",
        "main.py~",
        "node_modules/x/y.js",
        "venv/lib/z.py",
        "myenv/pyvenv.cfg",
        "myenv/lib/z.py",
    ]

    selection = select_files(entries)

    assert selection.files == (
        "conf/autokitteh.yaml",
        "data/x.json",
        "main.py",
        "pkg/__init__.py",
        "pkg/_shared.py",
        "requirements.txt",
    )
    assert selection.ignored == ()


def test_ignored_files_are_left_out_and_named():
    selection = select_files(["a.py", "a.log", "logs/b.log"], ["*.log"])

    assert selection.files == ("a.py",)
    assert selection.ignored == ("a.log", "logs/b.log")


@pytest.mark.parametrize(
    ("patterns", "path", "expected"),
    [
        (["*.log"], "a.log", True),
        (["*.log"], "x/y/a.log", True),
        (["*.log"], "a.logs", False),
        (["/a.log"], "x/a.log", False),
        (["/a.log"], "a.log", True),
        (["x/*.log"], "x/a.log", True),
        (["x/*.log"], "y/x/a.log", False),
        (["x/*.log"], "x/y/a.log", False),
        (["x/**/a.log"], "x/a.log", True),
        (["x/**/a.log"], "x/y/z/a.log", True),
        (["x/**"], "x/y/z", True),
        (["x/**"], "x", False),
        (["**/x"], "a/b/x", True),
        (["build/"], "build/a.py", True),
        (["build/"], "sub/build/a.py", True),
        (["build/"], "build", False),
        (["build"], "build/a/b", True),
        (["*.py", "!keep.py"], "keep.py", False),
        (["*.py", "!keep.py"], "drop.py", True),
        (["d/", "!d/keep.py"], "d/keep.py", True),
        (["[a-c]?.txt"], "b1.txt", True),
        (["[!a-c]?.txt"], "b1.txt", False),
        (["[a.txt"], "[a.txt", True),
        (["\\*.txt"], "*.txt", True),
        (["\\*.txt"], "a.txt", False),
        (["# comment", "", "  "], "comment", False),
        (["/"], "a", False),
        (["!"], "a", False),
    ],
)
def test_patterns_match_as_in_gitignore(patterns, path, expected):
    assert IgnorePatterns(patterns).leaves_out(path) is expected


@pytest.mark.parametrize(
    "pattern",
    ["*a" * 60, "**/" * 60 + "x", "*?" * 60 + "!", "a/**/" * 40 + "b", "[" * 200, "*" * 250 + "b"],
)
def test_a_hostile_pattern_takes_no_time(pattern):
    path = "/".join(["a" * 60] * 40)

    assert IgnorePatterns([pattern]).leaves_out(path) in {True, False}


@given(
    st.lists(st.text("ab/*?[]!-\\.#", max_size=12), max_size=4),
    st.text("ab/", min_size=1, max_size=12),
)
@settings(deadline=None)
def test_any_pattern_gives_an_answer(patterns, path):
    assert IgnorePatterns(patterns).leaves_out(path) in {True, False}


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["autokitteh.yaml", "hookline.yaml"], "hookline.yaml"),
        (["autokitteh.yaml", "a.ak.yaml"], "autokitteh.yaml"),
        (["b.ak.yaml", "a.ak.yaml"], "a.ak.yaml"),
        (["sub/hookline.yaml", "x.yaml"], None),
    ],
)
def test_the_manifest_is_found_among_the_files(names, expected):
    assert find_manifest(names) == expected


def test_a_project_over_the_limit_names_its_largest_files():
    findings = check_sizes({"big.bin": 9_000_000, "mid.bin": 2_000_000, "a.py": 10})

    assert [one.message for one in findings] == ["the project has 10.5 MB; the limit is 10.0 MB"]
    assert findings[0].hint.endswith(
        "the largest are big.bin (8.6 MB), mid.bin (1.9 MB), a.py (0.0 kB)"
    )


def test_too_many_files_are_refused():
    findings = check_sizes({f"f{number}": 1 for number in range(11)}, max_files=10)

    assert [one.code for one in findings] == ["project.too_many_files"]


@given(FILES)
@settings(max_examples=40, deadline=None)
def test_an_archive_gives_back_what_was_packed(files):
    archive = pack(files)

    assert unpack(archive) == files
    assert pack(dict(reversed(files.items()))) == archive


@pytest.mark.parametrize(
    "path",
    ["../x", "/x", "a/../b", "a//b", "./a", "a\\b", "a\nb", "C:/x", "", "x" * 300, "a\udc80"],
)
def test_a_path_that_leads_astray_is_not_packed(path):
    with pytest.raises(ArchiveInvalidError):
        pack({path: b""})


def test_a_file_below_a_file_is_not_packed():
    with pytest.raises(ArchiveInvalidError, match="lies below another file"):
        pack({"a": b"", "a/b": b""})


@pytest.mark.parametrize(
    ("archive", "problem"),
    [
        (b"", "not a tar"),
        (b"garbage" * 100, "not a tar"),
        (a_tar((a_link(tarfile.SYMTYPE), b"")), "not a regular file"),
        (a_tar((a_link(tarfile.LNKTYPE), b"")), "not a regular file"),
        (a_tar((a_link(tarfile.CHRTYPE), b"")), "not a regular file"),
        (a_tar((tarfile.TarInfo("../x"), b"")), "leads out of the project"),
        (a_tar((tarfile.TarInfo("/etc/x"), b"")), "leads out of the project"),
        (a_tar((tarfile.TarInfo("x"), b"1"), (tarfile.TarInfo("x"), b"2")), "in it twice"),
        (a_tar((tarfile.TarInfo("x"), b"1" * 2000))[:1024], "cut short"),
        (a_tar((tarfile.TarInfo("x"), b"1" * 20_000)), "larger"),
        (
            a_tar(*[(tarfile.TarInfo(f"{number}"), b"") for number in range(20)]),
            "more than 10 files",
        ),
    ],
)
def test_a_hostile_archive_is_refused(archive, problem):
    with pytest.raises(ArchiveInvalidError, match=problem):
        unpack(archive, max_bytes=10_000, max_files=10)


def test_a_chain_of_long_name_headers_is_refused():
    member = tarfile.TarInfo("x")
    member.type = tarfile.GNUTYPE_LONGNAME
    member.size = 5
    header = member.tobuf(tarfile.GNU_FORMAT) + b"abcde".ljust(512, b"\0")

    with pytest.raises(ArchiveInvalidError):
        unpack(header * 3000)


@given(st.binary(max_size=600), st.integers(0, 1500))
@settings(max_examples=150, deadline=None)
def test_a_damaged_archive_is_refused_or_read(noise, place):
    archive = bytearray(pack({"a.py": b"print(1)", "b/c.py": b"x" * 600}))
    archive[place : place + len(noise)] = noise

    try:
        files = unpack(bytes(archive))
    except ArchiveInvalidError:
        files = {}

    assert isinstance(files, dict)


def test_a_digest_depends_on_every_part():
    plain = digest(b"m", {"a": b"1", "b": b"2"}, "3.12", "x")
    others = [
        digest(b"n", {"a": b"1", "b": b"2"}, "3.12", "x"),
        digest(b"m", {"a": b"1b", "": b"2"}, "3.12", "x"),
        digest(b"m", {"a": b"1", "c": b"2"}, "3.12", "x"),
        digest(b"m", {"a": b"2", "b": b"1"}, "3.12", "x"),
        digest(b"m", {"a": b"1"}, "3.12", "x"),
        digest(b"m", {"a": b"1", "b": b"2"}, "3.1", "2x"),
    ]

    assert digest(b"m", {"b": b"2", "a": b"1"}, "3.12", "x") == plain
    assert plain not in others
    assert len(set(others)) == len(others)
