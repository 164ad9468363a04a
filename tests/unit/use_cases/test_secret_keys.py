from __future__ import annotations

import base64
from pathlib import Path

import anyio
import pytest

from hookline_service.model.errors import ValueUnreadableError
from hookline_service.model.ids import ProjectId
from hookline_service.model.projects import StoredVariable
from hookline_service.model.sealing import ValueKind
from hookline_service.model.secret import Secret
from hookline_service.use_cases.private_files import HomeUnusableError
from hookline_service.use_cases.secret_keys import (
    SecretKeyGivenError,
    SecretKeys,
    SecretKeyWrongError,
    open_keys,
)
from hookline_service.use_cases.secrets import (
    SecretBox,
    SecretKeyInvalidError,
    SecretPlace,
)
from hookline_service.use_cases.value_keys import ValueKeys, ValueKeysMissingError
from hookline_service.use_cases.variables import NewVariable, list_variables, set_variable
from tests.builders.service import NOW, a_service
from tests.fakes.fake_engine import HandClock
from tests.fakes.memory_store import MemoryStore

OLD, NEW = (base64.b64encode(bytes([number]) * 32).decode() for number in (1, 2))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "secret.key").write_text(f"{OLD}\n")
    return tmp_path


async def a_filled_store(home: Path, *values: str) -> tuple[MemoryStore, ProjectId]:
    """A store with a deployed project whose secrets S0, S1, … have these values, sealed with the key of the home."""
    service = a_service()
    manifest = "project:\n  name: hello\n"
    await service.deploy({"hookline.yaml": manifest, "main.py": ""})
    project = await service.store.find_project("hello")
    assert project is not None
    keys = await open_keys(service.store, home, None)
    for number, value in enumerate(values):
        new = NewVariable(scope="", name=f"S{number}", value=value, is_secret=True)
        await set_variable(service.store, keys.box, HandClock(NOW), project.id, new)
    await set_variable(
        service.store,
        keys.box,
        HandClock(NOW),
        project.id,
        NewVariable(scope="", name="Z", value="z"),
    )
    assert isinstance(service.store, MemoryStore)
    return service.store, project.id


async def revealed(store: MemoryStore, box: SecretBox, project_id: ProjectId) -> list[str]:
    return [one.value for one in await list_variables(store, box, project_id, reveal=True)]


async def sealed_with(store: MemoryStore, project_id: ProjectId) -> set[str]:
    variables = await store.list_variables(project_id)
    return {SecretBox.key_id_of(one.value) for one in variables if one.is_secret}


async def test_a_new_key_takes_over_and_every_secret_keeps_its_value(home):
    store, project_id = await a_filled_store(home, "one", "two")
    keys = await open_keys(store, home, None)

    rotation = await keys.rotate()

    assert (rotation.resealed, rotation.former_keys) == (2, 1)
    assert await sealed_with(store, project_id) == {rotation.key_id}
    assert await revealed(store, keys.box, project_id) == ["one", "two", "z"]
    assert (home / "secret.key").read_text().split()[1:] == [OLD]
    assert (home / "secret.key").stat().st_mode & 0o777 == 0o600


async def test_what_was_sealed_before_a_rotation_still_opens_after_a_restart(home):
    store, _ = await a_filled_store(home)
    keys = await open_keys(store, home, None)
    place = SecretPlace(project_id=ProjectId("prj_1"), scope="journal", name="ses_1")
    journal = keys.box.seal(place, Secret("recorded"))

    await keys.rotate()
    await keys.rotate()

    again = await open_keys(store, home, None)
    assert again.box.open(place, journal) == Secret("recorded")
    assert again.box.key_id == keys.box.key_id


async def test_a_rotation_that_a_crash_cut_off_is_finished_at_the_next_start(home):
    store, project_id = await a_filled_store(home, "one", "two")
    (home / "secret.key").write_text(f"{NEW}\n{OLD}\n")  # the file is written before anything else

    keys = await open_keys(store, home, None)

    assert await sealed_with(store, project_id) == {keys.box.key_id}
    assert await revealed(store, keys.box, project_id) == ["one", "two", "z"]


async def test_a_rotation_that_the_disk_refuses_changes_nothing(home):
    store, project_id = await a_filled_store(home, "one")
    keys = await open_keys(store, home, None)
    before = keys.box.key_id
    (home / "secret.key").rename(home / "kept")
    (home / "secret.key").mkdir()

    with pytest.raises((HomeUnusableError, OSError)):
        await keys.rotate()

    assert keys.box.key_id == before
    assert await sealed_with(store, project_id) == {before}


