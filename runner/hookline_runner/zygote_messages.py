"""What the host and a zygote say to each other: one datagram a message, on a SOCK_SEQPACKET pair.

Words separated by blanks, the first names the message. Standard library only; imported on both sides.

======================  ===========  ==========================================================
message                 direction    meaning
======================  ===========  ==========================================================
``{json}``              to zygote    the first message: see `ZygoteConfig`
``ready``               to host      preloading is done, forks are welcome
``threads NAME``        to host      importing NAME started a thread; the zygote ends
``cold``                to host      the rehearsal went wrong; the zygote ends
``fork COUNT``          to zygote    fork that many session processes
``child N DIR PID``     to host      process N is there, working in that directory (a number), known
                                     to the zygote as PID; with descriptors of socket, stdout, stderr
``term N``              to zygote    send process N a SIGTERM
``kill N``              to zygote    kill process N and everything below it
``stack N``             to zygote    ask process N where it hangs
``dump N``              to zygote    have Python say where process N hangs
``dumped N TEXT``       to host      what it said, in ASCII
``refresh N``           to zygote    make the working directory of N equal to the project's files
``refreshed N``         to host      done
``left DIR``            to host      a session left much in that directory, which is nobody's now
``exit N STATUS SIG``   to host      process N is gone; one of both numbers is ``-``
======================  ===========  ==========================================================

The zygote ends, with everything below it, when the host closes its side.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

MAX_MESSAGE_BYTES = 128 * 1024
SETUP_FAILED_STATUS = 97
SANDBOX_HOSTNAME = "hookline"  # by which a process knows that it is in one
_MOST_DIGITS = 9
_ABOUT_A_NUMBER = frozenset(
    {"fork", "term", "kill", "stack", "dump", "refresh", "refreshed", "left"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ZygoteConfig:
    """Everything a zygote must know; paths are those inside its sandbox."""

    session_entry: str  # "module:function", see `session.main.serve`
    project_files: str  # read-only files of the build
    code_dir: str  # compiled modules of the build
    work_dir: str  # where session processes get their private directories
    reuse: bool
    preload: tuple[str, ...]  # modules to import before forking
    warm_up: bool  # rehearse before forking
    memory_limit_bytes: int
    file_limit_bytes: int
    process_limit: int  # 0: none
    walls: tuple[
        str, ...
    ] = ()  # that hold here: of `cells.PRIVATE`, `cells.SCOPED`, `seccomp.FILTERED`
    shared_memory_bytes: int = 0  # in /dev/shm of a session that has

    def encode(self) -> bytes:
        """The first message to a zygote."""
        return json.dumps(asdict(self)).encode()


def decode_config(message: bytes) -> ZygoteConfig:
    """The configuration in the first message."""
    fields = json.loads(message)
    fields["preload"] = tuple(fields["preload"])
    fields["walls"] = tuple(fields["walls"])
    return ZygoteConfig(**fields)


@dataclass(frozen=True, slots=True, kw_only=True)
class ZygoteMessage:
    """A message after the first: its word, the process it is about, and what else it says."""

    word: str
    number: int = 0
    directory: int = 0
    pid: int = 0
    text: str = ""
    status: int | None = None
    signal: int | None = None


class ZygoteMessageError(Exception):
    """Bytes that are no message; whoever sent them cannot be relied on."""


def encode_message(word: str, *values: int | str | None) -> bytes:
    """The bytes of a message."""
    return " ".join([word, *("-" if value is None else str(value) for value in values)]).encode()


def decode_message(message: bytes) -> ZygoteMessage:
    """The message in the bytes; raises `ZygoteMessageError`."""
    try:
        word, *values = message.decode().split(" ")
        if word in {"ready", "cold"}:
            return ZygoteMessage(word=word)
        if word == "threads":
            return ZygoteMessage(word=word, text=values[0])
        number = _number_of(values[0])
        if word == "dumped":
            return ZygoteMessage(word=word, number=number, text=" ".join(values[1:]))
        if word == "exit":
            status, signal_number = (
                None if value == "-" else _number_of(value) for value in values[1:]
            )
            return ZygoteMessage(word=word, number=number, status=status, signal=signal_number)
        if word == "child":
            directory, pid = map(_number_of, values[1:])
            return ZygoteMessage(word=word, number=number, directory=directory, pid=pid)
        if word in _ABOUT_A_NUMBER:
            return ZygoteMessage(word=word, number=number)
    except (ValueError, IndexError) as exc:
        raise ZygoteMessageError(f"not a message: {message[:80]!r}") from exc
    raise ZygoteMessageError(f"not a message: {message[:80]!r}")


def _number_of(text: str) -> int:
    """A number that is no larger than those of processes, statuses and signals can be."""
    if not text.isascii() or not text.isdigit() or len(text) > _MOST_DIGITS:
        raise ValueError(f"not a number: {text[:20]!r}")
    return int(text)
