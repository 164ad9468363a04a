"""Start to ready, a deploy, and what an idle service takes."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from bench.context import Context, bare_endpoint
from bench.hookline_service import HooklineService
from bench.measure import Outcome, Row, median, milliseconds
from bench.paths import PROJECTS
from bench.peers.restate_server import Restate
from bench.processes import memory_mb, processor_s

_READY_S = 1.5
_DEPLOY_S = 1.0
_RSS_MB = 150
_CPU_PERCENT = 0.5


def measure(context: Context) -> Outcome:
    """Each repeat starts every server anew."""
    raw: dict[str, list[float]] = {
        name: []
        for name in (
            *(
                "ready_s",
                "first_ready_s",
                "deploy_s",
                "rss_mb",
                "pss_mb",
                "zygote_rss_mb",
                "cpu_percent",
            ),
            *("bare_ready_s", "bare_rss_mb", "restate_ready_s", "restate_rss_mb"),
        )
    }
    for number in range(context.repeats):
        _hookline(context, number, raw)
        _others(context, number, raw)
        context.say(
            f"{number + 1}: ready {milliseconds(raw['ready_s'][-1])}, deploy {milliseconds(raw['deploy_s'][-1])}, "
            f"{raw['rss_mb'][-1]:.0f} MB, {raw['cpu_percent'][-1]:.2f} % of a core"
        )
    middle = {name: median(values) for name, values in raw.items()}
    return Outcome(rows=_rows(middle, context.without_restate is None), raw=dict(raw))


def _hookline(context: Context, number: int, raw: dict[str, list[float]]) -> None:
    service = HooklineService(context.scratch / f"footprint_{number}")
    raw["first_ready_s"].append(service.start())
    service.deploy("measured")
    service.stop()
    raw["ready_s"].append(service.start())
    try:
        raw["deploy_s"].append(service.deploy("ten_files", _changed_copy(context.scratch, number)))
        service.send(service.webhook("ten_files/start"), 1, 1)
        service.wait_idle()
        time.sleep(context.seconds(5, 3))
        runner = service.runner_pid()
        pids = [service.pid, *([runner] if runner else [])]
        everything = [*pids, *service.zygote_pids()]
        seconds = context.seconds(20, 5)
        before = processor_s(everything)
        time.sleep(seconds)
        raw["cpu_percent"].append((processor_s(everything) - before) / seconds * 100)
        raw["rss_mb"].append(sum(memory_mb(pid)[0] for pid in pids))
        raw["pss_mb"].append(sum(memory_mb(pid)[1] for pid in pids))
        raw["zygote_rss_mb"].append(sum(memory_mb(pid)[0] for pid in service.zygote_pids()))
    finally:
        service.stop()


def _changed_copy(scratch: Path, number: int) -> Path:
    """The project with one line more, so that it is a new build."""
    copy = scratch / f"ten_files_{number}"
    shutil.copytree(PROJECTS / "ten_files", copy, dirs_exist_ok=True)
    with (copy / "main.py").open("a", encoding="utf-8") as file:
        file.write(f"\n# change {number} at {time.time_ns()}\n")
    return copy


def _others(context: Context, number: int, raw: dict[str, list[float]]) -> None:
    endpoint = bare_endpoint(context)
    raw["bare_ready_s"].append(endpoint.start())
    raw["bare_rss_mb"].append(memory_mb(endpoint.pid)[0])
    endpoint.stop()
    if context.without_restate is None:
        restate = Restate(context.scratch / f"footprint_restate_{number}")
        try:
            raw["restate_ready_s"].append(restate.start())
            raw["restate_rss_mb"].append(restate.resident_mb())
        finally:
            restate.stop()


def _rows(middle: dict[str, float], has_restate: bool) -> list[Row]:
    restate_ready = f"; Restate: {milliseconds(middle['restate_ready_s'])}" if has_restate else ""
    restate_rss = (
        f"; Restate with its SDK: {middle['restate_rss_mb']:.0f} MB" if has_restate else ""
    )
    return [
        Row(
            what="start to ready",
            measured=f"{milliseconds(middle['ready_s'])} (new home: {milliseconds(middle['first_ready_s'])})",
            baseline=f"uvicorn + Starlette: {milliseconds(middle['bare_ready_s'])}{restate_ready}",
            goal="≤ 1.5 s",
            met=max(middle["ready_s"], middle["first_ready_s"]) <= _READY_S,
        ),
        Row(
            what="deploy of a 10-file project, command line included",
            measured=milliseconds(middle["deploy_s"]),
            goal="≤ 1 s",
            met=middle["deploy_s"] <= _DEPLOY_S,
        ),
        Row(
            what="idle: memory of service + runner host",
            measured=f"{middle['rss_mb']:.0f} MB RSS ({middle['pss_mb']:.0f} MB PSS); zygotes and waiting forks beside: {middle['zygote_rss_mb']:.0f} MB RSS",
            baseline=f"uvicorn + Starlette: {middle['bare_rss_mb']:.0f} MB{restate_rss}",
            goal="≤ 150 MB",
            met=middle["rss_mb"] <= _RSS_MB,
        ),
        Row(
            what="idle: processor, all processes",
            measured=f"{middle['cpu_percent']:.2f} % of a core",
            goal="≤ 0.5 %",
            met=middle["cpu_percent"] <= _CPU_PERCENT,
        ),
    ]
