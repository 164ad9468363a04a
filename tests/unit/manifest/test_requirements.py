from __future__ import annotations

import pytest
from hypothesis import given, settings, strategies as st

from hookline_service.manifest.requirements import read_requirements
from hookline_service.manifest.values import Manifest, Position

HASH = "sha256:" + "0" * 64


def read(text: str | bytes, **others: str):
    files = {"requirements.txt": text.encode() if isinstance(text, str) else text}
    files |= {name.replace("_", ".", 1): one.encode() for name, one in others.items()}
    return read_requirements(Manifest(project="p"), files)


def test_ordinary_requirements_are_taken_without_comments():
    found = read(
        f"""\
# first
requests>=2.31,<3   # why
rich[all] ; python_version >= "3.11"

--index-url https://example.com/simple
pinned==1.0 \\
    --hash={HASH} \\
    --hash={HASH}
thing @ https://example.com/thing-1.0.whl
git+https://example.com/x.git@main
--only-binary :all:
--pre
"""
    )

    assert found.findings == ()
    assert found.names == ("requests", "rich", "pinned", "thing")
    assert [" ".join(line.split()) for line in found.text.splitlines()] == [
        "requests>=2.31,<3",
        'rich[all] ; python_version >= "3.11"',
        "--index-url https://example.com/simple",
        f"pinned==1.0 --hash={HASH} --hash={HASH}",
        "thing @ https://example.com/thing-1.0.whl",
        "git+https://example.com/x.git@main",
        "--only-binary :all:",
        "--pre",
    ]


@pytest.mark.parametrize(
    ("line", "message", "hint"),
    [
        ("requests=2.31", "'requests=2.31' is not a requirement", "write == for an exact version"),
        (
            "requests flask",
            "'requests flask' is not a requirement",
            "write one requirement to a line",
        ),
        ("requests>=", "'requests>=' is not a requirement", "write a name and versions"),
        ("-e .", "an editable install is not possible", "put the package's files"),
        ("--editable ./x", "an editable install is not possible", "put the package's files"),
        ("./local", "'./local' is a file", "name a released version"),
        ("x.whl", "'x.whl' is a file", "name a released version"),
        ("a @ file:///x", "'a @ file:///x' is a file", "name a released version"),
        ("-c pins.txt", "a constraints file is not supported", "write the versions"),
        ("-r other.txt", "the project has no file 'other.txt'", "paths count from"),
        ("--index-url", "`--index-url` needs a value", ""),
        ("--pre x", "`--pre` takes no value", ""),
        ("--user", "unknown option '--user'", "known options: "),
        ("a --hash=md5:1", "'md5:1' is not the hash of a package", "such as --hash=sha256:"),
    ],
)
def test_a_bad_line_is_found_with_its_cure(line, message, hint):
    found = read(f"good\n  {line}\n")

    assert len(found.findings) == 1
    finding = found.findings[0]
    assert finding.message.startswith(message)
    assert finding.hint.startswith(hint)
    assert (finding.file, finding.line, finding.column) == ("requirements.txt", 2, 3)
    assert finding.source == f"  {line}"


def test_a_password_in_a_url_is_not_shown():
    found = read("https://me:hunter2@example.com/x y\n")

    assert found.findings
    assert "hunter2" not in repr(found.findings)


def test_an_included_file_is_put_in_place():
    found = read("a\n-r base.txt\nb\n", base_txt="c\n# x\n-r base.txt\n")

    assert found.text == "a\nc\nb\n"
    assert [(one.file, one.line, one.message) for one in found.findings] == [
        ("base.txt", 3, "'base.txt' includes itself")
    ]


def test_many_files_that_include_each_other_take_no_time():
    many = "-r a.txt\n-r b.txt\n" * 500

    found = read(many, a_txt="-r b.txt\n" * 500, b_txt="x\n")

    assert found.text == "x\n"


def test_a_list_in_the_manifest_is_taken():
    manifest = Manifest(
        project="p",
        requirements=("a>=1", "b=2", "-r x.txt"),
        positions={"project.requirements.1": Position(line=3, column=5)},
    )

    found = read_requirements(manifest, {"requirements.txt": b"c"})

    assert found.text == "a>=1\n"
    assert [(one.file, one.line, one.column) for one in found.findings] == [
        ("hookline.yaml", 0, 0),
        ("hookline.yaml", 3, 5),
    ]


def test_a_named_file_must_be_there():
    found = read_requirements(Manifest(project="p", requirements="deps.txt"), {})

    assert [one.message for one in found.findings] == [
        "`requirements`: the project has no file 'deps.txt'"
    ]


