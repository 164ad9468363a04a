"""Records sessions of the project beside this file: `scripts/record-history [NAME]…`.

A recording is made once and kept for ever, so one that is there is not made again.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from hookline_cli.client import Service
from hookline_cli.deploy_client import send_project
from hookline_cli.exporting import ExportOptions, export_session
from hookline_cli.follow import FINAL_STATES
from hookline_cli.local_service import temporary_service
from hookline_cli.project_files import pack_project

HERE = Path(__file__).parent
PROJECT = HERE / "project"
_PATIENCE_S = 60.0

Play = Callable[["Stage"], None]


@dataclass
class Stage:
    """A session that runs, and the world around it."""

    service: Service
    session: str
    urls: dict[str, str]

    def wait_for(self, text: str) -> None:
        """Return once the session has printed this."""
        self.wait(
            lambda: text in json.dumps(self.service.get(f"/sessions/{self.session}/log")), text
        )

    def wait_end(self) -> None:
        self.wait(lambda: self.service.get(f"/sessions/{self.session}")["state"] in FINAL_STATES, "end")  # fmt: skip

    def post(self, trigger: str, **data: Any) -> None:
        with httpx2.Client(trust_env=False) as client:
            client.post(self.urls[trigger], json=data).raise_for_status()

    @staticmethod
    def wait(claim: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + _PATIENCE_S
        while not claim():
            if time.monotonic() > deadline:
                raise TimeoutError(f"waited for {what!r}")
            time.sleep(0.02)  # noqa: TID251 (waits for another process)


def _ends(stage: Stage) -> None:
    stage.wait_end()


def _hears(stage: Stage) -> None:
    stage.wait_for("listening")
    for number in (1, 2, 3):
        stage.post("news", n=number)
    stage.wait_end()


def _waits(stage: Stage) -> None:
    stage.wait(lambda: "before" in json.dumps(stage.service.get(f"/sessions/{stage.session}/activities")), "before")  # fmt: skip


PLAYS: dict[str, Play] = {
    "plain": _ends,
    "order_of_sets": _ends,
    "raising": _ends,
    "gathering": _ends,
    "sleeping": _ends,
    "listening": _hears,
    "listening_in_tasks": _hears,
    "parenting": _ends,
    "keeping": _ends,
    "retrying": _ends,
    "waiting": _waits,
}
STARTED_BY_WEBHOOK = {"asked": {"name": "Ada"}, "told": {}}


def main(names: list[str]) -> int:
    """Record what is named, or everything that has no recording yet."""
    known = [*PLAYS, *STARTED_BY_WEBHOOK]
    if unknown := set(names) - set(known):
        print(f"no such play: {', '.join(sorted(unknown))}; there are {', '.join(known)}")  # noqa: T201
        return 2
    wanted = [name for name in names or known if not (HERE / f"{name}.json").exists()]
    with temporary_service(None) as service:
        outcome = send_project(service, pack_project(PROJECT, None), project=None, dry_run=False)
        urls = {one["name"]: one["url"] for one in outcome["triggers"] if one.get("url")}
        for name in wanted:
            stage = Stage(service, _start(service, name, urls), urls)
            PLAYS.get(name, _ends)(stage)
            _export(stage, name)
    return 0


def _start(service: Service, name: str, urls: dict[str, str]) -> str:
    if name in PLAYS:
        entry_point = f"handlers.py:{name}"
        request = {"project": "histories", "entry_point": entry_point, "durable": True}
        return str(service.post("/sessions", {**request, "input": {"name": "tea"}})["id"])
    stage = Stage(service, "", urls)
    stage.post(name, **STARTED_BY_WEBHOOK[name])
    return str(service.list_newest("/sessions", limit=1)[0]["id"])


def _export(stage: Stage, name: str) -> None:
    with tempfile.TemporaryDirectory() as directory:
        wish = ExportOptions(
            output=Path(directory), as_test=False, project=None, makes_unrecorded=False
        )
        (file,) = export_session(stage.service, stage.session, wish, None)
        shutil.copyfile(file, HERE / f"{name}.json")
    print(f"recorded {name}")  # noqa: T201


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
