"""What tests take from the other rooms of Hookline: manifests, filters, the shape of webhook events, replays.

Imports point down, and this is the lowest room; so they are found by name when a test needs them. In production nothing
comes here.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

MANIFESTS: Final = ("hookline.yaml", "autokitteh.yaml")
_SLUG: Final = "test"

# Any, here and below: modules that are found at run time have no types.
Matches = Callable[[str, Mapping[str, Any]], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """A trigger of the project: `accepts` says for type and data of an event whether it starts `entry_point` ("": nothing).

    `passes` is its filter alone, which holds for subscriptions too.
    """

    name: str
    entry_point: str
    accepts: Matches
    passes: Matches


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestFacts:
    """What a test needs of a manifest; the values of secrets are empty."""

    triggers: tuple[Trigger, ...]
    connections: tuple[str, ...]
    variables: dict[str, str]


def read_manifest(directory: Path) -> ManifestFacts | None:
    """The facts of the directory's manifest; None if it has none.

    Raises:
        ValueError: it has errors; the text lists them.
    """
    path = next((directory / name for name in MANIFESTS if (directory / name).is_file()), None)
    if path is None:
        return None
    parse: Any = importlib.import_module("hookline_service.manifest.parse")
    parsed = parse.parse_manifest(path.read_bytes(), path.name)
    errors = [one.message for one in parsed.findings if one.level == "error"]
    if parsed.manifest is None or errors:
        raise ValueError(f"{path}: " + "; ".join(errors))
    manifest = parsed.manifest
    return ManifestFacts(
        triggers=tuple(map(_trigger_of, manifest.triggers)),
        connections=tuple(one.name for one in manifest.connections),
        variables={one.name: "" if one.is_secret else one.text for one in manifest.variables},
    )


def _trigger_of(definition: Any) -> Trigger:
    matching: Any = importlib.import_module("hookline_triggers.matching")

    def accepts(event_type: str, data: Mapping[str, Any]) -> bool:
        return bool(matching.matches(definition, event_type, data))

    return Trigger(
        name=definition.name,
        entry_point=definition.call,
        accepts=accepts,
        passes=compile_filter(definition.filter),
    )


def compile_filter(text: str) -> Matches:
    """Whether an event passes the CEL filter.

    Raises:
        HooklineError: it is none.
    """
    filters: Any = importlib.import_module("hookline_triggers.filters")
    compiled = filters.compile_filter(text)
    return lambda event_type, data: bool(compiled.matches(data, event_type))


def webhook_data(
    method: str, target: str, headers: Iterable[tuple[str, str]], body: bytes | None
) -> dict[str, Any]:
    """The data of a webhook event, made as the service makes them. `target`: what follows the trigger's URL."""
    webhook: Any = importlib.import_module("hookline_triggers.webhook")
    raw_target = f"/webhooks/{_SLUG}{target}".encode()
    pairs = [(name.encode(), value.encode()) for name, value in headers]
    meta = webhook.event_meta(method, raw_target, _SLUG, pairs)
    return webhook.event_data(meta, body)


def replay(
    path: str | Path,
    *,
    project: str | Path | None = None,
    variables: Mapping[str, str] | None = None,
    patience_s: float = 30.0,
) -> Any:
    """Run the project's present code against the recording of a session, and check that it does the same.

    Recorded calls are answered from the recording, and not made; a call that was not recorded is refused. Only results that
    could not be written down (an open file, a client) are made again.

    Args:
        path: The recording, a JSON file; see docs/sdk.md, "Recordings as tests".
        project: The project's directory; else the nearest above the recording that has a manifest.
        variables: Variables of the environment.
        patience_s: How long it may take, in seconds.

    Returns:
        What came of it: `state`, `result` (as it is shown), `error`, `prints`.

    Raises:
        AssertionError: the code makes other calls, ends otherwise, or prints what was not printed.

    Example:
        `replay("recordings/ses_01jx.json")`
    """
    replaying: Any = importlib.import_module("hookline_runner.testing")
    return replaying.replay(path, project=project, variables=variables, patience_s=patience_s)
