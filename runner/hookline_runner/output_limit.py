"""How much raw output of one attempt becomes log records before the rest is cut."""

from __future__ import annotations


class OutputLimit:
    """Counts raw output; past the limit one record says so, and the rest is dropped. 0 means no limit."""

    __slots__ = ("_bytes_left", "_is_cut", "_lines_left")

    def __init__(self, lines: int, size_bytes: int) -> None:
        self._lines_left = lines or 1 << 62
        self._bytes_left = size_bytes or 1 << 62
        self._is_cut = False

    def records(self, at: float, kind: str, lines: list[str]) -> list[tuple[float, str, str, str]]:
        """The records `[at, kind, level, text]` for these lines."""
        if self._is_cut:
            return []
        records: list[tuple[float, str, str, str]] = []
        for line in lines:
            self._lines_left -= 1
            self._bytes_left -= len(line)
            if self._lines_left < 0 or self._bytes_left < 0:
                self._is_cut = True
                text = f"output on {kind} is over the limit; the rest was cut"
                records.append((at, "warning", "", text))
                break
            records.append((at, kind, "", line))
        return records
