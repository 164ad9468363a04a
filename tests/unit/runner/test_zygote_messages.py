from __future__ import annotations

import pytest

from hookline_runner.zygote_messages import (
    ZygoteConfig,
    ZygoteMessage,
    ZygoteMessageError,
    decode_config,
    decode_message,
    encode_message,
)


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (encode_message("ready"), ZygoteMessage(word="ready")),
        (encode_message("cold"), ZygoteMessage(word="cold")),
        (encode_message("threads", "numpy"), ZygoteMessage(word="threads", text="numpy")),
        (encode_message("fork", 3), ZygoteMessage(word="fork", number=3)),
        (
            encode_message("child", 7, 2, 31),
            ZygoteMessage(word="child", number=7, directory=2, pid=31),
        ),
        (encode_message("exit", 7, 3, None), ZygoteMessage(word="exit", number=7, status=3)),
        (encode_message("exit", 7, None, 9), ZygoteMessage(word="exit", number=7, signal=9)),
    ],
)
def test_a_message_is_understood(message: bytes, expected: ZygoteMessage) -> None:
    assert decode_message(message) == expected


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"hello",
        b"fork",
        b"fork x",
        b"exit 1 2",
        b"exit 1 - " + b"9" * 10,
        b"exit 1 -9 -",
        b"exit " + b"9" * 4_000 + b" 0 -",
        b"child 1",
        b"child 1 2",
        b"child 1 2 3 4",
        b"child 1 -1 3",
        b"child 1 ../1 3",
        b"left",
        b"left /",
        b"left ../1",
        "refreshed ٣".encode(),
        b"\xff\xfe",
        b"threads",
    ],
)
def test_what_is_no_message_is_refused(message: bytes) -> None:
    with pytest.raises(ZygoteMessageError):
        decode_message(message)


def test_a_configuration_survives_the_way() -> None:
    config = ZygoteConfig(
        session_entry="a:b",
        project_files="/project",
        code_dir="/code",
        work_dir="/work",
        reuse=True,
        preload=("json", "x:y"),
        warm_up=True,
        memory_limit_bytes=1,
        file_limit_bytes=2,
        process_limit=3,
    )

    assert decode_config(config.encode()) == config
