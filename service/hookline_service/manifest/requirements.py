"""A project's requirements, line by line: what cannot be installed is found before anything is tried."""

from __future__ import annotations

import codecs
import re
from collections.abc import Mapping
from dataclasses import dataclass
from posixpath import dirname, join, normpath

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from hookline_runner.requirements import DEFAULTS_MARK
from hookline_service.manifest.default_packages import default_requirements
from hookline_service.manifest.reports import shown
from hookline_service.manifest.requirement_hints import (
    explain,
    find_variable,
    is_no_url,
)
from hookline_service.manifest.values import DEFAULT_REQUIREMENTS, Manifest, sort_findings
from hookline_service.model.errors import Finding

_CODE = "requirements.invalid"
_OWN_NAME = "hookline"
_COMMENT = re.compile(r"(^|\s)#.*$")
_HASH = re.compile(r"\s--hash[= ](\S+)")
_HASH_VALUE = re.compile(r"(sha256:[0-9a-f]{64}|sha384:[0-9a-f]{96}|sha512:[0-9a-f]{128})")
_OPTION = re.compile(r"(-[A-Za-z]|--[a-z][a-z0-9-]*)(?:[= ]?\s*(.*))?", re.DOTALL)
_URL = re.compile(r"(?:(?:git|hg|svn|bzr)\+[a-z]+|https?)://\S+", re.IGNORECASE)
_CREDENTIALS = re.compile(r"://[^/@\s]*@")
_LOCAL = re.compile(r"\.{0,2}/|\.\.?$|file:|~/|[A-Za-z]:\\|\S+\.(?:whl|tar\.gz|zip)$")
_LOCAL_TARGET = re.compile(r"[^@]*@\s*(?:file:|\.{0,2}/)", re.IGNORECASE)
_WITH_VALUE = frozenset(
    {"-i", "--index-url", "--extra-index-url", "-f", "--find-links", "--trusted-host"}
)
_WITH_NAMES = frozenset({"--no-binary", "--only-binary"})
_BARE = frozenset({"--pre", "--prefer-binary", "--require-hashes", "--no-index"})
_MAX_DEPTH = 10
_MAX_LINES = 5000
_MAX_LINE = 8000


@dataclass(frozen=True, slots=True, kw_only=True)
class RequirementsRead:
    """The text to install from, with included files put in their place; empty when there is nothing.

    `names` are the distributions asked for, as written. `defaults` are the lines at the end, after a mark, that the
    project did not write: what an AutoKitteh project imports, and counts on.
    """

    text: str
    defaults: tuple[str, ...]
    names: tuple[str, ...]
    findings: tuple[Finding, ...]


