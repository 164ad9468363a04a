"""Everything that can be known to be wrong with a project before it is deployed, found in one go."""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import islice

from hookline_connections.names import HELPER_VARIABLES, INTEGRATION_NAMES
from hookline_service.manifest.bindings import ModuleBindings
from hookline_service.manifest.connection_calls import ConnectionCall, find_connection_calls
from hookline_service.manifest.exports import entry_point_of
from hookline_service.manifest.files import is_test
from hookline_service.manifest.ignore_rules import IgnorePatterns
from hookline_service.manifest.imports import (
    ImportSources,
    UnmetImport,
    find_reachable,
    find_unmet_imports,
)
from hookline_service.manifest.modules import ModuleFacts, ProjectModules, SyntaxFault, read_modules
from hookline_service.manifest.reports import shown
from hookline_service.manifest.requirements import read_requirements
from hookline_service.manifest.values import (
    Manifest,
    ManifestConnection,
    ManifestVariable,
    sort_findings,
)
from hookline_service.model.errors import Finding
from hookline_service.model.secret import TOO_SHORT, is_too_short
from hookline_triggers.calls import EntryPoint, parse_call
from hookline_triggers.cron import parse_schedule
from hookline_triggers.definitions import TriggerDefinition, TriggerKind
from hookline_triggers.doubts import find_doubts
from hookline_triggers.errors import (
    CallInvalidError,
    DedupeInvalidError,
    FilterInvalidError,
    ScheduleInvalidError,
    TimezoneUnknownError,
)
from hookline_triggers.filters import compile_filter
from hookline_triggers.webhook import parse_dedupe

MAX_FINDINGS = 500

_COMPARED = 200
_OAUTH = "oauth"  # in the names of variables by which a helper connects another way
_MAX_SOURCE = 200
_MAX_LONG_SOURCE = 4000  # as far as the column at fault
_LISTED = 10
_MAX_PER_FILE = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckContext:
    """What a project is checked against, as far as it is known; None: not known, so not checked.

    Attributes:
        modules: The runner's analysis, path → facts: see `hookline_runner.analysis.analyse`.
        provided: Top-level modules that the project's environment offers besides the standard library.
        stdlib: Modules of the standard library of the environment's Python.
        integrations: Names of the integrations there are; known without asking anybody.
        variables: (scope, name) of the variables that are stored with a value; the scope is the connection's
            name, or "" for the project's own.
    """

    modules: Mapping[str, object] | None = None
    provided: Collection[str] | None = None
    stdlib: Collection[str] = ()
    integrations: Collection[str] = INTEGRATION_NAMES
    variables: Collection[tuple[str, str]] = ()


def check_project(
    manifest: Manifest, files: Mapping[str, bytes], surroundings: CheckContext | None = None
) -> tuple[Finding, ...]:
    """All findings about a parsed manifest and the project's files, by file and line.

    Pure; takes time in the order of the files' size, so call it in a thread.
    """
    check = _Check(manifest, files, surroundings or CheckContext())
    check.run()
    findings = sort_findings([*check.findings, *read_requirements(manifest, files).findings])
    if len(findings) <= MAX_FINDINGS:
        return findings
    errors_first = sorted(findings, key=lambda finding: finding.level != "error")
    return sort_findings(errors_first[:MAX_FINDINGS])


def check_manifest(manifest: Manifest) -> tuple[Finding, ...]:
    """The findings about a parsed manifest that can be known without the project's files."""
    check = _Check(manifest, None, CheckContext())
    check.run()
    return sort_findings(check.findings)


