from __future__ import annotations

import json
from typing import Any

import pytest

from hookline_service.use_cases.event_edits import EditInvalidError, edit_event

ORDER: dict[str, Any] = {"id": 7, "lines": [{"price": 1}, {"price": 2}], "paid": False}


@pytest.mark.parametrize(
    ("edits", "expected"),
    [
        ({"data.id": 8}, {**ORDER, "id": 8}),
        ({"data.id": None}, {**ORDER, "id": None}),
        ({"data.note": "new"}, {**ORDER, "note": "new"}),
        ({"data.to.city": "Brno"}, {**ORDER, "to": {"city": "Brno"}}),
        ({"data.lines.1.price": 3}, {**ORDER, "lines": [{"price": 1}, {"price": 3}]}),
        ({"data.lines.0": {}}, {**ORDER, "lines": [{}, {"price": 2}]}),
        ({"data": [1]}, [1]),
        ({"data.id": 1, "data.paid": True}, {**ORDER, "id": 1, "paid": True}),
        ({}, ORDER),
    ],
)
def test_places_of_the_data_are_set(edits: dict[str, Any], expected: Any):
    edited, body = edit_event(ORDER, None, edits)

    assert (edited, body) == (expected, None)


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("id", "begins with `data`"),
        ("", "begins with `data`"),
        ("data..id", "no empty part"),
        ("data.", "no empty part"),
        ("data.id.deeper", "part of a number"),
        ("data.paid.deeper", "part of true or false"),
        ("data.lines.2", "list of 2"),
        ("data.lines.-1", "list of 2"),
        ("data.lines.x", "list of 2"),
        ("data.lines.²", "list of 2"),
        ("data.lines." + "9" * 5000, "list of 2"),
        ("data" + ".a" * 201, "more than 200 levels"),
        ("data" + ".a" * 200_000, "more than 200 levels"),
    ],
)
def test_a_place_that_is_not_there_is_refused(path: str, told: str):
    with pytest.raises(EditInvalidError, match=told):
        edit_event(ORDER, None, {path: 1})


def test_large_numbers_beside_a_place_stay_as_they_are():
    data, body = edit_event(
        {"n": 10**30, "a": 1}, b'{"n":%d,"a":1}' % (10**30), {"data.body.json.a": 10**25}
    )

    assert data == {"n": 10**30, "a": 1}
    assert json.loads(body or b"") == {"n": 10**30, "a": 10**25}


def test_what_is_edited_stays_as_it_was():
    before = json.dumps(ORDER)

    edit_event(ORDER, None, {"data.lines.0.price": 99})

    assert json.dumps(ORDER) == before


def test_the_json_of_a_request_is_set_in_its_body():
    data, body = edit_event(
        {"method": "POST"}, b'{"id":7,"a":[1]}', {"data.body.json.id": 8, "data.method": "PUT"}
    )

    assert (data, body) == ({"method": "PUT"}, b'{"a":[1],"id":8}')


@pytest.mark.parametrize("before", [b"", b"no json"])
def test_a_request_without_json_gets_some(before: bytes):
    _, body = edit_event({}, before, {"data.body.json.id": 8})

    assert body == b'{"id":8}'


def test_the_text_of_a_request_is_set():
    assert edit_event({}, b"old", {"data.body.text": "new"}) == ({}, b"new")


@pytest.mark.parametrize(
    ("path", "value"),
    [("data.body", {}), ("data.body.form.a", "1"), ("data.body.bytes", "x"), ("data.body.text", 5)],
)
def test_other_parts_of_a_body_are_refused(path: str, value: Any):
    with pytest.raises(EditInvalidError, match=r"data\.body\.json"):
        edit_event({}, b"{}", {path: value})
