"""Names every concrete part and connects it to the others."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.types import ASGIApp

from hookline_service.api.application import create_api, mount
from hookline_service.api.published import create_published
from hookline_service.api.services import ApiServices
from hookline_service.api.webhooks import create_webhooks
from hookline_service.app.contexts import LaunchSpecReader
from hookline_service.app.session_reports import SessionReports
from hookline_service.clock import HeldClock, SystemClock, steady_s
from hookline_service.dispatcher import (
    Dispatcher,
    EngineEvents,
    OutcomeBroker,
    RouteTable,
    ScheduleTicker,
    SubscriptionTable,
)
from hookline_service.dispatcher.judging import WorkerJudge
from hookline_service.dispatcher.surveying import WorkerSurveyor
from hookline_service.engine.changes import ChangeHub
from hookline_service.engine.embedded import EmbeddedEngine
from hookline_service.engine.listener import EngineListener
from hookline_service.engine.parts import EngineDeps, EngineSettings
from hookline_service.engine.pool import RunnerPool
from hookline_service.engine.wire import StartLimits
from hookline_service.model.calls import ChildLimits, StoreLimits
from hookline_service.model.ids import ProjectId
from hookline_service.model.sealing import ValueGate
from hookline_service.model.secret import Secret
from hookline_service.settings import Settings
from hookline_service.storage.protocols import Store
from hookline_service.use_cases.entry_points import EntryPoints
from hookline_service.use_cases.secret_keys import SecretKeys


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Everything that lives as long as the service."""

    settings: Settings
    store: Store
    engine: EmbeddedEngine
    engine_parts: EngineDeps
    routes: RouteTable
    ticker: ScheduleTicker
    subscriptions: SubscriptionTable
    judge: WorkerJudge
    application: ASGIApp


# Long because it is a list: every part, named once and connected.
def build_parts(settings: Settings, store: Store, token: Secret, keys: SecretKeys) -> Parts:
    """Every part, connected and not yet running."""
    clock = SystemClock()
    held_clock = HeldClock(clock, steady_s)
    contexts = LaunchSpecReader(store, keys.box, settings.base_url)
    subscriptions, answers = SubscriptionTable(), OutcomeBroker()
    switchboard = EngineEvents(subscriptions, answers)
    engine_parts = _engine_parts(settings, store, contexts, held_clock, switchboard, keys.values)
    engine = EmbeddedEngine(engine_parts)
    routes = RouteTable(store)
    judge = WorkerJudge()
    dispatcher = Dispatcher(
        store=store,
        engine=engine,
        routes=routes,
        clock=clock,
        queue_limit_bytes=settings.queue_limit_bytes,
        subscriptions=subscriptions,
        answers=answers,
        judge=judge,
    )
    ticker = ScheduleTicker(
        store=store, engine=engine, dispatcher=dispatcher, routes=routes, clock=clock
    )
    switchboard.on_end(ticker.session_ended)
    reports = SessionReports(clock)
    switchboard.on_end(reports.session_ended)

    def project_changed(project_id: ProjectId) -> None:
        contexts.forget(project_id)
        routes.expire()

    services = ApiServices(
        settings=settings,
        clock=clock,
        token=token,
        box=keys.box,
        keys=keys,
        store=store,
        engine=engine,
        preparer=engine_parts.pool,
        runners=engine_parts.pool,
        stacks=engine.stacks,
        changes=engine_parts.changes,
        dispatcher=dispatcher,
        entry_points=EntryPoints(store),
        surveyor=WorkerSurveyor(),
        scratch=settings.home / "scratch",
        on_schedules_changed=ticker.reload,
        on_project_changed=project_changed,
        on_subscription=subscriptions.add,
        schedule_lock=ticker.lock,
        gauges=lambda: engine.gauges() | reports.figures(),
        is_ready=engine_parts.pool.has_host,
    )
    return Parts(
        settings=settings,
        store=store,
        engine=engine,
        engine_parts=engine_parts,
        routes=routes,
        ticker=ticker,
        subscriptions=subscriptions,
        judge=judge,
        application=mount(
            create_api(services),
            create_webhooks(dispatcher, settings, services.webhook_counts),
            create_published(store, clock),
        ),
    )


def _engine_settings(settings: Settings) -> EngineSettings:
    limits = StartLimits(
        hot_window_s=settings.hot_window_s,
        log_limit_lines=settings.log_limit_lines,
        log_limit_bytes=settings.log_limit_bytes,
        memory_limit_bytes=settings.memory_limit_bytes,
    )
    return EngineSettings(
        limits=limits,
        needs_exports=settings.exports == "required",
        child_limits=ChildLimits(
            waiting=settings.child_limit_waiting, generations=settings.child_limit_generations
        ),
        store_limits=StoreLimits(
            keys=settings.store_limit_keys, value_bytes=settings.store_limit_value_bytes
        ),
        stop_grace_s=settings.stop_grace_s,
        lease_s=settings.lease_s,
        heartbeat_s=settings.heartbeat_s,
    )


def _engine_parts(
    settings: Settings,
    store: Store,
    contexts: LaunchSpecReader,
    clock: HeldClock,
    listener: EngineListener,
    gate: ValueGate,
) -> EngineDeps:
    return EngineDeps(
        store=store,
        pool=RunnerPool(prepare_timeout_s=settings.prepare_timeout_s),
        contexts=contexts,
        changes=ChangeHub(),
        clock=clock,
        settings=_engine_settings(settings),
        listener=listener,
        start_time=clock.differing_now,
        gate=gate,
    )
