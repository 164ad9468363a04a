"""Where a project's webhooks can be called."""

from __future__ import annotations

import os

from hookline.arguments import name_of


def get_webhook_url(trigger_name: str) -> str:
    """The public URL of the webhook trigger of that name.

    Raises:
        TypeError: the name is no text.
        ValueError: the project has no webhook trigger of that name, or this runs outside a session.

    Example:
        `get_webhook_url("orders")`
    """
    name = name_of(trigger_name, "get_webhook_url: trigger_name")
    url = os.environ.get(f"{name}__webhook_url")  # noqa: TID251 - it is handed over there
    if not url:
        raise ValueError(f"no URL is known for a webhook trigger named {trigger_name!r}")
    return url
