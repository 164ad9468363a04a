"""The bearer token: made at the first start, kept in the home, compared in constant time."""

from __future__ import annotations

import hmac
import secrets
from pathlib import Path

from hookline.errors import InvalidError
from hookline_service.model.secret import Secret
from hookline_service.use_cases.private_files import load_or_create

TOKEN_FILE = "token"  # noqa: S105 (the name of a file)
_PREFIX = "hkl_"
_SCHEME = "bearer"


class TokenFileInvalidError(InvalidError):
    """The token file in the home does not contain a token."""

    code = "token.invalid"

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"{path} holds no token; delete it, and a new one is made at the next start"
        )


def load_or_create_token(home: Path, configured: Secret | None) -> Secret:
    """The token in force: the configured one, else that of `HOME/token`, made when there is none.

    Raises:
        HomeUnusableError: the file cannot be read or written.
        TokenFileInvalidError: the file is empty or damaged.
    """
    if configured is not None:
        return configured
    path = home / TOKEN_FILE
    text = load_or_create(path, f"{_PREFIX}{secrets.token_urlsafe(32)}\n").strip()
    if not text or not text.isascii() or not text.isprintable() or " " in text:
        raise TokenFileInvalidError(path)
    return Secret(text)


class TokenCheck:
    """Decides whether an `Authorization` header carries the token."""

    __slots__ = ("_expected",)

    def __init__(self, token: Secret) -> None:
        self._expected = token.reveal().encode()  # compared with each request

    def accepts(self, header: bytes) -> bool:
        """True for `Bearer TOKEN`; takes the same time wherever a wrong token differs."""
        scheme, _, given = header.partition(b" ")
        if scheme.lower() != _SCHEME.encode():
            return False
        return hmac.compare_digest(given.strip(b" "), self._expected)
