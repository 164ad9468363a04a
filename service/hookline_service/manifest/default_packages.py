"""Packages that an AutoKitteh project counts on without naming them: those of the libraries it imports, and no others.

AutoKitteh installs all of them for every project. Here a project gets the ones that it imports, in the versions that
AutoKitteh has; what its requirements.txt asks for is installed on top, and replaces ours if ours would not do.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from hookline_runner.analysis import analyse
from hookline_service.manifest.modules import ImportFacts, ProjectModules, read_modules

_SDK: Final = "autokitteh"
_HASHED: Final = re.compile(r"--(hash|require-hashes)\b")

# Its 1.30 goes with openai 1.x, and then it needs a module that newer ones of this lack.
_OPENTELEMETRY: Final = "opentelemetry-api<1.39"

# The versions beside which its 1.30 stands in AutoKitteh. Its own bounds are wide: newer ones of these do not go with it.
_MODELS: Final = ("anthropic~=0.75.0", "openai~=1.57", _OPENTELEMETRY)
_GEMINI: Final = ("google-genai<2", _OPENTELEMETRY)
_ALL_MODELS: Final = (
    *_MODELS,
    "cohere<5.21",
    "fastmcp<3",
    "google-genai<2",
    "groq<2",
    "logfire-api<5",
    "mcp<2",
    "mistralai<2",
)

_LIBRARIES: Final[Mapping[str, tuple[str, ...]]] = {
    _SDK: ("autokitteh~=0.8.3",),
    "anthropic": ("anthropic~=0.75.0",),
    "apiclient": ("google-api-python-client~=2.155",),
    "asana": ("asana~=5.0",),
    "atlassian": ("atlassian-python-api~=3.41",),
    "auth0": ("auth0-python~=4.7",),
    "azure.identity": ("azure-identity~=1.19",),
    "boto3": ("boto3~=1.35",),
    "authlib.integrations.httpx_client": ("Authlib<2", "httpx<1"),
    "authlib.integrations.requests_client": ("Authlib<2", "requests~=2.32"),
    "bs4": ("beautifulsoup4~=4.12", "lxml<7"),  # its parser for XML, and for `"lxml"`
    "discord": ("discord.py~=2.5",),
    "github": ("PyGithub~=2.8.1",),
    "google.auth.transport.requests": ("google-auth<3", "requests~=2.32"),
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
    "pydantic.EmailStr": ("pydantic<3", "email-validator<3"),
    "pydantic.NameEmail": ("pydantic<3", "email-validator<3"),
    "pydantic_ai": ("pydantic-ai~=1.30", *_ALL_MODELS),
    "requests": ("requests~=2.32",),
    "requests_toolbelt": ("requests-toolbelt~=1.0",),
    "simple_salesforce": ("simple-salesforce~=1.12",),
    "slack": ("slack-sdk~=3.33",),
    "slack_sdk": ("slack-sdk~=3.33",),
    "slack_sdk.socket_mode.aiohttp": ("slack-sdk~=3.33", "aiohttp<4"),
    "slack_sdk.socket_mode.websocket_client": ("slack-sdk~=3.33", "websocket-client<2"),
    "slack_sdk.socket_mode.websockets": ("slack-sdk~=3.33", "websockets<16"),
    "slack_sdk.web.async_client": ("slack-sdk~=3.33", "aiohttp<4"),
    "slack_sdk.webhook.async_client": ("slack-sdk~=3.33", "aiohttp<4"),
    "telegram": ("python-telegram-bot~=22.0",),
    "tenacity": ("tenacity~=9.0",),
    "twilio": ("twilio~=9.4",),
    "yaml": ("PyYAML~=6.0",),
}

# Packages that the ones above bring along: below the next major version, for which no project of the time was written.
_BROUGHT_ALONG: Final[Mapping[str, str]] = {
    "aiohttp": "aiohttp<4",
    "anyio": "anyio<5",
    "attr": "attrs",
    "attrs": "attrs",
    "authlib": "Authlib<2",
    "azure.core": "azure-core<2",
    "botocore": "botocore<2",
    "cachetools": "cachetools<8",
    "certifi": "certifi",
    "cffi": "cffi<3",
    "charset_normalizer": "charset-normalizer<4",
    "click": "click<9",
    "cloudpickle": "cloudpickle<4",
    "cohere": "cohere<5.21",
    "croniter": "croniter<7",
    "cryptography": "cryptography",
    "dateutil": "python-dateutil<3",
    "deprecated": "Deprecated<2",
    "diskcache": "diskcache<6",
    "distro": "distro<2",
    "dns": "dnspython<3",
    "docstring_parser": "docstring-parser<1",
    "docutils": "docutils<1",
    "dotenv": "python-dotenv<2",
    "email_validator": "email-validator<3",
    "exceptiongroup": "exceptiongroup<2",
    "fastavro": "fastavro<2",
    "fastmcp": "fastmcp<3",
    "filelock": "filelock<4",
    "fsspec": "fsspec<2027",
    "google.api_core": "google-api-core<3",
    "google.auth": "google-auth<3",
    "google.genai": "google-genai<2",
    "google.oauth2": "google-auth<3",
    "google.protobuf": "protobuf<6",
    "groq": "groq<2",
    "h11": "h11<1",
    "h2": "h2<5",
    "httpcore": "httpcore<2",
    "httplib2": "httplib2<1",
    "httpx": "httpx<1",
    "httpx_sse": "httpx-sse<1",
    "huggingface_hub": "huggingface-hub<1",
    "idna": "idna<4",
    "importlib_metadata": "importlib-metadata<9",
    "inflection": "inflection<1",
    "invoke": "invoke<3",
    "isodate": "isodate<1",
    "jmespath": "jmespath<2",
    "jsonref": "jsonref<2",
    "jsonschema": "jsonschema<5",
    "jwt": "PyJWT[crypto]<3",
    "keyring": "keyring<26",
    "kiota_abstractions": "microsoft-kiota-abstractions<2",
    "logfire": "logfire<5",
    "lxml": "lxml<7",
    "markdown_it": "markdown-it-py<5",
    "mcp": "mcp<2",
    "mistralai": "mistralai<2",
    "more_itertools": "more-itertools<11",
    "msal": "msal<2",
    "multidict": "multidict<7",
    "nacl": "PyNaCl<2",
    "oauthlib": "oauthlib<4",
    "opentelemetry": _OPENTELEMETRY,
    "opentelemetry.sdk": "opentelemetry-sdk<1.39",
    "packaging": "packaging",
    "platformdirs": "platformdirs<5",
    "prawcore": "prawcore<3",
    "prometheus_client": "prometheus-client<1",
    "prompt_toolkit": "prompt-toolkit<4",
    "proto": "proto-plus<2",
    "pyasn1": "pyasn1<1",
    "pydantic": "pydantic<3",
    "pydantic_evals": "pydantic-evals~=1.30",
    "pydantic_graph": "pydantic-graph~=1.30",
    "pydantic_settings": "pydantic-settings<3",
    "pygments": "Pygments<3",
    "pyparsing": "pyparsing<4",
    "python_multipart": "python-multipart<1",
    "pythonjsonlogger": "python-json-logger<5",
    "pytz": "pytz",
    "redis": "redis<8",
    "requests_oauthlib": "requests-oauthlib<3",
    "rich": "rich<15",
    "rsa": "rsa<5",
    "s3transfer": "s3transfer<1",
    "six": "six<2",
    "sniffio": "sniffio<2",
    "sortedcontainers": "sortedcontainers<3",
    "soupsieve": "soupsieve<3",
    "sse_starlette": "sse-starlette<4",
    "starlette": "starlette<1",
    "temporalio": "temporalio<2",
    "tokenizers": "tokenizers<1",
    "tqdm": "tqdm<5",
    "typer": "typer<1",
    "typing_extensions": "typing-extensions<5",
    "uritemplate": "uritemplate<5",
    "urllib3": "urllib3<3",
    "uvicorn": "uvicorn<1",
    "wcwidth": "wcwidth<1",
    "websocket": "websocket-client<2",
    "websockets": "websockets<16",
    "wrapt": "wrapt<2",
    "yarl": "yarl<2",
    "zeep": "zeep<5",
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
_PROVIDERS: Final = ("pydantic-ai-slim[anthropic,openai]~=1.30", *_MODELS)
_HELPER_EXTRAS: Final[Mapping[str, tuple[str, ...]]] = {
    "google": ("pydantic-ai-slim[google]~=1.30", *_GEMINI),
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
    own = _own_versions(own_text, own_names)
    lines = {line for module in _imported(files) for line in _requirements_of(module)}
    found = (_beside(line, own) for line in lines)
    return tuple(sorted({line for line in found if line}, key=str.lower))


def _own_versions(text: str, names: Iterable[str]) -> dict[str, SpecifierSet | None]:
    """The versions that the project's lines allow, by distribution; None where that is not known."""
    found: dict[str, SpecifierSet | None] = {canonicalize_name(name): None for name in names}
    for line in text.splitlines():
        try:
            own = Requirement(line)
        except InvalidRequirement:
            continue  # an option, a URL, or what is reported elsewhere
        if not own.url:
            name = canonicalize_name(own.name)
            found[name] = own.specifier & (found.get(name) or SpecifierSet())
    return found


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


def _beside(line: str, own: Mapping[str, SpecifierSet | None]) -> str:
    """The line beside the project's own requirements: if they rule our version out, only its extras still count."""
    requirement = Requirement(line)
    name = canonicalize_name(requirement.name)
    if name not in own or _is_allowed(requirement.specifier, own[name]):
        return line
    if not requirement.extras:
        return ""
    return f"{requirement.name}[{','.join(sorted(requirement.extras))}]"


def _is_allowed(ours: SpecifierSet, theirs: SpecifierSet | None) -> bool:
    """Whether AutoKitteh's version would be left as it is: of those that a line of ours names, the lowest."""
    if theirs is None:
        return False
    lowest = [one.version for one in ours if one.operator == "~="]
    if lowest:
        return all(version in theirs for version in lowest)
    return all(one.operator in {">=", ">"} and one.version in ours for one in theirs)
