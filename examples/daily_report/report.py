from __future__ import annotations

import csv
import os
import statistics
from pathlib import Path

from hookline import Event


def write_report(event: Event) -> dict[str, float]:
    """Sum up the readings by meter; the project's own files lie beside the code."""
    readings: dict[str, list[float]] = {}
    with Path("readings.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            readings.setdefault(row["meter"], []).append(float(row["value"]))
    unit = os.environ["UNIT"]
    print("scheduled report" if event.event_type == "tick" else "report on demand")
    for meter, values in sorted(readings.items()):
        print(f"{meter}: {sum(values):.1f} {unit}, {statistics.mean(values):.2f} on average")
    return {meter: round(sum(values), 1) for meter, values in sorted(readings.items())}
