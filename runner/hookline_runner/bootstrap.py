"""Where a process in a project's environment begins: makes Hookline's own packages importable, and nothing else.

Run by the environment's interpreter as ``python -I bootstrap.py ROLE PACKAGES [ARGUMENT]…``. PACKAGES is a JSON
object of package name → directory. Only those packages are found outside the environment, so that the service's own
dependencies are never importable by user code. Standard library only.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_file_location
from types import ModuleType


class PackageFinder:
    """Finds the given top-level packages in their directories; what is inside them is found as usual."""

    __slots__ = ("_directories",)

    def __init__(self, directories: Mapping[str, str]) -> None:
        self._directories = directories

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """See `importlib.abc.MetaPathFinder.find_spec`."""
        del path, target
        directory = self._directories.get(name)
        if directory is None:
            return None
        return spec_from_file_location(
            name, f"{directory}/__init__.py", submodule_search_locations=[directory]
        )


def main(arguments: Sequence[str]) -> int:
    """Take on the role named first."""
    role, packages, *rest = arguments
    sys.meta_path.insert(0, PackageFinder(json.loads(packages)))
    if role == "zygote":
        from hookline_runner import zygote  # noqa: PLC0415 - importable only now

        return zygote.main(int(rest[0]))
    if role == "prepare":
        from hookline_runner import prepare_step  # noqa: PLC0415 - importable only now

        return prepare_step.main(rest)
    if role == "replay":
        from hookline_runner import replay_process  # noqa: PLC0415 - importable only now

        return replay_process.main(rest)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
