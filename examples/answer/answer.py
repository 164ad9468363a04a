from __future__ import annotations

import time

from hookline import Event, http_outcome

KILOMETRES_PER_MILE = 1.609344


def convert(event: Event) -> None:
    """`GET …/convert?miles=26.2` is answered with JSON, bad input with what would be right."""
    text = event.data.url.query.get("miles", "")
    try:
        miles = float(text)
    except ValueError:
        http_outcome(400, json={"error": f"miles is a number, not {text!r}"})
        return
    print(f"{miles} miles")
    http_outcome(json={"miles": miles, "kilometres": round(miles * KILOMETRES_PER_MILE, 3)})


def countdown(event: Event) -> None:
    """An answer in pieces: the caller sees each one as soon as it is given."""
    start = int(event.data.url.path_suffix or "3")
    for number in range(start, 0, -1):
        http_outcome(body=f"{number}\n", more=True)
        time.sleep(0.1)
    http_outcome(body="lift-off\n")
