"""What each code of a finding means. Codes of errors, such as `schedule.invalid`, serve as findings too, and are explained there."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

FINDING_CODES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "entry_point.no_file": "A `call` names a file that the project does not have.",
        "entry_point.no_handler": "A `call` names a function that its file does not have.",
        "entry_point.not_callable": "What a `call` names cannot be called with an event.",
        "connection.unknown": "A trigger or a helper in the code names a connection that the project does not have.",
        "connection.unset": "The code calls the helper of a connection that has no values to connect with.",
        "import.name": "A module of the project, or `hookline`, does not have the name that is imported from it.",
        "import.unmet": "A module is imported that neither the project nor its environment provides.",
        "integration.unknown": "A connection names an integration that does not exist.",
        "manifest.bad_key": "A key is not a word.",
        "manifest.bad_value": "A value is not what its key takes.",
        "manifest.duplicate_key": "A key is given twice.",
        "manifest.duplicate_name": "Two items of a list have the same name.",
        "manifest.empty": "The manifest is empty.",
        "manifest.encoding": "The manifest is not UTF-8, or has a character that is not allowed in YAML.",
        "manifest.ignored_key": "A key of `autokitteh.yaml` is ignored, as AutoKitteh does.",
        "manifest.many_documents": "The manifest has more than one YAML document.",
        "manifest.missing": "The project has no manifest.",
        "manifest.missing_key": "A required key is missing.",
        "manifest.no_kind": "A trigger does not say where its events come from.",
        "manifest.no_project": "The manifest does not name a project.",
        "manifest.no_version": "The manifest has no `version`.",
        "manifest.not_a_map": "The manifest is not a map of keys.",
        "manifest.syntax": "The manifest is not valid YAML.",
        "manifest.too_deep": "The manifest is nested too deep.",
        "manifest.too_large": "The manifest has too many bytes or values.",
        "manifest.too_many": "There are more findings than are shown.",
        "manifest.unknown_key": "There is no such key.",
        "project.bad_path": "A file of the project has a path that cannot be deployed.",
        "project.no_triggers": "The project has no triggers.",
        "project.too_large": "The files of the project are too large together.",
        "project.too_many_files": "The project has too many files.",
        "python.syntax": "A file is not valid Python.",
        "python.too_large": "A file takes too much memory or time to compile.",
        "python.warning": "Python warns about a place in a file.",
        "requirements.invalid": "A line of the requirements cannot be installed.",
        "schedule.doubtful": "A schedule means something else in other systems.",
        "trigger.not_yet": "Only `hookline event send` can deliver events to the trigger so far.",
        "trigger.unmatchable": "No event can match the trigger.",
        "var.undeclared": "A value was given with the deploy for a variable that the manifest does not declare.",
        "var.short_secret": "A secret is too short to be masked in texts.",
        "var.unset": "A required variable, or a secret, has no value.",
    }
)