async def test_rotations_at_once_come_one_after_the_other(home):
    store, project_id = await a_filled_store(home, "one")
    keys = await open_keys(store, home, None)

    async with anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(keys.rotate)

    assert len((home / "secret.key").read_text().split()) == 6
    assert await sealed_with(store, project_id) == {keys.box.key_id}
    assert await revealed(store, keys.box, project_id) == ["one", "z"]


class _Meanwhile(MemoryStore):
    """A store in which somebody sets a secret between its reading and its writing."""

    meanwhile: StoredVariable | None = None

    async def replace_values(self, replaced):
        if self.meanwhile is not None:
            await self.set_variables([self.meanwhile])
        return await super().replace_values(replaced)


async def test_a_value_set_during_a_rotation_is_not_undone(home):
    store, project_id = await a_filled_store(home, "before")
    keys = await open_keys(store, home, None)
    (variable,) = [one for one in await store.list_variables(project_id) if one.is_secret]
    place = SecretPlace(project_id=project_id, scope="", name="S0")
    store.__class__ = _Meanwhile
    assert isinstance(store, _Meanwhile)
    store.meanwhile = StoredVariable(
        project_id=project_id,
        scope="",
        name="S0",
        value=keys.box.seal(place, Secret("after")),
        is_secret=True,
        description="",
        updated_at=variable.updated_at,
    )

    await keys.rotate()

    assert await revealed(store, keys.box, project_id) == ["after", "z"]


async def test_a_key_that_does_not_open_what_is_stored_stops_the_start(home):
    store, _ = await a_filled_store(home, "one", "two")
    (home / "secret.key").write_text(f"{NEW}\n")

    with pytest.raises(SecretKeyWrongError) as caught:
        await open_keys(store, home, None)

    assert f"{home}/secret.key does not open 2 of the stored secrets" in caught.value.message
    assert "hello/S0, hello/S1" in caught.value.message


async def test_no_new_key_is_made_beside_secrets_that_it_cannot_open(home):
    store, _ = await a_filled_store(home, "one")
    (home / "secret.key").unlink()

    with pytest.raises(SecretKeyWrongError, match="is missing"):
        await open_keys(store, home, None)

    assert not (home / "secret.key").exists()


async def test_the_way_back_is_the_former_key_behind_the_present_one(home):
    store, project_id = await a_filled_store(home, "one")
    (home / "secret.key").write_text(f"{NEW}\n{OLD}\n")

    keys = await open_keys(store, home, None)

    assert await revealed(store, keys.box, project_id) == ["one", "z"]


async def test_lost_secrets_are_emptied_when_asked_for_and_the_others_kept(home):
    store, project_id = await a_filled_store(home, "lost")
    (home / "secret.key").write_text(f"{NEW}\n")

    keys = await open_keys(store, home, None, forgets_lost=True)

    assert await revealed(store, keys.box, project_id) == ["", "z"]
    assert await revealed(store, (await open_keys(store, home, None)).box, project_id) == ["", "z"]


async def test_a_rotation_brings_a_file_of_keys_back_that_was_deleted(home):
    store, project_id = await a_filled_store(home, "s3cret")
    keys = await open_keys(store, home, None)
    (home / "secret.key").unlink()

    rotation = await keys.rotate()

    assert rotation.former_keys == 1
    assert (home / "secret.key").read_text().split()[1:] == [OLD]
    again = await open_keys(store, home, None)
    assert "s3cret" in await revealed(store, again.box, project_id)


async def test_a_file_of_keys_that_cannot_be_read_is_named(home):
    store, _ = await a_filled_store(home)
    keys = await open_keys(store, home, None)
    (home / "secret.key").unlink()
    (home / "secret.key").mkdir()

    with pytest.raises(HomeUnusableError, match=r"secret\.key"):
        await keys.rotate()


async def test_a_key_of_the_settings_is_not_rotated_but_taken_over_from_at_the_start(home):
    store, project_id = await a_filled_store(home, "one")
    keys = await open_keys(store, home, Secret(f"{NEW},{OLD}"))

    with pytest.raises(SecretKeyGivenError):
        await keys.rotate()

    assert await sealed_with(store, project_id) == {keys.box.key_id}
    assert await revealed(store, SecretBox((bytes([2]) * 32,)), project_id) == ["one", "z"]


async def test_a_file_that_was_garbled_meanwhile_is_not_written_over(home):
    store, _ = await a_filled_store(home, "one")
    keys = await open_keys(store, home, None)
    (home / "secret.key").write_text("garbage\n")

    with pytest.raises(SecretKeyInvalidError):
        await keys.rotate()

    assert (home / "secret.key").read_text() == "garbage\n"


