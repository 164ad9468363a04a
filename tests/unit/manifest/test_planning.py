from __future__ import annotations

import pytest

from hookline_service.manifest.plan import PresentState, PresentVariable, plan_release
from hookline_service.manifest.values import Manifest, ManifestConnection, ManifestVariable
from hookline_service.model.ids import ProjectId
from hookline_service.model.projects import Connection
from hookline_service.model.secret import Secret
from hookline_triggers.definitions import (
    OverlapPolicy,
    RetryPolicy,
    SchedulePolicies,
    TriggerDefinition,
    TriggerKind,
)

HOOK = TriggerDefinition(name="hook", kind=TriggerKind.WEBHOOK, call="a.py:f")


def a_manifest(*variables: ManifestVariable, **fields) -> Manifest:
    return Manifest(project="shop", variables=variables, **fields)


def a_var(value: str | None = None, **fields) -> ManifestVariable:
    if fields.get("is_secret") and value is not None:
        return ManifestVariable(name="A", value=Secret(value), **fields)
    return ManifestVariable(name="A", value=value, **fields)


def a_state(*variables: PresentVariable, **fields) -> PresentState:
    return PresentState(display_name="", variables=variables, **fields)


def plain(value: str, scope: str = "") -> PresentVariable:
    return PresentVariable(scope=scope, name="A", value=value)


def secret(value: str) -> PresentVariable:
    return PresentVariable(scope="", name="A", value=Secret(value), is_secret=True)


def a_connection(name: str, integration: str) -> Connection:
    return Connection(project_id=ProjectId("prj_1"), name=name, integration=integration)


def test_a_new_project_is_created_with_all_it_has():
    manifest = a_manifest(
        a_var("x"),
        ManifestVariable(name="T", value=Secret("hunter2"), is_secret=True),
        connections=(ManifestConnection(name="chat", integration="slack"),),
        triggers=(
            HOOK,
            TriggerDefinition(name="tick", kind=TriggerKind.SCHEDULE, schedule="@daily"),
        ),
    )

    plan = plan_release(PresentState(), manifest)

    assert plan.lines() == [
        "create project shop",
        "create connection chat: integration slack",
        "set variable A: new, 'x'",
        "set variable T: new, a secret",
        "create trigger hook: webhook → a.py:f",
        "create trigger tick: schedule '@daily'",
    ]
    assert plan.objects()[1] == {
        "type": "create_connection",
        "name": "chat",
        "detail": "integration slack",
    }
    assert [(one.name, one.value) for one in plan.variables_set] == [
        ("A", "x"),
        ("T", Secret("hunter2")),
    ]
    assert "hunter2" not in repr(plan)


def test_a_deploy_that_changes_nothing_has_an_empty_plan():
    manifest = a_manifest(
        a_var("x"), connections=(ManifestConnection(name="c", integration="i"),), triggers=(HOOK,)
    )
    state = a_state(
        plain("x"), connections=(a_connection("c", "i"),), triggers=(HOOK,), former=manifest
    )

    plan = plan_release(state, manifest)

    assert plan.is_empty
    assert plan.actions == ()


def test_changes_are_told_field_by_field():
    old = TriggerDefinition(name="tick", kind=TriggerKind.SCHEDULE, schedule="@daily")
    new = TriggerDefinition(
        name="tick",
        kind=TriggerKind.SCHEDULE,
        schedule="@hourly",
        policies=SchedulePolicies(overlap=OverlapPolicy.SKIP, pause_on_failure=True),
        retries=RetryPolicy(max_attempts=3),
        timeout_s=60.0,
    )

    plan = plan_release(
        a_state(triggers=(old, HOOK), connections=(a_connection("c", "i"), a_connection("d", "i"))),
        a_manifest(
            display_name="Shop",
            triggers=(new,),
            connections=(ManifestConnection(name="c", integration="j"),),
        ),
    )

    assert plan.lines() == [
        "update project shop: display_name '' → 'Shop'",
        "update connection c: integration 'i' → 'j'",
        "delete connection d: it is not in the manifest",
        (
            "update trigger tick: schedule '@daily' → '@hourly', timeout none → 60.0, overlap 'allow_all' → 'skip', "
            "pause_on_failure false → true, retries.attempts 1 → 3"
        ),
        "delete trigger hook: it is not in the manifest",
    ]


