"""Sessions among themselves: starting children, and named messages from one to another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, cast

from hookline.arguments import (
    Duration,
    entry_point_of,
    json_object_of,
    name_of,
    names_of,
    text_of,
    timeout_of,
    value_of,
)
from hookline.attr_dict import wrapped
from hookline.awaiting import awaited_form
from hookline.host import current
from hookline.json_text import write

Names: TypeAlias = str | Sequence[str]
"""The name of a signal, or a list of them."""

_MAX_MEMO_BYTES: Final = 64 * 1024


@dataclass
class Signal:
    """A named message that came to this session.

    Attributes:
        name: Its name. A child that ends sends one which is called like the child's id.
        payload: What it carries, a value; a dictionary can be read by attributes (`signal.payload.value`). For the end of a
            child: `{"completed": True, "value": …}`, or `{"completed": False}` if it failed or was stopped.

    Example:
        >>> Signal("decided", {"by": "Ada"}).payload["by"]
        'Ada'
    """

    name: str
    payload: Any = None  # whatever the sender put there


def start(
    loc: str,
    data: Mapping[str, Any] | None = None,
    memo: Mapping[str, Any] | None = None,
    project: str | None = "",
) -> str:
    """Start another session, a child of this one; gives its id.

    It runs beside this one, with the same build, and is durable if this one is. When it ends, this one gets a signal whose name
    is the child's id; see `Signal`.

    Args:
        loc: Entry point of the child, as in the manifest: `path/file.py:function`.
        data: What the child gets as `event.data`: a dictionary of what JSON knows.
        memo: Notes shown with the session; what is not a text is noted as JSON.
        project: Name of another project, of whose active deployment the child shall be.

    Raises:
        ValueError: `loc` is no entry point, or data or memo are nothing for JSON.
        CallRefusedError: there is no such project (`project.not_found`), it has no active deployment (`deployment.none_active`), or
            its manifest does not export this function, or not to this project (`project.not_exported`); as many children
            as may wait for their beginning do (`child.too_many`); this one is a child of children as deep as may be
            (`child.too_deep`).

    Example:
        `child = start("batch.py:count_words", {"text": "to be or not to be"})`
    """
    arguments = {
        "entry_point": entry_point_of(loc, "start: loc"),
        "data": json_object_of(data, "start: invalid data"),
        "memo": _memo_of(memo),
        "project": text_of("" if project is None else project, "start: project"),
    }
    return cast("str", current().call("start_session", arguments))


def signal(session_id: str, name: str, payload: Any = None) -> None:
    """Send a named message to a session that runs or waits; it stays queued there until it is taken.

    Args:
        session_id: The session; its own too.
        name: What the message is called. Messages of one name are taken in the order in which they came.
        payload: A value, see docs/sdk.md, "Values".

    Raises:
        TypeError, ValueError: the payload is no value, or an id or name is empty.
        CallRefusedError: there is no such session (`session.not_found`), it has ended (`session.final`), or it belongs to
            another project and is neither parent nor child of this one (`session.other_project`).

    Example:
        `signal(parent, "progress", {"done": 3, "of": 10})`
    """
    arguments = {
        "session": name_of(session_id, "signal: session_id"),
        "name": name_of(name, "signal: name"),
        "payload": value_of(payload, "signal: payload"),
    }
    current().call("signal", arguments)


def next_signal(name: Names, *, timeout: Duration | None = None) -> Signal | None:
    """Take the next signal of that name; wait for it if there is none.

    `await next_signal(…)` lets the other tasks of an `async` handler go on, as `hookline.aio.next_signal` does.

    Args:
        name: The name, or a list of names: the first that has a signal wins. An empty list gives None at once.
        timeout: Longest wait, in seconds or as timedelta. None and 0 wait without end; one below 0 is over at once.

    Returns:
        The signal, or None when the time is over.

    Raises:
        TypeError: the time-out is neither a number nor a timedelta.
        ValueError: a name is empty.

    Example:
        `done = next_signal(child, timeout=60)`
    """
    form = awaited_form(next_signal)
    if form is not None:
        return form(name, timeout=timeout)
    wish = wish_for_signal(name, timeout)
    return None if wish is None else read_signal(current().wait("take_signal", *wish))


def wish_for_signal(
    name: object, timeout: object
) -> tuple[Mapping[str, object], float | None] | None:
    """Arguments and time-out of the operation `take_signal`; None if there is nothing to wait for."""
    timeout_s = timeout_of(timeout, "next_signal: timeout")
    names = names_of(name, "next_signal: name")
    return ({"names": names}, timeout_s) if names else None


def read_signal(result: object) -> Signal | None:
    """What `next_signal` gives for the result of the operation."""
    if result is None:
        return None
    taken = cast("Mapping[str, Any]", result)
    return Signal(name=taken["name"], payload=wrapped(taken["payload"]))


def _memo_of(memo: object) -> dict[str, str]:
    notes = json_object_of(memo, "start: invalid memo")
    texts = {
        key: note if isinstance(note, str) else write(note, is_spaced=True)
        for key, note in notes.items()
    }
    size = len(write(texts, is_spaced=True).encode())
    if size > _MAX_MEMO_BYTES:
        raise ValueError(
            f"start: invalid memo: it has {size} bytes, and may have {_MAX_MEMO_BYTES}"
        )
    return texts
