"""Part 8 of a project of ordinary size."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, field

logger = logging.getLogger(__name__)


@dataclass
class Order8:
    number: int
    lines: list[dict] = field(default_factory=list)

    def total(self):
        return sum(line["price"] * line["count"] for line in self.lines)

    def describe(self):
        return f"order {self.number}: {len(self.lines)} lines, {self.total():.2f}"


def read_orders(text):
    orders = []
    for record in json.loads(text):
        order = Order8(number=int(record["number"]), lines=record.get("lines", []))
        if not order.lines:
            logger.warning("order %s has no lines", order.number)
            continue
        orders.append(order)
    return sorted(orders, key=lambda order: order.number)


def report(orders):
    by_size = {}
    for order in orders:
        by_size.setdefault(len(order.lines), []).append(order)
    return "\n".join(
        f"{size}: " + ", ".join(order.describe() for order in same)
        for size, same in sorted(by_size.items())
    )
