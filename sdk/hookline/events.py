"""What a handler is called with."""

from __future__ import annotations

from dataclasses import dataclass

from hookline.attr_dict import AttrDict


@dataclass
class Event:
    """What started the session.

    Attributes:
        data: What the event carries; for a manual start, the input given.
        event_id: Id of the recorded event; None for a manual start.
        event_type: Type of the event, such as `post` or `tick`; None for a manual start.

    Example:
        A project's own test builds one by hand: `on_order(Event(data=AttrDict({"id": 7})))`.
    """

    data: AttrDict
    event_id: str | None = None
    event_type: str | None = None
