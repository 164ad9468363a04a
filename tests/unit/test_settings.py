from __future__ import annotations

import dataclasses

import pytest

from hookline_service.model.secret import MASK
from hookline_service.settings import (
    SETTINGS,
    SettingInvalidError,
    Settings,
    find_mistyped,
    load_settings,
    runner_environment,
)


def test_every_field_is_a_setting_and_every_setting_a_field():
    assert [each.name for each in SETTINGS] == [each.name for each in dataclasses.fields(Settings)]


def test_nothing_set_gives_loopback_and_the_default_port():
    settings = load_settings({}, {})

    assert settings.base_url == "http://127.0.0.1:9980"


def test_the_command_line_wins_over_the_environment():
    settings = load_settings({"port": "1000"}, {"HOOKLINE_PORT": "2000", "HOOKLINE_HOST": "::1"})

    assert settings.base_url == "http://[::1]:1000"


def test_an_empty_variable_counts_as_unset():
    assert load_settings({}, {"HOOKLINE_PORT": ""}).port == 9980


def test_a_public_url_is_where_webhooks_are_found():
    settings = load_settings({}, {"HOOKLINE_PUBLIC_URL": "https://hooks.example.org/"})

    assert settings.base_url == "https://hooks.example.org"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("PORT", "http"),
        ("PORT", "65536"),
        ("PORT", "-1"),
        ("HOT_WINDOW_S", "soon"),
        ("HOT_WINDOW_S", "nan"),
        ("HOT_WINDOW_S", "inf"),
        ("CAPACITY", "-1"),
        ("PUBLIC_URL", "example.org"),
        ("PUBLIC_URL", "ftp://example.org"),
        ("HOST", "a b"),
        ("SANDBOX", "maybe"),
        ("TOKEN", "short"),
        ("TOKEN", "with a space in the middle"),
    ],
)
def test_a_value_that_cannot_be_used_names_its_variable(name, text):
    with pytest.raises(SettingInvalidError, match=f"HOOKLINE_{name}: "):
        load_settings({}, {f"HOOKLINE_{name}": text})


def test_no_secret_shows_when_settings_are_printed():
    settings = load_settings({}, {"HOOKLINE_TOKEN": "hkl_0123456789abcdef"})

    assert "0123456789" not in repr(settings)
    assert MASK in repr(settings)


def test_the_runner_host_gets_no_secret_of_the_service():
    given = {"HOOKLINE_TOKEN": "a", "HOOKLINE_SECRET_KEY": "b", "PATH": "/bin"}

    environment = runner_environment(Settings(), "c", given)

    assert environment["PATH"] == "/bin"
    assert not {"HOOKLINE_TOKEN", "HOOKLINE_SECRET_KEY"} & environment.keys()


def test_a_misspelt_setting_is_found_with_what_was_meant() -> None:
    environment = {
        "HOOKLINE_RETENTION_DAY": "3",
        "HOOKLINE_RETENTION_DAYS": "3",
        "HOOKLINE_SESSION_LOG_LIMIT": "3",
        "HOOKLINE_URL": "x",
        "RETENTION_DAYS": "3",
    }

    assert find_mistyped(environment) == [("HOOKLINE_RETENTION_DAY", "HOOKLINE_RETENTION_DAYS")]