SET, UPDATE, DELETE, KEEP = "set_var", "update_var", "delete_var", "keep_var"


@pytest.mark.parametrize(
    ("wanted", "stored", "former", "action", "value"),
    [
        (a_var("new"), plain("old"), a_var("old"), UPDATE, "new"),
        (a_var("new"), plain("mine"), a_var("old"), UPDATE, "new"),
        (a_var("new"), plain("mine"), None, UPDATE, "new"),
        (a_var(""), plain("mine"), a_var(""), KEEP, None),
        (a_var(""), plain("mine"), None, KEEP, None),
        (a_var(""), plain("old"), a_var("old"), UPDATE, ""),
        (a_var(None), plain("old"), a_var("old"), None, None),
        (a_var(None), plain("mine"), None, None, None),
        (a_var(None), None, None, None, None),
        (a_var(""), None, None, SET, ""),
        (a_var("", is_secret=True), secret("s"), a_var("", is_secret=True), KEEP, None),
        (a_var("", is_secret=True), secret("s"), a_var(None, is_secret=True), KEEP, None),
        (a_var(None, is_secret=True), secret("s"), None, None, None),
        (a_var("t", is_secret=True), secret("s"), None, UPDATE, Secret("t")),
        (a_var("s", is_secret=True), secret("s"), None, None, None),
        (a_var("", is_secret=True), plain("old"), a_var(""), KEEP + UPDATE, Secret("old")),
        (a_var(""), secret("s"), a_var("old"), KEEP, None),
        (a_var("new"), secret("s"), None, UPDATE, "new"),
        (a_var("x", description="d"), plain("x"), a_var("x"), UPDATE, "x"),
        (None, plain("old"), a_var("old"), DELETE, None),
        (None, plain("mine"), a_var("old"), KEEP, None),
        (None, plain("mine"), None, None, None),
        (None, secret("s"), a_var(None, is_secret=True), KEEP, None),
        (None, secret(""), a_var("", is_secret=True), DELETE, None),
    ],
)
def test_what_becomes_of_a_variable(wanted, stored, former, action, value):
    state = a_state(
        *([stored] if stored else []), former=a_manifest(former) if former else a_manifest()
    )

    plan = plan_release(state, a_manifest(*([wanted] if wanted else [])))

    assert "".join(str(one.type) for one in plan.actions) == (action or "")
    assert [one.value for one in plan.variables_set] == ([] if value is None else [value])
    assert plan.variables_deleted == ((("", "A"),) if action == DELETE else ())


def test_a_kept_value_is_a_note_and_no_change():
    plan = plan_release(a_state(secret("s")), a_manifest(a_var("", is_secret=True)))

    assert plan.is_empty
    assert plan.lines() == ["keep variable A: the secret keeps its value; the manifest has none"]


def test_variables_of_a_connection_carry_its_name():
    former = a_manifest(
        connections=(
            ManifestConnection(name="chat", integration="slack", variables=(a_var("old"),)),
        )
    )
    state = a_state(
        plain("old", scope="chat"), connections=(a_connection("chat", "slack"),), former=former
    )

    plan = plan_release(state, a_manifest())

    assert plan.lines() == [
        "delete connection chat: it is not in the manifest",
        "delete variable chat/A: it left the manifest",
    ]
    assert plan.variables_deleted == (("chat", "A"),)


def test_no_value_of_a_secret_is_ever_in_the_plan():
    state = a_state(secret("hunter1"), former=a_manifest())

    plan = plan_release(state, a_manifest(a_var("hunter2")))

    assert "hunter1" not in repr(plan)
    assert plan.lines()[0].startswith("update variable A: value, is no longer a secret")


@pytest.mark.parametrize(
    ("stored", "given", "is_told"),
    [("mine", frozenset(), True), ("mine", {("", "A")}, False), ("old", frozenset(), False)],
)
def test_it_is_told_that_a_manifest_undoes_what_was_set_by_hand(stored, given, is_told):
    state = a_state(plain(stored), former=a_manifest(a_var("old")))

    plan = plan_release(state, a_manifest(a_var("new")), given)

    assert ("leave `value` out to keep yours" in plan.lines()[0]) is is_told
