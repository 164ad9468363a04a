"""Which indexes need a password, and what an installer is told in its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from hookline_runner.index_access import Origin, read_index_access

SECRET = "s3cr3t-word"
PROXY = "http://proxy:token@127.0.0.1:4711"
HOST = "https://packages.example"


def _plain(**variables: str) -> dict[str, str]:
    return {"HOME": "/nowhere", "PATH": "/usr/bin", **variables}


def test_without_passwords_all_stays_as_it_is() -> None:
    environment = _plain(UV_DEFAULT_INDEX=f"{HOST}/simple", HTTPS_PROXY="http://proxy:3128")

    access = read_index_access(environment)

    assert access.origins == ()
    assert access.variables_for_builds({}) == environment


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        (
            {"UV_DEFAULT_INDEX": f"https://me:{SECRET}@packages.example/simple/"},
            {"UV_DEFAULT_INDEX": f"{PROXY}/simple/"},
        ),
        (
            {"UV_INDEX_URL": f"https://me:{SECRET}@packages.example/a/b?x=1"},
            {"UV_INDEX_URL": f"{PROXY}/a/b?x=1"},
        ),
        (
            {
                "UV_DEFAULT_INDEX": "https://other.example/simple",
                "UV_EXTRA_INDEX_URL": f"https://me:{SECRET}@packages.example/a  https://third.example/b",
            },
            {"UV_EXTRA_INDEX_URL": f"{PROXY}/a  https://third.example/b"},
        ),
        (
            {
                "UV_DEFAULT_INDEX": "https://other.example/simple",
                "UV_INDEX": f"own={HOST}/simple",
                "UV_INDEX_OWN_USERNAME": "me",
                "UV_INDEX_OWN_PASSWORD": SECRET,
            },
            {"UV_INDEX": f"own={PROXY}/simple"},
        ),
        (
            {
                "UV_DEFAULT_INDEX": "https://other.example/simple",
                "UV_FIND_LINKS": f"/wheels,https://me:{SECRET}@packages.example/wheels",
            },
            {"UV_FIND_LINKS": f"/wheels,{PROXY}/wheels"},
        ),
    ],
)
def test_indexes_with_passwords_are_reached_by_their_gate(
    variables: dict[str, str], told: dict[str, str]
) -> None:
    access = read_index_access(_plain(**variables))

    given = access.variables_for_builds({HOST: PROXY})

    assert Origin(HOST, "me", SECRET) in access.origins
    assert {name: given[name] for name in told} == told
    assert SECRET not in repr(given)
    assert "127.0.0.1" in given["NO_PROXY"]
    assert given["UV_NO_CONFIG"] == "1"


def test_a_password_written_for_a_url_is_meant_as_what_it_stands_for() -> None:
    access = read_index_access(
        _plain(UV_DEFAULT_INDEX="https://me%40x:p%40ss%2Fword@packages.example/simple")
    )

    assert access.origins == (Origin(HOST, "me@x", "p@ss/word"),)
    assert access.cover("it was p@ss/word and p%40ss%2Fword") == "it was **** and ****"


def test_a_token_without_a_name_counts() -> None:
    access = read_index_access(_plain(UV_DEFAULT_INDEX=f"https://{SECRET}@packages.example/simple"))

    assert [each.user for each in access.origins] == [SECRET]
    assert SECRET not in repr(access.variables_for_builds({HOST: PROXY}))


def test_a_proxy_with_a_password_has_the_public_index_behind_a_gate() -> None:
    access = read_index_access(_plain(HTTPS_PROXY=f"http://me:{SECRET}@proxy.example:3128"))
    proxies = {each.url: f"{PROXY}{number}" for number, each in enumerate(access.origins)}

    given = access.variables_for_builds(proxies)

    assert {each.url for each in access.origins} == {
        "https://pypi.org",
        "https://files.pythonhosted.org",
    }
    assert given["UV_DEFAULT_INDEX"].endswith("/simple")
    assert "HTTPS_PROXY" not in given
    assert SECRET not in repr(given)


@pytest.mark.parametrize(
    ("file", "name"),
    [
        (f'index-url = "https://me:{SECRET}@packages.example/simple"', "UV_DEFAULT_INDEX"),
        (f'[pip]\nindex-url = "https://me:{SECRET}@packages.example/simple"', "UV_DEFAULT_INDEX"),
        (f'extra-index-url = ["https://me:{SECRET}@packages.example/simple"]', "UV_EXTRA_INDEX_URL"),
        (f'[[index]]\nurl = "https://me:{SECRET}@packages.example/simple"', "UV_INDEX"),
        (f'[[index]]\nurl = "https://me:{SECRET}@packages.example/simple"\ndefault = true', "UV_DEFAULT_INDEX"),
    ],
)  # fmt: skip
def test_indexes_of_a_configuration_file_become_variables(
    tmp_path: Path, file: str, name: str
) -> None:
    (tmp_path / "uv.toml").write_text(file)
    access = read_index_access(_plain(UV_CONFIG_FILE=str(tmp_path / "uv.toml")))

    given = access.variables_for_builds({HOST: PROXY})

    assert given[name] == f"{PROXY}/simple"
    assert "UV_CONFIG_FILE" not in given
    assert SECRET not in repr(given)


@pytest.mark.parametrize(
    "content", ["[[index]]\nurl = 7", "index-url = 7", "index = 7", "no toml [", "[[index]]"]
)
def test_a_file_that_says_something_else_says_nothing(tmp_path: Path, content: str) -> None:
    (tmp_path / "uv.toml").write_text(content)

    assert read_index_access(_plain(UV_CONFIG_FILE=str(tmp_path / "uv.toml"))).origins == ()


def test_lines_are_told_without_passwords_and_gates() -> None:
    access = read_index_access(
        _plain(UV_DEFAULT_INDEX=f"https://me:{SECRET}@packages.example/simple")
    )

    line = access.cover(
        f"failed: http://proxy:****@127.0.0.1:4711/simple/x ({SECRET}) https://you:other@host/",
        {HOST: PROXY},
    )

    assert line == f"failed: {HOST}/simple/x (****) https://****@host/"
