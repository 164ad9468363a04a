"""Chance that can be repeated."""

from __future__ import annotations

import random


def a_chance(seed: int) -> random.Random:
    """Random decisions, the same for the same seed."""
    return random.Random(seed)  # noqa: S311 - a test, and no secret
