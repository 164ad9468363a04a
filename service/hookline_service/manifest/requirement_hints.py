"""What the author of a requirement meant that cannot be read: as npm, Poetry, conda, a shell or a word processor has it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from packaging.requirements import InvalidRequirement, Requirement

_QUOTES: Final = str.maketrans(dict.fromkeys("\"'`‘’“”„«»", ""))
_SPACES: Final = re.compile(r"[\u00a0\u2000-\u200d\u202f\u2060\u3000\ufeff]")
_COMMAND: Final = re.compile(
    r"(?:[!%$>]\s*)?(?:(?:python3?|py)\s+-m\s+)?(?:(?:uv\s+)?pip3?\s+install|(?:uv|poetry|pdm|pipenv|conda)\s+(?:add|install))\s+"
    r"(?:-{1,2}[\w-]+\s+)*(?P<what>[^-].*)",
    re.IGNORECASE,
)
_NAME: Final = r"(?P<name>[A-Za-z0-9][\w.-]*(?:\s*\[[^\]]*\])?)"
_VERSION: Final = r"(?P<version>[vV]?\d+(?:\.\d+)*(?:\.\*|[a-z]+\d*)?)"
_SINGLE: Final = re.compile(rf"{_NAME}\s*(?:=|:=|:)\s*{_VERSION}")
_SWAPPED: Final = re.compile(r"=\s*([<>~!])(?!=)")
_SPACED: Final = re.compile(r"([<>~!=])\s+=(?!=)")
_COMPATIBLE: Final = re.compile(rf"{_NAME}\s*~=\s*(?P<version>\d+)\s*(?P<rest>[,;].*)?")
_CARET: Final = re.compile(rf"{_NAME}\s*=?\s*[\"']?(?P<sign>[\^~])\s*{_VERSION}[\"']?")
_AT: Final = re.compile(rf"{_NAME}\s*@\s*{_VERSION}")
_BARE_VERSION: Final = re.compile(rf"{_NAME}\s+{_VERSION}")
_WILD: Final = re.compile(r"(>=|<=|>|<|~=)(\s*\d+(?:\.\d+)*)\.\*")
_ANY: Final = re.compile(
    rf"{_NAME}\s*(?:==?|@|>=)\s*[\"']?(?:\*|latest|newest|any)[\"']?", re.IGNORECASE
)
_NO_COMMA: Final = re.compile(r"(\d)\s+(?=[<>~!=]=?)")
_IMPORT: Final = re.compile(r"(?:import|from)\s+([A-Za-z_]\w*)")
_VARIABLE: Final = re.compile(r"\$\{\w+\}")


def find_variable(line: str) -> str:
    """The variable of an environment that the line counts on, or an empty text."""
    found = _VARIABLE.search(line)
    return found[0] if found else ""


def is_no_url(requirement: Requirement) -> bool:
    """Whether what stands after `@` is something else, such as a version, which packaging lets pass."""
    return requirement.url is not None and ":" not in requirement.url


def explain(bare: str) -> str:
    """What to write instead of a requirement that cannot be read."""
    told = next((hint for known in _KNOWN if (hint := known(bare))), "")
    if told:
        return told
    if re.search(r"\s[A-Za-z]", bare) and ";" not in bare:
        return "write one requirement to a line"
    return "write a name and versions, as in requests>=2.31,<3"


def _can_be_read(text: str) -> bool:
    try:
        return not is_no_url(Requirement(text))
    except (InvalidRequirement, RecursionError):
        return False


def _if_readable(text: str, hint: str) -> str:
    return hint.format(text) if _can_be_read(text) else ""


def _command(bare: str) -> str:
    found = _COMMAND.fullmatch(bare)
    return f"write {found['what'].strip()} alone; the deploy installs it" if found else ""


def _import(bare: str) -> str:
    found = _IMPORT.match(bare)
    return f"write {found[1]} alone, or as its package is called" if found else ""


def _quotes(bare: str) -> str:
    plain = _SPACES.sub(" ", bare).strip()
    unquoted = plain.translate(_QUOTES).rstrip(",").strip()
    if plain != bare and _can_be_read(plain):
        return f"write plain spaces, as in {plain}"
    return (
        _if_readable(unquoted, "write it without quotes and commas around: {}")
        if unquoted != bare
        else ""
    )


def _single(bare: str) -> str:
    found = _SINGLE.fullmatch(bare)
    if found is None:
        return ""
    return f"write == for an exact version, as in {found['name']}=={found['version']}"


def _swapped(bare: str) -> str:
    turned = _SPACED.sub(r"\1=", _SWAPPED.sub(r"\1=", bare))
    found = re.search(r"[<>~!=]=", turned)
    sign = found[0] if found else ""
    return _if_readable(turned, f"write {sign}, as in {{}}") if turned != bare else ""


def _compatible(bare: str) -> str:
    found = _COMPATIBLE.fullmatch(bare)
    if found is None:
        return ""
    return f"`~=` needs two parts, as in {found['name']}~={found['version']}.0{found['rest'] or ''}"


def _caret(bare: str) -> str:
    found = _CARET.fullmatch(bare)
    if found is None:
        return ""
    parts = found["version"].lstrip("vV").split(".")
    first = next(
        (at for at, part in enumerate(parts) if part.isdigit() and int(part)), len(parts) - 1
    )
    at = first if found["sign"] == "^" else min(1, len(parts) - 1)
    if not parts[at].isdigit():
        return ""
    above = ".".join([*parts[:at], str(int(parts[at]) + 1)])
    return f"write {found['name']}>={'.'.join(parts)},<{above}"


def _at(bare: str) -> str:
    found = _AT.fullmatch(bare) or _BARE_VERSION.fullmatch(bare)
    return (
        f"write == for an exact version, as in {found['name']}=={found['version']}" if found else ""
    )


def _wild(bare: str) -> str:
    plain = _WILD.sub(r"\1\2", bare)
    return _if_readable(plain, "`*` goes with == and != alone; write {}") if plain != bare else ""


def _any(bare: str) -> str:
    found = _ANY.fullmatch(bare)
    return f"write {found['name']} alone for its newest version" if found else ""


def _comma(bare: str) -> str:
    joined = _NO_COMMA.sub(r"\1,", bare)
    return (
        _if_readable(joined, "write a comma between the versions, as in {}")
        if joined != bare
        else ""
    )


_KNOWN: Final[tuple[Callable[[str], str], ...]] = (
    _command, _import, _any, _single, _swapped, _compatible, _caret, _at, _wild, _comma, _quotes,
)  # fmt: skip
