"""The container around user code: bubblewrap's command line, and whether it works here.

What a sandboxed process sees is exactly what `SandboxView` lists, besides the system's programs and libraries, a
minimal /etc, private /proc, /dev and /tmp, and the network.
"""

from __future__ import annotations

import logging
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hookline_runner.zygote_messages import SANDBOX_HOSTNAME

logger = logging.getLogger(__name__)

_PROBE_TIMEOUT_S = 10.0
_MIB = 1024 * 1024
_SYSTEM_DIRECTORIES = ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
_UNSHARE = ("--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try")
_USER_NAMESPACE = ("--unshare-user", "--uid", "1000", "--gid", "1000")
_VARIANTS = (
    (*_USER_NAMESPACE, "--disable-userns", *_UNSHARE),
    (*_USER_NAMESPACE, *_UNSHARE),
    _UNSHARE,
)
_ETC = (
    *("resolv.conf", "hosts", "host.conf", "nsswitch.conf", "gai.conf", "services", "protocols"),
    *("localtime", "timezone", "mime.types", "ld.so.cache", "ld.so.conf", "ld.so.conf.d"),
    *("alternatives", "ca-certificates", "ssl/certs", "ssl/cert.pem", "ssl/openssl.cnf"),
    *("pki/ca-trust", "pki/tls/certs", "pki/tls/cert.pem", "pki/tls/openssl.cnf"),
)
_USERS = "root:x:0:0:root:/root:/bin/sh\nhookline:x:1000:1000:hookline:/tmp:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n"
_GROUPS = "root:x:0:\nhookline:x:1000:\nnogroup:x:65534:\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxView:
    """What one sandboxed process sees of the host's files: place inside → path outside."""

    read_only: Mapping[str, Path] = field(default_factory=dict[str, Path])
    writable: Mapping[str, Path] = field(default_factory=dict[str, Path])
    scratch_limit_bytes: int = 256 * _MIB
    working_directory: str = "/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sandbox:
    """How processes are contained on this machine; `description` is what the service is told."""

    description: str
    program: str = ""
    options: tuple[str, ...] = ()
    etc: Path | None = None

    @property
    def is_active(self) -> bool:
        """Whether processes are really contained; if not, they run plainly under resource limits alone."""
        return bool(self.program)

    def command(self, view: SandboxView, command: Sequence[str]) -> list[str]:
        """The command that runs `command` contained; unchanged when there is no sandbox."""
        if not self.is_active:
            return list(command)
        return [self.program, *self.options, *self._mounts(view), "--", *command]

    def _mounts(self, view: SandboxView) -> Iterator[str]:
        scratch = str(view.scratch_limit_bytes)
        yield from ("--die-with-parent", "--new-session", "--cap-drop", "ALL")
        yield from ("--hostname", SANDBOX_HOSTNAME, "--ro-bind", "/usr", "/usr")
        yield from _system_mounts()
        yield from ("--proc", "/proc", "--ro-bind-try", "/proc/sys", "/proc/sys", "--dev", "/dev")
        yield from ("--size", scratch, "--perms", "1777", "--tmpfs", "/dev/shm")  # noqa: S108
        yield from ("--remount-ro", "/dev")
        yield from ("--size", scratch, "--perms", "1777", "--tmpfs", "/tmp")  # noqa: S108
        for name in _ETC:
            yield from ("--ro-bind-try", f"/etc/{name}", f"/etc/{name}")
        if self.etc is not None:
            for name in ("passwd", "group"):
                yield from ("--ro-bind", str(self.etc / name), f"/etc/{name}")
        for inside, outside in view.read_only.items():
            yield from ("--ro-bind", str(outside), inside)
        for inside, outside in view.writable.items():
            yield from ("--bind", str(outside), inside)
        yield from ("--remount-ro", "/", "--chdir", view.working_directory)


def _system_mounts() -> Iterator[str]:
    for name in _SYSTEM_DIRECTORIES:
        path = Path(name)
        if path.is_symlink():
            yield from ("--symlink", str(path.readlink()), name)
        elif path.is_dir():
            yield from ("--ro-bind", name, name)
    if Path("/nix/store").is_dir():
        yield from ("--ro-bind", "/nix/store", "/nix/store")


def interpreter_mounts(executable: Path) -> dict[str, Path]:
    """What the interpreter at `executable` needs besides /usr: its installation, by every name that leads to it.

    Args:
        executable: an interpreter's file, or a chain of links to it (a virtual environment's `bin/python`).
    """
    installation = executable.resolve().parent.parent
    prefixes = {place.parent.parent for place in _places_of(executable)}
    return {
        str(prefix): installation
        for prefix in prefixes
        if prefix.resolve() == installation and not prefix.is_relative_to("/usr")
    }


def _places_of(path: Path) -> Iterator[Path]:
    """The places that a chain of links goes through after its first, and where it ends."""
    while path.is_symlink():
        target = path.readlink()
        path = target if target.is_absolute() else path.parent / target
        yield path
    yield path.resolve()


def probe_sandbox(mode: str, home: Path) -> Sandbox:
    """Find out, by really running a process in it, how to contain user code here.

    Args:
        mode: "auto", "require" or "off".
        home: the runner's home; a minimal /etc is generated in it.
    """
    if mode == "off":
        return _no_sandbox("switched off by HOOKLINE_RUNNER_SANDBOX")
    program = shutil.which("bwrap")
    if program is None:
        return _no_sandbox("bubblewrap (bwrap) is not installed")
    etc = _write_etc(home / "etc")
    problem = ""
    for options in _VARIANTS:
        sandbox = Sandbox(description="bubblewrap", program=program, options=options, etc=etc)
        problem = _try_out(sandbox)
        if not problem:
            return sandbox
    return _no_sandbox(f"bubblewrap does not work here: {problem}")


def _no_sandbox(why: str) -> Sandbox:
    logger.warning(
        "NO SANDBOX: user code can read every file that this account can read", extra={"why": why}
    )
    return Sandbox(description=f"none: {why}")


def _write_etc(directory: Path) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "passwd").write_text(_USERS, encoding="ascii")
    (directory / "group").write_text(_GROUPS, encoding="ascii")
    return directory


def _try_out(sandbox: Sandbox) -> str:
    """Run the interpreter contained; what went wrong, or nothing."""
    executable = Path(sys.executable).resolve()
    view = SandboxView(read_only=interpreter_mounts(executable))
    command = sandbox.command(view, [str(executable), "-I", "-S", "-c", ""])
    try:
        result = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env={},
            timeout=_PROBE_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as exc:
        return str(exc)
    if result.returncode == 0:
        return ""
    lines = result.stderr.decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else f"exit status {result.returncode}"
