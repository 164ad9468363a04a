"""Which service a command talks to, and with which token."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hookline import json_text
from hookline_cli.failures import ArgumentInvalidError, ServiceNotRunningError
from hookline_service.model.secret import Secret

DEFAULT_HOME = "~/.hookline"
SERVICE_FILE = "service.json"
TOKEN_FILE = "token"  # noqa: S105 (the name of a file)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A service: its URL without a slash at the end, and the token if one is known.

    `home` is set when the URL was read there; then it may change with a restart.
    """

    url: str
    token: Secret | None
    home: Path | None = None


def find_target(*, home: str | None, url: str | None, token: str | None) -> Target:
    """The service meant: the URL given, else the one that runs on the home directory.

    The token of the home is used only for the service of that home or one on loopback, so that
    it is never sent elsewhere by accident.

    Raises:
        ArgumentInvalidError: the URL or the token cannot be one.
        ServiceNotRunningError: no URL was given and no service has left its address in the home.
    """
    if token and not (token.isascii() and token.isprintable()):
        raise ArgumentInvalidError("--token", "it has characters that no token has")
    if url and not _is_url(url):
        raise ArgumentInvalidError(
            "--url", f"{url!r} is not the URL of a service; write http://HOST:PORT"
        )
    directory = Path(home or DEFAULT_HOME).expanduser()
    given = Secret(token) if token else None
    if url:
        plain = url.rstrip("/")
        known = given or (_read_token(directory) if is_loopback(plain) else None)
        return Target(url=plain, token=known)
    address = _read_address(directory)
    if address is None:
        raise ServiceNotRunningError(f"with home {directory}")
    return Target(url=address, token=given or _read_token(directory), home=directory)


def is_loopback(url: str) -> bool:
    """True if the URL names this machine only."""
    from urllib.parse import urlsplit

    host = urlsplit(url).hostname or ""
    return host in {"localhost", "::1"} or host.startswith("127.")


def _is_url(text: str) -> bool:
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(text)
        _ = parts.port  # raises for one that is none
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname)


def _read_address(home: Path) -> str | None:
    try:
        document: object = json_text.read((home / SERVICE_FILE).read_bytes())
    except (OSError, ValueError):
        return None
    # An unfinished or foreign file counts as no service.
    url = document.get("url") if isinstance(document, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]  # JSON of unknown shape
    return url.rstrip("/") if isinstance(url, str) and url else None


def _read_token(home: Path) -> Secret | None:
    try:
        text = (home / TOKEN_FILE).read_text("utf-8").strip()
    except OSError:
        return None
    return Secret(text) if text else None
