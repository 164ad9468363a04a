"""Installs the peers, once for each change of what is asked for."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path

from bench.paths import BENCH, PEERS, PYTHON

_REQUIREMENTS = BENCH / "peers" / "requirements.txt"
_PACKAGE = BENCH / "peers" / "package.json"


def install_dbos() -> str | None:
    """Make the Python environment of the peers; why it cannot be, or None."""
    return _install("venv", _REQUIREMENTS, _make_environment)


def install_restate() -> str | None:
    """Get Restate's server and SDK; why they cannot be had, or None."""
    if shutil.which("npm") is None:
        return "npm is not installed"
    return install_dbos() or _install("npm", _PACKAGE, _install_package)


def _install(name: str, source: Path, make: object) -> str | None:
    assert callable(make)
    wanted = hashlib.sha256(source.read_bytes()).hexdigest()
    note = PEERS / f"{name}.installed"
    if note.exists() and note.read_text(encoding="ascii") == wanted:
        return None
    print(
        f"installing {source.relative_to(BENCH.parent)} into {PEERS.relative_to(BENCH.parent)}/{name}"
    )
    shutil.rmtree(PEERS / name, ignore_errors=True)
    (PEERS / name).mkdir(parents=True)
    try:
        make(PEERS / name, source)
    except subprocess.CalledProcessError as exc:
        return f"{' '.join(map(str, exc.cmd[:4]))} … failed: {exc.stderr.decode(errors='replace').strip()[-300:]}"
    note.write_text(wanted, encoding="ascii")
    return None


def _make_environment(directory: Path, source: Path) -> None:
    _run([str(PYTHON), "-m", "venv", str(directory)])
    pip = [str(directory / "bin" / "python"), "-m", "pip", "install", "--quiet"]
    _run([*pip, "--disable-pip-version-check", "-r", str(source)])


def _install_package(directory: Path, source: Path) -> None:
    shutil.copy(source, directory / "package.json")
    _run(
        [
            "npm",
            "install",
            "--no-audit",
            "--no-fund",
            "--ignore-scripts",
            "--prefix",
            str(directory),
        ]
    )


def _run(command: list[str]) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
