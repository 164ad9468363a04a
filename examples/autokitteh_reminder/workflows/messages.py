from __future__ import annotations

from autokitteh import activity


@activity
def send(text: str, link: str) -> None:
    """Here a mail would be sent; it is recorded, so a crash sends none twice."""
    print(f"{text} (answer at {link})")
