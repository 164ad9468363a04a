"""Packages that an AutoKitteh project counts on without naming them: those of the libraries it imports, and no others.

AutoKitteh installs all of them for every project. Here a project gets the ones that it imports, in the versions that
AutoKitteh has; what its requirements.txt names takes the place of ours.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from hookline_runner.analysis import analyse
from hookline_service.manifest.modules import ImportFacts, ProjectModules, read_modules

_SDK: Final = "autokitteh"
_HASHED: Final = re.compile(r"--(hash|require-hashes)\b")

# Its 1.30 goes with openai 1.x, and then it needs a module that newer ones of this lack.
_OPENTELEMETRY: Final = "opentelemetry-api<1.39"

_LIBRARIES: Final[Mapping[str, tuple[str, ...]]] = {
    _SDK: ("autokitteh~=0.8.3",),
    "anthropic": ("anthropic~=0.75.0",),
    "apiclient": ("google-api-python-client~=2.155",),
    "asana": ("asana~=5.0",),
    "atlassian": ("atlassian-python-api~=3.41",),
    "auth0": ("auth0-python~=4.7",),
    "azure.identity": ("azure-identity~=1.19",),
    "boto3": ("boto3~=1.35",),
    "bs4": ("beautifulsoup4~=4.12",),
    "discord": ("discord.py~=2.5",),
    "github": ("PyGithub~=2.8.1",),
    "google.generativeai": ("google-generativeai~=0.8",),
    "google_auth_httplib2": ("google-auth-httplib2~=0.2",),
    "google_auth_oauthlib": ("google-auth-oauthlib~=1.2",),
    "googleapiclient": ("google-api-python-client~=2.155",),
    "grpc": ("grpcio~=1.68",),
    "grpc_reflection": ("grpcio-reflection~=1.68",),
    "gspread": ("gspread~=6.2",),
    "gspread_formatting": ("gspread-formatting~=1.2",),
    "hubspot": ("hubspot-api-client~=11.1",),
    "kubernetes": ("kubernetes~=31.0",),
    "msgraph": ("msgraph-sdk~=1.18",),
    "notion_client": ("notion-client~=2.0",),
    "openai": ("openai~=1.57",),
    "pipedrive": ("pipedrive-python-lib~=1.2",),
    "praw": ("praw~=7.8",),
    "pyairtable": ("pyairtable~=3.1",),
    "pydantic_ai": ("pydantic-ai~=1.30", _OPENTELEMETRY),
    "requests": ("requests~=2.32",),
    "requests_toolbelt": ("requests-toolbelt~=1.0",),
    "simple_salesforce": ("simple-salesforce~=1.12",),
    "slack": ("slack-sdk~=3.33",),
    "slack_sdk": ("slack-sdk~=3.33",),
    "telegram": ("python-telegram-bot~=22.0",),
    "tenacity": ("tenacity~=9.0",),
    "twilio": ("twilio~=9.4",),
    "yaml": ("PyYAML~=6.0",),
}

# Packages that the ones above bring along.
_BROUGHT_ALONG: Final[Mapping[str, str]] = {
    "aiohttp": "aiohttp",
    "anyio": "anyio",
    "attr": "attrs",
    "attrs": "attrs",
    "authlib": "Authlib",
    "azure.core": "azure-core",
    "botocore": "botocore",
    "cachetools": "cachetools",
    "certifi": "certifi",
    "charset_normalizer": "charset-normalizer",
    "click": "click",
    "cohere": "cohere",
    "cryptography": "cryptography",
    "dateutil": "python-dateutil",
    "deprecated": "Deprecated",
    "dns": "dnspython",
    "dotenv": "python-dotenv",
    "email_validator": "email-validator",
    "fastmcp": "fastmcp",
    "google.api_core": "google-api-core",
    "google.auth": "google-auth",
    "google.genai": "google-genai",
    "google.oauth2": "google-auth",
    "google.protobuf": "protobuf",
    "groq": "groq",
    "httplib2": "httplib2",
    "httpx": "httpx",
    "huggingface_hub": "huggingface-hub",
    "idna": "idna",
    "inflection": "inflection",
    "isodate": "isodate",
    "jmespath": "jmespath",
    "jsonschema": "jsonschema",
    "jwt": "PyJWT",
    "kiota_abstractions": "microsoft-kiota-abstractions",
    "logfire": "logfire",
    "lxml": "lxml",
    "markdown_it": "markdown-it-py",
    "mcp": "mcp",
    "mistralai": "mistralai",
    "more_itertools": "more-itertools",
    "msal": "msal",
    "multidict": "multidict",
    "nacl": "PyNaCl",
    "oauthlib": "oauthlib",
    "opentelemetry": "opentelemetry-api",
    "packaging": "packaging",
    "platformdirs": "platformdirs",
    "prawcore": "prawcore",
    "prompt_toolkit": "prompt-toolkit",
    "proto": "proto-plus",
    "pydantic": "pydantic",
    "pydantic_evals": "pydantic-evals~=1.30",
    "pydantic_graph": "pydantic-graph~=1.30",
    "pydantic_settings": "pydantic-settings",
    "pygments": "Pygments",
    "pyparsing": "pyparsing",
    "requests_oauthlib": "requests-oauthlib",
    "rich": "rich",
    "s3transfer": "s3transfer",
    "six": "six",
    "sniffio": "sniffio",
    "soupsieve": "soupsieve",
    "starlette": "starlette",
    "tokenizers": "tokenizers",
    "tqdm": "tqdm",
    "typing_extensions": "typing-extensions",
    "uritemplate": "uritemplate",
    "urllib3": "urllib3",
    "uvicorn": "uvicorn",
    "websocket": "websocket-client",
    "websockets": "websockets",
    "wrapt": "wrapt",
    "yarl": "yarl",
    "zeep": "zeep",
}

# What the client helpers of the SDK import, by module.
_HELPERS: Final[Mapping[str, tuple[str, ...]]] = {
    "airtable": ("pyairtable",),
    "anthropic": ("anthropic",),
    "asana": ("asana",),
    "atlassian": ("atlassian", "requests_oauthlib"),
    "auth0": ("auth0",),
    "aws": ("boto3",),
    "azurebot": ("requests",),
    "discord": ("discord",),
    "github": ("github",),
    "google": ("google.generativeai", "google.auth", "googleapiclient", "gspread"),
    "hubspot": ("hubspot",),
    "kubernetes": ("kubernetes",),
    "linear": ("requests", "requests_toolbelt"),
    "microsoft": ("azure.identity", "msgraph"),
    "notion": ("notion_client",),
    "oauth2_session": ("requests_toolbelt",),
    "openai": ("openai",),
    "pipedrive": ("pipedrive",),
    "pydantic": (),
    "reddit": ("praw",),
    "salesforce": ("simple_salesforce",),
    "slack": ("slack_sdk",),
    "telegram": ("telegram",),
    "twilio": ("twilio",),
    "zoom": ("requests", "requests_toolbelt"),
}
CLIENT_HELPERS: Final = frozenset(_HELPERS)
_PROVIDERS: Final = ("pydantic-ai-slim[anthropic,openai]~=1.30", _OPENTELEMETRY)
_HELPER_EXTRAS: Final[Mapping[str, tuple[str, ...]]] = {
    "google": ("pydantic-ai-slim[google]~=1.30", _OPENTELEMETRY),
    "pydantic": _PROVIDERS,
    # where these stood before 0.8.3
    "anthropic.anthropic_pydantic_ai_provider": _PROVIDERS,
    "openai.openai_pydantic_ai_provider": _PROVIDERS,
}


def default_requirements(
    files: Mapping[str, bytes], own_text: str, own_names: Iterable[str]
) -> tuple[str, ...]:
    """Requirements for the libraries that these files import, sorted; to be added to the project's own.

    Args:
        files: The project's files; those that cannot be parsed here count for nothing.
        own_text: The project's own requirements.
        own_names: The distributions that they name.
    """
    if _HASHED.search(own_text):
        return ()  # then all have to be given, with their hashes
    named = frozenset[str](map(canonicalize_name, own_names))
    lines = {line for module in _imported(files) for line in _requirements_of(module)}
    found = (_beside(line, named) for line in lines)
    return tuple(sorted({line for line in found if line}, key=str.lower))


def _imported(files: Mapping[str, bytes]) -> Iterator[str]:
    """What the files import from elsewhere, with dots; `from a import b` as `a` and `a.b`."""
    own = ProjectModules(files)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        modules = read_modules(analyse(files))
    for facts in modules.values():
        for one in facts.imports:
            if not (one.level or one.is_type_checking or own.has(one.module.partition(".")[0])):
                yield from _names(one)


def _names(fact: ImportFacts) -> Iterator[str]:
    yield fact.module
    for name in fact.names:
        yield f"{fact.module}.{name}"


def _requirements_of(module: str) -> Iterator[str]:
    """The requirements of the longest part of the name that is known."""
    root, _, rest = module.partition(".")
    if root == _SDK:
        yield from _LIBRARIES[_SDK]
        helper = rest.partition(".")[0]
        for library in _HELPERS.get(helper, ()):
            yield from _library(library)
        yield from _HELPER_EXTRAS.get(helper, ())
        yield from _HELPER_EXTRAS.get(rest, ())
        return
    while module:
        found = _library(module)
        if found:
            yield from found
            return
        module = module.rpartition(".")[0]


def _library(module: str) -> tuple[str, ...]:
    known = _LIBRARIES.get(module)
    if known is not None:
        return known
    brought = _BROUGHT_ALONG.get(module)
    return (brought,) if brought else ()


def _beside(line: str, named: frozenset[str]) -> str:
    """The line beside requirements that name these distributions: for those only the extras still count."""
    requirement = Requirement(line)
    if canonicalize_name(requirement.name) not in named:
        return line
    if not requirement.extras:
        return ""
    return f"{requirement.name}[{','.join(sorted(requirement.extras))}]"
