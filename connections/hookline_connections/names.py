"""Which integrations there are: the names that a connection's `integration` may have, and what their helpers read.

They are those under which AutoKitteh registers its integrations, so that its projects deploy as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

INTEGRATION_NAMES: Final = frozenset(
    {
        "airtable",
        "anthropic",
        "asana",
        "auth0",
        "aws",
        "azurebot",
        "chatgpt",
        "confluence",
        "discord",
        "github",
        "gmail",
        "google",
        "googlecalendar",
        "googledrive",
        "googleforms",
        "googlegemini",
        "googlesheets",
        "hubspot",
        "jira",
        "kubernetes",
        "linear",
        "microsoft",
        "microsoft_teams",
        "notion",
        "pipedrive",
        "pydanticgw",
        "reddit",
        "salesforce",
        "slack",
        "telegram",
        "twilio",
        "youtube",
        "zoom",
    }
)

_SERVICE_ACCOUNT: Final = ("JSON",)
_ATLASSIAN: Final = ("BaseURL", "Email", "Token")
_MICROSOFT: Final = (
    "auth_type",
    "private_client_id",
    "private_client_secret",
    "private_tenant_id",
)

HELPER_VARIABLES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "airtable": ("pat",),
        "anthropic": ("api_key",),
        "asana": ("pat",),
        "auth0": ("auth0_domain", "oauth_AccessToken"),
        "aws": ("AccessKeyID", "Region", "SecretKey"),
        "azurebot": ("app_id", "app_password", "tenant_id"),
        "chatgpt": ("apiKey",),
        "confluence": _ATLASSIAN,
        "discord": ("BotToken",),
        "github": ("pat",),
        "gmail": _SERVICE_ACCOUNT,
        "google": _SERVICE_ACCOUNT,
        "googlecalendar": _SERVICE_ACCOUNT,
        "googledrive": _SERVICE_ACCOUNT,
        "googleforms": _SERVICE_ACCOUNT,
        "googlegemini": ("api_key",),
        "googlesheets": _SERVICE_ACCOUNT,
        "jira": _ATLASSIAN,
        "kubernetes": ("config_file",),
        "linear": ("api_key",),
        "microsoft": _MICROSOFT,
        "microsoft_teams": _MICROSOFT,
        "notion": ("api_key",),
        "pipedrive": ("api_key", "company_domain"),
        "pydanticgw": ("api_key",),
        "reddit": ("client_id", "client_secret", "password", "user_agent", "username"),
        "salesforce": ("instance_url", "oauth_access_token"),
        "slack": ("private_bot_token",),
        "telegram": ("BotToken",),
        "twilio": ("AccountSID", "Password", "Username"),
        "youtube": _SERVICE_ACCOUNT,
        "zoom": ("oauth_access_token",),
    }
)
"""The variables from which the client helpers of the package `autokitteh` connect without OAuth; none for `hubspot`."""
