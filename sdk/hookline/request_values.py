"""The parts of a webhook's request as user code reads them: headers in any spelling, and repeated values one by one."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, Self, cast

from hookline.attr_dict import AttrDict

_TOKEN: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+", re.ASCII)
_MISSING: Final = object()
_BYTES_FORM: Final = "$bytes"


@lru_cache(maxsize=2048)
def canonical(name: str) -> str:
    """The usual form of a header's name: `x-hub-SIGNATURE` is `X-Hub-Signature`; an odd name stays as it is.

    Example:
        >>> canonical("X-GitHub-Event")
        'X-Github-Event'
    """
    if not _TOKEN.fullmatch(name):
        return name
    return "-".join(part[:1].upper() + part[1:].lower() for part in name.split("-"))


class Values(AttrDict):
    """One value for each key, as of a query or a form; `get_all` gives those of a key that came more than once.

    Texts that came for one key are joined by a comma. A file that was sent with a form has `filename`, `content_type`
    and `bytes`; where several came for one key, the first stands here.

    Example:
        >>> query = Values({"tag": "a, b", "page": "2"}, {"tag": ["a", "b"]})
        >>> query["tag"], query.get_all("tag"), query.get_all("page"), query.get_all("none")
        ('a, b', ['a', 'b'], ['2'], [])
    """

    __slots__ = ("_repeated",)

    _repeated: dict[str, list[Any]]

    def __init__(
        self, values: Mapping[str, Any] | None = None, repeated: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(values or {})
        kept = {
            key: list(cast("list[Any]", several))
            for key, several in (repeated or {}).items()
            if isinstance(several, list)
        }
        object.__setattr__(self, "_repeated", kept)

    def get_all(self, key: str) -> list[Any]:
        """All values of the key in the order in which they came; an empty list if there are none."""
        value = self.get(key, _MISSING)
        if value is _MISSING:
            return []
        several = self._repeated.get(self._known_as(key), [])
        return list(several) if _stands_for(value, several) else [value]

    def _known_as(self, key: str) -> str:
        return key

    def copy(self) -> Self:
        """Another of its kind, with the same values."""
        return type(self)(self, self._repeated)

    def __copy__(self) -> Self:
        return self.copy()

    def __reduce__(
        self,
    ) -> Any:  # Any: a constructor and its arguments, of another number than the parent's
        return (type(self), (dict(self), self._repeated))


class Headers(Values):
    """Headers by name, whichever way it is spelled: `X-GitHub-Event`, `x-github-event`, or as an attribute `x_github_event`.

    To go through them gives the names in their usual form. Values that came for one name are joined by a comma, those
    of `Cookie` by a semicolon; `get_all` gives them one by one.

    Example:
        >>> headers = Headers({"X-Github-Event": "push"})
        >>> headers["X-GitHub-Event"], headers.get("x-github-event"), "X-GITHUB-EVENT" in headers, list(headers)
        ('push', 'push', True, ['X-Github-Event'])
        >>> headers.x_github_event
        'push'
    """

    __slots__ = ()

    def __init__(
        self, values: Mapping[str, Any] | None = None, repeated: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(_by_canonical(values or {}), _by_canonical(repeated or {}))

    def _known_as(self, key: str) -> str:
        return canonical(key)

    def __missing__(self, key: str) -> Any:
        known = canonical(key) if isinstance(key, str) else key  # pyright: ignore[reportUnnecessaryIsInstance] - user code asks for anything
        if known == key or known not in self:
            raise KeyError(key)
        return self[known]

    def __contains__(self, key: object) -> bool:
        return super().__contains__(canonical(key) if isinstance(key, str) else key)

    def __getattr__(self, name: str) -> Any:
        found = self.get(name, _MISSING)
        if found is _MISSING:
            found = self.get(name.replace("_", "-"), _MISSING)
        return super().__getattr__(name) if found is _MISSING else found

    def __setitem__(self, key: str, value: Any) -> None:
        super().__setitem__(canonical(key), value)

    def __delitem__(self, key: str) -> None:
        super().__delitem__(canonical(key))

    def get(self, key: str, default: Any = None) -> Any:
        """The value of that name; else the default."""
        return super().get(canonical(key) if isinstance(key, str) else key, default)  # pyright: ignore[reportUnnecessaryIsInstance] - user code asks for anything

    def pop(self, key: str, *default: Any) -> Any:
        """Take the value of that name out."""
        return super().pop(canonical(key), *default)

    def setdefault(self, key: str, default: Any = None) -> Any:
        """The value of that name, which becomes the default if there is none."""
        return super().setdefault(canonical(key), default)

    def update(self, *given: Any, **named: Any) -> None:
        """Set values by name."""
        for name, value in dict[str, Any](*given, **named).items():
            self[name] = value


def read_request(data: dict[str, Any]) -> dict[str, Any]:
    """The data of an event; those of a request get headers, query and form of the kinds above, in their places."""
    if not (isinstance(data.get("headers"), dict) and "method" in data and "raw_url" in data):
        return data
    repeated = _dict_of(data.get("repeated"))
    data["headers"] = Headers(_dict_of(data["headers"]), _dict_of(repeated.get("headers")))
    url, body = _dict_of(data.get("url")), _dict_of(data.get("body"))
    if isinstance(url.get("query"), dict):
        url["query"] = Values(_dict_of(url["query"]), _dict_of(repeated.get("query")))
    if isinstance(body.get("form"), dict):
        form = {key: _with_bytes(value) for key, value in _dict_of(body["form"]).items()}
        several = _dict_of(repeated.get("form"))
        for key, values in several.items():
            several[key] = [_with_bytes(value) for value in _list_of(values)]
        body["form"] = Values(form, several)
    return data


def _list_of(value: object) -> list[Any]:
    return cast("list[Any]", value) if isinstance(value, list) else []


def _dict_of(value: object) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _with_bytes(value: Any) -> Any:
    """A file whose bytes came in the form that JSON has for them, with its bytes."""
    if not isinstance(value, dict):
        return value
    file = cast("dict[str, Any]", value)
    content = file.get("bytes")
    if isinstance(content, dict) and isinstance(text := content.get(_BYTES_FORM), str):  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] - a dict of anything
        return {**file, "bytes": base64.b64decode(text)}
    return file


def _by_canonical(values: Mapping[str, Any]) -> dict[str, Any]:
    return {canonical(name): value for name, value in values.items()}


def _stands_for(value: object, several: list[Any]) -> bool:
    """Whether the value is the one that stands for these; it is not, once somebody has set another."""
    if all(isinstance(each, str) for each in several):
        return value in (", ".join(several), "; ".join(several))
    return value == next(each for each in several if not isinstance(each, str))
