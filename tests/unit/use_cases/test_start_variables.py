from __future__ import annotations

from hookline_service.model.ids import ProjectId
from hookline_service.model.secret import Secret
from hookline_service.use_cases.secrets import SecretBox, SecretPlace
from hookline_service.use_cases.start_variables import compose_variables
from tests.builders.projects import (
    a_build,
    a_connection,
    a_deployment,
    a_project,
    a_trigger,
    a_variable,
)

PROJECT = ProjectId("prj_1")
BOX = SecretBox((bytes(32),))
BASE = "https://hooks.example.org"


def _compose(variables=(), connections=(), triggers=()):
    return compose_variables(
        BOX, variables=variables, connections=connections, triggers=triggers, base_url=BASE
    )


def test_project_variables_are_there_by_name_blanks_included():
    variables = [
        a_variable(PROJECT, name="A", value=b"1"),
        a_variable(PROJECT, name="B", value=b""),
    ]

    assert _compose(variables) == {"A": "1", "B": ""}


def test_secrets_arrive_opened():
    place = SecretPlace(project_id=PROJECT, scope="", name="KEY")
    sealed = BOX.seal(place, Secret("hunter2"))
    variable = a_variable(PROJECT, name="KEY", value=sealed, is_secret=True)

    assert _compose([variable]) == {"KEY": "hunter2"}


def test_a_connections_variables_carry_its_name_in_front():
    variable = a_variable(PROJECT, scope="chat", name="apiKey", value=b"k")

    made = _compose([variable], [a_connection(PROJECT, name="chat")])

    assert made["chat__apiKey"] == "k"
    assert made["chat__connection_id"]


def test_variables_of_a_connection_that_is_gone_are_left_out():
    variable = a_variable(PROJECT, scope="gone", name="apiKey", value=b"k")

    assert _compose([variable]) == {}


def test_each_webhook_has_its_url():
    trigger = a_trigger(a_deployment(a_build(a_project())), slug="abc")

    made = _compose(triggers=[trigger])

    assert made == {f"{trigger.definition.name}__webhook_url": f"{BASE}/webhooks/abc"}


def test_a_name_that_the_author_set_wins():
    trigger = a_trigger(a_deployment(a_build(a_project())), slug="abc")
    name = f"{trigger.definition.name}__webhook_url"
    variable = a_variable(PROJECT, name=name, value=b"mine")

    assert _compose([variable], triggers=[trigger]) == {name: "mine"}
