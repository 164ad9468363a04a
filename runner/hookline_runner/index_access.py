"""Package indexes as the host may use them, and as code that is built on it may.

Whoever builds a package runs foreign code, which sees the environment and the files of the installer. So what is built gets
indexes without a name and password: a proxy (see `index_proxy`) puts them in on the way. Here is which indexes need that, and
what the installer is told instead.
"""

from __future__ import annotations

import netrc
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, cast
from urllib.parse import quote, unquote, urlsplit, urlunsplit

_HTTP_PROXIES: Final = frozenset({"http_proxy", "https_proxy", "all_proxy"})
_ONE_INDEX: Final = frozenset({"UV_DEFAULT_INDEX", "UV_INDEX_URL"})
_SEVERAL: Final = frozenset({"UV_INDEX", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS"})
_OF_SECRETS: Final = re.compile(
    r"USERNAME|PASSWORD|TOKEN|KEYRING|CREDENTIAL|AUTH|CONFIG_FILE|NETRC", re.IGNORECASE
)
_PUBLIC: Final = ("https://pypi.org/simple", "https://files.pythonhosted.org/")
_PUBLIC_ORIGINS: Final = frozenset({"https://pypi.org", "https://files.pythonhosted.org"})
_SHORTEST_SECRET: Final = 4


@dataclass(frozen=True, slots=True)
class Origin:
    """A server with packages, and by which name and password it is asked; "" for none."""

    url: str  # scheme, host and port
    user: str = ""
    password: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexAccess:
    """What an installer is told, with everything that a configuration file said put into variables of the environment.

    `origins` are those behind the proxy; without any, what is built may see the environment as it is.
    """

    variables: Mapping[str, str]
    origins: tuple[Origin, ...]
    secrets: tuple[str, ...] = ()

    def variables_for_builds(self, proxies: Mapping[str, str]) -> dict[str, str]:
        """The environment of builds.

        Args:
            proxies: for each origin the URL at which the proxy stands for it.
        """
        if not self.origins:
            return dict(self.variables)
        told: dict[str, str] = {"UV_NO_CONFIG": "1"}
        for name, value in self.variables.items():
            if name in _ONE_INDEX | _SEVERAL:
                told[name] = _each_url(value, lambda url: _through(url, proxies))
            elif name.lower() in _HTTP_PROXIES:
                if not _user_of(value)[0]:
                    told[name] = value
            elif not _OF_SECRETS.search(name):
                told[name] = value
        for name in ("NO_PROXY", "no_proxy"):  # proxies are on this machine
            told[name] = ",".join(filter(None, (told.get(name, ""), "127.0.0.1")))
        if proxies.keys() >= _PUBLIC_ORIGINS and not _ONE_INDEX & told.keys():
            told["UV_DEFAULT_INDEX"] = _through(_PUBLIC[0], proxies)
        return told

    def cover(self, line: str, proxies: Mapping[str, str] = MappingProxyType({})) -> str:
        """The line without passwords of indexes, and with these in the place of their proxies."""
        for origin, proxy in proxies.items():
            place = re.escape(proxy.rpartition("@")[2])
            line = re.sub(rf"http://(?:[^@/\s]*@)?{place}", lambda _, told=origin: told, line)
        for secret in self.secrets:
            line = line.replace(secret, "****")
        return re.sub(r"(?<=://)[^/@\s:]+:[^/@\s]+(?=@)", "****", line)


def read_index_access(environment: Mapping[str, str]) -> IndexAccess:
    """How the installer reaches its indexes, by these variables and the files that they name."""
    variables = _with_configuration(environment)
    logins = _read_netrc(environment)
    origins: dict[str, Origin] = {}
    for name in (*sorted(_ONE_INDEX), *sorted(_SEVERAL)):
        for entry in _urls_in(variables.get(name, "")):
            found = _origin_of(entry, variables, logins)
            if found is not None and (found.user or found.url not in origins):
                origins[found.url] = found
    proxied = [value for name, value in variables.items() if name.lower() in _HTTP_PROXIES]
    needs_proxy = any(each.user for each in origins.values()) or any(
        _user_of(each)[0] for each in proxied
    )
    if not needs_proxy:
        return IndexAccess(variables=environment, origins=())
    if not any(name in variables for name in _ONE_INDEX):
        for url in _PUBLIC:
            origins.setdefault(_origin_url(url), Origin(_origin_url(url)))
    passwords = [each.password for each in origins.values()]
    passwords += [_user_of(each)[1] for each in proxied]
    return IndexAccess(
        variables=variables, origins=tuple(origins.values()), secrets=_forms_of(passwords)
    )


def _forms_of(passwords: Iterable[str]) -> tuple[str, ...]:
    forms = {form for each in passwords for form in (each, quote(each, safe=""))}
    return tuple(
        sorted((each for each in forms if len(each) >= _SHORTEST_SECRET), key=len, reverse=True)
    )


def _origin_of(
    entry: str, variables: Mapping[str, str], logins: netrc.netrc | None
) -> Origin | None:
    """The server of an index, which may be written as `name=url`; None if it is a directory."""
    name, url = _name_and_url(entry)
    origin = _origin_url(url)
    if not origin:
        return None
    user, password = _user_of(url)
    if not user and name:
        key = re.sub(r"[^A-Za-z0-9]", "_", name).upper()
        user = variables.get(f"UV_INDEX_{key}_USERNAME", "")
        password = variables.get(f"UV_INDEX_{key}_PASSWORD", "")
        user = user or ("__token__" if password else "")
    if not user and logins is not None:
        found = logins.authenticators(urlsplit(url).hostname or "")
        user, password = (found[0], found[2] or "") if found else ("", "")
    return Origin(origin, user, password)


def _through(entry: str, proxies: Mapping[str, str]) -> str:
    """An index by way of its proxy; one that has none is as it was, without a name and password."""
    name, url = _name_and_url(entry)
    origin = _origin_url(url)
    if not origin:
        return entry
    parts = urlsplit(url)
    proxy = proxies.get(origin, origin)
    path = urlunsplit(("", "", parts.path, parts.query, parts.fragment))
    return f"{name}={proxy}{path}" if name else f"{proxy}{path}"


def _name_and_url(entry: str) -> tuple[str, str]:
    match = re.match(r"([A-Za-z0-9][\w.-]*)=(?=\w+://)", entry)
    return (match[1], entry[match.end() :]) if match else ("", entry)


def _origin_url(url: str) -> str:
    """Scheme, host and port of a URL of the web, "" for another."""
    with suppress(ValueError):
        parts = urlsplit(url)
        if parts.scheme in {"http", "https"} and parts.hostname:
            host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
            return f"{parts.scheme}://{host}" + (f":{parts.port}" if parts.port else "")
    return ""


def _user_of(url: str) -> tuple[str, str]:
    with suppress(ValueError):
        parts = urlsplit(_name_and_url(url)[1])
        if parts.username or parts.password:
            return unquote(parts.username or "") or "__token__", unquote(parts.password or "")
    return "", ""


def _urls_in(value: str) -> list[str]:
    return [each for each in re.split(r"[\s,]+", value) if each]


def _each_url(value: str, change: Callable[[str], str]) -> str:
    return "".join(
        each if re.fullmatch(r"[\s,]+", each) or not each else change(each)
        for each in re.split(r"([\s,]+)", value)
    )


def _read_netrc(environment: Mapping[str, str]) -> netrc.netrc | None:
    path = environment.get("NETRC") or f"{environment.get('HOME', '/root')}/.netrc"
    try:
        return netrc.netrc(path)
    except (OSError, ValueError, netrc.NetrcParseError):
        return None


def _with_configuration(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables with the indexes of uv's configuration files, which a build must not read."""
    home = environment.get("HOME", "/root")
    files = [environment["UV_CONFIG_FILE"]] if "UV_CONFIG_FILE" in environment else [
        f"{environment.get('XDG_CONFIG_HOME', home + '/.config')}/uv/uv.toml",
        "/etc/uv/uv.toml",
    ]  # fmt: skip
    variables = dict(environment)
    for file in files:
        settings = _read_toml(Path(file))
        pip: object = settings.get("pip")
        _merge(variables, settings)
        if isinstance(pip, dict):
            _merge(variables, cast("dict[str, Any]", pip))
    return variables


def _merge(variables: dict[str, str], settings: Mapping[str, Any]) -> None:  # Any: TOML
    """Variables win over files where one index is meant, and come first where there may be several."""
    one = settings.get("index-url")
    if isinstance(one, str) and not _ONE_INDEX & variables.keys():
        variables["UV_DEFAULT_INDEX"] = one
    for key, name in (("extra-index-url", "UV_EXTRA_INDEX_URL"), ("find-links", "UV_FIND_LINKS")):
        listed: object = settings.get(key)
        if isinstance(listed, list):
            texts = [each for each in cast("list[object]", listed) if isinstance(each, str)]
            separator = "," if name == "UV_FIND_LINKS" else " "
            variables[name] = separator.join(filter(None, (variables.get(name, ""), *texts)))
    indexes: object = settings.get("index")
    for index in cast("list[object]", indexes) if isinstance(indexes, list) else ():
        _merge_index(variables, index)


def _merge_index(variables: dict[str, str], index: object) -> None:
    if not isinstance(index, dict):
        return
    fields = cast("dict[str, Any]", index)
    url, name = fields.get("url"), fields.get("name")
    if not isinstance(url, str):
        return
    entry = f"{name}={url}" if isinstance(name, str) else url
    if fields.get("default") is True:
        if not _ONE_INDEX & variables.keys():
            variables["UV_DEFAULT_INDEX"] = entry
    else:
        variables["UV_INDEX"] = " ".join(filter(None, (variables.get("UV_INDEX", ""), entry)))


def _read_toml(path: Path) -> Mapping[str, Any]:  # Any: as above
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
