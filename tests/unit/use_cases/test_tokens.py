from __future__ import annotations

import pytest

from hookline_service.model.secret import Secret
from hookline_service.use_cases.tokens import TokenCheck

TOKEN = "hkl_0123456789abcdef"


@pytest.mark.parametrize("scheme", [b"Bearer", b"bearer", b"BEARER"])
def test_the_token_is_accepted_whatever_the_case_of_the_scheme(scheme):
    check = TokenCheck(Secret(TOKEN))

    assert check.accepts(scheme + b" " + TOKEN.encode())


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"Bearer",
        b"Bearer ",
        TOKEN.encode(),
        b"Basic " + TOKEN.encode(),
        b"Bearer " + TOKEN.encode()[:-1],
        b"Bearer " + TOKEN.encode() + b"x",
        b"Bearer " + TOKEN.upper().encode(),
        b"Bearer \xff\xfe",
    ],
)
def test_anything_else_is_refused(header):
    check = TokenCheck(Secret(TOKEN))

    assert not check.accepts(header)
