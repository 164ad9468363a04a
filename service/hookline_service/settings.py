"""Every setting of the service: read once, from the command line first and the environment second."""

from __future__ import annotations

import dataclasses
import difflib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from hookline.errors import InvalidError
from hookline_service.model.secret import Secret

PREFIX = "HOOKLINE_"
_MEBIBYTE = 1024 * 1024
_SHORTEST_TOKEN = 16
_MISTYPED = 0.9  # how alike two names are
_SERVICE_OWN = frozenset({"HOOKLINE_TOKEN", "HOOKLINE_SECRET_KEY", "NOTIFY_SOCKET"})


class SettingInvalidError(InvalidError):
    """A setting has a value that cannot be used."""

    code = "setting.invalid"

    def __init__(self, variable: str, problem: str) -> None:
        super().__init__(f"{variable}: {problem}")
        self.variable = variable

    @property
    def details(self) -> dict[str, object]:
        """The environment variable at fault."""
        return {"variable": self.variable}


def _whole(low: int, high: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise ValueError(f"{text!r} is not a whole number") from None
        if not low <= value <= high:
            raise ValueError(f"{value} is not between {low} and {high}")
        return value

    return read


def _seconds(low: float, high: float) -> Callable[[str], float]:
    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            raise ValueError(f"{text!r} is not a number of seconds") from None
        if not low <= value <= high:
            raise ValueError(f"{text} is not between {low:g} and {high:g} seconds")
        return value

    return read


def _one_of(*choices: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in choices:
            raise ValueError(f"{text!r} is none of {', '.join(choices)}")
        return text

    return read


def _home(text: str) -> Path:
    return Path(text).expanduser().absolute()


def _host(text: str) -> str:
    if not text or any(char.isspace() or char == "/" for char in text):
        raise ValueError(f"{text!r} is not a host name or an address")
    return text


def _url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise ValueError(f"{text!r} is not a URL such as https://hooks.example.org")
    return text.rstrip("/")


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip().lower() for name in text.split(",") if name.strip())


def _secret(text: str) -> Secret:
    return Secret(text)


def _token(text: str) -> Secret:
    if not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError("a token has printable ASCII characters and no space")
    if len(text) < _SHORTEST_TOKEN:
        raise ValueError(f"a token has at least {_SHORTEST_TOKEN} characters")
    return Secret(text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What can be set. What each one means stands in `SETTINGS`; a unit stands in the name."""

    home: Path = Path("~/.hookline")
    host: str = "127.0.0.1"
    port: int = 9980
    public_url: str = ""
    allowed_hosts: tuple[str, ...] = ()
    token: Secret | None = None
    secret_key: Secret | None = None
    log_level: str = "info"
    log_format: str = "text"
    sandbox: str = "auto"
    capacity: int = 0
    hot_window_s: float = 1.0
    stop_grace_s: float = 5.0
    shutdown_grace_s: float = 10.0
    lease_s: float = 10.0
    heartbeat_s: float = 2.0
    prepare_timeout_s: float = 900.0
    memory_limit_mb: int = 512
    disk_limit_mb: int = 1024
    files_limit: int = 100_000
    log_limit_lines: int = 1_000_000
    log_limit_mb: int = 64
    retention_days: int = 30
    webhook_limit_kb: int = 512
    deploy_limit_mb: int = 50
    body_timeout_s: float = 30.0
    queue_limit_mb: int = 32
    event_stream_heartbeat_s: float = 15.0
    sync_webhook_timeout_s: float = 30.0
    store_limit_keys: int = 10_000
    store_limit_value_kb: int = 64
    exports: str = "required"
    child_limit_waiting: int = 10_000
    child_limit_generations: int = 1_000

    @property
    def webhook_limit_bytes(self) -> int:
        """`webhook_limit_kb` in bytes."""
        return self.webhook_limit_kb * 1024

    @property
    def store_limit_value_bytes(self) -> int:
        """`store_limit_value_kb` in bytes."""
        return self.store_limit_value_kb * 1024

    @property
    def deploy_limit_bytes(self) -> int:
        """`deploy_limit_mb` in bytes."""
        return self.deploy_limit_mb * _MEBIBYTE

    @property
    def queue_limit_bytes(self) -> int:
        """`queue_limit_mb` in bytes."""
        return self.queue_limit_mb * _MEBIBYTE

    @property
    def log_limit_bytes(self) -> int:
        """`log_limit_mb` in bytes."""
        return self.log_limit_mb * _MEBIBYTE

    @property
    def memory_limit_bytes(self) -> int:
        """`memory_limit_mb` in bytes."""
        return self.memory_limit_mb * _MEBIBYTE

    @property
    def disk_limit_bytes(self) -> int:
        """`disk_limit_mb` in bytes."""
        return self.disk_limit_mb * _MEBIBYTE

    @property
    def base_url(self) -> str:
        """Where people and providers reach the service, without a slash at the end."""
        if self.public_url:
            return self.public_url
        host = "127.0.0.1" if self.host in {"0.0.0.0", "::", ""} else self.host  # noqa: S104 (compared, not bound)
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One setting as people see it: `read` makes its value of text, or raises ValueError saying what is wrong.

    `name` is the field of `Settings`; `description` is for people, with the unit.
    """

    name: str
    read: Callable[[str], object]
    description: str

    @property
    def variable(self) -> str:
        """The environment variable."""
        return PREFIX + self.name.upper()


SETTINGS: tuple[Setting, ...] = (
    Setting(
        name="home",
        read=_home,
        description="Directory of the database, keys, token, builds and environments.",
    ),
    Setting(
        name="host",
        read=_host,
        description="Address to listen on. Anything but loopback is reachable by others.",
    ),
    Setting(
        name="port",
        read=_whole(0, 65535),
        description="TCP port to listen on; 0 takes a free one.",
    ),
    Setting(
        name="public_url",
        read=_url,
        description="Base of the webhook URLs shown to people, if there is a proxy in front of the service.",
    ),
    Setting(
        name="allowed_hosts",
        read=_names,
        description="Host names under which the API can be addressed, in addition to localhost and that of the public URL; separated by commas. Protects against DNS rebinding.",
    ),
    Setting(
        name="token",
        read=_token,
        description="Bearer token of the API. Without it, one is made and kept in `HOME/token`.",
    ),
    Setting(
        name="secret_key",
        read=_secret,
        description="Key that encrypts secret variables: 32 bytes in base64. Several, separated by commas: the first encrypts, all decrypt. Without it, one is created and kept in `HOME/secret.key`.",
    ),
    Setting(
        name="log_level",
        read=_one_of("debug", "info", "warning", "error"),
        description="Least severe level of the service's own log.",
    ),
    Setting(
        name="log_format",
        read=_one_of("text", "json"),
        description="Form of the service's own log: lines for people, or one JSON object a line.",
    ),
    Setting(
        name="sandbox",
        read=_one_of("auto", "required", "off"),
        description="Whether user code runs in bubblewrap: if it works (`auto`), always (`required`; without it nothing runs), or never (`off`).",
    ),
    Setting(
        name="capacity",
        read=_whole(0, 10000),
        description="Sessions that run at the same time; more wait in state `created`. 0 takes one per 16 MiB of the machine's memory, at most 1000.",
    ),
    Setting(
        name="hot_window_s",
        read=_seconds(0, 3600),
        description="Seconds for which a waiting session keeps its process.",
    ),
    Setting(
        name="stop_grace_s",
        read=_seconds(0, 3600),
        description="Seconds between asking a session to stop and killing its processes.",
    ),
    Setting(
        name="shutdown_grace_s",
        read=_seconds(0, 3600),
        description="Seconds that the service waits for its own work when it shuts down.",
    ),
    Setting(
        name="lease_s",
        read=_seconds(1, 3600),
        description="Seconds without a heartbeat after which a runner host counts as lost.",
    ),
    Setting(
        name="heartbeat_s",
        read=_seconds(0.1, 600),
        description="Seconds between two heartbeats of a runner host.",
    ),
    Setting(
        name="prepare_timeout_s",
        read=_seconds(1, 86400),
        description="Seconds that a deploy can take to build its Python environment.",
    ),
    Setting(
        name="memory_limit_mb",
        read=_whole(32, 1048576),
        description="Memory that one session can use with all its processes, in MiB; a session that uses more ends in error.",
    ),
    Setting(
        name="disk_limit_mb",
        read=_whole(1, 1048576),
        description="Disk space that the files of one session can use, in MiB; a session that uses more ends in error.",
    ),
    Setting(
        name="files_limit",
        read=_whole(100, 1000000000),
        description="Files and directories that one session can have; a session with more ends in error.",
    ),
    Setting(
        name="log_limit_lines",
        read=_whole(100, 1000000000),
        description="Log records kept for one session; the rest is cut, with a mark.",
    ),
    Setting(
        name="log_limit_mb",
        read=_whole(1, 1048576),
        description="Log text kept for one session, in MiB; the rest is cut, with a mark.",
    ),
    Setting(
        name="retention_days",
        read=_whole(0, 36500),
        description="Days for which finished sessions and their events are kept; 0 keeps them forever.",
    ),
    Setting(
        name="webhook_limit_kb",
        read=_whole(1, 1048576),
        description="Largest body of a webhook, in KiB; larger ones are answered 413.",
    ),
    Setting(
        name="deploy_limit_mb",
        read=_whole(1, 4096),
        description="Largest project that can be deployed, in MiB of uncompressed tar; runner hosts take no more than 63.",
    ),
    Setting(
        name="body_timeout_s",
        read=_seconds(0.1, 3600),
        description="Seconds within which the body of a request must arrive; a caller of a synchronous webhook that reads nothing for that long is disconnected.",
    ),
    Setting(
        name="queue_limit_mb",
        read=_whole(1, 65536),
        description="Accepted webhooks that are waiting to be written, plus bodies that are arriving, in MiB, above which webhooks are answered 429.",
    ),
    Setting(
        name="event_stream_heartbeat_s",
        read=_seconds(0.05, 3600),
        description="Seconds of silence after which a live stream sends a comment.",
    ),
    Setting(
        name="sync_webhook_timeout_s",
        read=_seconds(0.1, 3600),
        description="Seconds for which the caller of a synchronous webhook waits for an answer, or for the next part of one; then it is answered 504.",
    ),
    Setting(
        name="store_limit_keys",
        read=_whole(1, 10_000_000),
        description="Keys that the store of one project may hold.",
    ),
    Setting(
        name="store_limit_value_kb",
        read=_whole(1, 8192),
        description="Largest value in the store of a project, in KiB of JSON.",
    ),
    Setting(
        name="exports",
        read=_one_of("required", "optional"),
        description="Whether sessions can start only what another project exports (`required`), or also everything in a project that exports nothing (`optional`), as in an organisation of AutoKitteh.",
    ),
    Setting(
        name="child_limit_waiting",
        read=_whole(200, 10_000_000),
        description="Children of a project's sessions that can be waiting to begin. Each counts 1, plus 1 for each 16 KiB of its data.",
    ),
    Setting(
        name="child_limit_generations",
        read=_whole(1, 1_000_000_000),
        description="How deep children of children can be nested.",
    ),
)


def load_settings(
    overrides: Mapping[str, str | None] | None = None,
    environment: Mapping[str, str] | None = None,
) -> Settings:
    """The settings in force.

    Args:
        overrides: texts from the command line by field name; None leaves the environment in charge.
        environment: stands in for the process environment in tests. A variable set to nothing counts as unset.

    Raises:
        SettingInvalidError: a value cannot be used; names the variable.
    """
    given = os.environ if environment is None else environment
    # Any: each value is made by the reader of its own field.
    chosen: dict[str, Any] = {"home": _home("~/.hookline")}
    for setting in SETTINGS:
        text = (overrides or {}).get(setting.name)
        if text is None:
            text = given.get(setting.variable) or None
        if text is None:
            continue
        try:
            chosen[setting.name] = setting.read(text)
        except ValueError as exc:
            raise SettingInvalidError(setting.variable, str(exc)) from exc
    return Settings(**chosen)


def find_mistyped(environment: Mapping[str, str] | None = None) -> list[tuple[str, str]]:
    """Variables that look like a setting misspelt, each with the one that was probably meant."""
    given = os.environ if environment is None else environment
    known = [setting.variable for setting in SETTINGS]
    return [
        (name, close[0])
        for name in sorted(given)
        if name.startswith(PREFIX) and name not in known
        if (close := difflib.get_close_matches(name, known, n=1, cutoff=_MISTYPED))
    ]


def settings_table() -> str:
    """The settings as a Markdown table, for docs/operations.md."""
    defaults = {each.name: each.default for each in dataclasses.fields(Settings)}
    lines = ["| Variable | Default | Meaning |", "|---|---|---|"]
    for setting in SETTINGS:
        default = defaults[setting.name]
        shown = "" if default in ("", (), None) else f"`{default}`"
        lines.append(f"| `{setting.variable}` | {shown} | {setting.description} |")
    return "\n".join(lines) + "\n"


def notify_socket(environment: Mapping[str, str] | None = None) -> str:
    """The socket on which the system's service manager wants to be told of readiness; "" if it does not."""
    return (os.environ if environment is None else environment).get("NOTIFY_SOCKET", "")


def runner_environment(
    settings: Settings, runner_token: str, environment: Mapping[str, str] | None = None
) -> dict[str, str]:
    """The environment of the runner host beside the service: this one without what is the service's own."""
    given = os.environ if environment is None else environment
    kept = {name: value for name, value in given.items() if name not in _SERVICE_OWN}
    told = {
        "HOOKLINE_RUNNER_TOKEN": runner_token,
        "HOOKLINE_RUNNER_SANDBOX": settings.sandbox,
        "HOOKLINE_LOG_FORMAT": settings.log_format,
        "HOOKLINE_RUNNER_MEMORY_LIMIT_BYTES": str(settings.memory_limit_bytes),
        "HOOKLINE_RUNNER_DISK_LIMIT_BYTES": str(settings.disk_limit_bytes),
        "HOOKLINE_RUNNER_FILES_LIMIT": str(settings.files_limit),
        "HOOKLINE_RUNNER_ENVIRONMENT_TIMEOUT_S": str(settings.prepare_timeout_s),
    }
    if settings.capacity:
        told["HOOKLINE_RUNNER_CAPACITY"] = str(settings.capacity)
    return kept | told
