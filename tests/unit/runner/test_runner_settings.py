from __future__ import annotations

from pathlib import Path

import pytest

from hookline_runner.settings import RunnerSettings, read_environment, read_token


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An environment with nothing about packages in it."""
    import os  # noqa: PLC0415

    for name in list(os.environ):  # noqa: TID251
        if name.startswith(("UV_", "PIP_", "HOOKLINE_")) or name == "SSL_CERT_FILE":
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))


def _install() -> dict[str, str]:
    found = read_environment()["install_environment"]
    assert isinstance(found, dict)
    return found


def test_package_index_settings_of_uv_are_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_INDEX_URL", "https://mirror/simple")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:3128")

    assert _install()["UV_INDEX_URL"] == "https://mirror/simple"
    assert _install()["HTTPS_PROXY"] == "http://proxy:3128"


def test_package_index_settings_of_pip_are_translated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "https://mirror/simple")
    monkeypatch.setenv("PIP_FIND_LINKS", "/opt/a /opt/b")
    monkeypatch.setenv("PIP_CERT", "/etc/own.pem")

    assert _install()["UV_DEFAULT_INDEX"] == "https://mirror/simple"
    assert _install()["UV_FIND_LINKS"] == "/opt/a,/opt/b"
    assert _install()["SSL_CERT_FILE"] == "/etc/own.pem"


def test_pips_configuration_file_counts_where_no_variable_does(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "pip.conf"
    file.write_text("[global]\nindex-url = https://file/simple\nextra-index-url =\n  https://b\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(file))

    assert _install()["UV_DEFAULT_INDEX"] == "https://file/simple"
    assert _install()["UV_EXTRA_INDEX_URL"] == "https://b"


def test_uvs_own_index_wins_over_pips(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_INDEX_URL", "https://uv/simple")
    monkeypatch.setenv("PIP_INDEX_URL", "https://pip/simple")

    assert "UV_DEFAULT_INDEX" not in _install()


def test_secrets_of_the_host_are_not_passed_to_installs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")

    assert "AWS_SECRET_ACCESS_KEY" not in _install()


def test_sessions_see_only_the_variables_that_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOKLINE_RUNNER_PASS_ENV", "HTTP_PROXY,MISSING")
    monkeypatch.setenv("HTTP_PROXY", "http://proxy")

    assert read_environment()["passed_variables"] == {"HTTP_PROXY": "http://proxy"}


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOKLINE_RUNNER_CAPACITY", "7")
    monkeypatch.setenv("HOOKLINE_RUNNER_SANDBOX", "off")
    monkeypatch.setenv("HOOKLINE_RUNNER_LABELS", "gpu,eu")
    monkeypatch.setenv("HOOKLINE_RUNNER_ZYGOTE_IDLE_S", "1.5")

    fields = read_environment()

    assert fields["capacity"] == 7
    assert fields["sandbox"] == "off"
    assert fields["labels"] == ("gpu", "eu")
    assert fields["zygote_idle_s"] == 1.5


def test_the_token_is_forgotten_once_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOKLINE_RUNNER_TOKEN", "secret")

    assert read_token(None) == "secret"
    assert read_token(None) == ""


def test_the_token_is_never_shown() -> None:
    settings = RunnerSettings(socket=Path("/s"), home=Path("/h"), token="do-not-show")

    assert "do-not-show" not in repr(settings)
