from __future__ import annotations

from hookline import Event, add_values, store


def on_visit(event: Event) -> dict[str, object]:
    """Count visits of each page; `add_values` is atomic, `store` is a dictionary that persists."""
    page = event.data.url.path_suffix or "home"
    visits = add_values(f"visits of {page}", 1)
    store["last page"] = page
    print(f"visit {visits} of {page}")
    return {"page": page, "visits": visits}
