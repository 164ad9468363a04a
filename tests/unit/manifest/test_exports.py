from __future__ import annotations

import pytest

from hookline_runner.analysis import analyse
from hookline_service.manifest.check import CheckContext, check_project
from hookline_service.manifest.encoding import canonical_json, manifest_from_json
from hookline_service.manifest.parse import parse_manifest
from hookline_service.manifest.plan import PresentState, plan_release
from hookline_service.manifest.values import Manifest, ManifestExport

EVERYBODY = ManifestExport(call="main.py:ok")
BILLING = ManifestExport(call="main.py:ok", callers=("billing",))
FILES = {"main.py": b"def ok(event): ...\ndef two(a, b): ...\n", "lib/jobs.py": b"import nothing_like_this\ndef run(e): ...\n"}  # fmt: skip


def parsed(exports: str, file: str = "hookline.yaml"):
    return parse_manifest(f"version: v1\nproject:\n  name: p\n  exports:\n{exports}", file)


def found(exports: str, file: str = "hookline.yaml") -> list[str]:
    return [f"{one.line}:{one.column} {one.message}" for one in parsed(exports, file).findings]


def checked(exports: str) -> list[str]:
    result = parsed(exports)
    assert result.is_valid, result.findings
    around = CheckContext(modules=analyse(FILES), provided=())
    findings = check_project(result.manifest, FILES, around)
    return [f"{one.file}:{one.line}:{one.column} {one.level} {one.message}; {one.hint}" for one in findings]  # fmt: skip


@pytest.mark.parametrize("file", ["hookline.yaml", "autokitteh.yaml"])
@pytest.mark.parametrize(
    ("exports", "expected"),
    [
        ("    - main.py:ok", (EVERYBODY,)),
        ("    - call: main.py:ok", (EVERYBODY,)),
        ("    - {call: 'main.py:ok', from: [billing]}", (BILLING,)),
        (
            "    - main.py:ok\n    - call: ./lib/jobs.py:run\n      from: [a, b]",
            (EVERYBODY, ManifestExport(call="./lib/jobs.py:run", callers=("a", "b"))),
        ),
        ("    []", ()),
        ("", ()),
    ],
)
def test_exports_are_entry_points_or_maps(
    exports: str, expected: tuple[ManifestExport, ...], file: str
) -> None:
    result = parsed(exports, file)

    assert result.findings == ()
    assert result.manifest is not None
    assert result.manifest.exports == expected


@pytest.mark.parametrize(
    ("exports", "message"),
    [
        ("    main.py:ok", "5:5 `exports` must be a list, not a string"),
        ("    call: main.py:ok", "5:5 `exports` must be a list, not a map"),
        ("    - 7", "5:7 `exports` must be a string, not a whole number"),
        ("    - [main.py:ok]", "5:7 `exports` item 1 must be a string or a map, not a list"),
        ("    - form: [a]", "5:7 unknown key 'form' in an export"),
        ("    - from: [a]", "5:7 an export needs `call`, a string"),
        ("    - {call: 'main.py:ok', from: []}", "5:34 `from` names no project"),
        ("    - {call: 'main.py:ok', from: }", "5:33 `from` names no project"),
        ("    - {call: 'main.py:ok', from: a}", "5:34 `from` must be a list, not a string"),
        ("    - {call: 'main.py:ok', from: ['*']}", "5:35 `from` item 1 must be the name of a project: letters, digits and _, not beginning with a digit, not '*'"),
        ("    - main.py:ok\n    - call: ./main.py:ok", "6:7 `main.py:ok` is exported twice; the first is at line 5"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_an_export_is_told_and_exports_nothing(
    exports: str, message: str
) -> None:
    result = parsed(exports)

    assert message in found(exports)
    assert not result.is_valid
    assert result.manifest is not None
    assert len(result.manifest.exports) <= 1


@pytest.mark.parametrize(
    ("exports", "message"),
    [
        ("    - main.py", "5:7 error `exports` 'main.py': it names no function; write PATH.py:NAME, as in handlers.py:run"),
        ("    - mian.py:ok", "5:7 error the project has no file 'mian.py'; did you mean `main.py`?"),
        ("    - main.py:okay", "5:7 error `exports` names 'okay', which main.py does not have; did you mean `ok`?"),
        ("    - {call: 'main.py:okay', from: [a]}", "5:14 error `exports` names 'okay', which main.py does not have; did you mean `ok`?"),
        ("    - main.py:two", "5:7 error 'two' in main.py cannot be called with an event: it also requires b, and is called with the event alone; write `def two(event):` at line 2 of main.py"),
    ],
)  # fmt: skip
def test_an_export_of_what_cannot_be_started_is_an_error(exports: str, message: str) -> None:
    assert f"hookline.yaml:{message}" in checked(exports)


def test_the_file_of_an_export_is_one_in_which_sessions_begin() -> None:
    levels = [
        text.split()[1] for text in checked("    - lib/jobs.py:run") if "nothing_like" in text
    ]

    assert levels == ["error"]


def test_a_project_that_only_exports_is_not_told_that_nothing_starts_it() -> None:
    assert not any("no triggers" in text for text in checked("    - main.py:ok"))


@pytest.mark.parametrize("exports", [(), (EVERYBODY,), (BILLING, EVERYBODY)])
def test_a_build_keeps_its_exports(exports: tuple[ManifestExport, ...]) -> None:
    manifest = Manifest(project="p", exports=exports)

    text = canonical_json(manifest)

    assert manifest_from_json(text) == manifest
    assert (b"exports" in text) == bool(exports)


@pytest.mark.parametrize(
    ("former", "wanted", "lines"),
    [
        ((), (EVERYBODY,), ["create export main.py:ok: to every project"]),
        ((), (BILLING,), ["create export main.py:ok: to billing"]),
        ((EVERYBODY,), (ManifestExport(call="./main.py:ok"),), []),
        ((EVERYBODY,), (BILLING,), ["update export main.py:ok: to billing, no longer to every project"]),
        ((BILLING,), (), ["delete export main.py:ok: it is not in the manifest"]),
    ],
)  # fmt: skip
def test_a_plan_says_what_others_may_start_and_no_longer(
    former: tuple[ManifestExport, ...], wanted: tuple[ManifestExport, ...], lines: list[str]
) -> None:
    present = PresentState(display_name="", former=Manifest(project="p", exports=former))

    plan = plan_release(present, Manifest(project="p", exports=wanted))

    assert plan.lines() == lines