class _Check:
    """One pass over one project; collects findings."""

    def __init__(
        self, manifest: Manifest, files: Mapping[str, bytes] | None, around: CheckContext
    ) -> None:
        self.findings: list[Finding] = []
        self._manifest = manifest
        self._knows_files = files is not None
        self._files = files or {}
        self._around = around
        self._modules = read_modules(around.modules) if around.modules is not None else {}
        self._entries: set[str] = set()
        self._reachable: frozenset[str] = frozenset()
        self._lines: dict[str, list[bytes]] = {}
        self._connections = [one.name for one in manifest.connections]

    def run(self) -> None:
        for trigger in self._manifest.triggers:
            self._check_trigger(trigger)
        for export in self._manifest.exports:
            self._check_call(export.call, f"exports.{entry_point_of(export)}", "exports")
        if not self._manifest.triggers and not self._manifest.exports:
            message = "the project has no triggers; only `hookline run` can start something"
            self._in_manifest("warning", "project.no_triggers", "triggers", message)
        self._check_connections()
        if self._knows_files:
            self._check_variables()
        self._check_modules()
        self._check_connection_calls()

    def _check_trigger(self, trigger: TriggerDefinition) -> None:
        path = f"triggers.{trigger.name}"
        if trigger.kind is TriggerKind.SCHEDULE:
            self._check_schedule(trigger, path)
        if not trigger.filter or self._check_filter(trigger.filter, path):
            self._doubt_matches(trigger, path)
        if trigger.dedupe:
            self._check_dedupe(trigger.dedupe, path)
        if trigger.kind is TriggerKind.CONNECTION:
            self._check_connection(trigger, path)
        if trigger.call:
            self._check_call(trigger.call, f"{path}.call")

    def _check_connection(self, trigger: TriggerDefinition, path: str) -> None:
        place = f"{path}.connection"
        if trigger.connection not in self._connections:
            message = f"the project has no connection {trigger.connection!r}"
            hint = _guess(trigger.connection, self._connections, "its connections are")
            self._in_manifest("error", "connection.unknown", place, message, hint)
        else:
            message = (
                "connections receive no events yet; only `hookline event send` reaches this trigger"
            )
            self._in_manifest("warning", "trigger.not_yet", place, message)

    def _check_schedule(self, trigger: TriggerDefinition, path: str, timezone: str = "") -> None:
        place = f"{path}.schedule"
        try:
            schedule = parse_schedule(trigger.schedule, timezone or trigger.timezone)
        except TimezoneUnknownError as exc:
            is_own = exc.timezone == trigger.timezone
            if is_own:  # what else is wrong with it is told as well
                self._check_schedule(trigger, path, "UTC")
            self._report_zone(exc, f"{path}.timezone" if is_own else place)
        except ScheduleInvalidError as exc:
            for one in (exc, *exc.others):
                part = f", {one.field}" if one.field else ""
                message = f"`schedule` {shown(trigger.schedule)}{part}: {one.problem}"
                self._in_manifest("error", exc.code, place, message, one.hint)
        else:
            for doubt in schedule.doubts:
                message = f"`schedule` {shown(trigger.schedule)}: {doubt.problem}"
                self._in_manifest("warning", "schedule.doubtful", place, message, doubt.hint)

    def _report_zone(self, exc: TimezoneUnknownError, place: str) -> None:
        message = f"there is no time zone {shown(exc.timezone)}"
        near = " or ".join(f"`{name}`" for name in exc.suggestions)
        hint = f"did you mean {near}?" if near else "write an IANA name such as Europe/Prague"
        more = f" ({exc.note})" if exc.note else ""
        self._in_manifest("error", exc.code, place, message, hint + more)

    def _check_filter(self, text: str, path: str) -> bool:
        """Whether it is valid."""
        try:
            compile_filter(text)
        except FilterInvalidError as exc:
            spot = f", line {exc.line}, column {exc.column}" if exc.line else f" {shown(text)}"
            excerpt = f"\n{exc.excerpt}" if exc.line else ""
            message = f"`filter`{spot}: {exc.problem}{excerpt}"
            hint = exc.hint or "it is a CEL expression over `data` and `event_type`"
            self._in_manifest("error", exc.code, f"{path}.filter", message, hint)
            return False
        return True

    def _doubt_matches(self, trigger: TriggerDefinition, path: str) -> None:
        for doubt in find_doubts(trigger):
            place = f"{path}.{doubt.key}"
            self._in_manifest("warning", "trigger.unmatchable", place, doubt.problem, doubt.hint)

    def _check_dedupe(self, text: str, path: str) -> None:
        try:
            parse_dedupe(text)
        except DedupeInvalidError as exc:
            message = f"`dedupe` {shown(text)}: {exc.problem}"
            hint = "write header:NAME or json:dotted.path, as in header:X-GitHub-Delivery"
            self._in_manifest("error", exc.code, f"{path}.dedupe", message, hint)

    def _check_call(self, call: str, place: str, key: str = "call") -> None:
        try:
            entry = parse_call(call)
        except CallInvalidError as exc:
            message = f"`{key}` {shown(call)}: {exc.problem}"
            hint = "write PATH.py:NAME, as in handlers.py:run"
            self._in_manifest("error", exc.code, place, message, hint)
            return
        if not self._knows_files:
            return
        if entry.path not in self._files:
            message = f"the project has no file {entry.path!r}"
            hint = self._file_hint(entry.path)
            self._in_manifest("error", "entry_point.no_file", place, message, hint)
            return
        self._entries.add(entry.path)
        facts = self._modules.get(entry.path)
        if facts is not None:
            self._check_handler(entry, facts, place, key)

    def _check_handler(self, entry: EntryPoint, facts: ModuleFacts, place: str, key: str) -> None:
        name = facts.names.get(entry.name)
        if name is None and not facts.is_open:
            known = [one for one, about in facts.names.items() if about.kind != "import"]
            message = f"`{key}` names {entry.name!r}, which {entry.path} does not have"
            hint = _guess(entry.name, known, "it has")
            self._in_manifest("error", "entry_point.no_handler", place, message, hint)
        elif name is not None and name.event not in {"ok", "unknown"}:
            message = f"{entry.name!r} in {entry.path} cannot be called with an event: {name.event}"
            hint = f"write `def {entry.name}(event):` at line {name.line} of {entry.path}"
            self._in_manifest("error", "entry_point.not_callable", place, message, hint)

    def _file_hint(self, path: str) -> str:
        if IgnorePatterns(self._manifest.ignore).leaves_out(path):
            return "it is left out by the manifest's `ignore`"
        known = [one for one in self._files if one.endswith(".py")]
        return _guess(path, known, "its Python files are")

    def _check_connections(self) -> None:
        integrations = self._around.integrations
        for connection in self._manifest.connections:
            if connection.integration not in integrations:
                place = f"connections.{connection.name}.integration"
                message = f"there is no integration {connection.integration!r}"
                hint = _guess(connection.integration, sorted(integrations), "there are")
                self._in_manifest("error", "integration.unknown", place, message, hint)

    def _check_variables(self) -> None:
        scopes = [("", "vars", self._manifest.variables)]
        scopes += [
            (one.name, f"connections.{one.name}.vars", one.variables)
            for one in self._manifest.connections
        ]
        for scope, base, variables in scopes:
            for variable in variables:
                if variable.is_secret and is_too_short(variable.text):
                    label = f"{scope}/{variable.name}" if scope else variable.name
                    message = f"the secret {label!r} cannot be hidden: {TOO_SHORT}"
                    place = f"{base}.{variable.name}"
                    self._in_manifest(
                        "warning", "var.short_secret", place, message, "take a longer one"
                    )
                if variable.text or (scope, variable.name) in self._around.variables:
                    continue
                if variable.is_required or variable.is_secret:
                    self._report_unset(scope, variable, f"{base}.{variable.name}")

    def _report_unset(self, scope: str, variable: ManifestVariable, place: str) -> None:
        options = f" --connection {scope}" if scope else ""
        options += " --secret" if variable.is_secret else ""
        project = self._manifest.project or "PROJECT"
        key = f"{scope}/{variable.name}" if scope else variable.name
        hint = (
            f"set it with `hookline var set {project} {variable.name}{options}`, "
            f"or deploy with `--var {key}=…` or `--env-file FILE`"
        )
        if variable.is_required:
            message = f"the variable {variable.name!r} is required and has no value"
            self._in_manifest("error", "var.unset", place, message, hint)
        else:
            message = f"the secret {variable.name!r} has no value yet"
            self._in_manifest("warning", "var.unset", place, message, hint)

    def _check_modules(self) -> None:
        sources = ImportSources(
            project=ProjectModules(self._files),
            bindings=ModuleBindings(self._files),
            facts=self._modules,
            stdlib=self._around.stdlib or sys.stdlib_module_names,
            provided=self._around.provided,
        )
        self._reachable = find_reachable(self._entries, sources)
        for path, facts in self._modules.items():
            if facts.error is not None:
                level = "error" if self._must_be_sound(path) else "warning"
                self._report_syntax(path, facts.error, level)
            for told in facts.warnings:
                self._report_warning(path, told)
            if len(self.findings) > 2 * MAX_FINDINGS:
                return  # a person has enough to read; what comes on top costs time
            if is_test(path) and not (self._entries and path in self._reachable):
                continue  # it runs at the author's desk
            for unmet in islice(find_unmet_imports(path, sources), _MAX_PER_FILE):
                self._report_import(path, unmet, is_needed=self._is_needed(path))

    def _is_needed(self, path: str) -> bool:
        """Whether a session may import this file; all, if nothing tells where sessions begin."""
        return not self._entries or path in self._reachable

    def _report_syntax(self, path: str, fault: SyntaxFault, level: str) -> None:
        self.findings.append(
            Finding(
                level=level,
                code="python.too_large" if fault.is_size else "python.syntax",
                file=path,
                line=fault.line,
                column=fault.column,
                message=fault.message
                if fault.is_size
                else f"this is not valid Python: {fault.message}",
                source=fault.source[:_MAX_LONG_SOURCE],
            )
        )

    def _report_warning(self, path: str, fault: SyntaxFault) -> None:
        message = f"Python warns: {fault.message}"
        at = (fault.line, fault.column)
        self._in_file("warning", "python.warning", path, at, message, "")

    def _must_be_sound(self, path: str) -> bool:
        """AutoKitteh reads only what lies in the root, and never names that begin with `_`."""
        is_unseen = "/" in path or path.startswith("_")
        return path in self._reachable or not (self._manifest.is_lenient and is_unseen)

    def _report_import(self, path: str, unmet: UnmetImport, *, is_needed: bool) -> None:
        fact = unmet.fact
        is_error = is_needed and unmet.is_sure and not (fact.is_lazy or fact.is_guarded)
        self._in_file(
            "error" if is_error else "warning",
            "import.name" if unmet.is_name else "import.unmet",
            path,
            (fact.line, fact.column),
            unmet.message,
            unmet.hint,
        )

    def _check_connection_calls(self) -> None:
        called: set[str] = set()
        for path, content in self._files.items():
            if not path.endswith(".py"):
                continue
            for call in find_connection_calls(content):
                called.add(call.connection)
                if call.connection not in self._connections:
                    message = f"`{call.helper}` names {call.connection!r}, but the project has no such connection"
                    hint = _guess(call.connection, self._connections, "its connections are")
                    at = (call.line, call.column)
                    level = "error" if self._must_be_there(path, call) else "warning"
                    self._in_file(level, "connection.unknown", path, at, message, hint)
        self._check_values_of(called)

    def _check_values_of(self, called: set[str]) -> None:
        for connection in self._manifest.connections:
            values = {variable.name for variable in connection.variables if variable.text}
            values |= {name for scope, name in self._around.variables if scope == connection.name}
            names = HELPER_VARIABLES.get(connection.integration, ())
            missing = [name for name in names if name not in values]
            has_other_way = any(_OAUTH in name.lower() for name in values)
            if connection.name in called and (not values or (missing and not has_other_way)):
                self._report_unset_connection(connection, missing, is_empty=not values)

    def _report_unset_connection(
        self, connection: ManifestConnection, missing: Sequence[str], *, is_empty: bool
    ) -> None:
        lack = "has no values yet" if is_empty else f"lacks {', '.join(missing)}"
        message = f"the connection {connection.name!r} {lack}; its helper will not connect"
        project = self._manifest.project or "PROJECT"
        command = f"hookline var set {project} {missing[0] if missing else 'NAME'}"
        hint = f"set them with `{command} --connection {connection.name} --secret`"
        if is_empty and missing[1:]:
            hint += f"; there are {', '.join(missing)}"
        self._in_manifest(
            "warning", "connection.unset", f"connections.{connection.name}", message, hint
        )

    def _must_be_there(self, path: str, call: ConnectionCall) -> bool:
        """AutoKitteh finds out when the call is made, so that sessions which do not make it go on."""
        is_put_off = call.is_lazy and self._manifest.is_lenient
        return self._is_needed(path) and not (call.is_guarded or is_put_off)

    def _in_manifest(self, level: str, code: str, path: str, message: str, hint: str = "") -> None:
        position = self._manifest.position(path)
        self.findings.append(
            Finding(
                level=level,
                code=code,
                file=self._manifest.file,
                line=position.line,
                column=position.column,
                message=message,
                hint=hint,
            )
        )

    def _in_file(
        self, level: str, code: str, path: str, at: tuple[int, int], message: str, hint: str
    ) -> None:
        self.findings.append(
            Finding(
                level=level,
                code=code,
                file=path,
                line=at[0],
                column=at[1],
                message=message,
                hint=hint,
                source=self._line_of(path, at[0]),
            )
        )

    def _line_of(self, path: str, number: int) -> str:
        if path not in self._lines:
            self._lines[path] = self._files.get(path, b"").splitlines()
        lines = self._lines[path]
        line = lines[number - 1] if 0 < number <= len(lines) else b""
        return line.decode("utf-8", "replace")[:_MAX_SOURCE]


def _guess(name: str, known: list[str], otherwise: str) -> str:
    near = get_close_matches(name[:_COMPARED], known[:_COMPARED], n=1, cutoff=0.6)
    if near:
        return f"did you mean `{near[0]}`?"
    listed = ", ".join(sorted(known)[:_LISTED]) + (", …" if len(known) > _LISTED else "")
    return f"{otherwise} {listed}" if listed else ""
