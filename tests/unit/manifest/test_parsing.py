from __future__ import annotations

import pytest

from hookline_service.manifest.parse import parse_manifest
from hookline_service.manifest.values import ManifestConnection, ManifestVariable, Position
from hookline_service.model.secret import Secret
from hookline_triggers.definitions import (
    DstPolicy,
    OverlapPolicy,
    RetryPolicy,
    SchedulePolicies,
    TriggerDefinition,
    TriggerKind,
)

FULL = """\
version: v1
project:
  name: shop
  display_name: The shop
  python: 3.12
  requirements: [requests, "rich>=13"]
  ignore: ["*.log", drafts/]
  process: reuse
  concurrency: 20
  vars:
    - name: REGION
      value: 1.50
    - name: TOKEN
      secret: true
      required: true
      description: Where from
  connections:
    - name: chat
      integration: slack
      vars: [{name: team, value: True}]
  triggers:
    - name: nightly
      schedule: "0 3 * * *"
      timezone: Europe/Prague
      overlap: buffer_one
      dst: skip
      catchup: 1h
      jitter: 30
      pause_on_failure: true
      call: jobs/nightly.py:run
      timeout: 1h30m
      retries: {attempts: 4, initial: 2s, factor: 1.5, max: 10m}
      concurrency: 1
    - name: order
      webhook: {}
      filter: data.method == "POST"
      call: orders.py:on_order
      dedupe: header:X-Delivery
      retries: 2
      is_durable: false
    - name: talk
      connection: chat
      event_type: message
"""


def parse(text: str, name: str = "hookline.yaml"):
    return parse_manifest(text, name)


def project(body: str, name: str = "hookline.yaml"):
    return parse("project:\n  name: p\n" + body, name)


def messages(parsed) -> list[str]:
    return [f"{one.line}:{one.column} {one.level} {one.message}" for one in parsed.findings]


def test_a_full_manifest_is_read_without_a_finding():
    parsed = parse(FULL)

    assert parsed.findings == ()
    assert parsed.is_valid


def test_the_projects_own_settings_are_read():
    manifest = parse(FULL).manifest

    assert (manifest.project, manifest.display_name, manifest.python) == (
        "shop",
        "The shop",
        "3.12",
    )
    assert manifest.requirements == ("requests", "rich>=13")
    assert manifest.ignore == ("*.log", "drafts/")
    assert (manifest.process, manifest.concurrency) == ("reuse", 20)


def test_variables_keep_the_spelling_of_the_file():
    manifest = parse(FULL).manifest

    assert manifest.variables == (
        ManifestVariable(name="REGION", value="1.50"),
        ManifestVariable(name="TOKEN", is_secret=True, is_required=True, description="Where from"),
    )
    assert manifest.connections == (
        ManifestConnection(
            name="chat",
            integration="slack",
            variables=(ManifestVariable(name="team", value="True"),),
        ),
    )


def test_a_schedule_with_all_its_policies_is_read():
    trigger = parse(FULL).manifest.triggers[0]

    assert trigger == TriggerDefinition(
        name="nightly",
        kind=TriggerKind.SCHEDULE,
        schedule="0 3 * * *",
        timezone="Europe/Prague",
        call="jobs/nightly.py:run",
        policies=SchedulePolicies(
            overlap=OverlapPolicy.BUFFER_ONE,
            dst=DstPolicy.SKIP,
            catchup_s=3600,
            jitter_s=30,
            pause_on_failure=True,
        ),
        timeout_s=5400,
        retries=RetryPolicy(max_attempts=4, initial_s=2, factor=1.5, max_s=600),
        concurrency=1,
    )


def test_a_webhook_and_a_connection_trigger_are_read():
    _, order, talk = parse(FULL).manifest.triggers

    assert order == TriggerDefinition(
        name="order",
        kind=TriggerKind.WEBHOOK,
        filter='data.method == "POST"',
        call="orders.py:on_order",
        dedupe="header:X-Delivery",
        retries=RetryPolicy(max_attempts=3),
        is_durable=False,
    )
    assert talk == TriggerDefinition(
        name="talk", kind=TriggerKind.CONNECTION, connection="chat", event_type="message"
    )


def test_places_are_remembered_by_name():
    manifest = parse(FULL).manifest

    assert manifest.position("triggers.nightly.timezone") == Position(line=24, column=17)
    assert manifest.position("triggers.nightly.event_type") == manifest.position("triggers.nightly")
    assert manifest.position("project.requirements.1") == Position(line=6, column=28)
    assert manifest.position("connections.chat.vars.team.value") == Position(line=20, column=34)
    assert manifest.position("nowhere.at.all") == Position()


