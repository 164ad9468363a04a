"""What has come for a session: nothing is missed, whoever looks when."""

from __future__ import annotations

import threading

import pytest

from hookline_runner.session.news import News, topics_in


def test_who_has_not_asked_yet_has_news() -> None:
    assert News().has_come(-1, ["sig:a"])


def test_news_is_for_the_topics_it_names() -> None:
    news = News()
    news.note(["sig:a", "sub:b"])

    assert [news.has_come(0, [topic]) for topic in ("sig:a", "sub:b", "sig:c")] == [
        True,
        True,
        False,
    ]
    assert news.has_come(0, ["sig:c", "sub:b"])
    assert not news.has_come(news.count, ["sig:a", "sub:b"])


def test_news_without_topics_is_for_all() -> None:
    news = News()
    news.note(["sig:a"])
    seen = news.count
    news.note()

    assert news.has_come(seen, ["sig:a"])
    assert news.has_come(seen, ["sig:b"])
    assert not news.has_come(news.count, ["sig:b"])


def test_more_topics_than_can_be_kept_are_news_for_all() -> None:
    news = News()
    news.note(["sig:first"])
    for number in range(10_050):
        news.note([f"sig:{number}"])

    assert all(news.has_come(0, [topic]) for topic in ("sig:first", "sig:0", "sig:10049"))
    assert not news.has_come(news.count, ["sig:10049"])


def test_many_who_note_at_once_are_all_counted() -> None:
    news = News()

    def note(topic: str) -> None:
        for _ in range(500):
            news.note([topic])

    threads = [threading.Thread(target=note, args=(f"sig:{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert news.count == 2_000


@pytest.mark.parametrize(
    ("header", "topics"),
    [
        (b'{"topics": ["sig:a", "sub:b"]}', ["sig:a", "sub:b"]),
        (b'{"topics": []}', []),
        (b'{"topics": null}', []),
        (b'{"topics": "sig:a"}', []),
        (b"{}", []),
        (b"[]", []),
        (b"", []),
    ],
)
def test_a_wake_says_for_which_topics(header: bytes, topics: list[str]) -> None:
    assert topics_in(header) == topics
