"""Server-sent events, cut out of a stream of bytes.

The HTTP client has a reader of its own, but it swallows the heartbeats, which we need to keep a deadline
on a silent stream.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerEvent:
    """One event; a heartbeat has neither name nor data."""

    name: str = ""
    id: str = ""
    data: str = ""

    @property
    def is_heartbeat(self) -> bool:
        """True for a comment, which only says that the service is alive."""
        return not self.name and not self.data


def read_events(chunks: Iterable[bytes]) -> Iterator[ServerEvent]:
    """Yield every complete event and every heartbeat; what is cut off at the end is dropped."""
    fields: dict[str, str] = {}
    for line in _lines(chunks):
        if line.startswith(":"):
            yield ServerEvent()
        elif line:
            name, _, value = line.partition(":")
            text = value.removeprefix(" ")
            fields[name] = f"{fields[name]}\n{text}" if name == "data" and name in fields else text
        elif fields:
            data = fields.get("data", "")
            yield ServerEvent(
                name=fields.get("event", "message"), id=fields.get("id", ""), data=data
            )
            fields = {}


def _lines(chunks: Iterable[bytes]) -> Iterator[str]:
    rest = b""
    for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            yield line.removesuffix(b"\r").decode("utf-8", errors="replace")