async def test_the_key_is_rotated_over_http(home):
    service = a_service(key_file=home / "secret.key")
    await service.deploy()

    async with service.client() as client:
        answer = await client.post("/api/v1/secrets/rotate")

    assert answer.status_code == 200
    assert answer.json()["resealed"] == 1
    assert answer.json()["key_id"] == service.services.box.key_id


async def sealed_value(keys: SecretKeys) -> bytes:
    return keys.values.seal(ProjectId("prj_1"), ValueKind.STORED, b'"kept"')


def opened_by(keys: SecretKeys, value: bytes) -> bytes:
    return keys.values.open(ProjectId("prj_1"), ValueKind.STORED, value)


async def value_key_ids(store: MemoryStore) -> list[str]:
    return [SecretBox.key_id_of(one.box) for one in await store.list_value_keys()]


async def test_values_of_sessions_open_after_rotations_and_without_the_former_keys(home):
    store, _ = await a_filled_store(home, "one")
    keys = await open_keys(store, home, None)
    values = [await sealed_value(keys)]
    for _ in range(2):
        await keys.rotate()
        values.append(await sealed_value(keys))
    first = (home / "secret.key").read_text().split()[0]
    (home / "secret.key").write_text(f"{first}\n")

    again = await open_keys(store, home, None)

    assert [opened_by(again, value) for value in values] == [b'"kept"'] * 3
    assert await value_key_ids(store) == [again.box.key_id] * 3


async def test_a_start_makes_a_key_of_values_once(home):
    store, _ = await a_filled_store(home)
    value = await sealed_value(await open_keys(store, home, None))

    again = await open_keys(store, home, None)

    assert opened_by(again, value) == b'"kept"'
    assert len(await store.list_value_keys()) == 1


class _DiedError(Exception):
    """The process, in the middle of something."""


@pytest.mark.parametrize("writes_before", range(4))
async def test_a_rotation_that_dies_between_two_writes_loses_no_value(home, writes_before):
    store, project_id = await a_filled_store(home, "one")
    keys = await open_keys(store, home, None)
    values = [await sealed_value(keys)]
    await keys.rotate()
    values.append(await sealed_value(keys))
    store.__class__ = _Dying
    assert isinstance(store, _Dying)
    store.left = writes_before

    with pytest.raises(_DiedError):
        await keys.rotate()

    store.__class__ = MemoryStore
    again = await open_keys(store, home, None)
    assert [opened_by(again, value) for value in values] == [b'"kept"'] * 2
    assert set(await value_key_ids(store)) == {again.box.key_id}
    assert await revealed(store, again.box, project_id) == ["one", "z"]


class _Dying(MemoryStore):
    """A store that takes so many writes more."""

    left = 0

    def _may_write(self) -> None:
        if self.left == 0:
            raise _DiedError
        self.left -= 1
        super()._may_write()


async def test_lost_keys_of_values_do_not_stop_the_start_and_come_back(home):
    store, _ = await a_filled_store(home)
    keys = await open_keys(store, home, None)
    value = await sealed_value(keys)
    (home / "secret.key").write_text(f"{NEW}\n")

    other = await open_keys(store, home, None)

    with pytest.raises(ValueUnreadableError):
        opened_by(other, value)
    newer = await sealed_value(other)
    (home / "secret.key").write_text(f"{NEW}\n{OLD}\n")
    again = await open_keys(store, home, None)
    assert opened_by(again, value) == opened_by(again, newer) == b'"kept"'


async def test_a_damaged_key_of_values_loses_nothing_else(home):
    store, _ = await a_filled_store(home, "one")
    await open_keys(store, home, None)
    (kept,) = await store.list_value_keys()
    await store.replace_value_key(kept, kept.box[:-1] + bytes([kept.box[-1] ^ 1]))

    keys = await open_keys(store, home, None)

    assert opened_by(keys, await sealed_value(keys)) == b'"kept"'


async def test_nothing_is_sealed_before_the_keys_are_open():
    with pytest.raises(ValueKeysMissingError):
        ValueKeys().seal(ProjectId("prj_1"), ValueKind.STORED, b"1")
    with pytest.raises(ValueUnreadableError):
        ValueKeys().open(ProjectId("prj_1"), ValueKind.STORED, b"\x00box")
    assert ValueKeys().open(ProjectId("prj_1"), ValueKind.STORED, b"1") == b"1"
