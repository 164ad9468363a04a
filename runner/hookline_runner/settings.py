"""Settings of a runner host, read once; the only module here that reads the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

_MIB = 1024 * 1024
_GIB = 1024 * _MIB
_MEMORY_PER_ATTEMPT_BYTES = 16 * _MIB  # what a forked session takes before its own data

# What uv, and package builds under it, may see of the host's environment.
_INSTALL_VARIABLES = (
    *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"),
    *("http_proxy", "https_proxy", "all_proxy", "no_proxy"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"),
    *("NETRC", "LANG", "LC_ALL"),
)


def _default_capacity() -> int:
    memory_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return max(8, min(1000, memory_bytes // _MEMORY_PER_ATTEMPT_BYTES))


@dataclass(frozen=True, slots=True, kw_only=True)
class RunnerSettings:
    """Everything a runner host can be told.

    `home` holds environments, builds and working directories; nothing else of it is visible to user code.
    `passed_variables` are the host's environment variables that sessions see besides their own.
    """

    socket: Path
    home: Path
    token: str = field(repr=False)
    name: str = "local"
    labels: tuple[str, ...] = ()
    capacity: int = field(default_factory=_default_capacity)
    sandbox: str = "auto"  # "auto": bubblewrap where it works; "require": or do not start; "off"
    memory_limit_bytes: int = 512 * _MIB
    prepare_memory_bytes: int = _GIB  # for analysing and compiling one file of a project
    build_memory_bytes: int = 2 * _GIB  # for building its packages
    network: str = "host"  # "host": sessions share the machine's; "none": they have a loopback of their own alone
    file_limit_bytes: int = _GIB  # one file
    disk_limit_bytes: int = _GIB  # all files of a session
    files_limit: int = 100_000  # how many it may have
    process_limit: int = 2048
    scratch_limit_bytes: int = 256 * _MIB
    shared_memory_limit_bytes: int = 64 * _MIB  # in /dev/shm of a session
    forks_ahead: int = 2
    forks_ahead_max: int = 8
    zygotes_max: int = 8
    zygote_idle_s: float = 300.0
    zygote_start_timeout_s: float = 30.0
    reuse_idle_s: float = 30.0
    environment_timeout_s: float = 600.0
    cache_days: float = 30.0
    dies_with_parent: bool = False
    install_environment: Mapping[str, str] = field(default_factory=dict[str, str])
    passed_variables: Mapping[str, str] = field(default_factory=dict[str, str])


def present_environment() -> dict[str, str]:
    """This process's environment, for one that it starts."""
    return dict(os.environ)


def read_token(token_file: Path | None) -> str:
    """The token for the service: from the file, else from HOOKLINE_RUNNER_TOKEN, which is then forgotten."""
    if token_file is not None:
        return token_file.read_text(encoding="utf-8").strip()
    return os.environ.pop("HOOKLINE_RUNNER_TOKEN", "")


def wants_json_log() -> bool:
    """Whether HOOKLINE_LOG_FORMAT asks for a log of JSON lines."""
    return os.environ.get("HOOKLINE_LOG_FORMAT") == "json"


def read_environment() -> dict[str, object]:
    """Fields of `RunnerSettings` that the environment sets (HOOKLINE_RUNNER_…), and what installs may see."""
    fields: dict[str, object] = {
        "install_environment": _install_environment(os.environ),
        "passed_variables": _passed_variables(os.environ),
    }
    if sandbox := os.environ.get("HOOKLINE_RUNNER_SANDBOX"):
        fields["sandbox"] = sandbox
    if network := os.environ.get("HOOKLINE_RUNNER_NETWORK"):
        fields["network"] = network
    if labels := os.environ.get("HOOKLINE_RUNNER_LABELS"):
        fields["labels"] = tuple(filter(None, labels.split(",")))
    numbers = ("capacity", "zygotes_max", "forks_ahead", "process_limit", "files_limit")
    sizes = (
        *("memory_limit_bytes", "prepare_memory_bytes", "build_memory_bytes"),
        "disk_limit_bytes",
    )
    for name in (*numbers, *sizes):
        if text := os.environ.get(f"HOOKLINE_RUNNER_{name.upper()}"):
            fields[name] = int(text)
    for name in ("zygote_idle_s", "reuse_idle_s", "environment_timeout_s", "cache_days"):
        if text := os.environ.get(f"HOOKLINE_RUNNER_{name.upper()}"):
            fields[name] = float(text)
    return fields


def _passed_variables(environment: Mapping[str, str]) -> dict[str, str]:
    names = environment.get("HOOKLINE_RUNNER_PASS_ENV", "").split(",")
    return {name: environment[name] for name in names if name in environment}


def _install_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Package index settings, in uv's names; pip's are translated where uv's are not set."""
    chosen = {
        name: value
        for name, value in environment.items()
        if name.startswith("UV_") or name in _INSTALL_VARIABLES
    }
    home = environment.get("HOME", "/root")
    chosen["HOME"] = home
    chosen["PATH"] = environment.get("PATH", "/usr/local/bin:/usr/bin:/bin")
    pip = {**_pip_configuration(environment, Path(home)), **_pip_variables(environment)}
    has_index = not chosen.keys().isdisjoint({"UV_INDEX_URL", "UV_DEFAULT_INDEX"})
    for pip_name, uv_name in _PIP_TO_UV.items():
        if pip_name in pip and uv_name not in chosen and not (has_index and "index" in pip_name):
            words = pip[pip_name].split()
            chosen[uv_name] = ("," if pip_name == "find-links" else " ").join(words)
    if "cert" in pip and "SSL_CERT_FILE" not in chosen:
        chosen["SSL_CERT_FILE"] = pip["cert"]
    return chosen


_PIP_TO_UV = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_EXTRA_INDEX_URL",
    "find-links": "UV_FIND_LINKS",
    "trusted-host": "UV_INSECURE_HOST",
}


def _pip_variables(environment: Mapping[str, str]) -> dict[str, str]:
    return {
        name: environment[variable]
        for name in (*_PIP_TO_UV, "cert")
        if (variable := "PIP_" + name.upper().replace("-", "_")) in environment
    }


def _pip_configuration(environment: Mapping[str, str], home: Path) -> dict[str, str]:
    """The [global] and [install] settings of pip's configuration files, later files win."""
    import configparser  # noqa: PLC0415 - small, and read once

    parser = configparser.RawConfigParser(strict=False)
    files = [
        Path("/etc/pip.conf"),
        home / ".pip" / "pip.conf",
        home / ".config" / "pip" / "pip.conf",
        *([Path(named)] if (named := environment.get("PIP_CONFIG_FILE")) else []),
    ]
    try:
        parser.read(files, encoding="utf-8")
    except (configparser.Error, UnicodeDecodeError):
        return {}
    found: dict[str, str] = {}
    for section in ("global", "install"):
        if parser.has_section(section):
            found.update({name.replace("_", "-"): value for name, value in parser.items(section)})
    return {name: value.replace("\n", " ").strip() for name, value in found.items()}
