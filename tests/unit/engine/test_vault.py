from __future__ import annotations

import json

import pytest

from hookline_service.engine.masking import Mask
from hookline_service.engine.vault import ValueGuard, is_sealed
from hookline_service.model.ids import SessionId

SESSION = SessionId("ses_1")
SECRET = "s3cret-välue"


class _Backwards:
    """A vault that anybody can open."""

    def seal(self, session_id: SessionId, value: bytes) -> bytes:
        return session_id.encode() + value[::-1]

    def open(self, session_id: SessionId, sealed: bytes) -> bytes:
        return sealed.removeprefix(session_id.encode())[::-1]


@pytest.mark.parametrize(
    "value",
    [
        json.dumps({"key": SECRET}).encode(),
        json.dumps(SECRET, ensure_ascii=False).encode(),
        b"\x80\x05\x95" + SECRET.encode() + b"\x94.",
    ],
)
def test_a_value_with_a_secret_is_sealed_and_comes_back(value: bytes) -> None:
    guard = ValueGuard(Mask([SECRET]), _Backwards())

    encoding, stored = guard.stored(SESSION, "json+task", value)

    assert is_sealed(encoding)
    assert value not in stored
    assert guard.replayed(SESSION, encoding, stored) == ("json+task", value)


def test_a_value_sealed_before_the_secret_was_changed_still_opens() -> None:
    encoding, stored = ValueGuard(Mask([SECRET]), _Backwards()).stored(
        SESSION, "json", SECRET.encode()
    )

    later = ValueGuard(Mask(), _Backwards())

    assert later.replayed(SESSION, encoding, stored) == ("json", SECRET.encode())


def test_other_values_are_stored_as_they_are() -> None:
    guard = ValueGuard(Mask([SECRET]), _Backwards())

    assert guard.stored(SESSION, "json", b"1") == ("json", b"1")
    assert guard.replayed(SESSION, "json", b"1") == ("json", b"1")
