from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hookline_service.model.ids import DeploymentId, ProjectId
from hookline_service.use_cases.releases import set_schedules, triggers_of_manifest
from hookline_triggers.definitions import TriggerKind
from tests.builders.projects import a_definition

NOW = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)
PLACE = {"project_id": ProjectId("prj_1"), "deployment_id": DeploymentId("dep_1"), "now": NOW}
HOURLY = a_definition(name="hourly", kind=TriggerKind.SCHEDULE, schedule="@hourly")


def test_a_webhook_gets_a_slug_of_26_lower_case_base32_characters():
    (trigger,) = triggers_of_manifest([a_definition()], [], **PLACE)

    assert re.fullmatch(r"[a-z2-7]{26}", trigger.slug or "")


def test_no_two_webhooks_share_a_slug():
    triggers = triggers_of_manifest([a_definition() for _ in range(50)], [], **PLACE)

    assert len({trigger.slug for trigger in triggers}) == 50


def test_a_known_name_keeps_its_id_and_its_slug():
    (first,) = triggers_of_manifest([a_definition(name="in")], [], **PLACE)

    (second,) = triggers_of_manifest(
        [a_definition(name="in", call="b.py:g")], [(first.id, "in", first.slug)], **PLACE
    )

    assert (second.id, second.slug) == (first.id, first.slug)


def test_a_schedule_has_no_slug():
    (trigger,) = triggers_of_manifest([HOURLY], [], **PLACE)

    assert trigger.slug is None


def test_a_new_schedule_fires_next_at_its_first_time_from_now():
    triggers = triggers_of_manifest([HOURLY], [], **PLACE)

    (row,) = set_schedules(triggers, {}, NOW)

    assert row.next_fire_at == NOW + timedelta(hours=1)


def test_an_unchanged_schedule_goes_on_where_it_stood():
    triggers = triggers_of_manifest([HOURLY], [], **PLACE)
    (row,) = set_schedules(triggers, {}, NOW - timedelta(days=1))
    former = {row.trigger_id: (triggers[0], row)}

    (kept,) = set_schedules(triggers, former, NOW)

    assert kept == row


def test_a_schedule_with_other_times_starts_anew_but_stays_paused():
    triggers = triggers_of_manifest([HOURLY], [], **PLACE)
    (row,) = set_schedules(triggers, {}, NOW - timedelta(days=1))
    paused = replace(row, paused=True, pause_reason="holiday", last_fire_at=NOW)
    former = {row.trigger_id: (triggers[0], paused)}
    changed = replace(triggers[0], definition=replace(HOURLY, schedule="@daily"))

    (fresh,) = set_schedules([changed], former, NOW)

    assert fresh.next_fire_at == datetime(2026, 11, 21, tzinfo=UTC)
    assert (fresh.paused, fresh.pause_reason, fresh.last_fire_at) == (True, "holiday", NOW)


def test_only_schedules_get_rows():
    triggers = triggers_of_manifest([a_definition()], [], **PLACE)

    assert set_schedules(triggers, {}, NOW) == ()
