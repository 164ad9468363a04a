"""Values of the project's own classes."""

from dataclasses import dataclass


@dataclass
class Order:
    number: int
    lines: list


class OutOfStockError(Exception):
    def __init__(self, item, left):
        super().__init__(f"{item}: {left} left")
        self.item = item
        self.left = left
