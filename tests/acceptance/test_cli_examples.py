"""Each example deploys without a finding and does what its text says."""

from __future__ import annotations

import pytest

from tests.acceptance.conftest import EXAMPLES

pytestmark = pytest.mark.slow

ORDER = {"id": "A-17", "card": "fine", "items": [{"price": 30, "count": 2}, {"price": 10}]}


# Those with an autokitteh.yaml need the package index: see `test_autokitteh_projects`.
@pytest.mark.parametrize(
    "name", sorted(path.parent.name for path in EXAMPLES.glob("*/hookline.yaml"))
)
def test_an_example_deploys_without_a_finding(running_service, name: str) -> None:
    deployed = running_service.deploy(EXAMPLES / name)

    assert deployed["project"] == name
    assert deployed["warnings"] == []


def test_an_order_is_carried_through_and_shipped(running_service) -> None:
    url = running_service.deploy(EXAMPLES / "orders")["urls"]["new_order"]

    running_service.call(url, json=ORDER)

    session = running_service.wait_session("orders")
    assert session["result"]["state"] == "shipped"
    assert running_service.texts("orders") == ["order A-17: 2 items, 75 in all", "order A-17 is on its way: parcel-A-17"]  # fmt: skip


def test_an_order_sent_twice_starts_once(running_service) -> None:
    url = running_service.deploy(EXAMPLES / "orders")["urls"]["new_order"]

    first = running_service.call(url, json=ORDER)
    second = running_service.call(url, json=ORDER)

    assert (first.status_code, second.status_code) == (202, 202)
    assert second.headers["Hookline-Event-ID"] == first.headers["Hookline-Event-ID"]
    assert len(running_service.cli("session", "list", "-p", "orders", json=True)) == 1


def test_an_order_without_items_passes_the_filter_by(running_service) -> None:
    url = running_service.deploy(EXAMPLES / "orders")["urls"]["new_order"]

    response = running_service.call(url, json={"id": "A-18", "items": []})

    assert response.status_code == 202
    assert running_service.cli("session", "list", json=True) == []


def test_an_order_whose_card_is_refused_is_put_on_hold(running_service) -> None:
    url = running_service.deploy(EXAMPLES / "orders")["urls"]["new_order"]

    running_service.call(url, json={**ORDER, "card": "refused"})

    assert running_service.wait_session("orders")["result"] == {"order": "A-17", "state": "on hold"}


def test_the_report_sums_up_the_readings_beside_it(running_service) -> None:
    running_service.deploy(EXAMPLES / "daily_report")

    session = running_service.cli("run", "daily_report", "report.py:write_report", "--wait", json=True)  # fmt: skip

    assert session["result"] == {"cellar": 2.6, "roof": 7.0}


def test_every_example_has_a_manifest_of_its_own_name() -> None:
    for directory in EXAMPLES.iterdir():
        (manifest,) = directory.glob("*.yaml")
        assert f"name: {directory.name}\n" in manifest.read_text()
