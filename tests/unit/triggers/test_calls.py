from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from hookline_triggers.calls import parse_call
from hookline_triggers.errors import CallInvalidError


@pytest.mark.parametrize(
    ("text", "path", "name"),
    [
        ("main.py:run", "main.py", "run"),
        ("sub/dir/file.py:func", "sub/dir/file.py", "func"),
        ("main.py run", "main.py", "run"),
        ("main.py:12.5,run", "main.py", "run"),
        (" main.py : run ", "main.py", "run"),
        ("./main.py:run", "main.py", "run"),
        ("main.py:_Handler2", "main.py", "_Handler2"),
        ("my file.py:run", "my file.py", "run"),
        ("größe.py:läuft", "größe.py", "läuft"),
    ],
)
def test_a_call_names_a_file_and_a_function(text: str, path: str, name: str) -> None:
    entry = parse_call(text)

    assert (entry.path, entry.name) == (path, name)
    assert str(entry) == f"{path}:{name}"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "empty"),
        ("main.py", "names no function"),
        ("main.py:", "names no function"),
        (":run", "names no file"),
        ("main:run", "does not end in .py"),
        ("main.js:run", "does not end in .py"),
        ("main.star:run", "a Starlark program"),
        ("main.kitteh.star:run", "a Starlark program"),
        (".py:run", "does not end in .py"),
        ("sub/.py:run", "does not end in .py"),
        ("/etc/main.py:run", "relative"),
        ("C:\\main.py:run", ".py"),
        ("sub\\main.py:run", "relative"),
        ("../main.py:run", ".."),
        ("sub/../../main.py:run", ".."),
        ("sub//main.py:run", "empty part"),
        ("sub/./main.py:run", "empty part"),
        ("main.py:1run", "not the name of a function"),
        ("main.py:a.b", "not the name of a function"),
        ("main.py:run()", "not the name of a function"),
        ("main.py:class", "not the name of a function"),
        ("ma\0in.py:run", "unprintable"),
        ("x" * 2000 + ".py:run", "too long"),
    ],
)
def test_a_call_that_names_no_function_in_the_project_is_refused(text: str, says: str) -> None:
    with pytest.raises(CallInvalidError) as refused:
        parse_call(text)

    assert says in refused.value.message
    assert (refused.value.kind, refused.value.code) == ("invalid", "entry_point.invalid")


@given(text=st.text(max_size=40) | st.text("./:a py,0", max_size=20))
def test_an_accepted_path_stays_inside_the_project(text: str) -> None:
    try:
        path = parse_call(text).path
    except CallInvalidError:
        path = "refused.py"

    assert path.endswith(".py")
    assert not path.startswith("/")
    assert ".." not in path.split("/")
