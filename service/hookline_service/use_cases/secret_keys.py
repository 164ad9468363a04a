"""The keys of an installation: that they open what is stored, and a new one that takes over from the former.

At any moment the file of keys opens everything that is stored: a new key is on disk before anything is sealed with it,
and former keys stay. What a crash left under a former key is sealed anew at the next start.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import anyio
import anyio.to_thread

from hookline.errors import ConflictError, InvalidError
from hookline_service.model.projects import Project, StoredVariable
from hookline_service.model.sealing import ValueKey
from hookline_service.model.secret import Secret
from hookline_service.storage.protocols import Store
from hookline_service.use_cases.private_files import HomeUnusableError, replace_file
from hookline_service.use_cases.secrets import (
    KEY_FILE,
    SecretBox,
    SecretPlace,
    decode_keys,
    fresh_key,
    load_or_create_box,
)
from hookline_service.use_cases.value_keys import ValueKeys, box_for, key_in, rewrapped

logger = logging.getLogger(__name__)

_NAMED = 5


class SecretKeyWrongError(InvalidError):
    """The installation's keys do not decrypt the stored secrets."""

    code = "secret_key.wrong"

    def __init__(self, origin: str, names: Sequence[str], key_ids: Sequence[str]) -> None:
        shown = ", ".join(names[:_NAMED]) + (", …" if len(names) > _NAMED else "")
        keys = ", ".join(key_ids)
        super().__init__(
            f"{origin} does not open {len(names)} of the stored secrets ({shown}): they were encrypted with key {keys}. Put "
            "that key back, on a line of its own after the current one. If it is lost for good, start once with "
            "`hookline up --forget-lost-secrets`, which empties them"
        )


