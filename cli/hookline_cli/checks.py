"""What `hookline doctor` looks at. Nothing is changed, and no service is needed."""

from __future__ import annotations

import os
import platform
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Literal

from hookline.errors import HooklineError
from hookline_cli.failures import ServiceNotRunningError
from hookline_cli.options import TargetOptions
from hookline_runner.sandbox import probe_sandbox
from hookline_service.settings import find_mistyped

_GIB = 1024**3
_SCARCE_BYTES = 1 * _GIB
_FULL_BYTES = 64 * 1024**2
_OTHERS = 0o077
_NEEDED = (3, 11)


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was looked at, and how it is; `hint` says what would be right."""

    name: str
    level: Literal["ok", "warning", "error"]
    text: str
    hint: str = ""


def check_machine(home: Path, options: TargetOptions) -> list[Check]:
    """Everything, in the order in which things depend on each other."""
    return [
        _check_program(),
        _check_home(home),
        _check_disk(home),
        *_check_keys(home),
        _check_sandbox(),
        _check_uv(),
        *_check_settings(),
        _check_service(options),
    ]


def _check_program() -> Check:
    here = f"hookline {version('hookline')}, Python {platform.python_version()} ({sys.executable})"
    if sys.version_info < _NEEDED:
        return Check(name="program", level="error", text=here, hint="install Python 3.11 or newer")
    return Check(name="program", level="ok", text=here)


def _check_home(home: Path) -> Check:
    if not home.exists():
        return Check(
            name="home", level="ok", text=f"{home} is not there yet; `hookline up` makes it"
        )
    if not home.is_dir():
        hint = "choose another by --home or HOOKLINE_HOME"
        return Check(name="home", level="error", text=f"{home} is not a directory", hint=hint)
    if not os.access(home, os.R_OK | os.W_OK | os.X_OK):
        hint = f"give it to this account ({os.getuid()}), or choose another by --home"
        return Check(name="home", level="error", text=f"{home} cannot be written", hint=hint)
    if stat.S_IMODE(home.stat().st_mode) & _OTHERS:
        text, hint = f"{home} is open to other accounts", f"chmod 700 {home}"
        return Check(name="home", level="warning", text=text, hint=hint)
    return Check(name="home", level="ok", text=str(home))


def _check_disk(home: Path) -> Check:
    place = next(one for one in (home, *home.parents) if one.is_dir())
    try:
        free = shutil.disk_usage(place).free
    except OSError as exc:
        return Check(name="disk", level="error", text=f"{place}: {exc.strerror}")
    text = f"{free / _GIB:.1f} GiB free on the disk of {place}"
    if free < _FULL_BYTES:
        return Check(name="disk", level="error", text=text, hint="make room; see `hookline prune`")
    if free < _SCARCE_BYTES:
        return Check(name="disk", level="warning", text=text, hint="see `hookline prune`")
    return Check(name="disk", level="ok", text=text)


def _check_keys(home: Path) -> Iterator[Check]:
    if not (home / "hookline.db").exists():
        return
    for name, loss in (("secret.key", "secrets cannot be opened"), ("token", "a new one is made")):
        path = home / name
        variable = {"secret.key": "HOOKLINE_SECRET_KEY", "token": "HOOKLINE_TOKEN"}[name]
        if not path.exists():
            text = f"{path} is not there; unless {variable} is set, {loss} at the next start"
            level = "error" if name == "secret.key" else "warning"
            yield Check(name=name, level=level, text=text, hint="put it back from your copy")
        elif stat.S_IMODE(path.stat().st_mode) & _OTHERS:
            text = f"{path} can be read by other accounts"
            yield Check(name=name, level="warning", text=text, hint=f"chmod 600 {path}")
        else:
            yield Check(name=name, level="ok", text=str(path))


def _check_sandbox() -> Check:
    with tempfile.TemporaryDirectory(prefix="hookline-doctor-") as scratch:
        sandbox = probe_sandbox("auto", Path(scratch))
    if sandbox.is_active:
        return Check(name="sandbox", level="ok", text=sandbox.description)
    hint = "install bubblewrap (as root: apt-get install bubblewrap), and allow user namespaces"
    text = f"{sandbox.description}: user code can read what this account can read"
    return Check(name="sandbox", level="warning", text=text, hint=hint)


def _check_uv() -> Check:
    from uv import find_uv_bin

    try:
        return Check(name="uv", level="ok", text=os.fspath(find_uv_bin()))
    except FileNotFoundError:
        hint = "install Hookline again"
        return Check(
            name="uv", level="error", text="not found; no environment can be built", hint=hint
        )


def _check_settings() -> Iterator[Check]:
    for name, meant in find_mistyped():
        text = f"{name} is not a setting and has no effect"
        yield Check(name="settings", level="warning", text=text, hint=f"did you mean {meant}?")


def _check_service(options: TargetOptions) -> Check:
    try:
        with options.connect() as service:
            found = service.get("/status")
    except ServiceNotRunningError:
        return Check(name="service", level="ok", text="does not run; start it with `hookline up`")
    except HooklineError as exc:
        return Check(name="service", level="error", text=exc.message)
    where = f"{found.get('url')}, version {found.get('version')}"
    if not found.get("ready"):
        return Check(
            name="service", level="error", text=f"{where}, not ready: {found.get('reason')}"
        )
    if found.get("version") != version("hookline"):
        hint = "restart the service with the version installed"
        return Check(name="service", level="warning", text=f"{where}, another one", hint=hint)
    return Check(name="service", level="ok", text=f"{where}, ready")
