"""Python environments of projects: one per Python version and set of requirements, shared by content.

An environment is built beside its final place and renamed when it is whole, so a crash half-way leaves only a
`.building-…` directory, which the next host removes, and two builds at once do not collide.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import secrets
import subprocess
import sys
import sysconfig
from collections import defaultdict
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

import anyio
import anyio.to_thread
import uv

from hookline_runner import fast_json, write_points
from hookline_runner.child_processes import ChildProcesses, Finished, MemoryRoom
from hookline_runner.errors import EnvironmentFailedError, EnvironmentTimeoutError
from hookline_runner.idle_directories import list_idle, mark_used, remove_idle
from hookline_runner.index_access import IndexAccess, read_index_access
from hookline_runner.index_proxy import VARIABLE as PROXY_VARIABLE
from hookline_runner.removal import remove_anything
from hookline_runner.requirements import (
    find_local_reference,
    find_variable,
    layers_of,
    normalize_requirements,
)
from hookline_runner.sandbox import Sandbox, SandboxView, interpreter_mounts

logger = logging.getLogger(__name__)

_KEPT_LINES = 15
_STEP = "we can conclude that"
_QUERY_TIMEOUT_S = 30.0
_MEMORY_SETTING = "HOOKLINE_RUNNER_BUILD_MEMORY_BYTES"
_ID = re.compile(r"env_[0-9a-f]{24}")
_QUERY = "import json, platform; print(json.dumps({'python': platform.python_version()}))"
# Versions only: uv would also take the path of a program, and run it.
_VERSION = re.compile(r"[<>=!~]{0,2}\s*\d[\d.*]*(\s*,\s*[<>=!~]{1,2}\s*\d[\d.*]*)*")

Progress = Callable[[str], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """A Python environment that is ready: `python` is its full version, `mounts` what its interpreter needs."""

    id: str
    path: Path
    python: str
    mounts: Mapping[str, Path]

    @property
    def executable(self) -> Path:
        """Its interpreter, outside the sandbox."""
        return self.path / "bin" / "python"


def environment_id(python: str, requirements: str) -> str:
    """The name of the environment with these contents on this machine.

    Args:
        python: a version like "3.12", or "" for the Python that runs the host.
        requirements: text of a requirements.txt.
    """
    request = python or f"{_base_python()} {sys.version}"
    facts = (request, sysconfig.get_platform(), normalize_requirements(requirements))
    return "env_" + hashlib.sha256("\0".join(facts).encode()).hexdigest()[:24]


@dataclass(frozen=True, slots=True)
class _Reach:
    """By which indexes and which cache the installer works; `proxies` stand before indexes whose passwords it must not know."""

    access: IndexAccess
    cache: Path
    proxies: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class _Layer:
    """What is to be installed into an environment, from which file, and whether nothing is there yet."""

    building: Path
    requirements: Path
    access: IndexAccess
    is_first: bool


class Environments:
    """Finds environments under a directory, and builds those that are missing."""

    def __init__(
        self,
        directory: Path,
        *,
        sandbox: Sandbox,
        processes: ChildProcesses,
        install_environment: Mapping[str, str],
        timeout_s: float,
        memory_bytes: int,
    ) -> None:
        self._directory = directory
        self._sandbox = sandbox
        self._processes = processes
        self._install_environment = install_environment
        self._timeout_s = timeout_s
        self._memory = MemoryRoom(
            limit_bytes=memory_bytes, setting=_MEMORY_SETTING, has_own_places=sandbox.is_active
        )
        self._locks: defaultdict[str, anyio.Lock] = defaultdict(anyio.Lock)

    @property
    def directory(self) -> Path:
        """Where they are."""
        return self._directory

    def list_idle(self, before_s: float) -> list[str]:
        """Ids of environments that nobody has used since a time."""
        return [name for name in list_idle(self._directory, before_s) if _ID.fullmatch(name)]

    def remove_idle(self, identifier: str, before_s: float) -> bool:
        """Remove an environment unless somebody has used it since a time; whether it is gone."""
        return remove_idle(self._directory / identifier, before_s)

    def find(self, identifier: str) -> Environment | None:
        """The environment of that id if it is there and whole; it is in use now."""
        path = self._directory / identifier
        mark_used(path)
        try:
            facts = fast_json.read((path / "complete.json").read_bytes())
        except (OSError, ValueError):
            return None
        if not (path / "bin" / "python").exists():  # its Python was uninstalled
            return None
        return _environment_at(path, str(facts.get("python", "")))

    async def obtain(self, python: str, requirements: str, on_progress: Progress) -> Environment:
        """The environment for a version of Python and requirements, built if need be.

        Raises `EnvironmentFailedError`, `EnvironmentTimeoutError`.
        """
        identifier = environment_id(python, requirements)
        async with self._locks[identifier]:
            found = self.find(identifier)
            if found is not None:
                return found
            self._directory.mkdir(parents=True, exist_ok=True)
            building = self._directory / f"{identifier}.building-{os.getpid()}"
            try:
                with anyio.fail_after(self._timeout_s):
                    version = await self._build(building, python, requirements, on_progress)
            except TimeoutError as exc:
                raise EnvironmentTimeoutError(self._timeout_s) from exc
            else:
                return self._publish(building, identifier, version)
            finally:
                await anyio.to_thread.run_sync(remove_anything, str(building))

    def remove_unfinished(self) -> None:
        """Remove what hosts that are gone left half built."""
        for path in self._directory.glob("*.building-*"):
            owner = path.name.rpartition("-")[2]
            if not (
                owner.isdigit() and int(owner) != os.getpid() and Path("/proc", owner).exists()
            ):
                remove_anything(str(path))

    async def _build(
        self, building: Path, python: str, requirements: str, on_progress: Progress
    ) -> str:
        wanted = normalize_requirements(requirements)
        if python and not _VERSION.fullmatch(python):
            problem = f"python: {python!r} is not a version; write for example 3.12 or >=3.11"
            raise EnvironmentFailedError(problem, "")
        local = find_local_reference(requirements)
        if local is not None:
            problem = (
                f"requirements.txt line {local[0]}: {local[1]!r} refers to a file of the project;"
                " name packages, versions and URLs only"
            )
            raise EnvironmentFailedError(problem, "")
        if (variable := find_variable(requirements)) is not None:
            problem = (
                f"requirements.txt line {variable[0]}: variables of the environment are not put in here;"
                " write the text itself, and give credentials by the settings of the package index"
            )
            raise EnvironmentFailedError(problem, "")
        await anyio.to_thread.run_sync(remove_anything, str(building))
        venv = ["venv", "--no-project", "--relocatable", "--python", python or str(_base_python())]
        access = await anyio.to_thread.run_sync(read_index_access, self._install_environment)
        await self._run_uv(
            [*venv, str(building)],
            _Reach(access, self._cache_directory()),
            f"Python {python or 'of this service'} cannot be provided",
            on_progress if python else None,
        )
        facts = await anyio.to_thread.run_sync(_query_interpreter, building / "bin" / "python")
        if wanted:
            link = _interpreter_link(building)
            await self._install(building, wanted, access, on_progress)
            if _interpreter_link(building) != link:
                raise EnvironmentFailedError("a package tampered with the environment's Python", "")
        _write_new(building / "complete.json", facts)
        return str(fast_json.read(facts)["python"])

    async def _install(
        self, building: Path, wanted: str, access: IndexAccess, on_progress: Progress
    ) -> None:
        """Install the packages, in the sandbox; what must be built runs foreign code."""
        files: list[Path] = []
        for number, layer in enumerate(layers_of(wanted), start=1):  # before foreign code is there
            files.append(building / f"requirements-{number}.txt")
            files[-1].write_text(layer + "\n", encoding="utf-8")
        for number, file in enumerate(files):
            work = _Layer(building, file, access, is_first=number == 0)
            await self._install_layer(work, on_progress)
        interpreter = str(building / "bin" / "python")
        command = [interpreter, "-I", "-S", "-m", "compileall", "-q", "-j", "0"]
        view = self._install_view(building)
        # By now the interpreter may be foreign, too.
        bare = {"PATH": self._install_environment.get("PATH", os.defpath)}
        await self._run_contained([*command, str(building / "lib")], bare, view=view)

    async def _install_layer(self, layer: _Layer, on_progress: Progress) -> None:
        """Install what one file asks for, on top of what is there.

        Foreign code could put something into the cache for other projects, change what is started outside the sandbox, or
        read the passwords of package indexes. So wheels alone are tried first, which run nothing; building gets a cache of
        its own, and indexes by way of a proxy. So does every layer but the first: what was installed runs with Python.
        """
        building = layer.building
        arguments = [
            *("pip", "install", "--python", str(building / "bin" / "python")),
            *("--link-mode", "copy", "-r", str(layer.requirements)),
        ]
        failure = "the project's packages cannot be installed"
        shared = self._cache_directory()
        if layer.is_first or not layer.access.origins:
            try:
                view = self._install_view(building, shared)
                wheels = [*arguments, "--no-build"]
                reach = _Reach(layer.access, shared)
                await self._run_uv(wheels, reach, failure, on_progress, view=view)
            except EnvironmentFailedError:
                await on_progress("no wheels for all packages; building from source")
            else:
                return
        own = building.with_name(f"cache-{building.name}")
        try:
            await anyio.to_thread.run_sync(_make_empty, own)
            async with self._index_proxies(layer.access) as proxies:
                view = self._install_view(building, own, has_secrets=not proxies)
                reach = _Reach(layer.access, own, proxies)
                await self._run_uv(arguments, reach, failure, on_progress, view=view)
        finally:
            await anyio.to_thread.run_sync(remove_anything, str(own))

    @asynccontextmanager
    async def _index_proxies(self, access: IndexAccess) -> AsyncGenerator[Mapping[str, str]]:
        """For each index with a password a URL without it, as long as this is entered."""
        if not access.origins:
            yield {}
            return
        token = secrets.token_urlsafe(24)
        order = {"token": token, "origins": [asdict(each) for each in access.origins]}
        variables = {**access.variables, PROXY_VARIABLE: fast_json.write(order).decode()}
        command = [sys.executable, "-m", "hookline_runner.index_proxy"]
        told: list[str] = []
        is_open = anyio.Event()

        async def note(line: str) -> None:
            told.append(line)
            is_open.set()

        async def serve() -> None:
            await self._processes.run(command, variables=variables, on_line=note)
            is_open.set()

        problem: EnvironmentFailedError | None = None
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(serve, name="package index proxy")
            await is_open.wait()
            try:
                yield _proxies_in(told)
            except EnvironmentFailedError as exc:  # a task group would wrap it
                problem = exc
            tasks.cancel_scope.cancel()
        if problem is not None:
            raise problem

    def _install_view(
        self, building: Path, *writable: Path, has_secrets: bool = True
    ) -> SandboxView:
        places = [Path(uv.find_uv_bin()), *self._host_places(has_secrets=has_secrets)]
        return SandboxView(
            read_only={
                **interpreter_mounts(building / "bin" / "python"),
                **{str(place): place for place in places},
            },
            writable={str(place): place for place in (building, *writable)},
            scratch_limit_bytes=4 * 1024**3,
            working_directory="/tmp",  # noqa: S108 - the sandbox's own
        )

    async def _run_uv(
        self,
        arguments: Sequence[str],
        reach: _Reach,
        failure: str,
        on_progress: Progress | None,
        *,
        view: SandboxView | None = None,
    ) -> None:
        access, proxies = reach.access, reach.proxies
        variables = {
            **(access.variables_for_builds(proxies) if proxies else self._install_environment),
            "UV_NO_PROGRESS": "1",
            "UV_CACHE_DIR": str(reach.cache),
        }
        command = [uv.find_uv_bin(), "--color", "never", *arguments]
        own = self._directory.parent

        def told(line: str) -> str:
            return access.cover(without_places(line, own), proxies)

        progress = _without_noise(on_progress, told)
        finished = await self._run_contained(command, variables, view=view, on_line=progress)
        if finished.status != 0:
            lines = _without_steps([told(line) for line in finished.lines if not _is_noise(line)])
            raise EnvironmentFailedError(failure, "\n".join(lines[-_KEPT_LINES:]))

    async def _run_contained(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        *,
        view: SandboxView | None,
        on_line: Progress | None = None,
    ) -> Finished:
        """Run a command to its end: in the sandbox, if there is one and it gets a view."""
        if view is not None and self._sandbox.is_active:
            home = environment.get("HOME", "/root")
            own = {"HOME": "/tmp", "XDG_CONFIG_HOME": f"{home}/.config"}  # noqa: S108 - as above
            environment = {**environment, **own}
            command = self._sandbox.command(view, command)
        return await self._processes.run(
            command, variables=environment, on_line=on_line, memory=self._memory
        )

    def _publish(self, building: Path, identifier: str, version: str) -> Environment:
        path = self._directory / identifier
        write_points.reach("runner host environment: before rename")
        try:
            building.rename(path)
        except OSError:  # another host was faster, or there is a broken one
            if (found := self.find(identifier)) is not None:
                return found
            remove_anything(str(path))
            building.rename(path)
        write_points.reach("runner host environment: after rename")
        logger.info("environment built", extra={"environment": identifier, "python": version})
        return _environment_at(path, version)

    def _cache_directory(self) -> Path:
        cache = self._directory.parent / "uv-cache"
        cache.mkdir(parents=True, exist_ok=True)
        return cache

    def _host_places(self, *, has_secrets: bool) -> list[Path]:
        """Files of the host that uv's own settings name: certificates, local wheels, and configuration, which may hold secrets."""
        chosen = self._install_environment
        named = [chosen.get(name, "") for name in ("SSL_CERT_FILE", "SSL_CERT_DIR")]
        named += chosen.get("UV_FIND_LINKS", "").split(",")
        if has_secrets:
            named += [chosen.get("UV_CONFIG_FILE", "")]
            named += [f"{chosen.get('HOME', '/root')}/.config/uv", "/etc/uv"]
        paths = (Path(name.removeprefix("file://")) for name in named if name)
        return [
            path
            for path in paths
            if path.is_absolute()
            and os.access(path, os.R_OK)
            and not path.is_relative_to("/etc/ssl/certs")
        ]


