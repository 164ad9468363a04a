"""Who has more memory than allowed, told from a /proc made up of files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from hookline_runner.memory_watch import MemoryWatch
from hookline_runner.process_table import ProcessTable
from hookline_runner.session_trees import REST, Watched

MIB = 1 << 20
PAGE = 4096
LIMIT = 100 * MIB


@dataclass(kw_only=True)
class Facts:
    """One process; sizes are in MiB."""

    parent: int
    resident: int = 0
    private: int = 0
    shared: int = 0
    swapped: int = 0
    tables: int = 0
    inner: int | None = None
    state: str = "S"
    threads: int = 1
    started: int = 5
    name: str = "python"

    def stat(self, pid: int) -> str:
        after = [self.state, self.parent, *[0] * 15, self.threads, 0, self.started, 0]
        fields = [*after, self.resident * MIB // PAGE, 0]
        return f"{pid} ({self.name}) " + " ".join(map(str, fields)) + "\n"


class FakeProc:
    """A directory like /proc."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.machine()
        self.process(1, parent=0)
        self.process(10, parent=1, resident=3)  # the sandbox
        self.process(11, parent=10, resident=60, private=5)  # the zygote in it

    def process(self, pid: int, **fields: Any) -> None:
        facts = Facts(**fields)
        directory = self.root / str(pid)
        (directory / "fd").mkdir(parents=True, exist_ok=True)
        (directory / "stat").write_text(facts.stat(pid))
        sizes = {
            "Pss": 999,
            "Pss_Anon": facts.private,
            "Pss_File": 900,
            "Pss_Shmem": facts.shared,
            "SwapPss": facts.swapped,
        }
        lines = [f"{field}: {size * 1024} kB" for field, size in sizes.items()]
        rollup = ["00-ff ---p 0 00:00 0 [rollup]", *lines]
        (directory / "smaps_rollup").write_text("\n".join(rollup) + "\n")
        (directory / "status").write_text(
            f"Name:\tx\nVmPTE:\t{facts.tables * 1024} kB\nNSpid:\t{pid}\t{facts.inner or pid}\n"
        )

    def thread(self, pid: int, thread: int, **fields: Any) -> None:
        directory = self.root / str(pid) / "task" / str(thread)
        directory.mkdir(parents=True)
        (directory / "stat").write_text(Facts(**fields).stat(thread))

    def machine(self, *, shared: int = 0, swapped: int = 0, tables: int = 0) -> None:
        kib = {
            "MemTotal": 1 << 24,
            "Shmem": shared * 1024,
            "PageTables": tables * 1024,
            "SwapTotal": 1 << 20,
            "SwapFree": (1 << 20) - swapped * 1024,
        }
        text = "".join(f"{field}: {value} kB\n" for field, value in kib.items())
        (self.root / "meminfo").write_text(text)


@pytest.fixture
def proc(tmp_path: Path) -> FakeProc:
    return FakeProc(tmp_path)


