from __future__ import annotations

import stat
import threading

import pytest

from hookline_service.model.secret import Secret
from hookline_service.use_cases.private_files import HomeUnusableError, ensure_home, load_or_create
from hookline_service.use_cases.secrets import SecretKeyInvalidError, load_or_create_box
from hookline_service.use_cases.tokens import TokenFileInvalidError, load_or_create_token


def _mode(path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_first_start_makes_a_token_that_only_its_owner_can_read(tmp_path):
    token = load_or_create_token(tmp_path, None)

    assert token.reveal().startswith("hkl_")
    assert len(token.reveal()) > 40
    assert _mode(tmp_path / "token") == 0o600


def test_the_next_start_finds_the_same_token(tmp_path):
    first = load_or_create_token(tmp_path, None)

    assert load_or_create_token(tmp_path, None) == first


def test_a_configured_token_makes_no_file(tmp_path):
    token = load_or_create_token(tmp_path, Secret("x" * 20))

    assert token == Secret("x" * 20)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"\n", b"two words", b"\xff\xfe"])
def test_a_damaged_token_file_is_told(tmp_path, content):
    (tmp_path / "token").write_bytes(content)

    with pytest.raises(TokenFileInvalidError, match=str(tmp_path)):
        load_or_create_token(tmp_path, None)


def test_a_file_that_others_may_read_is_closed_to_them(tmp_path, caplog):
    load_or_create_token(tmp_path, None)
    (tmp_path / "token").chmod(0o644)

    load_or_create_token(tmp_path, None)

    assert _mode(tmp_path / "token") == 0o600
    assert caplog.records


def test_two_that_create_a_file_at_once_read_the_same(tmp_path):
    barrier = threading.Barrier(8)
    seen: list[str] = []

    def create(number: int) -> None:
        barrier.wait()
        seen.append(load_or_create(tmp_path / "file", str(number)))

    threads = [threading.Thread(target=create, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(set(seen)) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_the_key_of_secrets_is_made_once(tmp_path):
    load_or_create_box(tmp_path, None)
    key = (tmp_path / "secret.key").read_text()

    load_or_create_box(tmp_path, None)

    assert (tmp_path / "secret.key").read_text() == key
    assert _mode(tmp_path / "secret.key") == 0o600


def test_a_damaged_key_file_is_told(tmp_path):
    (tmp_path / "secret.key").write_text("nonsense\n")

    with pytest.raises(SecretKeyInvalidError, match=r"secret\.key"):
        load_or_create_box(tmp_path, None)


def test_a_home_is_made_for_its_owner_only(tmp_path):
    ensure_home(tmp_path / "a" / "b")

    assert _mode(tmp_path / "a" / "b") == 0o700


def test_a_home_that_is_a_file_is_told(tmp_path):
    (tmp_path / "home").write_text("")

    with pytest.raises(HomeUnusableError, match="HOOKLINE_HOME"):
        ensure_home(tmp_path / "home")


def test_a_home_that_is_not_there_is_told(tmp_path):
    with pytest.raises(HomeUnusableError):
        load_or_create_token(tmp_path / "absent", None)


def test_a_file_that_cannot_be_made_is_reported_even_where_nothing_can_be_removed(tmp_path):
    path = tmp_path / ("x" * 250)  # a draft beside it would have too long a name

    with pytest.raises(HomeUnusableError):
        load_or_create(path, "fresh")
