from __future__ import annotations

from dataclasses import replace

import pytest

from hookline_service.model.errors import ProjectInvalidError, RunnerUnavailableError
from hookline_service.use_cases.deploy import Deployer, DeployRequest
from hookline_service.use_cases.deploy_preparing import PreparationLostError
from hookline_service.use_cases.variables import list_variables
from tests.builders.service import BASE, PROJECT, ServiceInMemory, a_service, a_tar
from tests.fakes.fake_engine import GOOD


async def _deploy(service: ServiceInMemory, files=PROJECT, **wanted):
    services = service.services
    deployer = Deployer(
        store=services.store,
        preparer=services.preparer,
        box=services.box,
        clock=services.clock,
        settings=services.settings,
        lock=services.schedule_lock,
        on_schedules_changed=services.on_schedules_changed,
        on_project_changed=services.on_project_changed,
    )
    told: list[str] = []

    async def progress(text: str) -> None:
        told.append(text)

    request = DeployRequest(archive=a_tar(files), **wanted)
    return await deployer.deploy(request, progress)


async def _reveal(service: ServiceInMemory) -> dict[str, str]:
    project = await service.store.find_project("hello")
    assert project is not None
    shown = await list_variables(service.store, service.services.box, project.id, reveal=True)
    return {each.variable.name: each.value for each in shown}


def _with(**changes: str) -> dict[str, str]:
    return {**PROJECT, **{name.replace("__", "."): text for name, text in changes.items()}}


async def test_a_deploy_puts_the_manifests_triggers_in_force():
    service = a_service()

    deployed = await _deploy(service)

    triggers = {each.definition.name: each for each in await service.store.list_triggers(None)}
    assert set(triggers) == {"incoming", "nightly"}
    assert deployed.triggers[0].url == f"{BASE}/webhooks/{triggers['incoming'].slug}"
    assert deployed.triggers[1].url is None


async def test_the_parts_that_serve_triggers_are_told_after_the_write():
    service = a_service()

    await _deploy(service)

    project = await service.store.find_project("hello")
    assert project is not None
    assert service.changed == [project.id, "schedules"]


async def test_the_same_files_give_the_same_build_and_no_second_one():
    service = a_service()
    first = await _deploy(service)

    second = await _deploy(service)

    assert second.build_id == first.build_id
    assert (first.created_build, second.created_build) == (True, False)
    assert second.deployment_id != first.deployment_id
    assert len(await service.store.list_builds(None, 10)) == 1


async def test_a_changed_file_gives_another_build():
    service = a_service()
    first = await _deploy(service)

    second = await _deploy(service, {**PROJECT, "main.py": PROJECT["main.py"] + "\nX = 1\n"})

    assert second.build_id != first.build_id


async def test_a_webhook_keeps_its_url_over_deploys():
    service = a_service()
    first = await _deploy(service)

    second = await _deploy(service, {**PROJECT, "more.py": ""})

    assert second.triggers[0].url == first.triggers[0].url


async def test_a_dry_run_changes_nothing_and_tells_the_plan():
    service = a_service()

    deployed = await _deploy(service, is_dry_run=True)

    assert await service.store.list_projects() == []
    assert deployed.deployment_id is None
    assert {step.type for step in deployed.plan} == {"create_project", "set_var", "create_trigger"}
    assert service.changed == []


async def test_secrets_are_sealed_in_the_store():
    service = a_service()

    await _deploy(service)

    project = await service.store.find_project("hello")
    assert project is not None
    stored = {each.name: each for each in await service.store.list_variables(project.id)}
    assert b"s3cret" not in stored["API_KEY"].value
    assert (await _reveal(service))["API_KEY"] == "s3cret"


async def test_a_blank_never_takes_the_place_of_a_secret():
    service = a_service()
    await _deploy(service)

    blank = PROJECT["hookline.yaml"].replace("value: s3cret", 'value: ""')
    await _deploy(service, {**PROJECT, "hookline.yaml": blank})

    assert (await _reveal(service))["API_KEY"] == "s3cret"


