"""Calls every part."""

from __future__ import annotations

import part_1
import part_2
import part_3
import part_4
import part_5
import part_6
import part_7
import part_8

PARTS = [part_1, part_2, part_3, part_4, part_5, part_6, part_7, part_8]


def run(event):
    text = '[{"number": 1, "lines": [{"price": 2.5, "count": 4}]}]'
    for part in PARTS:
        print(part.report(part.read_orders(text)))
