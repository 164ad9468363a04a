"""Which integrations there are: the names that a connection's `integration` may have.

They are those under which AutoKitteh registers its integrations, so that its projects deploy as they are.
"""

from __future__ import annotations

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
