from __future__ import annotations

import os
import uuid
from typing import Any

from hookline import Event, activity

SHIPPING = 5


class CardRefusedError(Exception):
    """The bank does not pay; the customer has to choose another card."""


def on_order(event: Event) -> dict[str, Any]:
    """Carry one order through its steps. After a crash it goes on behind the last recorded one."""
    order = event.data.body.json
    total = price(order["items"])
    print(f"order {order['id']}: {len(order['items'])} items, {total} in all")
    try:
        receipt = charge(order["card"], total)
    except CardRefusedError as error:
        print(f"order {order['id']} is on hold: {error}")
        return {"order": order["id"], "state": "on hold"}
    parcel = ship(order["id"])
    print(f"order {order['id']} is on its way: {parcel}")
    return {"order": order["id"], "state": "shipped", "receipt": receipt, "parcel": parcel}


def price(items: list[dict[str, Any]]) -> int:
    """Plain functions of the project are not recorded: they are computed again when needed."""
    total = sum(item["price"] * item.get("count", 1) for item in items)
    return total if total >= int(os.environ["FREE_SHIPPING_FROM"]) else total + SHIPPING


@activity
def charge(card: str, total: int) -> str:
    """Here the bank would be asked; what an activity raises is recorded like what it returns."""
    if card == "refused":
        raise CardRefusedError(f"the bank refused to pay {total}")
    return f"receipt-{uuid.uuid4().hex[:8]}"


@activity
def ship(order_id: str) -> str:
    """Here the carrier would be called."""
    return f"parcel-{order_id}"
