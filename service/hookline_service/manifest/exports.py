"""What a manifest lets other projects start."""

from __future__ import annotations

from hookline_service.manifest.sections import Reading, Section
from hookline_service.manifest.values import ManifestExport, Position
from hookline_triggers.calls import parse_call
from hookline_triggers.errors import CallInvalidError


def parse_exports(reading: Reading, project: Section) -> tuple[ManifestExport, ...]:
    """The exports of this project. Where an item is at fault, which is a finding, it exports nothing."""
    found: dict[str, ManifestExport] = {}
    for item, place in project.texts_or_sections("exports", "an export"):
        export = _parse_item(reading, item)
        if export is None:
            continue
        name = entry_point_of(export)
        if name in found:
            first = reading.positions[f"exports.{name}"]
            message = f"`{name}` is exported twice; the first is at line {first.line}"
            reading.reports.error("manifest.duplicate_name", place, message)
            continue
        found[name] = export
        reading.positions[f"exports.{name}"] = _place_of_call(item, place)
    return tuple(found.values())


def entry_point_of(export: ManifestExport) -> str:
    """The entry point in the one form that sessions ask for; as it was written, if it is none."""
    try:
        return str(parse_call(export.call))
    except CallInvalidError:
        return export.call


def _parse_item(reading: Reading, item: str | Section) -> ManifestExport | None:
    if isinstance(item, str):
        return ManifestExport(call=item)
    call = item.text("call")
    if not item.has("call"):
        item.missing("call")
    if not item.is_given("from"):
        return None if call is None else ManifestExport(call=call)
    known = len(reading.reports.findings)
    callers = tuple(item.texts("from", path=f"exports.{call}.from"))
    if not callers and len(reading.reports.findings) == known:
        item.wrong("from", "names no project", "leave it out to let every project start it")
    return None if call is None or not callers else ManifestExport(call=call, callers=callers)


def _place_of_call(item: str | Section, place: Position) -> Position:
    return place if isinstance(item, str) else item.place("call")
