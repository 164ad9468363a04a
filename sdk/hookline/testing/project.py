"""A project under test: its handlers run here, without a service, and the test plays the world around them."""

from __future__ import annotations

import importlib
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any, Final, Literal, Self

from hookline import host
from hookline.arguments import Duration, entry_point_of, length_of
from hookline.errors import EntryPointError
from hookline.events import Event
from hookline.testing.fakes import Fake, answer_with, as_stand_in, is_watchable, original_of, watch
from hookline.testing.hosting import ProjectHost, Rules
from hookline.testing.patches import Patches
from hookline.testing.rooms import MANIFESTS, ManifestFacts, Matches, Trigger, read_manifest
from hookline.testing.sample_events import event_of
from hookline.testing.session import Session
from hookline.testing.stored_values import StoredValues
from hookline.testing.waiters import Clock

_PUBLIC_URL: Final = "http://hookline.test/store/prj_test"
_WEBHOOK_URL: Final = "http://hookline.test/webhooks"
_NOT_OURS: Final = frozenset({"site-packages", "dist-packages"})

Handler = str | Callable[..., Any]
Given = Event | Mapping[str, Any] | None


class Project:
    """A project under test. Use it as a context manager, or by the fixture `hookline_project`.

    A session runs until it waits or ends, then the test goes on; so tests are quick, and come out the same every time.
    Time is virtual: it stands still until the test calls `advance`, but for sleeps, which pass at once.

    Args:
        directory: The project's directory. Its manifest, if there is one, tells triggers, connections and variables.
        variables: Variables of the environment, over those of the manifest; secrets are empty in tests if not given.
        triggers: Further names that `subscribe` and `send` know. Without any and without a manifest they know every name.
        sleeps: `pass`: a sleep is over as soon as all sessions wait. `advance`: it is over when the test has moved the time on.
        children: `run`: sessions that are started run too. `hold`: they wait for `run_child` or `complete`.
        now: The time at the beginning; the machine's if it is not given.
        patience_s: How long a handler may run in real time before it is taken to be stuck.

    Attributes:
        sessions: All sessions, in the order of their start.

    Example:
        ```python
        with Project("examples/approval") as project:
            session = project.run("approval.py:on_expense", webhook_event(json=EXPENSE))
            project.send("decision", webhook_event("GET", "?expense=7&verdict=yes"))
            assert session.result == "approved"
        ```
    """

    def __init__(  # noqa: PLR0913 - options, all by name
        self,
        directory: str | Path = ".",
        *,
        variables: Mapping[str, str] | None = None,
        triggers: Sequence[str] = (),
        sleeps: Literal["pass", "advance"] = "pass",
        children: Literal["run", "hold"] = "run",
        now: datetime | None = None,
        patience_s: float = 30.0,
    ) -> None:
        self.directory = Path(directory).resolve()
        if not self.directory.is_dir():
            raise NotADirectoryError(f"{self.directory} is not the directory of a project")
        self._facts = read_manifest(self.directory) or ManifestFacts(
            triggers=(), connections=(), variables={}
        )
        self._variables = {**self._facts.variables, **_texts(variables or {})}
        self._triggers: dict[str, Trigger] = {one.name: one for one in self._facts.triggers}
        start = time.time() if now is None else now.timestamp()  # noqa: TID251 - the test's time begins with the machine's
        rules = Rules(
            find_handler=self._find_handler,
            sources=_sources(self._facts, triggers) or None,
            sleeps_pass=sleeps == "pass",
            runs_children=children == "run",
            patience_s=patience_s,
        )
        self._own_files: dict[str, bool] = {}
        self._clock = Clock(start)
        self._host = ProjectHost(self._clock, rules)
        self._patches = Patches()
        self._host_before = host.current()

    def __enter__(self) -> Self:
        importlib.invalidate_caches()  # files may have been written a moment ago
        self._host_before = host.current()
        self._patches.enter_directory(self.directory)
        self._patches.forget_modules(set(sys.modules), self._is_own)
        for name, value in self._variables.items():
            self._patches.set_variable(name, value)
        for name in self._host.rules.sources or ():
            self._patches.set_variable(f"{name}__webhook_url", f"{_WEBHOOK_URL}/{name}")
        self._patches.set_variable("store_public_url", _PUBLIC_URL)
        self._patches.watch_time(self._host)
        self._patches.watch_prints(self._host)
        host.install(self._host)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            for session in self.sessions:
                if not session.is_final:
                    self._host.stop(session, "the test has ended")
        finally:
            host.install(self._host_before)
            self._patches.undo()

    @property
    def sessions(self) -> list[Session]:
        """All sessions, in the order of their start."""
        return self._host.sessions

    @property
    def store(self) -> StoredValues:
        """What is in the project's store, as a dictionary that can be changed: `project.store["key"] = value`."""
        return StoredValues(self._host.store)

    @property
    def published(self) -> set[str]:
        """The keys whose values are published."""
        return set(self._host.store.published)

    @property
    def now(self) -> datetime:
        """The test's time."""
        return datetime.fromtimestamp(self._clock.now, UTC)

    def set_variables(self, **variables: str) -> None:
        """Set variables of the environment until the end of the test."""
        for name, value in _texts(variables).items():
            self._patches.set_variable(name, value)

    def run(self, handler: Handler, event: Given = None) -> Session:
        """Run a handler until it ends or waits for something that only the test can give.

        What it raises is kept for `Session.result`.

        Args:
            handler: `path/file.py:name` in the project, or the function itself.
            event: The event, or the data of a manual start.

        Raises:
            EntryPointError: there is no such function.
            StuckHandlerError: it neither ends nor waits.
        """
        name = (
            handler if isinstance(handler, str) else getattr(handler, "__qualname__", repr(handler))
        )
        function = self._find_handler(handler) if isinstance(handler, str) else handler
        self._watch_modules()
        session = self._host.add(name, event_of(event))
        self._host.run(session, function)
        self._host.settle()
        return session

    def send(self, source: str, event: Given = None) -> list[Session]:
        """Let an event come from a trigger or connection: to the subscriptions of sessions, and to the trigger's own function.

        Event type and filter of the trigger count, as in production.

        Returns:
            The sessions it started.

        Raises:
            LookupError: the project has no trigger or connection of that name.
        """
        known = self._host.rules.sources
        if known is not None and source not in known:
            raise LookupError(f"there is no trigger or connection {source!r}, only {sorted(known)}")
        given = event_of(event)
        started: list[Session] = []
        trigger = self._triggers.get(source)
        self._host.deliver(source, given)
        if (
            trigger is not None
            and trigger.entry_point
            and trigger.accepts(given.event_type or "", given.data)
        ):
            started.append(self._host.add(trigger.entry_point, given))
        self._host.settle()
        return started

    def signal(self, session: Session, name: str, payload: Any = None) -> None:
        """Send a signal to a session.

        Raises:
            CallRefusedError: it has ended (`session.final`).
        """
        self._host.signal(session.id, name, payload)
        self._host.settle()

    def advance(self, duration: Duration | str) -> None:
        """Move the time on: seconds, a timedelta, or a text such as `1h30m`; what is due meanwhile happens in order."""
        self._host.advance(length_of(duration, "advance"))

    def stop(self, session: Session, reason: str = "stopped by the test") -> None:
        """Stop a session that waits; its `finally` blocks run."""
        if not session.is_final:
            self._host.stop(session, reason)
            self._host.settle()

    def run_child(self, child: Session) -> None:
        """Let a held child run."""
        child.is_held = False
        self._host.settle()

    def complete(self, child: Session, value: Any = None) -> None:
        """End a held child as if it had returned this value."""
        self._end_held(child, "completed", value)

    def fail(self, child: Session, error: BaseException | None = None) -> None:
        """End a held child as if it had raised."""
        self._end_held(child, "error", error=error or RuntimeError("the child failed"))

    def fake(
        self,
        target: Handler,
        *,
        returns: Any = None,
        raises: BaseException | type[BaseException] | None = None,
        answers: Iterable[Any] | None = None,
        does: Callable[..., Any] | None = None,
    ) -> Fake:
        """Put something in the place of a function until the end of the test.

        Args:
            target: `path/file.py:name` of the project, a dotted name (`requests.get`, `shop.Client.pay`), or a function: then
                wherever a module of the project names it.
            returns: What every call gives.
            raises: What every call raises.
            answers: What the calls give, one after the other; exceptions among them are raised.
            does: A function that is called instead.

        Returns:
            The fake; its `calls` say what it was called with.

        Raises:
            LookupError: there is no such function.
        """
        places = self._places_of(target)
        original = getattr(*places[0])
        name = target if isinstance(target, str) else getattr(target, "__name__", repr(target))
        answer = does
        if answers is not None:
            answer = answer_with(name, answers)
        elif raises is not None:
            answer = answer_with(name, _forever(raises))
        elif answer is None:
            answer = answer_with(name, _forever(returns))
        fake = Fake(name, answer)
        stand_in = as_stand_in(original, fake)
        for owner, attribute in places:
            self._patches.set_attribute(owner, attribute, stand_in)
        return fake

    def _end_held(
        self, child: Session, state: str, value: Any = None, error: BaseException | None = None
    ) -> None:
        if child.state != "created":
            raise ValueError(f"{child} is not held; give children='hold'")
        child.end(state, value, error)
        self._host.finish(child)
        self._host.settle()

    def _places_of(self, target: Handler) -> list[tuple[Any, str]]:
        """Owner and attribute of every place where the target stands."""
        if isinstance(target, str):
            owner, name = self._owner_of(target)
            if not hasattr(owner, name):
                raise LookupError(f"there is no {target!r} to fake")
            return [(owner, name)]
        found = [
            (module, name)
            for module in list(sys.modules.values())
            if self._is_own(module) or module.__name__ == target.__module__
            for name, value in list(vars(module).items())
            if original_of(value) is original_of(target)
        ]
        if not found:
            raise LookupError(f"no module names {target!r}; give a text such as 'file.py:name'")
        return found

    def _owner_of(self, target: str) -> tuple[Any, str]:
        if ".py:" in target:
            path, _, name = target.rpartition(":")
            return self._load(path), name
        path, _, name = target.rpartition(".")
        parts = path.split(".") if path else []
        for length in range(len(parts), 0, -1):
            try:
                owner: Any = importlib.import_module(".".join(parts[:length]))
            except ModuleNotFoundError:
                continue
            for part in parts[length:]:
                owner = getattr(owner, part)
            return owner, name
        raise LookupError(f"there is no {target!r} to fake")

    def _find_handler(self, entry_point: str) -> Callable[..., Any]:
        path, _, name = entry_point_of(entry_point, "run").rpartition(":")
        module = self._load(path)
        self._watch_modules()
        handler = getattr(module, name, None)
        if not callable(handler):
            raise EntryPointError(f"{path} has no function {name!r}")
        return handler

    def _load(self, path: str) -> ModuleType:
        if not (self.directory / path).is_file():
            raise EntryPointError(f"there is no file {path} in {self.directory}")
        return importlib.import_module(path.removesuffix(".py").replace("/", "."))

    def _is_own(self, module: ModuleType) -> bool:
        file = getattr(module, "__file__", None)
        if not isinstance(file, str):
            return False
        is_own = self._own_files.get(file)
        if is_own is None:
            path = Path(file)
            is_own = path.is_relative_to(self.directory) and not _NOT_OURS & set(path.parts)
            self._own_files[file] = is_own
        return is_own

    def _watch_modules(self) -> None:
        """Note the runs of the project's activities, and try them again as they say; let its clocks tell the test's time."""
        for module in list(sys.modules.values()):
            if not self._is_own(module):
                continue
            self._patches.watch_time_in(module)
            for owner in [
                module,
                *(one for one in vars(module).values() if _is_class_of(one, module)),
            ]:
                for name, value in list(vars(owner).items()):
                    if is_watchable(value):
                        self._patches.set_attribute(owner, name, watch(value))


def find_project(start: Path) -> Path:
    """The nearest directory above with a manifest; the start itself if there is none."""
    folders = [start, *start.parents] if start.is_dir() else list(start.parents)
    for folder in folders:
        if any((folder / name).is_file() for name in MANIFESTS):
            return folder
    return folders[0]


def _texts(variables: Mapping[str, str]) -> dict[str, str]:
    for name, value in variables.items():
        if not isinstance(value, str):  # pyright: ignore[reportUnnecessaryIsInstance] - tests are not always type-checked
            raise TypeError(f"a variable is a text, and {name} is {type(value).__name__}")
    return dict(variables)


def _sources(facts: ManifestFacts, triggers: Sequence[str]) -> dict[str, Matches]:
    sources: dict[str, Matches] = {one.name: one.passes for one in facts.triggers}
    return {**dict.fromkeys([*facts.connections, *triggers], _everything), **sources}


def _everything(_event_type: str, _data: Mapping[str, Any]) -> bool:
    return True


def _is_class_of(value: object, module: ModuleType) -> bool:
    return isinstance(value, type) and value.__module__ == module.__name__


def _forever(value: Any) -> Iterable[Any]:
    while True:
        yield value