class Looks:
    """Repeated looks, a second apart unless said otherwise."""

    def __init__(self, proc: FakeProc) -> None:
        self.one_memory: set[tuple[int, int]] = set()
        self._watch = MemoryWatch(
            ProcessTable(str(proc.root)), lambda pid, other: (pid, other) in self.one_memory
        )
        self._now = 100.0

    def look(
        self, sessions: Mapping[int, int] | None = None, *, after_s: float = 10.0
    ) -> dict[int, int]:
        self._now += after_s
        watched = Watched(root=10, limit_bytes=LIMIT, sessions=sessions or {1: 3})
        found = self._watch.look([watched], self._now)
        return {excess.number: excess.used_bytes // MIB for excess in found}


@pytest.fixture
def looks(proc: FakeProc) -> Looks:
    return Looks(proc)


def test_children_and_grandchildren_count_together(proc: FakeProc, looks: Looks) -> None:
    proc.process(20, parent=11, inner=3, resident=50, private=20)
    proc.process(21, parent=20, inner=4, resident=50, private=40)
    proc.process(22, parent=21, inner=5, resident=60, private=41)

    assert looks.look() == {1: 101}


def test_pages_of_the_zygote_count_for_no_session(proc: FakeProc, looks: Looks) -> None:
    for pid in range(20, 30):
        proc.process(pid, parent=11 if pid == 20 else 20, inner=pid - 17, resident=60, private=10)

    assert looks.look() == {}


def test_mapped_files_of_a_disk_count_for_nothing(proc: FakeProc, looks: Looks) -> None:
    proc.process(20, parent=11, inner=3, resident=5_000, private=99)

    assert looks.look() == {}


@pytest.mark.parametrize("kind", ["shared", "swapped", "tables"])
def test_memory_that_is_not_a_programs_data_counts_as_well(
    proc: FakeProc, looks: Looks, kind: str
) -> None:
    proc.process(20, parent=11, inner=3, resident=20, private=20)
    assert looks.look() == {}

    proc.process(20, parent=11, inner=3, resident=20, private=20, **{kind: 81})
    proc.machine(**{kind: 300})

    assert looks.look() == {1: 101}


def test_one_memory_of_two_processes_counts_once(proc: FakeProc, looks: Looks) -> None:
    proc.process(20, parent=11, inner=3, resident=60, private=60)
    proc.process(21, parent=20, inner=4, resident=60, private=60)
    assert looks.look() == {1: 120}

    looks.one_memory.add((21, 20))

    assert looks.look() == {}


def test_a_process_whose_first_thread_has_ended_still_counts(proc: FakeProc, looks: Looks) -> None:
    proc.process(20, parent=11, inner=3)
    proc.process(21, parent=20, inner=4, state="Z", threads=2)
    proc.thread(21, 21, parent=20, state="Z", threads=2)
    proc.thread(21, 23, parent=20, threads=2, resident=300)
    proc.process(23, parent=0, resident=0, private=101)
    (proc.root / "23" / "stat").unlink()  # threads have entries, but are not listed

    assert looks.look() == {1: 101}


def test_each_session_has_a_limit_of_its_own(proc: FakeProc, looks: Looks) -> None:
    proc.process(20, parent=11, inner=3, resident=90, private=90)
    proc.process(21, parent=11, inner=4, resident=190, private=190)

    assert looks.look({1: 3, 2: 4}) == {2: 190}


def test_a_process_cannot_pass_itself_off_as_a_session(proc: FakeProc, looks: Looks) -> None:
    proc.process(20, parent=11, inner=3, resident=190, private=190, name="a) S 1 (b")
    proc.process(12, parent=20, inner=4)  # in a namespace of its own it may have any number
    proc.process(21, parent=11, inner=4)

    assert looks.look({1: 3, 2: 4}) == {1: 190}


def test_what_is_no_sessions_counts_with_the_zygote(proc: FakeProc, looks: Looks) -> None:
    proc.process(20, parent=11, inner=3)
    proc.process(30, parent=11, inner=9, resident=99, private=99)

    assert looks.look() == {REST: 104}


def test_a_number_that_another_process_got_meanwhile_is_not_the_sessions(
    proc: FakeProc, looks: Looks
) -> None:
    proc.process(20, parent=11, inner=3)
    assert looks.look() == {}

    proc.process(20, parent=1, inner=20, resident=900, private=900, started=6)

    assert looks.look() == {}


def test_an_unreadable_process_answers_for_all_that_it_shows(proc: FakeProc, looks: Looks) -> None:
    proc.process(20, parent=11, inner=3, resident=150)
    (proc.root / "20" / "smaps_rollup").unlink()

    assert looks.look() == {1: 150}


def test_who_had_little_a_moment_ago_is_looked_at_again_soon_enough(
    proc: FakeProc, looks: Looks
) -> None:
    proc.process(20, parent=11, inner=3, resident=150, private=10)
    assert looks.look() == {}

    proc.process(20, parent=11, inner=3, resident=150, private=150)  # copied, not new

    assert looks.look(after_s=0.3) == {}
    assert looks.look(after_s=2.0) == {1: 150}


def test_much_more_than_a_moment_ago_is_looked_at_at_once(proc: FakeProc, looks: Looks) -> None:
    proc.process(20, parent=11, inner=3, resident=150, private=10)
    assert looks.look() == {}

    proc.process(20, parent=11, inner=3, resident=290, private=150)

    assert looks.look(after_s=0.3) == {1: 150}
