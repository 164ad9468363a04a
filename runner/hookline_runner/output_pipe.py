"""What a session's processes write to stdout and stderr: read from a pipe, cut into lines."""

from __future__ import annotations

import os

MAX_LINE_CHARACTERS = 64 * 1024
_READ_BYTES = 64 * 1024
_CUT_MARK = " … (the rest of the line was cut)"


class LineCutter:
    """Cuts bytes into lines of text; a line that is too long is cut short, with a mark."""

    __slots__ = ("_is_skipping", "_rest")

    def __init__(self) -> None:
        self._rest = b""
        self._is_skipping = False  # inside the rest of a line that was cut

    def feed(self, data: bytes) -> list[str]:
        """The lines that `data` completes, without their ends."""
        first, *others = data.split(b"\n")
        if not others:
            self._extend(first)
            if len(self._rest) > MAX_LINE_CHARACTERS and not self._is_skipping:
                self._is_skipping = True
                return [self._take_rest()]
            return []
        lines: list[str] = []
        if self._is_skipping:
            self._is_skipping = False
        else:
            self._extend(first)
            lines.append(self._take_rest())
        lines.extend(_decode_line(line) for line in others[:-1])
        self._extend(others[-1])
        return lines

    def flush(self) -> list[str]:
        """The last line, if it was never ended."""
        return [self._take_rest()] if self._rest else []

    def _extend(self, data: bytes) -> None:
        if not self._is_skipping:
            self._rest += data

    def _take_rest(self) -> str:
        line, self._rest = self._rest, b""
        return _decode_line(line)


class OutputPipe:
    """The reading end of one output. Whoever gave it the descriptor of a pipe closes that.

    Raises `OSError` when the pipe cannot be read.
    """

    __slots__ = ("_cutter", "descriptor", "is_ended", "kind")

    def __init__(self, descriptor: int, kind: str) -> None:
        # Whoever sent the descriptor could make reading from it block; opened anew, it is ours alone.
        own = os.open(f"/proc/self/fd/{descriptor}", os.O_RDONLY | os.O_NONBLOCK)
        try:
            os.dup2(own, descriptor, inheritable=False)
        finally:
            os.close(own)
        self.descriptor = descriptor
        self.kind = kind
        self.is_ended = False
        self._cutter = LineCutter()

    def read(self) -> list[str] | None:
        """The lines of one read; None when there is nothing to read now. At its end, `is_ended` is set."""
        if self.is_ended:
            return None
        try:
            data = os.read(self.descriptor, _READ_BYTES)
        except BlockingIOError:
            return None
        except OSError:
            data = b""
        if data:
            return self._cutter.feed(data)
        self.is_ended = True
        return self._cutter.flush()

    def flush(self) -> list[str]:
        """The last line, if it was never ended."""
        return self._cutter.flush()


def _decode_line(line: bytes) -> str:
    text = line.removesuffix(b"\r")[: MAX_LINE_CHARACTERS + 1].decode("utf-8", "backslashreplace")
    if len(text) > MAX_LINE_CHARACTERS:
        return text[:MAX_LINE_CHARACTERS] + _CUT_MARK
    return text