async def test_all_findings_come_at_once():
    service = a_service()
    service.preparer.answer = replace(
        GOOD,
        modules={
            "main.py": {
                "error": {"line": 3, "column": 1, "message": "invalid syntax", "source": "def"},
                "names": {},
                "imports": [],
            }
        },
    )
    manifest = PROJECT["hookline.yaml"].replace("0 3 * * *", "0 99 * * *")
    manifest = manifest.replace("main.py:on_call", "absent.py:on_call")

    with pytest.raises(ProjectInvalidError) as caught:
        await _deploy(service, {**PROJECT, "hookline.yaml": manifest})

    codes = {finding.code for finding in caught.value.findings}
    assert codes >= {"schedule.invalid", "entry_point.no_file", "python.syntax"}


async def test_an_environment_that_cannot_be_built_leaves_everything_as_it_was():
    service = a_service()
    first = await _deploy(service)
    service.preparer.bare = GOOD
    service.preparer.fails("environment.failed", "no matching distribution for nope")

    with pytest.raises(ProjectInvalidError) as caught:
        await _deploy(service, {**PROJECT, "requirements.txt": "nope==1\n"})

    (finding,) = [each for each in caught.value.findings if each.code == "environment.failed"]
    assert finding.file == "requirements.txt"
    project = await service.store.find_project("hello")
    assert project is not None
    active = await service.store.find_active_deployment(project.id)
    assert active is not None
    assert active.id == first.deployment_id


BROKEN_CODE = replace(
    GOOD,
    modules={
        "main.py": {
            "error": None,
            "names": {"on_tick": {"kind": "function", "line": 5}},
            "imports": [],
        },
        "other.py": {
            "error": {"line": 3, "column": 1, "message": "invalid syntax", "source": "def"},
            "names": {},
            "imports": [],
        },
    },
)
BROKEN_PROJECT = {
    **PROJECT,
    "other.py": "",
    "hookline.yaml": PROJECT["hookline.yaml"].replace("0 3 * * *", "0 99 * * *"),
}
CODE_FAULTS = {"schedule.invalid", "entry_point.no_handler", "python.syntax"}


async def _faults(service: ServiceInMemory, files: dict[str, str]) -> dict[str, str]:
    with pytest.raises(ProjectInvalidError) as caught:
        await _deploy(service, files)
    return {one.code: one.file for one in caught.value.findings if one.level == "error"}


async def test_a_bad_requirement_is_never_installed():
    service = a_service()

    with pytest.raises(ProjectInvalidError) as caught:
        await _deploy(service, {**PROJECT, "requirements.txt": "=== nonsense\n"})

    assert any(finding.file == "requirements.txt" for finding in caught.value.findings)
    assert [one.requirements for one in service.preparer.requests] == [""]


async def test_a_bad_requirement_hides_nothing_that_is_wrong_with_the_code():
    service = a_service()
    service.preparer.bare = BROKEN_CODE

    faults = await _faults(service, {**BROKEN_PROJECT, "requirements.txt": "=== nonsense\n"})

    assert faults.keys() >= {"requirements.invalid", *CODE_FAULTS}


async def test_what_is_wrong_with_manifest_and_code_is_told_at_once_and_nothing_is_installed():
    service = a_service()
    service.preparer.bare = BROKEN_CODE

    faults = await _faults(service, {**BROKEN_PROJECT, "requirements.txt": "nope==1\n"})

    assert faults.keys() >= CODE_FAULTS
    assert [one.requirements for one in service.preparer.requests] == [""]


async def test_nothing_is_installed_for_code_that_is_not_sound():
    service = a_service()
    service.preparer.bare = BROKEN_CODE

    faults = await _faults(service, {**PROJECT, "other.py": "", "requirements.txt": "nope==1\n"})

    assert faults.keys() >= {"entry_point.no_handler", "python.syntax"}
    assert [one.requirements for one in service.preparer.requests] == [""]


async def test_packages_that_are_there_already_are_not_waited_for_twice():
    service = a_service()
    files = {**PROJECT, "requirements.txt": "requests>=2\n"}
    await _deploy(service, files)
    service.preparer.requests.clear()

    await _deploy(service, {**files, "more.txt": "x"})

    assert [one.requirements for one in service.preparer.requests] == ["requests>=2"]


async def test_a_failed_install_says_nothing_of_packages_that_were_not_looked_for():
    service = a_service()
    wants = {"module": "nope", "names": [], "level": 0, "line": 1, "column": 1}
    modules = {"main.py": {"error": None, "names": {"*": {}}, "imports": [wants]}}
    service.preparer.bare = replace(GOOD, modules=modules)
    service.preparer.fails("environment.failed", "no matching distribution for nope")

    faults = await _faults(service, {**PROJECT, "requirements.txt": "nope==1\n"})

    assert faults == {"environment.failed": "requirements.txt"}


