"""What a session writes becomes records of its log: print, logging, stdout and stderr."""

from __future__ import annotations

import builtins
import io
import logging
import sys
from collections.abc import Callable, Iterable
from typing import Any, Final, TextIO, cast

from hookline_runner.session.output import LogStream

_STDOUT: Final = "stdout"
_STDERR: Final = "stderr"

_plain_print = builtins.print
_plain_basic_config = logging.basicConfig


def release_outlets() -> None:
    """Write to the process's own descriptors again."""
    builtins.print = _plain_print
    for name in ("stdout", "stderr"):
        stream = getattr(sys, f"__{name}__")
        if stream is not None:
            setattr(sys, name, stream)
    logging.basicConfig = _plain_basic_config


class CapturedStream(io.TextIOBase):
    """A text stream whose lines become records; the last one also without its end, when flushed at the close."""

    def __init__(self, output: LogStream, kind: str, descriptor: int) -> None:
        super().__init__()
        self._output = output
        self._kind = kind
        self._descriptor = descriptor
        self._partial = ""
        self._buffer = _CapturedBytes(self)

    @property
    def encoding(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride] - typeshed has a variable
        """As a terminal has it."""
        return "utf-8"

    @property
    def errors(self) -> str | None:  # pyright: ignore[reportIncompatibleVariableOverride] - typeshed has a variable
        """What happens to what cannot be shown."""
        return "backslashreplace"

    @property
    def buffer(self) -> io.BufferedIOBase:
        """The binary side."""
        return self._buffer

    @property
    def name(self) -> str:
        """The stream's usual name."""
        return f"<{self._kind}>"

    @property
    def mode(self) -> str:
        """Only written to."""
        return "w"

    def writable(self) -> bool:
        """Yes."""
        return True

    def isatty(self) -> bool:
        """No."""
        return False

    def fileno(self) -> int:
        """The descriptor that child processes write to."""
        return self._descriptor

    def write(self, text: str, /) -> int:
        """Take text; whole lines become records."""
        if not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance] - user code calls this
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        if self._output.is_muted:
            return len(text)
        if "\n" not in text:
            self._partial += text
            return len(text)
        *lines, rest = (self._partial + text).split("\n")
        self._partial = rest
        for line in lines:
            self._output.emit(self._kind, line)
        return len(text)

    def finish(self) -> None:
        """Record a last line that has no end."""
        if self._partial:
            rest, self._partial = self._partial, ""
            self._output.emit(self._kind, rest)


class _CapturedBytes(io.BufferedIOBase):
    def __init__(self, text: CapturedStream) -> None:
        super().__init__()
        self._text = text

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._text.fileno()

    def write(self, data: Any, /) -> int:  # any buffer
        view = bytes(data)
        self._text.write(view.decode("utf-8", "backslashreplace"))
        return len(view)


class CapturedLogging(logging.Handler):
    """Gives logging records to the session's log, with their level."""

    def __init__(self, output: LogStream) -> None:
        super().__init__()
        self._output = output

    def handle(self, record: logging.LogRecord) -> bool:
        """See `logging.Handler.handle`: what takes a lock there must not be torn, so it has a name of its own."""
        return super().handle(record)

    def emit(self, record: logging.LogRecord) -> None:
        """See `logging.Handler.emit`."""
        try:
            text = self.format(record)
        except Exception:  # noqa: BLE001 - the arguments' own code; logging reports it and goes on
            self.handleError(record)
            return
        self._output.emit("log", text, record.levelname)


class Capture:
    """Replaces the process's outlets for the length of a session."""

    __slots__ = ("_handler", "_old", "_output", "_stderr", "_stdout")

    def __init__(self, output: LogStream) -> None:
        self._output = output
        self._stdout = CapturedStream(output, _STDOUT, 1)
        self._stderr = CapturedStream(output, _STDERR, 2)
        self._handler = CapturedLogging(output)
        self._old: tuple[TextIO, TextIO] = (sys.stdout, sys.stderr)

    def install(self) -> None:
        """From here on everything written is recorded."""
        builtins.print = self._make_print()
        sys.stdout = cast("TextIO", self._stdout)
        sys.stderr = cast("TextIO", self._stderr)
        logging.basicConfig = self._basic_config
        root = logging.getLogger()
        root.handlers[:] = [self._handler]
        root.setLevel(logging.INFO)

    def finish(self) -> None:
        """Record what is left of unfinished lines."""
        self._stdout.finish()
        self._stderr.finish()

    def uninstall(self) -> None:
        """Give the outlets back as they were."""
        builtins.print = _plain_print
        sys.stdout, sys.stderr = self._old
        logging.basicConfig = _plain_basic_config
        root = logging.getLogger()
        root.handlers[:] = []
        root.setLevel(logging.WARNING)
        logging.disable(logging.NOTSET)

    def _make_print(self) -> Callable[..., None]:
        emit = self._output.emit
        captured = self._stdout

        def print(  # noqa: A001 - it takes that name's place
            *values: object,
            sep: Any = " ",  # Any: whatever user code gives
            end: Any = "\n",
            file: Any = None,
            flush: bool = False,
        ) -> None:
            """Print the values: to the session's log, or to `file` when given."""
            if not isinstance(sep, str | None) or not isinstance(end, str | None):
                _plain_print(sep=sep, end=end, file=io.StringIO())  # raises its own error
            if (file is None and sys.stdout is captured) or file is captured:
                text = str.join(" " if sep is None else sep, map(str, values))
                if end is not None and end != "\n":
                    text += end
                    text = text.removesuffix("\n")
                emit("print", text)
            else:
                _plain_print(*values, sep=sep, end=end, file=file, flush=flush)

        print.__module__, print.__qualname__ = "builtins", "print"
        return print

    def _basic_config(self, **options: Any) -> None:
        """`logging.basicConfig` as if nobody had set a handler yet; the session's log goes on."""
        root = logging.getLogger()
        is_ours = self._handler in root.handlers
        if is_ours:
            root.removeHandler(self._handler)
        if options.keys() & {"handlers", "filename", "stream"}:
            _plain_basic_config(**options)
        elif is_ours and not root.handlers:
            self._configure(options)
        else:
            _plain_basic_config(**options)
        if is_ours and not self._is_heard_otherwise(root.handlers):
            root.addHandler(self._handler)

    def _configure(self, options: dict[str, Any]) -> None:
        level = options.get("level")
        if level is not None:
            logging.getLogger().setLevel(level)
        if "format" in options or "datefmt" in options:
            style = options.get("style", "%")
            self._handler.setFormatter(
                logging.Formatter(options.get("format"), options.get("datefmt"), style)
            )

    def _is_heard_otherwise(self, handlers: Iterable[logging.Handler]) -> bool:
        """Whether one of them writes to a stream that is recorded anyway."""
        streams = (self._stdout, self._stderr)
        return any(getattr(handler, "stream", None) in streams for handler in handlers)
