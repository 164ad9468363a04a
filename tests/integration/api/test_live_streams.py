from __future__ import annotations

import time

import httpx2

from hookline_service.model.ids import SessionId
from tests.builders.service import TOKEN
from tests.integration.api.conftest import ServedService

HEADERS = {"Authorization": f"Bearer {TOKEN}", "Accept": "text/event-stream"}


def _start(served: ServedService) -> SessionId:
    response = httpx2.post(f"http://127.0.0.1:{served.port}{served.webhook}", content=b"x")
    assert response.status_code == 202
    return served.service.engine.started[-1][0].id


def test_a_line_is_seen_within_200_ms_of_its_record(served: ServedService):
    session = _start(served)
    delays: list[float] = []
    url = f"http://127.0.0.1:{served.port}/api/v1/sessions/{session}/log"
    with httpx2.stream("GET", url, headers=HEADERS, timeout=5) as response:
        lines = response.iter_lines()
        for number in range(10):
            began = time.monotonic()
            served.call(served.service.engine.print_line, session, f"line {number}")
            for line in lines:
                if f"line {number}" in line:
                    break
            delays.append(time.monotonic() - began)

    assert sorted(delays)[len(delays) // 2] < 0.2


def test_the_stream_closes_the_connections_answer_at_the_end(served: ServedService):
    session = _start(served)
    url = f"http://127.0.0.1:{served.port}/api/v1/sessions/{session}/log"
    with httpx2.stream("GET", url, headers=HEADERS, timeout=5) as response:
        served.call(served.service.engine.finish, session)

        text = response.read().decode()

    assert text.rstrip().split("\n")[-2] == "event: end"


def test_a_backup_is_a_database_and_leaves_no_copy(served: ServedService, tmp_path):
    url = f"http://127.0.0.1:{served.port}/api/v1/backup"

    response = httpx2.get(url, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=10)

    assert response.status_code == 200
    assert response.content.startswith(b"SQLite format 3\0")
    assert list(tmp_path.glob("backup-*")) == []