def read_requirements(manifest: Manifest, files: Mapping[str, bytes]) -> RequirementsRead:
    """What the project asks for: its requirements file, or the list in the manifest.

    With an AutoKitteh manifest, what its imports need is added; the project's own is installed on top of that.
    """
    reader = _Reader(files)
    source = manifest.requirements
    if isinstance(source, tuple):
        for index, line in enumerate(source):
            place = manifest.position(f"project.requirements.{index}")
            reader.read_line(
                line.strip(), _Place(file=manifest.file, line=place.line, column=place.column)
            )
    elif source is not None and normpath(source) not in files:
        place = manifest.position("project.requirements")
        at = _Place(file=manifest.file, line=place.line, column=place.column)
        reader.error(at, f"`requirements`: the project has no file {shown(source)}")
    elif source is not None or DEFAULT_REQUIREMENTS in files:
        reader.read_file(normpath(source or DEFAULT_REQUIREMENTS), ())
    defaults: tuple[str, ...] = ()
    if manifest.is_lenient and not isinstance(source, tuple):
        defaults = default_requirements(files, "\n".join(reader.lines), reader.names)
    layered = [*reader.lines, *([DEFAULTS_MARK] if reader.lines and defaults else []), *defaults]
    return RequirementsRead(
        text="".join(f"{line}\n" for line in layered),
        defaults=defaults,
        names=tuple(reader.names),
        findings=sort_findings(reader.findings),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    file: str
    line: int
    column: int = 1
    source: str = ""


class _Reader:
    def __init__(self, files: Mapping[str, bytes]) -> None:
        self._files = files
        self._read: set[str] = set()
        self.lines: list[str] = []
        self.names: list[str] = []
        self.findings: list[Finding] = []

    def error(self, place: _Place, message: str, hint: str = "", *, level: str = "error") -> None:
        self.findings.append(
            Finding(
                level=level,
                code=_CODE,
                file=place.file,
                line=place.line,
                column=place.column,
                message=_CREDENTIALS.sub("://***@", message),
                hint=hint,
                source=_CREDENTIALS.sub("://***@", place.source),
            )
        )

    def read_file(self, path: str, above: tuple[str, ...]) -> None:
        self._read.add(path)
        text = _decode(self._files[path])
        if text is None:
            place = _Place(file=path, line=0, column=0)
            self.error(place, "the file is not UTF-8", "save it as UTF-8")
            return
        lines = text.splitlines()
        if len(lines) + len(self.lines) > _MAX_LINES:
            self.error(_Place(file=path, line=0, column=0), f"more than {_MAX_LINES:,} lines")
            return
        for number, line in _joined(lines):
            column = len(lines[number - 1]) - len(lines[number - 1].lstrip()) + 1
            place = _Place(file=path, line=number, column=column, source=lines[number - 1][:200])
            included = _included_file(line)
            if included is None:
                self.read_line(line, place)
            else:
                self._include(included, place, (*above, path))

    def read_line(self, line: str, place: _Place) -> None:
        """Take one logical line without its comment; what is wrong with it becomes a finding."""
        if not line:
            return
        if len(line) > _MAX_LINE:
            self.error(place, f"the line is longer than {_MAX_LINE:,} characters")
        elif line.startswith("-"):
            self._read_option(line, place)
        else:
            self._read_requirement(line, place)

    def _include(self, name: str, place: _Place, above: tuple[str, ...]) -> None:
        path = normpath(join(dirname(place.file), name))
        if path in above:
            self.error(place, f"{shown(name)} includes itself")
        elif path not in self._files:
            hint = "paths count from the directory of the file that includes them"
            self.error(place, f"the project has no file {shown(name)}", hint)
        elif len(above) >= _MAX_DEPTH:
            self.error(place, f"more than {_MAX_DEPTH} files include each other")
        elif path not in self._read:
            self.read_file(path, above)

    def _read_option(self, line: str, place: _Place) -> None:
        match = _OPTION.fullmatch(line)
        name, value = (match[1], (match[2] or "").strip()) if match else (line, "")
        if name in {"-e", "--editable"}:
            hint = "put the package's files into the project, or name a released version"
            self.error(place, "an editable install is not possible in a deployed project", hint)
        elif name in {"-c", "--constraint"}:
            hint = "write the versions into the requirements themselves, as in name==1.2.3"
            self.error(place, "a constraints file is not supported", hint)
        elif name in {"-r", "--requirement"}:
            hint = "include it from a requirements file, or name that file as `requirements`"
            self.error(place, "a list in the manifest cannot include a file", hint)
        elif (name in _WITH_VALUE | _WITH_NAMES and value) or (name in _BARE and not value):
            self.lines.append(line)
        elif name in _WITH_VALUE | _WITH_NAMES | _BARE:
            self.error(
                place, f"`{name}` needs a value" if not value else f"`{name}` takes no value"
            )
        else:
            known = ", ".join(sorted(_WITH_VALUE | _WITH_NAMES | _BARE))
            self.error(place, f"unknown option {shown(name)}", f"known options: {known}")

    def _read_requirement(self, line: str, place: _Place) -> None:
        bare = _HASH.sub("", f" {line}").strip()
        for value in _HASH.findall(line):
            if not _HASH_VALUE.fullmatch(value):
                hint = "such as --hash=sha256: and 64 hexadecimal digits"
                self.error(place, f"{shown(value)} is not the hash of a package", hint)
                return
        variable = find_variable(bare.partition(";")[0])
        if variable:
            hint = "write the value itself"
            self.error(place, f"{variable}: no variable is filled in at a deploy", hint)
            return
        if _URL.fullmatch(bare):
            self.lines.append(line)
            return
        if _LOCAL.match(bare) or _LOCAL_TARGET.match(bare):
            hint = "name a released version, or a URL"
            self.error(
                place, f"{shown(bare)} is a file, which is not at hand for the install", hint
            )
            return
        try:
            requirement = Requirement(bare)
            if is_no_url(requirement):
                raise InvalidRequirement("a URL must follow `@`")  # noqa: TRY301 - told as the others are
        except (InvalidRequirement, RecursionError) as exc:
            problem = str(exc).partition("\n")[0]
            self.error(place, f"{shown(bare)} is not a requirement: {problem}", explain(bare))
            return
        if canonicalize_name(requirement.name) == _OWN_NAME:
            message = f"{shown(bare)} is left out: a project has the Hookline that runs it"
            self.error(place, message, "", level="warning")
            return
        self.lines.append(line)
        self.names.append(requirement.name)


def _decode(content: bytes) -> str | None:
    """The text of a file in UTF-8 or, with its mark, in UTF-16, as `>` of Windows' PowerShell writes it."""
    is_utf_16 = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        text = content.decode("utf-16" if is_utf_16 else "utf-8-sig")
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text


def _joined(lines: list[str]) -> list[tuple[int, str]]:
    """Logical lines without comments, each with the number of its first line; a backslash joins two."""
    found: list[tuple[int, str]] = []
    pending, start = "", 0
    for number, line in enumerate(lines, start=1):
        start = start or number
        if line.endswith("\\") and not line.lstrip().startswith("#") and number < len(lines):
            pending += line[:-1] + " "
            continue
        text = _COMMENT.sub("", pending + line.removesuffix("\\")).strip()
        if text:
            found.append((start, text))
        pending, start = "", 0
    return found


def _included_file(line: str) -> str | None:
    match = re.fullmatch(r"(?:-r|--requirement)[= ]?\s*(\S.*)", line)
    return match[1].strip() if match else None
