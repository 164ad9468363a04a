"""Command lines for processes in a project's environment, contained where there is a sandbox."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import hookline
import hookline_runner
from hookline_runner.environments import Environment
from hookline_runner.sandbox import Sandbox, SandboxView

_PACKAGES_PLACE = "/hookline"
_ENVIRONMENT_PLACE = "/env"
_SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin"


def _own_packages() -> dict[str, Path]:
    """Where the two packages are installed that a session process may import."""
    return {
        module.__name__: Path(module.__path__[0]).resolve()
        for module in (hookline, hookline_runner)
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectRuntime:
    """How processes of projects are started on this host.

    `packages` are importable there besides the environment's own; `session_entry` is the function that a session
    process is: see `session.main.serve`.
    """

    sandbox: Sandbox
    variables: Mapping[str, str] = field(default_factory=dict[str, str])
    scratch_limit_bytes: int
    prepare_memory_bytes: int = 1024 * 1024 * 1024
    has_network: bool = True
    packages: Mapping[str, Path] = field(default_factory=_own_packages)
    session_entry: str = "hookline_runner.session.main:serve"

    def place(self, inside: str, outside: Path) -> str:
        """Under which path a process sees what is at `outside`."""
        return inside if self.sandbox.is_active else str(outside)

    def command(
        self,
        environment: Environment,
        role: str,
        *arguments: str,
        read_only: Mapping[str, Path],
        writable: Mapping[str, Path],
    ) -> list[str]:
        """The command that runs a role of `bootstrap.py` with what it may see; places as for `place`."""
        packages = {
            name: self.place(f"{_PACKAGES_PLACE}/{name}", path)
            for name, path in self.packages.items()
        }
        view = SandboxView(
            read_only={
                **environment.mounts,
                _ENVIRONMENT_PLACE: environment.path,
                **{f"{_PACKAGES_PLACE}/{name}": path for name, path in self.packages.items()},
                **read_only,
            },
            writable=writable,
            scratch_limit_bytes=self.scratch_limit_bytes,
            forks_sessions=role == "zygote",
            has_network=self.has_network,
        )
        python = self.place(_ENVIRONMENT_PLACE, environment.path) + "/bin/python"
        bootstrap = f"{packages['hookline_runner']}/bootstrap.py"
        # As isolated as -I makes it, but for the variable that fixes the order of sets: see `hash_seed_of`.
        options = ("-s", "-P", "-X", "utf8")
        command = [python, *options, bootstrap, role, json.dumps(packages), *arguments]
        return self.sandbox.command(view, command)

    def environment_variables(self, environment: Environment) -> dict[str, str]:
        """The whole process environment of a project's processes."""
        programs = self.place(_ENVIRONMENT_PLACE, environment.path) + "/bin"
        return {
            **self.variables,
            "PATH": f"{programs}:{_SYSTEM_PATH}",
            "LANG": "C.UTF-8",
            "HOME": "/tmp",  # noqa: S108 - the sandbox's own; each session gets a private one
        }


def hash_seed_of(build_id: str) -> dict[str, str]:
    """The environment variable by which all processes of a build hash texts alike.

    A session that is resumed in another process must walk through a set of texts in the order of the first one. The
    seed is as hard to guess as the content of the build.
    """
    digest = hashlib.sha256(f"hash seed {build_id}".encode()).digest()
    return {"PYTHONHASHSEED": str(int.from_bytes(digest[:4], "big"))}


def service_python() -> str:
    """The version of the Python that runs this host."""
    return ".".join(map(str, sys.version_info[:3]))
