from __future__ import annotations

from hookline import Event, activity, add_values


def get_quote(event: Event) -> dict[str, object]:
    """The caller never sees the first failures of the exchange."""
    price = ask_exchange(event.data.url.query.get("share", "HKLN"))
    return {"price": price, "asked": add_values("asked", 0)}


@activity(retries=4, backoff=0.05, retry_on=(ConnectionError,))
def ask_exchange(share: str) -> float:
    """An exchange that answers every third time only."""
    asked = add_values("asked", 1)
    if asked % 3:
        raise ConnectionError(f"the exchange hangs up (call {asked})")
    return 100.0 + len(share)
