"""`scripts/bench`: measures the figures one after the other and tells what they are."""

from __future__ import annotations

import contextlib
import importlib
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import click

from bench.context import Context
from bench.measure import Outcome, Row, calibrate, milliseconds
from bench.peers.setup import install_dbos, install_restate
from bench.report import keep_raw, machine, table, write_report

FIGURES = (
    "webhooks",
    "sessions",
    "first_line",
    "steps",
    "fan_out",
    "answers",
    "wakes",
    "wake_all",
    "adds",
    "filters",
    "waiting",
    "crashes",
    "footprint",
    "replay",
)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("names", nargs=-1, metavar="[FIGURE]...", type=click.Choice(FIGURES))
@click.option(
    "--quick", is_flag=True, help="Shorter and smaller: to see that it works, not to quote."
)
@click.option("--repeats", type=click.IntRange(1), default=3, show_default=True)
@click.option(
    "--waiting",
    type=click.IntRange(1, 1_000_000),
    help="Waiting sessions in the figure of that name.  [default: 100000; quick: 5000]",
)
@click.option("--peers/--no-peers", default=True, help="Whether DBOS and Restate are measured too.")
@click.option("--write", is_flag=True, help="Put the table into docs/performance.md.")
@click.option("--keep", is_flag=True, help="Leave the scratch homes where they are, and say where.")
def main(  # noqa: PLR0913 - one for each option
    names: tuple[str, ...],
    *,
    quick: bool,
    repeats: int,
    waiting: int | None,
    peers: bool,
    write: bool,
    keep: bool,
) -> None:
    """Measure FIGUREs (by default all), each beside its baseline in the same run.

    The figures: webhooks, sessions, first_line, steps, fan_out, answers, wakes, wake_all, adds,
    filters, waiting, crashes, footprint, replay.
    """
    if write and names:
        raise click.UsageError("--write replaces the whole table, so it takes no names of figures")
    no_peers = None if peers else "left out by --no-peers"
    with _scratch(keep) as scratch:
        context = Context(
            scratch=scratch,
            repeats=repeats,
            quick=quick,
            waiting=waiting or (5_000 if quick else 100_000),
            without_dbos=no_peers or install_dbos(),
            without_restate=no_peers or install_restate(),
        )
        outcomes, pace, failed = _measure(context, names or FIGURES)
    rows = [row for outcome in outcomes.values() for row in outcome.rows]
    facts = machine()
    conditions = _conditions(context, pace)
    path = keep_raw(outcomes, {**facts, "conditions": conditions, "calibration_s": pace})
    print(f"\n{table(rows)}\n\n{conditions}\nraw numbers: {path}")
    if write and not failed:
        write_report(rows, facts, conditions)
    sys.exit(1 if failed else 0)


def _measure(
    context: Context, names: tuple[str, ...]
) -> tuple[dict[str, Outcome], list[float], list[str]]:
    outcomes: dict[str, Outcome] = {}
    failed: list[str] = []
    pace = [calibrate()]
    for name in names:
        print(f"{name}:", flush=True)
        begun = time.perf_counter()
        figure = importlib.import_module(f"bench.figures.{name}")
        try:
            outcomes[name] = figure.measure(context)
        except (RuntimeError, OSError) as exc:  # the next figure can still be measured
            failed.append(name)
            outcomes[name] = Outcome(
                rows=[
                    Row(what=name, measured=f"not measured: {str(exc).splitlines()[0]}", met=False)
                ]
            )
            print(f"    failed: {exc}", file=sys.stderr, flush=True)
        pace.append(calibrate())
        print(f"    {time.perf_counter() - begun:.0f} s; pace {milliseconds(pace[-1])}", flush=True)
    return outcomes, pace, failed


@contextlib.contextmanager
def _scratch(keep: bool) -> Iterator[Path]:
    # A real disk, unlike many a /tmp.
    directory = Path(tempfile.mkdtemp(prefix="hookline-bench-", dir="/var/tmp"))
    try:
        yield directory
    finally:
        if keep:
            print(f"scratch: {directory}")
        else:
            shutil.rmtree(directory, ignore_errors=True)


def _conditions(context: Context, pace: list[float]) -> str:
    missing = [
        f"{name}: {why}"
        for name, why in (("DBOS", context.without_dbos), ("Restate", context.without_restate))
        if why
    ]
    parts = [
        f"{context.repeats} repeats{', quick' if context.quick else ''}",
        f"a fixed Python loop took {milliseconds(min(pace))} to {milliseconds(max(pace))} between figures (a wide range means a busy machine)",
        *missing,
    ]
    return "; ".join(parts)


if __name__ == "__main__":
    main()
