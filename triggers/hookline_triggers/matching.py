"""Whether an event is for a trigger."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from hookline_triggers.definitions import TriggerDefinition
from hookline_triggers.filters import Explanation, compile_filter
from hookline_triggers.webhook import event_data


def matches(definition: TriggerDefinition, event_type: str, data: Mapping[str, object]) -> bool:
    """Whether the event's type is the trigger's (or that is empty or `*`) and its filter is true.

    Raises:
        FilterInvalidError: the filter was never checked; a build refuses such a trigger.
    """
    return explain_match(definition, event_type, data).is_match


def explain_match(
    definition: TriggerDefinition, event_type: str, data: Mapping[str, object]
) -> Explanation:
    """See `matches`; with the reason when it does not."""
    wanted = definition.event_type
    if wanted not in ("", "*", event_type):
        reason = f"the event's type is {event_type!r}, not {wanted!r}"
        return Explanation(is_match=False, reason=reason)
    explained = compile_filter(definition.filter).explain(data, event_type)
    if explained.is_match:
        return explained
    return Explanation(is_match=False, reason=f"filter: {explained.reason}")


def data_for_filters(
    data: object, body: bytes | None
) -> Mapping[str, Any]:  # Any: JSON of any shape
    """What filters see of a recorded event: its data, read from JSON, with a request's body in them."""
    if not isinstance(data, dict):
        return {"value": data}
    known = cast("dict[str, Any]", data)
    return known if body is None else event_data(known, body)
