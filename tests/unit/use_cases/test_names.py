"""What people call things: one rule for each kind, and what they may have meant."""

from __future__ import annotations

from typing import Any

import pytest

from hookline_service.model.likeness import nearest
from tests.builders.projects import a_project
from tests.builders.service import PROJECT, ServiceInMemory, a_service, a_tar

ODD = ["../x", "a/b", "a b", "1x", "x-y", "", ".", "x\n", "Ä", "x" * 129, "ａ"]
MANIFEST = PROJECT["hookline.yaml"]


async def _call(service: ServiceInMemory, method: str, path: str, **given: Any) -> Any:
    async with service.client() as client:
        return await client.request(method, f"/api/v1{path}", **given)


async def _deploy_as(service: ServiceInMemory, name: str) -> Any:
    archive = a_tar(PROJECT)
    headers = {"content-type": "application/x-tar"}
    query = {"project": name}
    return await _call(
        service, "POST", "/deployments", params=query, headers=headers, content=archive
    )


@pytest.mark.parametrize("name", [name for name in ODD if name])  # none is the manifest's
async def test_a_deploy_makes_no_project_of_an_odd_name(name: str) -> None:
    service = a_service()

    answer = await _deploy_as(service, name)

    assert answer.status_code == 400
    assert await service.store.list_projects() == []


@pytest.mark.parametrize("name", ODD)
async def test_no_project_of_an_odd_name_is_made_by_itself(name: str) -> None:
    service = a_service()

    answer = await _call(service, "POST", "/projects", json={"name": name})

    assert answer.status_code == 400
    assert await service.store.list_projects() == []


@pytest.mark.parametrize("name", ODD)
async def test_a_manifest_names_no_project_oddly(name: str) -> None:
    service = a_service()
    given = "'" + name.replace("\n", "\n\n") + "'"
    files = {**PROJECT, "hookline.yaml": MANIFEST.replace("name: hello", f"name: {given}", 1)}
    headers = {"content-type": "application/x-tar"}

    answer = await _call(service, "POST", "/deployments", headers=headers, content=a_tar(files))

    assert answer.status_code == 400
    assert await service.store.list_projects() == []


async def test_an_odd_name_of_an_old_home_is_deployed_to_again() -> None:
    service = a_service()
    await service.store.add_project(a_project(name="../x"))

    answer = await _deploy_as(service, "../x")

    assert (answer.status_code, answer.json().get("project")) == (201, "../x"), answer.text


@pytest.mark.parametrize("scope", ["../x", "a b", "x" * 129])
async def test_a_variable_of_no_possible_connection_is_refused(scope: str) -> None:
    service = a_service()
    await _call(service, "POST", "/projects", json={"name": "empty"})

    answer = await _call(
        service, "PUT", "/projects/empty/vars/A", params={"scope": scope}, json={"value": "1"}
    )

    assert answer.status_code == 400


@pytest.mark.parametrize(
    ("wanted", "known", "found"),
    [
        ("helo", ["other", "hello"], "hello"),
        ("HELLO", ["hello"], "hello"),
        ("daily-report", ["daily_report"], "daily_report"),
        ("zzz", ["hello"], ""),
        ("", ["hello"], ""),
        ("hello", [], ""),
        ("x" * 1_000_000, ["x" * 128], "x" * 128),
        ("hello", ["h" * 1_000_000], ""),
    ],
)
def test_the_nearest_name_is_found(wanted: str, known: list[str], found: str) -> None:
    assert nearest(wanted, known) == found


@pytest.mark.parametrize(
    ("method", "path", "given", "meant"),
    [
        ("GET", "/projects/helo", {}, "'hello'"),
        ("GET", "/sessions?project=helo", {}, "'hello'"),
        ("GET", "/sessions?project=hello&trigger=incomin", {}, "'incoming'"),
        ("GET", "/events?trigger=incomin", {}, "'incoming'"),
        ("GET", "/schedules/hello%2Fnightli", {}, "'hello/nightly'"),
        ("DELETE", "/projects/hello/vars/GREETIN", {}, "'GREETING'"),
        ("POST", "/sessions", {"project": "hello", "entry_point": "main.py:on_cal"}, "`on_call`"),
        ("POST", "/sessions", {"project": "hello", "entry_point": "mai.py:on_call"}, "`main.py`"),
        ("POST", "/events", {"project": "hello", "trigger": "incomin"}, "'incoming'"),
        ("POST", "/events", {"project": "hello", "source": "incomin"}, "'incoming'"),
    ],
)
async def test_a_misspelt_name_is_answered_with_the_one_like_it(
    method: str, path: str, given: dict[str, str], meant: str
) -> None:
    service = a_service()
    await service.deploy()

    answer = await _call(service, method, path, **({"json": given} if given else {}))

    assert answer.status_code == 404
    assert f"did you mean {meant}?" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("value", "is_secret", "warns"),
    [("12345", True, True), ("123456", True, False), ("", True, False), ("12", False, False), ("éé", True, True), ("ééé", True, False)],
)  # fmt: skip
async def test_a_secret_that_cannot_be_masked_is_warned_of(
    value: str, is_secret: bool, warns: bool
) -> None:
    service = a_service()
    await _call(service, "POST", "/projects", json={"name": "empty"})

    answer = await _call(
        service, "PUT", "/projects/empty/vars/PIN", json={"value": value, "secret": is_secret}
    )

    assert ("not masked" in (answer.json()["warning"] or "")) is warns


async def test_a_deploy_warns_of_a_secret_that_cannot_be_masked() -> None:
    service = a_service()
    text = "    - {name: PIN, value: '1234', secret: true}\n"
    files = {**PROJECT, "hookline.yaml": MANIFEST.replace("  vars:\n", f"  vars:\n{text}", 1)}
    headers = {"content-type": "application/x-tar"}

    answer = await _call(service, "POST", "/deployments", headers=headers, content=a_tar(files))

    (warning,) = [one for one in answer.json()["warnings"] if one["code"] == "var.short_secret"]
    assert "1234" not in str(warning["message"])
