"""The container around user code: bubblewrap's command line, and whether it works here.

What a sandboxed process sees is exactly what `SandboxView` lists, besides the system's programs and libraries, a
minimal /etc, private /proc, /dev and /tmp, and the network. Which system calls it may make says `seccomp`; what walls
sessions off from each other inside, `cells`.
"""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from hookline_runner import cells, launch, threshold
from hookline_runner.seccomp import FILTERED, Filter, build_filter
from hookline_runner.zygote_messages import SANDBOX_HOSTNAME

logger = logging.getLogger(__name__)

WORKING = "bubblewrap"
"""How the description of a sandbox that works begins; what it does not hold against follows."""

_PROBE_TIMEOUT_S = 10.0
_MIB = 1024 * 1024
_SYSTEM_DIRECTORIES = ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
_UNSHARE = ("--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try")
_USER_NAMESPACE = ("--unshare-user", "--uid", "1000", "--gid", "1000")
_PACKAGE_PLACE = "/hookline/hookline_runner"
# For a zygote: it is root of a namespace until `threshold` has made it an ordinary user of another one below.
_ROOT_NAMESPACE = ("--unshare-user", "--uid", "0", "--gid", "0")
_ROOT_CAPABILITIES = ("CAP_SYS_ADMIN", "CAP_SYS_RESOURCE", "CAP_SETPCAP", "CAP_SETFCAP")
# What tells of the machine and is nobody's business inside; not all of it is there on each kernel.
_HIDDEN_FACTS = (
    *("buddyinfo", "cmdline", "config.gz", "iomem", "ioports", "kallsyms", "kcore", "key-users"),
    *("keys", "kpagecgroup", "kpagecount", "kpageflags", "latency_stats", "modules"),
    *("pagetypeinfo", "sched_debug", "slabinfo", "timer_list", "timer_stats", "vmallocinfo"),
)
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
    """What one sandboxed process sees of the host's files: place inside → path outside.

    With `forks_sessions` it is a zygote, with what it needs to wall its sessions off; without `has_network` it has a loopback
    of its own and nothing else.
    """

    read_only: Mapping[str, Path] = field(default_factory=dict[str, Path])
    writable: Mapping[str, Path] = field(default_factory=dict[str, Path])
    scratch_limit_bytes: int = 256 * _MIB
    working_directory: str = "/"
    forks_sessions: bool = False
    has_network: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Sandbox:
    """How processes are contained on this machine; `description` is what the service is told.

    `filters` holds the programs that filter system calls, by kind; None if they do not work here. `walls` names what keeps
    sessions of one build apart: see `zygote_messages.ZygoteConfig`.
    """

    description: str
    program: str = ""
    options: tuple[str, ...] = ()
    etc: Path | None = None
    filters: Path | None = None
    walls: tuple[str, ...] = ()

    @property
    def is_active(self) -> bool:
        """Whether processes are really contained; if not, they run plainly under resource limits alone."""
        return bool(self.program)

    @property
    def has_cells(self) -> bool:
        """Whether each session gets namespaces of its own."""
        return cells.PRIVATE in self.walls

    def command(self, view: SandboxView, command: Sequence[str]) -> list[str]:
        """The command that runs `command` contained; unchanged when there is no sandbox."""
        if not self.is_active:
            return list(command)
        is_root = view.forks_sessions and self.has_cells
        options = (*_ROOT_NAMESPACE, *_UNSHARE) if is_root else self.options
        if not view.has_network:
            options = (*options, "--unshare-net")
        bubblewrap = [self.program, *options, *self._mounts(view)]
        if is_root:
            for capability in _ROOT_CAPABILITIES:
                bubblewrap += ("--cap-add", capability)
            script = f"{_PACKAGE_PLACE}/{Path(threshold.__file__).name}"
            command = [str(_own_python()), "-I", "-S", script, *command]
        kind = Filter.ZYGOTE if is_root else Filter.ORDINARY
        return [*self._launcher(kind), *bubblewrap, "--", *command]

    def _launcher(self, kind: Filter) -> list[str]:
        if self.filters is None:
            return []
        return [sys.executable, "-I", "-S", launch.__file__, str(self.filters / f"{kind}.bpf")]

    def _mounts(self, view: SandboxView) -> Iterator[str]:
        scratch = str(view.scratch_limit_bytes)
        yield from ("--die-with-parent", "--new-session", "--cap-drop", "ALL")
        yield from ("--hostname", SANDBOX_HOSTNAME, "--ro-bind", "/usr", "/usr")
        yield from _system_mounts()
        yield from ("--proc", "/proc", "--ro-bind-try", "/proc/sys", "/proc/sys", "--dev", "/dev")
        for name in _HIDDEN_FACTS:
            if Path("/proc", name).exists():
                yield from ("--ro-bind", "/dev/null", f"/proc/{name}")
        yield from ("--size", scratch, "--perms", "1777", "--tmpfs", "/dev/shm")  # noqa: S108
        yield from ("--remount-ro", "/dev")
        yield from ("--size", scratch, "--perms", "1777", "--tmpfs", "/tmp")  # noqa: S108
        for name in _ETC:
            yield from ("--ro-bind-try", f"/etc/{name}", f"/etc/{name}")
        if self.etc is not None:
            for name in ("passwd", "group"):
                yield from ("--ro-bind", str(self.etc / name), f"/etc/{name}")
        read_only = view.read_only
        if view.forks_sessions and self.has_cells:
            own = {_PACKAGE_PLACE: Path(threshold.__file__).parent}
            read_only = {**interpreter_mounts(_own_python()), **own, **read_only}
            for place in cells.PLACES:
                yield from ("--dir", place)
        for inside, outside in read_only.items():
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
    for filters in (_write_filters(home / "etc"), None):
        for options in _VARIANTS:
            sandbox = Sandbox(
                description="", program=program, options=options, etc=etc, filters=filters
            )
            problem = _try_out(sandbox)
            if not problem:
                return _add_walls(sandbox, home / "etc" / "probe")
    return _no_sandbox(f"bubblewrap does not work here: {problem}")


