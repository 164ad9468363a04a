from __future__ import annotations

import pytest

from hookline_service.model.ids import BuildId
from hookline_service.use_cases.entry_points import EntryPointNotFoundError, EntryPoints
from hookline_triggers.errors import CallInvalidError
from tests.builders.service import PROJECT, a_service, a_tar

BUILD = BuildId("bld_1")


class _Archives:
    """Holds one archive and counts who asks for it."""

    def __init__(self, **files: str) -> None:
        self.archive = a_tar({f"{name}.py": text for name, text in files.items()})
        self.asked = 0

    async def get_archive(self, build_id: BuildId) -> bytes:
        assert build_id == BUILD
        self.asked += 1
        return self.archive


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("mian.py:run", "the build has no file 'mian.py'; did you mean `main.py`?"),
        ("main.py:rum", "main.py has no function 'rum'; did you mean `run`?"),
        ("main.py:zzz", "main.py has no function 'zzz'; it has run"),
        ("empty.py:run", "empty.py has no function 'run'"),
    ],
)
async def test_what_the_build_does_not_have_is_refused(text, message):
    points = EntryPoints(_Archives(main="def run(event): ...\nA = 1\n", empty=""))

    with pytest.raises(EntryPointNotFoundError) as caught:
        await points.resolve(BUILD, text)

    assert caught.value.message == message


@pytest.mark.parametrize(
    "source",
    [
        "from json import *\n",
        "from json import \\\n    *\n",
        "def __getattr__(name): ...\n",
        "globals()['run'] = print\n",
        "def f(:\n",
        "import sys\nif sys.argv:\n    run = print\n",
        "\0",
    ],
)
async def test_what_the_build_may_have_is_let_through(source):
    points = EntryPoints(_Archives(main=source))

    assert await points.resolve(BUILD, "./main.py run") == "main.py:run"


async def test_a_build_is_read_once_for_one_entry_point():
    archives = _Archives(main="def run(event): ...\n")
    points = EntryPoints(archives)

    for _ in range(3):
        await points.resolve(BUILD, "main.py:run")

    assert archives.asked == 1


async def test_what_names_no_function_at_all_is_not_looked_for():
    archives = _Archives()

    with pytest.raises(CallInvalidError):
        await EntryPoints(archives).resolve(BUILD, "../main.py:run")

    assert archives.asked == 0


async def test_a_run_of_what_is_not_there_starts_nothing():
    service = a_service()
    await service.deploy(PROJECT)

    async with service.client() as client:
        body = {"project": "hello", "entry_point": "main.py:on_cal"}
        answer = await client.post("/api/v1/sessions", json=body)

    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "entry_point.not_found")
    assert service.engine.started == []


async def test_a_run_looks_into_the_build_of_the_deployment_that_was_named():
    service = a_service()
    old = await service.deploy(PROJECT)
    await service.deploy({**PROJECT, "main.py": PROJECT["main.py"] + "\n\ndef fresh(event): ...\n"})

    async with service.client() as client:
        body = {"project": "hello", "entry_point": "main.py:fresh"}
        active = await client.post("/api/v1/sessions", json=body)
        former = await client.post(
            "/api/v1/sessions", json={**body, "deployment": old["deployment"]}
        )

    assert (active.status_code, former.status_code) == (201, 404)
