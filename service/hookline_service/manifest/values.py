"""What a manifest says, as values; and where in the file it says so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from hookline_service.model.errors import Finding
from hookline_service.model.secret import Secret
from hookline_triggers.definitions import TriggerDefinition

DEFAULT_REQUIREMENTS = "requirements.txt"


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """A place in the manifest; counts from 1, and 0 means the whole file."""

    line: int = 0
    column: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestVariable:
    """A variable as declared.

    `value` is None when the manifest gives none. The value of a secret is a `Secret`; it is never part
    of the canonical JSON. `is_required`: a deploy fails while the variable has no value.
    """

    name: str
    value: str | Secret | None = None
    is_secret: bool = False
    description: str = ""
    is_required: bool = False

    @property
    def text(self) -> str:
        """The plain value, of a secret too; empty when there is none. For sealing and comparing only."""
        if isinstance(self.value, Secret):
            return self.value.reveal()
        return self.value or ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestConnection:
    """A connection as declared: its name, its integration, the variables given to it."""

    name: str
    integration: str
    variables: tuple[ManifestVariable, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestExport:
    """An entry point that sessions of other projects may start: those named in `callers`, or of all if that is None."""

    call: str
    callers: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """A parsed manifest.

    `requirements` is the name of a requirements file, a tuple of requirement lines, or None: then
    `requirements.txt` is taken if there is one. `python` is "" or a version such as `3.12`. `process`
    is `fork` or `reuse`. `concurrency` limits the sessions of the project that run at once; None: no limit.
    `file`, `is_lenient` and `positions` say where it was read from and take no part in comparisons;
    a path in `positions` is made of keys and names: `triggers.nightly.schedule`, `vars.TOKEN`.
    """

    project: str
    display_name: str = ""
    python: str = ""
    requirements: str | tuple[str, ...] | None = None
    ignore: tuple[str, ...] = ()
    process: str = "fork"
    concurrency: int | None = None
    variables: tuple[ManifestVariable, ...] = ()
    connections: tuple[ManifestConnection, ...] = ()
    triggers: tuple[TriggerDefinition, ...] = ()
    exports: tuple[ManifestExport, ...] = ()
    file: str = field(default="hookline.yaml", compare=False)
    is_lenient: bool = field(default=False, compare=False)
    positions: Mapping[str, Position] = field(
        default_factory=dict[str, Position], compare=False, repr=False
    )

    def position(self, path: str) -> Position:
        """Where this path stands in the file, or the nearest path above it that is known."""
        while path:
            if path in self.positions:
                return self.positions[path]
            path = path.rpartition(".")[0]
        return Position()

    @property
    def requirements_text(self) -> str:
        """The lines of requirements as one text; empty when they are not given as lines.

        A build keeps them as lines, also those that were read from a file.
        """
        return "\n".join(self.requirements) if isinstance(self.requirements, tuple) else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedManifest:
    """What reading a manifest gave.

    `manifest` is there as soon as the document is a map, even if findings hold errors, so that the rest of
    the project can be checked in the same go; it is fit for deploying only if `is_valid`.
    """

    manifest: Manifest | None
    findings: tuple[Finding, ...]

    @property
    def is_valid(self) -> bool:
        """True if there is a manifest and no finding is an error."""
        return self.manifest is not None and not has_errors(self.findings)


def has_errors(findings: tuple[Finding, ...]) -> bool:
    """True if one of the findings forbids deploying."""
    return any(finding.level == "error" for finding in findings)


def sort_findings(findings: list[Finding]) -> tuple[Finding, ...]:
    """Without repetitions, by file, line and column, errors before warnings at the same place."""

    def place(finding: Finding) -> tuple[str, int, int, bool, str, str]:
        is_warning = finding.level != "error"
        return (
            finding.file,
            finding.line,
            finding.column,
            is_warning,
            finding.code,
            finding.message,
        )

    return tuple(sorted(dict.fromkeys(findings), key=place))