def _add_walls(sandbox: Sandbox, work: Path) -> Sandbox:
    """The same with walls between sessions, as far as the system has them; and what is not held."""
    filtered = () if sandbox.filters is None else (FILTERED,)
    walls, problem = _try_cells(replace(sandbox, walls=(cells.PRIVATE,)), work)
    if os.geteuid() == 0:
        logger.warning(
            "as root, what an account is limited to (threads, pipes) is not limited here"
        )
    open_places = [] if filtered else ["system calls are not filtered"]
    if problem:
        walls, _ = _try_cells(sandbox, None)
        open_places.append(f"sessions of one build are not walled off from each other: {problem}")
    elif cells.SCOPED not in walls:
        open_places.append("sessions of one build can send each other signals")
    if open_places:
        logger.warning("the sandbox does not hold everywhere", extra={"open": open_places})
    description = "; ".join([WORKING, *open_places])
    return replace(sandbox, walls=(*walls, *filtered), description=description)


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


def _write_filters(directory: Path) -> Path | None:
    """Filters of system calls as files, for bubblewrap to read; None for a machine whose calls are not known."""
    for kind in Filter:
        program = build_filter(kind)
        if not program:
            return None
        (directory / f"{kind}.bpf").write_bytes(program)
    return directory


def _own_python() -> Path:
    return Path(sys.executable).resolve()


def _try_out(sandbox: Sandbox) -> str:
    """Run the interpreter contained; what went wrong, or nothing."""
    view = SandboxView(read_only=interpreter_mounts(_own_python()))
    return _run(sandbox.command(view, [str(_own_python()), "-I", "-S", "-c", ""]))[1]


def _try_cells(sandbox: Sandbox, work: Path | None) -> tuple[tuple[str, ...], str]:
    """The walls between sessions that hold, and what went wrong; without a directory, those that need no namespaces."""
    own = {_PACKAGE_PLACE: Path(cells.__file__).parent}
    view = SandboxView(read_only={**interpreter_mounts(_own_python()), **own})
    arguments: list[str] = []
    if work is not None:
        work.mkdir(exist_ok=True)
        view = replace(view, writable={"/work": work}, forks_sessions=True)
        arguments = ["/work"]
    script = f"{_PACKAGE_PLACE}/{Path(cells.__file__).name}"
    command = [str(_own_python()), "-I", "-S", script, *arguments]
    said, problem = _run(sandbox.command(view, command))
    return tuple(said.split()), problem


def _run(command: Sequence[str]) -> tuple[str, str]:
    """What a command says, and what went wrong, or nothing."""
    try:
        result = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env={},
            timeout=_PROBE_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as exc:
        return "", str(exc)
    if result.returncode == 0:
        return result.stdout.decode(errors="replace"), ""
    lines = result.stderr.decode(errors="replace").strip().splitlines()
    return "", lines[-1] if lines else f"exit status {result.returncode}"