async def test_the_code_alone_is_another_build_than_the_project():
    service = a_service()
    service.preparer.bare = GOOD
    service.preparer.fails("environment.failed", "no matching distribution for nope")

    await _faults(service, {**PROJECT, "requirements.txt": "nope==1\n"})

    code, whole = service.preparer.requests
    assert (whole.requirements, code.requirements) == ("nope==1", "")
    assert whole.build_id != code.build_id
    assert whole.archive == code.archive


async def test_a_python_that_cannot_be_had_is_told_at_its_place_beside_the_code():
    service = a_service()
    service.preparer.fails("environment.failed", "Python 3.99 cannot be provided")
    manifest = PROJECT["hookline.yaml"].replace(
        "  name: hello\n", "  name: hello\n  python: '3.99'\n"
    )

    with pytest.raises(ProjectInvalidError) as caught:
        await _deploy(service, {**PROJECT, "hookline.yaml": manifest})

    (fault,) = [one for one in caught.value.findings if one.level == "error"]
    assert (fault.code, fault.file, fault.line) == ("environment.failed", "hookline.yaml", 4)
    assert [one.python for one in service.preparer.requests] == ["3.99", ""]


async def test_a_project_without_a_name_is_told_all_that_is_wrong_with_it():
    service = a_service()
    service.preparer.answer = BROKEN_CODE
    manifest = BROKEN_PROJECT["hookline.yaml"].replace("  name: hello\n", "")

    faults = await _faults(service, {**BROKEN_PROJECT, "hookline.yaml": manifest})

    assert faults.keys() > CODE_FAULTS
    assert await service.store.list_projects() == []


async def test_without_a_runner_host_what_is_known_to_be_wrong_is_told():
    service = a_service()
    service.preparer.answer = RunnerUnavailableError()

    faults = await _faults(service, BROKEN_PROJECT)

    assert faults.keys() == {"schedule.invalid"}


async def test_without_a_runner_host_the_deploy_is_unavailable():
    service = a_service()
    service.preparer.answer = RunnerUnavailableError()

    with pytest.raises(RunnerUnavailableError):
        await _deploy(service)

    assert await service.store.list_projects() == []


async def test_a_runner_host_that_is_lost_is_not_the_projects_fault():
    service = a_service()
    service.preparer.fails("runner.lost", "the runner host was lost")

    with pytest.raises(PreparationLostError):
        await _deploy(service)


async def test_an_archive_without_a_manifest_is_told_so():
    with pytest.raises(ProjectInvalidError) as caught:
        await _deploy(a_service(), {"main.py": ""})

    assert caught.value.findings[0].code == "manifest.missing"


async def test_a_manifest_without_a_project_is_told_so():
    with pytest.raises(ProjectInvalidError):
        await _deploy(a_service(), {"autokitteh.yaml": "version: v1\n"})


async def test_another_project_name_can_be_given():
    service = a_service()

    deployed = await _deploy(service, project="other")

    assert deployed.project == "other"


async def test_the_manifest_is_not_among_the_builds_files():
    service = a_service()

    deployed = await _deploy(service)

    archive = await service.store.get_archive(deployed.build_id)
    assert b"main.py" in archive
    assert b"s3cret" not in archive


async def test_no_secret_of_the_manifest_is_kept_in_the_build():
    service = a_service()

    deployed = await _deploy(service)

    build = await service.store.find_build(deployed.build_id)
    assert build is not None
    assert b"s3cret" not in build.manifest


async def test_the_runner_host_is_asked_for_what_a_session_will_need_later():
    service = a_service()
    files = {**PROJECT, "requirements.txt": "requests>=2  # http\n"}

    await _deploy(service, files)

    request = service.preparer.requests[-1]
    assert request.requirements.split() == ["requests>=2"]


@pytest.mark.parametrize("is_dry_run", [False, True])
async def test_a_schedule_is_told_in_words_with_its_next_fire(is_dry_run: bool):
    deployed = await _deploy(a_service(), is_dry_run=is_dry_run)

    (schedule,) = [one for one in deployed.triggers if one.kind == "schedule"]
    assert schedule.description.startswith("at 03:00 every day, ")
    assert schedule.next_fire_at is not None