class SecretKeyGivenError(ConflictError):
    """The installation's key comes from its settings, where the service cannot change it."""

    code = "secret_key.given"

    def __init__(self) -> None:
        super().__init__(
            "the key comes from HOOKLINE_SECRET_KEY: put a new one before it, separated by a comma, and restart the "
            "service, which then encrypts all secrets again"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotation:
    """What a rotation did: the id of the new key, how many secrets it sealed anew, and how many former keys stay."""

    key_id: str
    resealed: int
    former_keys: int


class SecretKeys:
    """The keys of a running service; `box` seals with the first of them. `values` are the keys of values of sessions."""

    def __init__(
        self, store: Store, box: SecretBox, file: Path | None, values: ValueKeys | None = None
    ) -> None:
        self.box = box
        self.values = ValueKeys() if values is None else values
        self._store = store
        self._file = file  # None: they are given by the settings
        self._lock = anyio.Lock()

    async def rotate(self) -> Rotation:
        """Make a new key, and seal all secret variables with it; the former keys stay for journals and backups.

        Cut off in the middle, it leaves nothing that does not open; the next start goes on with it.

        Raises:
            SecretKeyGivenError: the keys are not in a file.
            HomeUnusableError: the file cannot be written; then nothing has changed.
            StorageUnavailableError: not all was sealed anew.
        """
        if self._file is None:
            raise SecretKeyGivenError
        async with self._lock:
            fresh = fresh_key()
            texts = self.box.key_texts
            former = await anyio.to_thread.run_sync(_put_first, self._file, fresh, texts)
            self.box.lead_with(decode_keys(fresh, "the new key")[0])
            resealed = await self._reseal()
            return Rotation(key_id=self.box.key_id, resealed=resealed, former_keys=former)

    async def reseal(self) -> int:
        """Seal with the first key whatever was sealed with another, and have keys of values; returns how many variables."""
        async with self._lock:
            return await self._reseal()

    async def _reseal(self) -> int:
        count = 0
        async for _, variables in _sealed(self._store):
            replaced = [(one, self.box.rewrap(_place(one), one.value)) for one in variables]
            changed = [(one, value) for one, value in replaced if value != one.value]
            count += await self._store.replace_values(changed) if changed else 0
        await self._reseal_value_keys()
        return count

    def _is_current(self, key: ValueKey) -> bool:
        is_ours = SecretBox.key_id_of(key.box) == self.box.key_id
        return is_ours and key_in(self.box, key.box) is not None

    async def _reseal_value_keys(self) -> None:
        """New values get a new key when the installation has one; the former are put into boxes that it opens.

        What no key opens stays as it is: with its key, its values come back.
        """
        kept = await self._store.list_value_keys()
        if not any(self._is_current(one) for one in kept):
            await self._store.add_value_key(box_for(self.box))
            kept = await self._store.list_value_keys()
        for one in kept:
            if self.box.has_key_of(one.box):
                box = rewrapped(self.box, one.box)
                if box != one.box:
                    await self._store.replace_value_key(one, box)
        found = [key for one in reversed(kept) if (key := key_in(self.box, one.box)) is not None]
        if len(found) < len(kept):
            logger.warning("values of sessions whose key is lost cannot be read")
        self.values.use(self.box, tuple(found))


async def open_keys(
    store: Store,
    home: Path,
    configured: Secret | None,
    values: ValueKeys | None = None,
    *,
    forgets_lost: bool = False,
) -> SecretKeys:
    """The keys of this installation, which open every secret variable that is stored.

    With `forgets_lost`, secrets that none of the keys opens are emptied. From then on `values` seal and open.

    Raises:
        SecretKeyWrongError: a secret was sealed with a key that is not here.
        SecretKeyInvalidError, HomeUnusableError: as `load_or_create_box`.
    """
    file = home / KEY_FILE if configured is None else None
    if file is not None and not forgets_lost and not file.exists():
        lost = await _list_lost(store, None)
        _require_none(f"{file} is missing, and a new key", lost)
    box = await anyio.to_thread.run_sync(load_or_create_box, home, configured)
    keys = SecretKeys(store, box, file, values)
    lost = await _list_lost(store, box)
    if forgets_lost:
        await _forget(store, box, lost)
    else:
        _require_none(str(file or "HOOKLINE_SECRET_KEY"), lost)
    if resealed := await keys.reseal():
        logger.info("secrets sealed with the present key", extra={"count": resealed})
    return keys


@dataclass(frozen=True, slots=True)
class _Lost:
    project: str
    variable: StoredVariable

    @property
    def name(self) -> str:
        return f"{self.project}/{_place(self.variable).label}"


async def _list_lost(store: Store, box: SecretBox | None) -> list[_Lost]:
    """Secrets that the box has no key for; all of them when there is no box."""
    return [
        _Lost(project.name, one)
        async for project, variables in _sealed(store)
        for one in variables
        if box is None or not box.has_key_of(one.value)
    ]


def _require_none(origin: str, lost: Sequence[_Lost]) -> None:
    if lost:
        key_ids = sorted({SecretBox.key_id_of(one.variable.value) for one in lost})
        raise SecretKeyWrongError(origin, [one.name for one in lost], key_ids)


async def _forget(store: Store, box: SecretBox, lost: Sequence[_Lost]) -> None:
    for one in lost:
        empty = box.seal(_place(one.variable), Secret(""))
        await store.replace_values([(one.variable, empty)])
        logger.warning("lost secret emptied", extra={"variable": one.name})


async def _sealed(store: Store) -> AsyncIterator[tuple[Project, list[StoredVariable]]]:
    for project in await store.list_projects():
        variables = await store.list_variables(project.id)
        yield project, [one for one in variables if one.is_secret]


def _put_first(file: Path, fresh: str, known: Sequence[str]) -> int:
    """Write the key before those of the file, which is whole at any moment; returns how many there were.

    If the file is gone, it is made again of those that are `known`.
    """
    try:
        former: Sequence[str] = file.read_text("utf-8", errors="replace").split()
    except FileNotFoundError:
        logger.warning("file of keys was gone; written again", extra={"path": str(file)})
        former = known
    except OSError as exc:
        raise HomeUnusableError(file, exc.strerror or "cannot be read") from exc
    decode_keys(",".join(former), str(file))
    replace_file(file, "".join(f"{line}\n" for line in [fresh, *former]))
    return len(former)


def _place(variable: StoredVariable) -> SecretPlace:
    return SecretPlace(project_id=variable.project_id, scope=variable.scope, name=variable.name)