def test_a_secret_value_shows_as_stars():
    parsed = project("  vars: [{name: T, secret: true, value: hunter2}]\n")

    assert parsed.manifest.variables[0].value == Secret("hunter2")
    assert parsed.manifest.variables[0].text == "hunter2"
    assert "hunter2" not in repr(parsed)


@pytest.mark.parametrize(
    ("version", "is_durable"), [("", True), ("version: v1\n", True), ("version: v2\n", False)]
)
@pytest.mark.parametrize("file_name", ["hookline.yaml", "autokitteh.yaml"])
def test_the_version_decides_whether_triggers_are_durable(version, is_durable, file_name):
    text = f"{version}project: {{name: p, triggers: [{{name: t, type: webhook}}]}}"

    manifest = parse(text, file_name).manifest

    assert manifest.triggers[0].is_durable is is_durable


def test_everything_wrong_is_found_in_one_go():
    parsed = project(
        """\
  pyhton: 3.12
  process: frok
  vars:
    - name: A
    - name: A
    - name: not ok
  triggers:
    - name: a
      schedule: "* * * * *"
      jitter: 3 parsecs
    - name: b
      webhook: {}
      timezone: UTC
    - call: x.py:y
"""
    )

    assert not parsed.is_valid
    assert messages(parsed) == [
        "3:3 error unknown key 'pyhton' in `project`",
        "4:12 error `process` must be one of `fork`, `reuse`, not 'frok'",
        "7:13 error the name `A` is taken already, at line 6",
        "8:13 error `name` must be letters, digits and _, not 'not ok'",
        "12:15 error `jitter` is not a duration ('3 parsecs'): it holds a space",
        "15:17 error `timezone` belongs to a schedule trigger, and this is a webhook trigger",
        "16:7 error a trigger needs `name`, a string",
        "16:7 error the trigger does not say where events come from",
    ]


def test_an_unknown_key_gets_a_guess_and_its_line():
    finding = project("  trigers: []\n").findings[0]

    assert (finding.file, finding.line, finding.column) == ("hookline.yaml", 3, 3)
    assert finding.code == "manifest.unknown_key"
    assert finding.hint == "did you mean `triggers`?"
    assert finding.source == "  trigers: []"


