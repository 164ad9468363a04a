from __future__ import annotations

from pathlib import Path

from hookline_service.api.metrics import FAMILIES, exposition, family_of, metrics_table
from tests.builders.service import a_service

PAGE = Path(__file__).resolve().parents[3] / "docs" / "operations.md"


def test_figures_stand_in_families_with_what_they_mean():
    text = exposition(
        {
            "runners": 1,
            'webhooks_refused_total{status="404"}': 2,
            'webhooks_refused_total{status="413"}': 1,
            'session_duration_seconds_bucket{le="+Inf"}': 3,
            "session_duration_seconds_sum": 0.5,
            "session_duration_seconds_count": 3,
        }
    )

    assert text == (
        "# HELP hookline_runners Runner hosts that are connected.\n"
        "# TYPE hookline_runners gauge\n"
        "hookline_runners 1\n"
        "# HELP hookline_session_duration_seconds Time from the start of sessions to their end, waits included.\n"
        "# TYPE hookline_session_duration_seconds histogram\n"
        'hookline_session_duration_seconds_bucket{le="+Inf"} 3\n'
        "hookline_session_duration_seconds_sum 0.5\n"
        "hookline_session_duration_seconds_count 3\n"
        "# HELP hookline_webhooks_refused_total Webhooks refused since the start, by status.\n"
        "# TYPE hookline_webhooks_refused_total counter\n"
        'hookline_webhooks_refused_total{status="404"} 2\n'
        'hookline_webhooks_refused_total{status="413"} 1\n'
    )


async def test_every_figure_of_a_service_has_a_meaning():
    async with a_service().client() as client:
        text = (await client.get("/metrics")).text

    names = [
        line.split(" ")[0].removeprefix("hookline_") for line in text.splitlines() if line[0] != "#"
    ]
    assert len(names) > 5
    assert [name for name in names if family_of(name) not in FAMILIES] == []


def test_the_table_of_figures_is_fresh():
    assert metrics_table() in PAGE.read_text(), "run scripts/docs"
