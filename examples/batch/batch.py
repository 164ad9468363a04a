from __future__ import annotations

from hookline import Event, next_signal, start


def on_upload(event: Event) -> dict[str, int]:
    """Each child is a session of its own, with its own log; the parent waits for all of them."""
    children = [
        start("batch.py:count_words", {"text": text}) for text in event.data.body.json["texts"]
    ]
    total = failed = 0
    for child in children:
        done = next_signal(child)  # a child that ends sends a signal named by its id
        if done.payload["completed"]:
            total += done.payload["value"]
        else:
            failed += 1
    print(f"{total} words in {len(children)} texts, {failed} could not be read")
    return {"words": total, "failed": failed}


def count_words(event: Event) -> int:
    """A child gets what its parent gave it as its event's data."""
    text = event.data.text
    if not isinstance(text, str):
        raise TypeError(f"a text is needed, not {type(text).__name__}")
    return len(text.split())
