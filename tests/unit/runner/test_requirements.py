from __future__ import annotations

from pathlib import Path

import pytest

from hookline_runner.environments import environment_id, without_places
from hookline_runner.requirements import (
    find_local_reference,
    find_variable,
    layers_of,
    normalize_requirements,
)


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("", ""),
        ("# nothing\n\n   \n", ""),
        ("requests  ==  2.0 # why\r\n", "requests == 2.0"),
        ("a\\\n  >=1\nb", "a >=1\nb"),
        ("\ufeffa\n", "a"),
        ("a # own\n#: defaults\n# none\nb ~= 1", "a\n#: defaults\nb ~= 1"),
        ("# none\n#: defaults\nb", "b"),
        ("a\n#: defaults\n", "a"),
        ("pkg @ https://example.org/pkg#egg=pkg", "pkg @ https://example.org/pkg#egg=pkg"),
    ],
)
def test_what_does_not_matter_is_left_out(text: str, normal: str) -> None:
    assert normalize_requirements(text) == normal


@pytest.mark.parametrize(
    "line",
    [
        *("-r other.txt", "--requirement=other.txt", "-c limits.txt", "-e .", "--editable ."),
        *(".", "./lib", "../lib", "/opt/lib", "file:///opt/lib", "pkg @ file:///x", "pkg @ ./lib"),
    ],
)
def test_a_line_that_names_a_file_is_found(line: str) -> None:
    assert find_local_reference(f"requests\n{line}\n") == (2, line)


@pytest.mark.parametrize(
    "line",
    [
        *("requests", "requests==2.0 ; python_version > '3'", "--extra-index-url https://x.org"),
        *("pkg @ https://example.org/x.whl", "# ./comment", "ruamel.yaml", "-i https://x.org"),
    ],
)
def test_a_line_that_names_a_package_is_no_file(line: str) -> None:
    assert find_local_reference(line) is None


def test_the_same_requirements_have_the_same_environment() -> None:
    assert environment_id("3.12", "a==1\n") == environment_id("3.12", "# ours\na==1")


@pytest.mark.parametrize(("python", "text"), [("3.13", "a==1"), ("3.12", "a==2"), ("", "a==1")])
def test_other_requirements_have_another_environment(python: str, text: str) -> None:
    assert environment_id("3.12", "a==1") != environment_id(python, text)


def test_a_projects_own_packages_come_on_top_of_the_defaults() -> None:
    assert layers_of("a\n#: defaults\nb\nc") == ["b\nc", "a"]
    assert layers_of("a\nb") == ["a\nb"]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("error: not found at: file:///home/a/.hookline/runner/x.building-1/8.2", "error: not found at: its environment"),
        ("Installed in `/home/a/.hookline/runner/env_1/bin`: 3", "Installed in `its environment`: 3"),
        ("error: no version of /home/a/.hookline2", "error: no version of /home/a/.hookline2"),
        ("error: No solution found", "error: No solution found"),
    ],
)  # fmt: skip
def test_no_place_of_the_runner_host_is_told(line: str, told: str) -> None:
    assert without_places(line, Path("/home/a/.hookline/runner")) == told


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("requests\nx @ http://h/${UV_INDEX_PRIV_PASSWORD}/x-1.tar.gz\n", 2),
        ("--index-url https://${USER}@h/simple", 1),
        ("x @ http://h/$\\\n{SECRET}/x.tar.gz", 1),
    ],
)
def test_variables_of_the_environment_are_found(text: str, line: int) -> None:
    found = find_variable(text)

    assert found is not None
    assert found[0] == line


def test_a_price_is_no_variable() -> None:
    assert find_variable("requests==2.0  # costs $5\nx[a]>=1; python_version > '3'") is None
