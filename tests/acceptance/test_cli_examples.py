"""Each example deploys without a finding and does what its text says."""

from __future__ import annotations

import pytest

from tests.acceptance.conftest import EXAMPLES, wait_until

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


def test_a_caller_gets_the_answer_of_the_session(running_service) -> None:
    url = running_service.deploy(EXAMPLES / "answer")["urls"]["convert"]

    good = running_service.call(f"{url}?miles=26.2", method="GET")
    bad = running_service.call(f"{url}?miles=far", method="GET")

    assert (good.status_code, good.json()) == (200, {"miles": 26.2, "kilometres": 42.165})
    assert (bad.status_code, bad.json()) == (400, {"error": "miles is a number, not 'far'"})


def test_an_answer_in_pieces_arrives_whole(running_service) -> None:
    url = running_service.deploy(EXAMPLES / "answer")["urls"]["countdown"]

    response = running_service.call(f"{url}/2", method="GET")

    assert response.text == "2\n1\nlift-off\n"


def test_an_expense_waits_for_its_own_decision(running_service) -> None:
    urls = running_service.deploy(EXAMPLES / "approval")["urls"]
    expense = {"id": 7, "who": "Ada", "amount": 12, "what": "tea", "manager": "bob"}
    running_service.call(urls["expense"], json=expense)
    wait_until(lambda: running_service.texts("approval"), "the question to be asked", 30)

    running_service.call(f"{urls['decision']}?expense=8&verdict=yes", method="GET")
    running_service.call(f"{urls['decision']}?expense=7&verdict=no", method="GET")

    assert running_service.wait_session("approval")["result"] == "refused"


def test_a_parent_sums_up_its_children(running_service) -> None:
    url = running_service.deploy(EXAMPLES / "batch")["urls"]["upload"]

    running_service.call(url, json={"texts": ["a b c", "d e", 5]})

    (parent,) = running_service.cli("session", "list", "--trigger", "upload", "-p", "batch", json=True)  # fmt: skip
    ended = running_service.wait_session(parent["id"])
    assert ended["result"] == {"words": 5, "failed": 1}


def test_visits_are_counted_across_sessions(running_service) -> None:
    url = running_service.deploy(EXAMPLES / "counter")["urls"]["visit"]

    answers = [running_service.call(f"{url}/about", method="GET").json() for _ in range(3)]

    assert [answer["visits"] for answer in answers] == [1, 2, 3]


def test_many_checks_at_once_come_together(running_service) -> None:
    url = running_service.deploy(EXAMPLES / "fan_out")["urls"]["check"]

    running_service.call(url, json={"names": ["a", "bb", "ccc"]})

    assert running_service.wait_session("fan_out")["result"] == {"a": 1, "bb": 2, "ccc": 3}


def test_a_call_that_fails_is_made_again(running_service) -> None:
    url = running_service.deploy(EXAMPLES / "flaky_call")["urls"]["quote"]

    response = running_service.call(f"{url}?share=X", method="GET")

    assert response.json() == {"price": 101.0, "asked": 3}