def test_a_manifest_with_errors_is_still_given_for_further_checks():
    parsed = project("  bad: 1\n  triggers: [{name: t, type: webhook, call: a.py:f}]\n")

    assert not parsed.is_valid
    assert parsed.manifest.triggers[0].call == "a.py:f"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("  display_name: 24\n", "`display_name` must be a string, not a whole number"),
        ("  display_name: on\n", "`display_name` must be a string, not true or false"),
        ("  display_name: 2020-01-01\n", "`display_name` must be a string, not a date"),
        ("  display_name: [x]\n", "`display_name` must be a string, not a list"),
        ("  display_name:\n", "`display_name` has no value"),
        ("  display_name: !x y\n", "`display_name` must be a string, not a value tagged '!x'"),
        ("  vars: {name: A}\n", "`vars` must be a list, not a map"),
        ("  vars: [A]\n", "`vars` item 1 must be a map with keys, not a string"),
        ("  concurrency: 0\n", "`concurrency` must be from 1 to 1,000,000, not 0"),
        ("  concurrency: 1.5\n", "`concurrency` must be a whole number from 1 to 1,000,000"),
        ("  concurrency: 0x10\n", "`concurrency` must be a whole number from 1 to 1,000,000"),
        ("  python: 2.7\n", "`python` must be 3.11 or newer, such as 3.12 or 3.12.4, not '2.7'"),
        ("  python: 3.9\n", "`python` must be 3.11 or newer, such as 3.12 or 3.12.4, not '3.9'"),
        ("  requirements: {a: b}\n", "`requirements` must be a list, not a map"),
        ("  ignore: x\n", "`ignore` must be a list, not a string"),
        ("  name2: x\n", "unknown key 'name2' in `project`"),
        ("  ? [a]\n  : b\n", "a key must be a word, not a list"),
        ("  vars: [{name: A, secret: 'yes'}]\n", "`secret` must be true or false, not a string"),
        ("  vars: [{value: x}]\n", "a variable needs `name`, a string"),
        ("  connections: [{name: c}]\n", "a connection needs `integration`, a string"),
        (
            "  display_name: x\n  display_name: y\n",
            "`display_name` is given twice; the first is at line 3",
        ),
    ],
)
def test_what_the_strict_manifest_refuses(body, message):
    parsed = project(body)

    assert [one.message for one in parsed.findings] == [message]
    assert all(one.line > 0 and one.column > 0 for one in parsed.findings)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ("type: webhok", "`type` must be one of `webhook`, `schedule`, `connection`, not 'webhok'"),
        ("type: schedule", "`type` is `schedule`, but there is no `schedule`"),
        ("type: connection", "`type` is `connection`, but there is no `connection`"),
        ("type: webhook, schedule: x", "`type` is `webhook`, which `schedule` contradicts"),
        (
            "webhook: {}, schedule: x",
            "`schedule` cannot be here: one trigger has `webhook` and `schedule`",
        ),
        ("webhook: ", "`webhook` has no value"),
        ("webhook: yes", "`webhook` must be an empty map"),
        ("webhook: {a: 1}", "unknown key 'a' in `webhook`"),
        ("type: webhook, timeout: 0", "`timeout` must be more than 0"),
        ("type: webhook, retries: -1", "`retries` must be a whole number from 0 to 999"),
        ("type: webhook, retries: ~", "`retries` must be a whole number from 0 to 999"),
        ("type: webhook, retries: {factor: 0.5}", "`factor` must be from 1 to 100, not 0.5"),
        ("type: webhook, retries: {initial: 9, max: 3}", "`max` must not be below `initial`"),
        (
            "type: webhook, overlap: skip",
            "`overlap` belongs to a schedule trigger, and this is a webhook trigger",
        ),
        (
            "schedule: x, dedupe: header:A",
            "`dedupe` belongs to a webhook trigger, and this is a schedule trigger",
        ),
    ],
)
def test_what_a_strict_trigger_refuses(keys, message):
    parsed = project(f"  triggers: [{{name: t, {keys}}}]\n")

    assert message in [one.message for one in parsed.findings]
    assert not parsed.is_valid


def test_empty_sections_are_no_error():
    parsed = project("  vars:\n  connections:\n  triggers: []\n  ignore:\n  requirements:\n")

    assert parsed.findings == ()


def test_a_project_name_from_outside_takes_the_place_of_the_files():
    named = parse_manifest("project: {vars: []}", "hookline.yaml", project="other")
    unnamed = parse("project: {vars: []}")

    assert named.is_valid
    assert named.manifest.project == "other"
    assert [one.message for one in unnamed.findings] == ["`project` needs `name`, a string"]


def test_a_strict_manifest_without_a_project_is_refused():
    parsed = parse("version: v1\n")

    assert [one.message for one in parsed.findings] == ["the manifest needs `project`"]


def test_too_many_variables_are_refused():
    items = ", ".join(f"{{name: V{index}}}" for index in range(65))

    parsed = project(f"  vars: [{items}]\n")

    assert [one.message for one in parsed.findings] == ["`vars` has 65 items; up to 64 fit"]


@pytest.mark.parametrize(("size", "count"), [(8092, 0), (8093, 1)])
def test_a_variable_holds_up_to_8092_bytes(size, count):
    parsed = project(f"  vars: [{{name: A, value: {'x' * size}}}]\n")

    assert len(parsed.findings) == count


def test_a_merge_key_fills_in_what_is_not_given():
    parsed = parse(
        """\
x-defaults: &defaults
  timeout: 5m
  call: a.py:f
project:
  name: p
  triggers:
    - <<: *defaults
      name: t
      type: webhook
      call: b.py:g
"""
    )

    assert parsed.findings == ()
    assert parsed.manifest.triggers[0].timeout_s == 300
    assert parsed.manifest.triggers[0].call == "b.py:g"


def test_a_finding_never_shows_the_value_of_a_variable():
    parsed = project(
        "  vars:\n    - {nam: A, value: hunter2, secret: true}\n    - name: B\n      value: [hunter2]\n"
    )

    assert len(parsed.findings) >= 2
    assert "hunter2" not in repr(parsed.findings)


def test_findings_beyond_a_limit_are_counted():
    body = "".join(f"  bad{index}: 1\n" for index in range(500))

    parsed = project(body)

    assert len(parsed.findings) == 201
    assert parsed.findings[0].message == "300 more findings are not shown"
