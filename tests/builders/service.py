"""The API of a service in memory, and a client for it that needs no network."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
from starlette.types import ASGIApp

from hookline_service.api.application import create_api, mount
from hookline_service.api.published import create_published
from hookline_service.api.services import ApiServices
from hookline_service.api.webhooks import create_webhooks
from hookline_service.dispatcher import Dispatcher, RouteTable
from hookline_service.dispatcher.surveying import WorkerSurveyor
from hookline_service.engine.changes import ChangeHub
from hookline_service.model.secret import Secret
from hookline_service.settings import Settings
from hookline_service.storage.protocols import Store
from hookline_service.use_cases.entry_points import EntryPoints
from hookline_service.use_cases.secret_keys import SecretKeys
from hookline_service.use_cases.value_keys import ValueKeys
from tests.builders.sealing import a_box
from tests.fakes.fake_engine import FakeEngine, FakePreparer, FakeRunners, HandClock
from tests.fakes.memory_store import MemoryStore

TOKEN = "hkl_a-token-for-tests"
NOW = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)
BASE = "http://127.0.0.1:9980"

MANIFEST = """\
version: v1
project:
  name: hello
  vars:
    - name: GREETING
      value: hi
    - name: API_KEY
      secret: true
      value: s3cret
  triggers:
    - name: incoming
      type: webhook
      call: main.py:on_call
    - name: nightly
      type: schedule
      schedule: "0 3 * * *"
      call: main.py:on_tick
"""
PROJECT = {
    "hookline.yaml": MANIFEST,
    "main.py": "def on_call(event):\n    print(event)\n\n\ndef on_tick(event):\n    pass\n",
}


def a_tar(files: Mapping[str, str | bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in files.items():
            data = content.encode() if isinstance(content, str) else content
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


@dataclass
class ServiceInMemory:
    """Everything behind the API, real but for the engine and the runner host."""

    services: ApiServices
    store: Store
    engine: FakeEngine
    preparer: FakePreparer
    runners: FakeRunners
    clock: HandClock
    app: ASGIApp
    changed: list[str]

    def client(self, token: str | None = TOKEN, host: str = "127.0.0.1:9980") -> httpx2.AsyncClient:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app=self.app, raise_app_exceptions=True),
            base_url=f"http://{host}",
            headers=headers,
        )

    async def deploy(self, files: Mapping[str, str | bytes] | None = None) -> dict[str, Any]:
        async with self.client() as client:
            archive = a_tar(PROJECT if files is None else files)
            response = await client.post("/api/v1/deployments", content=archive)
        assert response.status_code == 201, response.text
        return response.json()


def a_service(
    store: Store | None = None,
    *,
    scratch: Path = Path("/nonexistent"),
    key_file: Path | None = None,
    **settings: Any,
) -> ServiceInMemory:
    clock = HandClock(NOW)
    box = a_box()
    gate = ValueKeys()
    gate.use(box, (bytes(32),))
    chosen: Any = MemoryStore(gate) if store is None else store
    changes = ChangeHub()
    engine = FakeEngine(chosen, clock, changes)
    routes = RouteTable(chosen)
    dispatcher = Dispatcher(
        store=chosen, engine=engine, routes=routes, clock=clock, queue_limit_bytes=2**25
    )
    changed: list[str] = []

    def project_changed(project_id: str) -> None:
        changed.append(project_id)
        routes.expire()

    wanted = replace(Settings(home=Path("/nonexistent")), **settings)
    preparer, runners = FakePreparer(), FakeRunners()
    services = ApiServices(
        settings=wanted,
        clock=clock,
        token=Secret(TOKEN),
        box=box,
        keys=SecretKeys(chosen, box, key_file, gate),
        store=chosen,
        engine=engine,
        preparer=preparer,
        runners=runners,
        stacks=engine,
        changes=changes,
        dispatcher=dispatcher,
        entry_points=EntryPoints(chosen),
        surveyor=WorkerSurveyor(),
        scratch=scratch,
        on_schedules_changed=lambda: changed.append("schedules"),
        on_project_changed=project_changed,
    )
    app = mount(
        create_api(services),
        create_webhooks(dispatcher, wanted, services.webhook_counts),
        create_published(chosen, clock),
    )
    return ServiceInMemory(
        services=services,
        store=chosen,
        engine=engine,
        preparer=preparer,
        runners=runners,
        clock=clock,
        app=app,
        changed=changed,
    )
