"""Real processes: a service on a home of its own, spoken to as its users do."""

from __future__ import annotations

import json as jsonlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
HOOKLINE = (sys.executable, "-m", "hookline_cli")
_START_S = 30.0
_STOP_S = 20.0
_POLL_S = 0.02


class RunningService:
    """`hookline up` on a scratch home and a free port, which it keeps over restarts.

    `url` and `token` say how to reach it, `home` where it lives. Every process it started is gone after `close`.
    """

    def __init__(self, directory: Path) -> None:
        self.home = directory / "home"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.environment = clean_environment(HOOKLINE_HOME=str(self.home))
        self.process: subprocess.Popen[bytes] | None = None
        self._log_path = directory / "service.log"

    @property
    def token(self) -> str:
        """The bearer token of the API."""
        return (self.home / "token").read_text().strip()

    @property
    def log(self) -> str:
        """What the service has written on its standard error, over all its starts."""
        return self._log_path.read_text(errors="replace") if self._log_path.exists() else ""

    def start(self, **settings: object) -> None:
        """Start the service and wait until sessions can be started; settings as `capacity=4`."""
        extra = {f"HOOKLINE_{name.upper()}": str(value) for name, value in settings.items()}
        self.environment |= extra
        starts = self.log.count("is up at")
        with self._log_path.open("ab") as log:
            self.process = subprocess.Popen(
                [*HOOKLINE, "up", "--port", str(self.port)],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        wait_until(lambda: self.log.count("is up at") > starts or self.has_ended, "up", _START_S)
        assert not self.has_ended, f"the service ended at once:\n{self.log}"

    @property
    def has_ended(self) -> bool:
        """True if the service process is gone."""
        return self.process is None or self.process.poll() is not None

    def stop(self) -> int:
        """Ask the service to end, as Ctrl-C does; its exit status."""
        assert self.process is not None
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(_STOP_S)

    def kill9_service(self) -> None:
        """Kill the service process where it stands; its runner host notices by itself."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(_STOP_S)

    def kill9_runner(self) -> None:
        """Kill the runner host; the service starts another."""
        for pid in processes_with(str(self.home), "hookline_runner", "--socket"):
            os.kill(pid, signal.SIGKILL)

    def restart(self) -> None:
        """Start the service again on the same home and port, after ending it if it runs."""
        if not self.has_ended:
            self.stop()
        self.start()

    def close(self) -> None:
        """End everything that was started, by force what does not end."""
        if not self.has_ended:
            try:
                self.stop()
            except subprocess.TimeoutExpired:
                self.kill9_service()
        deadline = time.monotonic() + _STOP_S
        while left := processes_with(str(self.home)):
            if time.monotonic() > deadline:
                for pid in left:
                    os.kill(pid, signal.SIGKILL)
                pytest.fail(f"processes outlived their service: {left}")
            time.sleep(_POLL_S)  # noqa: TID251 (waits for other processes)

    def cli(
        self,
        *arguments: str,
        json: bool = False,
        check: bool = True,
        stdin: str = "",
        **kwargs: Any,
    ) -> Any:
        """Run `hookline …` against this service.

        With `json` the one document on its stdout, else the completed process (`stdout`, `stderr`, `returncode`).
        Fails on an exit code other than 0 unless `check` is false.
        """
        command = [*HOOKLINE, *arguments, *(["--json"] if json else [])]
        timeout_s = kwargs.pop("timeout_s", 60)
        done = subprocess.run(
            command,
            env=self.environment | kwargs.pop("environment", {}),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
            **kwargs,
        )
        if check:
            assert done.returncode == 0, (
                f"{' '.join(arguments)}: exit {done.returncode}\n{done.stdout}{done.stderr}{self.log[-4000:]}"
            )
        return jsonlib.loads(done.stdout) if json else done

    def deploy(self, directory: Path, *options: str) -> dict[str, Any]:
        """Deploy a project; the answer, with `urls` of its webhooks by trigger name added."""
        answer: dict[str, Any] = self.cli("deploy", str(directory), *options, json=True)
        urls = {one["name"]: one["url"] for one in answer["triggers"] if one["kind"] == "webhook"}
        return {**answer, "urls": urls}

    def call(self, url: str, method: str = "POST", **kwargs: Any) -> httpx2.Response:
        """Send a request to a webhook, or to any URL."""
        with httpx2.Client(trust_env=False, timeout=30) as client:
            return client.request(method, url, **kwargs)

    def api(self, method: str, path: str, **kwargs: Any) -> httpx2.Response:
        """Send a request to the API, as in `api("GET", "/sessions")`."""
        headers = {"Authorization": f"Bearer {self.token}", **kwargs.pop("headers", {})}
        return self.call(f"{self.url}/api/v1{path}", method, headers=headers, **kwargs)

    def wait_session(self, session: str, timeout_s: float = 30) -> dict[str, Any]:
        """The session once it has ended, however; `session` is an id, or a project for its latest."""
        done = self.cli(
            "session", "wait", session, "--timeout", str(timeout_s), "--json", check=False
        )
        assert done.returncode in {0, 1}, f"{done.stdout}{done.stderr}{self.log[-4000:]}"
        return jsonlib.loads(done.stdout)

    def texts(self, session: str, *kinds: str) -> list[str]:
        """Texts of the session's log, of these kinds (by default what it printed)."""
        records = self.cli("session", "log", session, json=True)
        return [one["text"] for one in records if one["kind"] in (kinds or ("print",))]


@pytest.fixture
def running_service(tmp_path: Path) -> Iterator[RunningService]:
    """A service that is up and ready, alone on its home."""
    service = RunningService(tmp_path)
    try:
        service.start()
        yield service
    finally:
        service.close()


@pytest.fixture
def stopped_service(tmp_path: Path) -> Iterator[RunningService]:
    """A service that a test starts itself, with settings of its own: `stopped_service.start(capacity=4)`."""
    service = RunningService(tmp_path)
    try:
        yield service
    finally:
        service.close()


@pytest.fixture
def a_project(tmp_path: Path) -> Callable[..., Path]:
    """Makes a project's directory of file contents: `a_project(manifest, **{"main.py": "…"})`."""

    def make(manifest: str, name: str = "project", **files: str) -> Path:
        directory = tmp_path / name
        for path, text in {"hookline.yaml": manifest, **files}.items():
            target = directory / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)
        return directory

    return make


@pytest.fixture
def an_example(tmp_path: Path) -> Callable[[str], Path]:
    """Copies one of the examples, to be changed at will."""

    def copy(name: str) -> Path:
        return Path(shutil.copytree(EXAMPLES / name, tmp_path / name))

    return copy


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def clean_environment(**variables: str) -> dict[str, str]:
    """The environment of this process without any setting of Hookline, and with these variables."""
    given = os.environ  # noqa: TID251 (for the processes that are started)
    kept = {name: value for name, value in given.items() if not name.startswith("HOOKLINE_")}
    return {**kept, "NO_COLOR": "1", "TZ": "UTC", **variables}


def wait_until(claim: Callable[[], bool], what: str, timeout_s: float) -> None:
    """Return once the claim holds; fails after the time-out."""
    deadline = time.monotonic() + timeout_s
    while not claim():
        if time.monotonic() > deadline:
            pytest.fail(f"not {what} after {timeout_s} s")
        time.sleep(_POLL_S)  # noqa: TID251 (waits for other processes)


def processes_with(*words: str) -> list[int]:
    """Processes on whose command line all these words stand; this one is left out."""
    found: list[int] = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if all(word in line for word in words):
            found.append(int(entry.name))
    return found
