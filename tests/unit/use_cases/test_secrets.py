from __future__ import annotations

import base64

import pytest
from hypothesis import given, strategies as st

from hookline_service.model.ids import ProjectId
from hookline_service.model.secret import Secret
from hookline_service.use_cases.secrets import (
    SecretBox,
    SecretDamagedError,
    SecretKeyInvalidError,
    SecretKeyMissingError,
    SecretPlace,
    load_or_create_box,
)

OLD, NEW = bytes(range(32)), bytes(range(32, 64))
PLACE = SecretPlace(project_id=ProjectId("prj_1"), scope="slack", name="TOKEN")


@given(st.text(max_size=200).filter(lambda text: text.encode("utf-8", "ignore").decode() == text))
def test_an_opened_box_holds_what_was_sealed(text):
    box = SecretBox((OLD,))

    sealed = box.seal(PLACE, Secret(text))

    assert box.open(PLACE, sealed) == Secret(text)


def test_a_box_shows_nothing_of_its_value():
    sealed = SecretBox((OLD,)).seal(PLACE, Secret("hunter2"))

    assert b"hunter2" not in sealed


def test_sealing_twice_gives_different_boxes():
    box = SecretBox((OLD,))

    assert box.seal(PLACE, Secret("x")) != box.seal(PLACE, Secret("x"))


@pytest.mark.parametrize(
    "other",
    [
        SecretPlace(project_id=ProjectId("prj_2"), scope="slack", name="TOKEN"),
        SecretPlace(project_id=ProjectId("prj_1"), scope="", name="TOKEN"),
        SecretPlace(project_id=ProjectId("prj_1"), scope="slackT", name="OKEN"),
    ],
)
def test_a_box_moved_to_another_place_does_not_open(other):
    box = SecretBox((OLD,))
    sealed = box.seal(PLACE, Secret("x"))

    with pytest.raises(SecretDamagedError):
        box.open(other, sealed)


@given(st.data())
def test_a_box_with_a_changed_byte_does_not_open(data):
    box = SecretBox((OLD,))
    sealed = bytearray(box.seal(PLACE, Secret("some value")))
    index = data.draw(st.integers(0, len(sealed) - 1))
    sealed[index] ^= 1

    with pytest.raises((SecretDamagedError, SecretKeyMissingError)):
        box.open(PLACE, bytes(sealed))


@pytest.mark.parametrize("size", [0, 1, 8, 9, 60, 69, 70, 80, 90])
def test_a_box_that_was_cut_does_not_open(size):
    box = SecretBox((OLD,))
    sealed = box.seal(PLACE, Secret("some value"))

    with pytest.raises(SecretDamagedError):
        box.open(PLACE, sealed[:size])


def test_a_box_of_an_unknown_key_names_the_variable_and_the_key():
    sealed = SecretBox((OLD,)).seal(PLACE, Secret("x"))

    with pytest.raises(SecretKeyMissingError, match=r"slack/TOKEN.*key [0-9a-f]{16}"):
        SecretBox((NEW,)).open(PLACE, sealed)


def test_a_rotated_installation_opens_old_boxes_and_rewraps_them_under_the_new_key():
    sealed = SecretBox((OLD,)).seal(PLACE, Secret("x"))

    rewrapped = SecretBox((NEW, OLD)).rewrap(PLACE, sealed)

    assert SecretBox((NEW, OLD)).open(PLACE, sealed) == Secret("x")
    assert SecretBox((NEW,)).open(PLACE, rewrapped) == Secret("x")


def test_rewrapping_a_box_of_the_first_key_changes_nothing():
    box = SecretBox((OLD,))
    sealed = box.seal(PLACE, Secret("x"))

    assert box.rewrap(PLACE, sealed) is sealed


@pytest.mark.parametrize("text", ["", "short", "!" * 44, base64.b64encode(b"x" * 31).decode()])
def test_a_configured_key_that_is_not_32_bytes_is_refused(text, tmp_path):
    with pytest.raises(SecretKeyInvalidError, match="HOOKLINE_SECRET_KEY"):
        load_or_create_box(tmp_path, Secret(text))


def test_configured_keys_need_no_file(tmp_path):
    keys = ",".join(base64.b64encode(key).decode() for key in (NEW, OLD))
    sealed = SecretBox((OLD,)).seal(PLACE, Secret("x"))

    box = load_or_create_box(tmp_path, Secret(keys))

    assert box.open(PLACE, sealed) == Secret("x")
    assert list(tmp_path.iterdir()) == []