def _is_noise(line: str) -> bool:
    return line.startswith("Using Python")  # it names a temporary directory


def _without_steps(lines: Sequence[str]) -> list[str]:
    """The lines without the steps of a proof that versions conflict, but for the last, which names the culprits."""
    steps = [line for line in lines if _STEP in line]
    return [line for line in lines if _STEP not in line or line == steps[-1]]


def without_places(line: str, directory: Path) -> str:
    """The line without paths below a directory of the runner host's own, which tell a project's author nothing."""
    own = re.escape(str(directory))
    return re.sub(rf"(?:file://)?{own}(?:/[^\s`'\",:)]*)?", "its environment", line)


def _make_empty(directory: Path) -> None:
    remove_anything(str(directory))
    directory.mkdir()


def _proxies_in(told: Sequence[str]) -> Mapping[str, str]:
    """Where the proxies are, by what their program said first. Raises `EnvironmentFailedError`."""
    try:
        proxies: dict[str, str] = fast_json.read(told[0].encode())
    except (ValueError, IndexError) as exc:
        problem = "packages with indexes that need a password cannot be built"
        raise EnvironmentFailedError(problem, "\n".join(told)) from exc
    return proxies


def _without_noise(on_progress: Progress | None, told: Callable[[str], str]) -> Progress | None:
    """Passes on what is done; why it failed is told once, at the end."""
    if on_progress is None:
        return None
    has_failed = False

    async def pass_on(line: str) -> None:
        nonlocal has_failed
        has_failed = has_failed or line.startswith("error:")
        if not has_failed and not _is_noise(line):
            await on_progress(told(line))

    return pass_on


def _environment_at(path: Path, python: str) -> Environment:
    mounts = interpreter_mounts(path / "bin" / "python")
    return Environment(id=path.name, path=path, python=python, mounts=mounts)


def _base_python() -> Path:
    """The interpreter below the service's own virtual environment."""
    return Path(sys.executable).resolve()


def _query_interpreter(executable: Path) -> str:
    """Facts about an interpreter, as JSON; -S keeps installed packages from running code."""
    try:
        result = subprocess.run(
            [str(executable), "-I", "-S", "-c", _QUERY],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_QUERY_TIMEOUT_S,
            check=True,
            env={},
        )
    except (OSError, subprocess.SubprocessError) as exc:
        raise EnvironmentFailedError("the environment's Python does not start", str(exc)) from exc
    return result.stdout.decode()


def _interpreter_link(environment: Path) -> str:
    """Where the link to the interpreter leads; nothing if there is none."""
    programs = environment / "bin"
    try:
        return "" if programs.is_symlink() else str((programs / "python").readlink())
    except OSError:
        return ""


def _write_new(path: Path, text: str) -> None:
    """Write a file that nobody else has put there, be it as a link to another."""
    path.unlink(missing_ok=True)
    with path.open("x", encoding="utf-8") as file:
        file.write(text)
