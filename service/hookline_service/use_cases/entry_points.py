"""Entry points that people name: refused before a session begins if the build surely does not have them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection

import anyio.to_thread

from hookline.errors import NotFoundError
from hookline_runner.analysis import analyse_module
from hookline_service.manifest.bindings import ModuleBindings
from hookline_service.manifest.files import unpack
from hookline_service.model.ids import BuildId
from hookline_service.model.likeness import nearest
from hookline_service.storage.protocols import BuildStore
from hookline_triggers.calls import EntryPoint, parse_call

_CALLED = frozenset({"function", "async", "class"})
_REMEMBERED = 10_000
_LISTED = 10


class EntryPointNotFoundError(NotFoundError):
    """The build has no such file, or the file no such function."""

    code = "entry_point.not_found"

    def __init__(self, problem: str, wanted: str, known: Collection[str]) -> None:
        near = nearest(wanted, sorted(known))
        listed = ", ".join(sorted(known)[:_LISTED]) + (", …" if len(known) > _LISTED else "")
        hint = f"; did you mean `{near}`?" if near else f"; it has {listed}" if listed else ""
        super().__init__(problem + hint)


class EntryPoints:
    """Checks entry points against builds; a build never changes, so what was found once is not looked for again."""

    __slots__ = ("_found", "_store")

    def __init__(self, store: BuildStore) -> None:
        self._store = store
        self._found: OrderedDict[tuple[BuildId, str], None] = OrderedDict()

    async def resolve(self, build_id: BuildId, text: str) -> str:
        """The entry point in its one form, `path.py:name`.

        Raises:
            CallInvalidError: it names no function in a file of the project.
            EntryPointNotFoundError: the build has no such file, or the file surely has no such name.
        """
        entry = parse_call(text)
        key = (build_id, str(entry))
        if key not in self._found:
            archive = await self._store.get_archive(build_id)
            await anyio.to_thread.run_sync(_require, archive, entry)
            self._found[key] = None
            if len(self._found) > _REMEMBERED:
                self._found.popitem(last=False)
        return str(entry)


def _require(archive: bytes, entry: EntryPoint) -> None:
    files = unpack(archive, max_bytes=len(archive))
    if entry.path not in files:
        known = [path for path in files if path.endswith(".py")]
        problem = f"the build has no file {entry.path!r}"
        raise EntryPointNotFoundError(problem, entry.path, known)
    if ModuleBindings(files).surely_lacks(entry.path, entry.name):
        problem = f"{entry.path} has no function {entry.name!r}"
        names = analyse_module(files[entry.path], entry.path)["names"]
        known = [name for name, facts in names.items() if facts["kind"] in _CALLED]
        raise EntryPointNotFoundError(problem, entry.name, known)
