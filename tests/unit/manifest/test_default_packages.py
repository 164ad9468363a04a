from __future__ import annotations

import pytest

from hookline_service.manifest.default_packages import default_requirements
from hookline_service.manifest.parse import parse_manifest
from hookline_service.manifest.requirements import read_requirements

AUTOKITTEH = "autokitteh~=0.8.3"


def defaults(source: str, requirements: str = "", *names: str, **files: str) -> list[str]:
    contents = {"main.py": source.encode(), **{path: text.encode() for path, text in files.items()}}
    return list(default_requirements(contents, requirements, names))


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import json, os", []),
        ("import autokitteh", [AUTOKITTEH]),
        ("from autokitteh import Event, subscribe", [AUTOKITTEH]),
        ("from autokitteh.store import set_value", [AUTOKITTEH]),
        ("from autokitteh.slack import slack_client", [AUTOKITTEH, "slack-sdk~=3.33"]),
        ("from autokitteh import slack", [AUTOKITTEH, "slack-sdk~=3.33"]),
        ("import autokitteh.aws", [AUTOKITTEH, "boto3~=1.35"]),
        ("from autokitteh import connections, nonsense", [AUTOKITTEH]),
        ("import bs4, yaml", ["beautifulsoup4~=4.12", "lxml<7", "PyYAML~=6.0"]),
        ("from yaml import safe_load", ["PyYAML~=6.0"]),
        ("from requests.auth import HTTPBasicAuth", ["requests~=2.32"]),
        ("from googleapiclient.errors import HttpError", ["google-api-python-client~=2.155"]),
        ("import google.generativeai as genai", ["google-generativeai~=0.8"]),
        ("from google import genai", ["google-genai<2"]),
        ("from google.oauth2 import service_account", ["google-auth<3"]),
        ("from google.cloud import storage", []),
        ("from github import Github", ["PyGithub~=2.8.1"]),
        ("import pandas", []),
        ("import pytz", ["pytz"]),
        ("import jwt", ["PyJWT[crypto]<3"]),
        ("from pydantic import BaseModel", ["pydantic<3"]),
        ("from pydantic import BaseModel, EmailStr", ["email-validator<3", "pydantic<3"]),
        ("from slack_sdk.web.async_client import AsyncWebClient", ["aiohttp<4", "slack-sdk~=3.33"]),
        ("from google.auth.transport import requests", ["google-auth<3", "requests~=2.32"]),
        ("from opentelemetry.sdk.trace import TracerProvider", ["opentelemetry-sdk<1.39"]),
        ("def f():\n    import tenacity", ["tenacity~=9.0"]),
        ("try:\n    import praw\nexcept ImportError:\n    praw = None", ["praw~=7.8"]),
        ("from . import requests", []),
        ("this is not Python", []),
        ("import requests\x00", []),
    ],
)
def test_the_packages_of_the_imports_are_added(source: str, expected: list[str]):
    assert defaults(source) == expected


def test_what_only_type_checkers_import_is_not_installed():
    assert defaults("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import openai") == []


def test_a_module_of_the_project_is_not_a_package():
    assert (
        defaults("import slack, telegram.chats", **{"slack.py": "", "telegram/chats.py": ""}) == []
    )


def test_what_requirements_name_takes_the_place_of_ours():
    source = "import requests, bs4"

    assert defaults(source, "Requests==2.30\n", "Requests") == ["beautifulsoup4~=4.12", "lxml<7"]


@pytest.mark.parametrize(
    ("line", "is_ours"),
    [
        ("requests", True),
        ("Requests  # for the weather", True),
        ("requests>=2", True),
        ("requests<3", True),
        ("requests[socks]>=2.1,<3", True),
        ("requests>=2.33", False),
        ("requests==2.30.1", False),
        ("requests @ https://example.com/requests-2.30.tar.gz", False),
        ("httpx", True),
        ("httpx>=0.27", True),
        ("httpx>=1.0", False),
        ("httpx==0.27", False),
        ("httpx~=0.27.0", False),
    ],
)
def test_our_version_stays_if_the_project_would_be_content_with_it(line: str, is_ours: bool):
    name = "requests" if line.lower().startswith("requests") else "httpx"
    ours = {"requests": "requests~=2.32", "httpx": "httpx<1"}[name]

    found = defaults(f"import {name}", f"--pre\n{line.partition('  #')[0]}", name)

    assert found == ([ours] if is_ours else [])


def test_what_speaks_to_models_stands_beside_versions_it_goes_with():
    found = defaults("from pydantic_ai import Agent")

    assert {"pydantic-ai~=1.30", "anthropic~=0.75.0", "openai~=1.57", "mcp<2"} <= {*found}


def test_a_library_that_comes_along_stays_below_its_next_major_version():
    assert defaults("import mcp, websockets") == ["mcp<2", "websockets<16"]


def test_extras_are_asked_for_beside_a_version_of_the_projects_own():
    found = defaults("import autokitteh.google", "", "Pydantic_AI.slim", "google-auth")

    assert "pydantic-ai-slim[google]" in found
    assert not any(line.startswith("google-auth") for line in found)


def test_nothing_is_added_to_requirements_with_hashes():
    assert defaults("import requests", "six==1.17.0 --hash=sha256:00", "six") == []
    assert defaults("import requests", "--require-hashes", "six") == []


@pytest.mark.parametrize("helper", ["openai", "anthropic"])
def test_a_provider_is_found_where_it_stood_before(helper: str):
    found = defaults(f"from autokitteh.{helper} import {helper}_pydantic_ai_provider")

    assert "pydantic-ai-slim[anthropic,openai]~=1.30" in found


@pytest.mark.parametrize(
    ("manifest", "expected"),
    [
        ("autokitteh.yaml", "six\n#: defaults\nautokitteh~=0.8.3\nrequests~=2.32\n"),
        ("hookline.yaml", "six\n"),
    ],
)
def test_only_an_autokitteh_project_gets_more_than_it_asks_for(manifest: str, expected: str):
    parsed = parse_manifest(b"version: v1\nproject:\n  name: p\n", manifest).manifest
    assert parsed is not None

    read = read_requirements(
        parsed, {"main.py": b"import autokitteh, requests", "requirements.txt": b"six"}
    )

    assert read.text == expected
    assert read.names == ("six",)
