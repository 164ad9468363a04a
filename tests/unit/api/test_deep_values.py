"""What can be read but not written again, for it is nested too deeply, must not break the answers it stands in."""

from __future__ import annotations

import pytest

from hookline_service.api.serving import json_response
from hookline_service.api.values import json_value
from tests.builders.service import a_service


@pytest.mark.parametrize("depth", [1, 100, 250, 300, 1000, 5000])
@pytest.mark.parametrize(("start", "end"), [(b"[", b"]"), (b'{"a":', b"}")])
def test_a_stored_text_however_deep_can_be_answered(start: bytes, end: bytes, depth: int) -> None:
    text = start * depth + b"1" + end * depth

    answer = json_response({"items": [{"result": json_value(text)}]})

    assert answer.status_code == 200


def test_a_text_with_many_brackets_that_is_not_deep_stays_a_value() -> None:
    assert json_value(b"[" + b",".join([b"[]"] * 1000) + b"]") == [[]] * 1000


async def test_a_body_that_is_nested_too_deeply_is_refused() -> None:
    service = a_service()
    body = b'{"project": "p", "entry_point": "a.py:f", "input": ' + b"[" * 400 + b"]" * 400 + b"}"
    async with service.client() as client:
        answer = await client.post("/api/v1/sessions", content=body)

    assert answer.status_code == 400
    assert "nested too deeply" in answer.text