def test_no_file_is_no_requirements():
    assert read_requirements(Manifest(project="p"), {}).text == ""


def test_a_file_that_is_not_text_is_refused():
    assert [one.message for one in read(b"\xff\xfea").findings] == ["the file is not UTF-8"]


@given(st.one_of(st.binary(max_size=80), st.text("ab-=<>!~@;:/.#\\ \n()[]'\"", max_size=60)))
@settings(max_examples=200, deadline=None)
def test_any_file_gives_text_or_findings(content):
    found = read(content)

    assert isinstance(found.text, str)


@pytest.mark.parametrize(
    "line",
    [
        "a;" + "(" * 3900,
        "a" * 7000,
        "a[" * 3000,
        "a;" + "python_version<'3' and " * 300,
        " " * 7000 + "#",
        "-" * 7000,
    ],
)
def test_a_hostile_line_takes_no_time(line):
    assert isinstance(read(line).findings, tuple)


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("tenacity=8.2.3", "write == for an exact version, as in tenacity==8.2.3"),
        ("tenacity=>8", "write >=, as in tenacity>=8"),
        ("tenacity=<9", "write <=, as in tenacity<=9"),
        ("tenacity> =8", "write >=, as in tenacity>=8"),
        ("tenacity~=8", "`~=` needs two parts, as in tenacity~=8.0"),
        ("tenacity@8.2", "write == for an exact version, as in tenacity==8.2"),
        ("tenacity @ v8.2.3", "write == for an exact version, as in tenacity==v8.2.3"),
        ("tenacity 8.2", "write == for an exact version, as in tenacity==8.2"),
        ("tenacity:8.2", "write == for an exact version, as in tenacity==8.2"),
        ("tenacity^8.2", "write tenacity>=8.2,<9"),
        ('tenacity = "^0.3.1"', "write tenacity>=0.3.1,<0.4"),
        ("tenacity~8.2.1", "write tenacity>=8.2.1,<8.3"),
        ("tenacity>=8.*", "`*` goes with == and != alone; write tenacity>=8"),
        ("tenacity==*", "write tenacity alone for its newest version"),
        ("tenacity@latest", "write tenacity alone for its newest version"),
        ("tenacity>=8 <9", "write a comma between the versions, as in tenacity>=8,<9"),
        ("x == 1.0, y", "write one requirement to a line"),
        ("pip install tenacity", "write tenacity alone; the deploy installs it"),
        ("python -m pip install -U tenacity", "write tenacity alone; the deploy installs it"),
        ("uv add tenacity", "write tenacity alone; the deploy installs it"),
        ("import tenacity", "write tenacity alone, or as its package is called"),
        ("\u201ctenacity>=8\u201d", "write it without quotes and commas around: tenacity>=8"),
        ('"tenacity>=8",', "write it without quotes and commas around: tenacity>=8"),
        ("tenacity\u00a0>=8", "write plain spaces, as in tenacity >=8"),
        ("tenacity==${VERSION}", "write the value itself"),
        ("https://${TOKEN}@example.com/x.whl", "write the value itself"),
    ],
)
def test_a_requirement_of_real_life_is_refused_with_what_is_right(line: str, hint: str):
    found = read(f"good\n{line}\n")

    (finding,) = found.findings
    assert (finding.level, finding.line, finding.hint) == ("error", 2, hint)
    assert found.text == "good\n"


@pytest.mark.parametrize(
    "line", ["hookline", "hookline[dev]", "Hookline==0.1.0", "hookline @ git+https://example.com/h.git", "hookline>=1 # local"]
)  # fmt: skip
def test_hookline_itself_is_left_out_with_a_warning(line: str):
    found = read(f"a\n{line}\nb\n")

    assert found.text == "a\nb\n"
    assert found.names == ("a", "b")
    assert [(one.level, one.line) for one in found.findings] == [("warning", 2)]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig", "utf-8"])
def test_a_file_as_windows_writes_it_is_read(encoding: str):
    found = read("a>=1\r\n# ž\r\nb\r\n".encode(encoding))

    assert (found.text, found.findings) == ("a>=1\nb\n", ())


def test_an_encoding_that_cannot_be_told_is_refused_with_the_right_one():
    assert [one.hint for one in read("a\n".encode("utf-16-le")).findings] == ["save it as UTF-8"]
    assert [one.hint for one in read(b"a # \xe9\n").findings] == ["save it as UTF-8"]
