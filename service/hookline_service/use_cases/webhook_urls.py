"""Where webhooks live: their slugs and URLs."""

from __future__ import annotations

import base64
import secrets

_CHANCE_BYTES = 17
_SLUG_LENGTH = 26


def new_slug() -> str:
    """26 lower-case base32 characters (130 random bits): whoever does not know it cannot find it."""
    return base64.b32encode(secrets.token_bytes(_CHANCE_BYTES)).decode().lower()[:_SLUG_LENGTH]


def webhook_url(base_url: str, slug: str) -> str:
    """The URL that a provider calls."""
    return f"{base_url}/webhooks/{slug}"
