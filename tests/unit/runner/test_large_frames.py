from __future__ import annotations

from hookline_runner.large_frames import LargeFrames


class Room:
    def __init__(self) -> None:
        self.granted: list[str] = []
        self.unsent_bytes = 0
        self.frames = LargeFrames(lambda: self.unsent_bytes, 100)

    def ask(self, project: str, size: int, name: str):
        return self.frames.ask(project, size, lambda: self.granted.append(name))


def test_room_is_given_until_it_is_used_up_and_then_in_order() -> None:
    room = Room()
    first = room.ask("a", 40, "first")
    room.ask("b", 40, "second")
    room.ask("c", 40, "third")
    room.ask("c", 10, "fourth")

    assert room.granted == ["first", "second", "fourth"]
    room.frames.release(first)
    assert room.granted == ["first", "second", "fourth", "third"]


def test_a_project_gets_half_of_the_room_and_keeps_nobody_else_waiting() -> None:
    room = Room()
    for number in range(3):
        room.ask("a", 30, f"a{number}")
    room.ask("b", 30, "b")

    assert room.granted == ["a0", "b"]


def test_what_was_not_sent_yet_takes_room() -> None:
    room = Room()
    room.unsent_bytes = 90
    room.ask("a", 10, "small")
    room.ask("b", 10, "waits")

    assert room.granted == ["small"]
    room.unsent_bytes = 0
    room.frames.tend()
    assert room.granted == ["small", "waits"]


def test_a_frame_larger_than_the_room_is_not_refused_for_ever() -> None:
    room = Room()
    room.unsent_bytes = 1_000
    room.ask("a", 200, "huge")

    assert room.granted == ["huge"]


def test_a_wish_that_is_taken_back_gets_nothing() -> None:
    room = Room()
    first = room.ask("a", 90, "first")
    second = room.ask("b", 90, "second")
    room.frames.release(second)
    room.frames.release(first)

    assert room.granted == ["first"]
