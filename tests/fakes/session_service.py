"""The service as one session sees it: operations on what is kept in memory, and things that come from others."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from hookline.errors import HooklineError
from hookline.store_rules import DELETED, OPERATIONS, UNCHANGED, apply


@dataclass
class Answer:
    """What came of an operation. `is_waiting`: nothing was there, and nothing was done."""

    value: Any = None
    code: str = ""
    message: str = ""
    is_waiting: bool = False

    @property
    def ok(self) -> bool:
        return not self.code

    @property
    def recorded(self) -> Any:
        """The value of the journal entry."""
        return self.value if self.ok else {"code": self.code, "message": self.message}


@dataclass
class MemoryService:
    """Subscriptions, signals, children, outcomes and the store. `to_come` are (topic, thing) that come one by one: the next
    whenever the session has nothing to take.

    A subscription's id is its source with a number, so that a test knows it.
    """

    to_come: deque[tuple[str, Any]] = field(default_factory=deque)
    sources: set[str] = field(default_factory=lambda: {"orders", "mail"})
    subscriptions: dict[str, str] = field(default_factory=dict)
    things: dict[str, deque[Any]] = field(default_factory=dict)  # by topic
    store: dict[str, Any] = field(default_factory=dict)
    published: set[str] = field(default_factory=set)
    sent: list[Any] = field(default_factory=list)
    children: list[Any] = field(default_factory=list)
    outcomes: list[Any] = field(default_factory=list)
    applied: list[str] = field(default_factory=list)
    bring_at_subscription: dict[str, list[Any]] = field(default_factory=dict)  # by source

    def bring(self, topic: str, thing: Any) -> None:
        """Something comes. An event for a subscription that there is not is lost, as it is for the real service."""
        if not topic.startswith("sub:") or topic[4:] in self.subscriptions:
            self.things.setdefault(topic, deque()).append(thing)

    def bring_next(self) -> str:
        """The topic of the next of what is to come; "" if there is nothing."""
        if not self.to_come:
            return ""
        topic, thing = self.to_come.popleft()
        self.bring(topic, thing)
        return topic

    def has(self, topics: list[str]) -> bool:
        return any(self.things.get(topic) for topic in topics)

    def apply(self, operation: str, arguments: dict[str, Any], now: float) -> Answer:
        doing: Callable[[dict[str, Any], float], Any] = getattr(self, f"_{operation}")
        answer: Any = doing(arguments, now)
        if not isinstance(answer, Answer):
            answer = Answer(answer)
        if not answer.is_waiting:
            self.applied.append(operation)
        return answer

    def _subscribe(self, arguments: dict[str, Any], now: float) -> Any:
        del now
        source = arguments["source"]
        if source not in self.sources:
            message = f'source "{source}" not found'
            return Answer(code="subscription.source_not_found", message=message)
        name = f"{source}{len(self.subscriptions) + 1}"
        self.subscriptions[name] = arguments["filter"]
        for event in self.bring_at_subscription.get(source, ()):
            self.bring(f"sub:{name}", event)
        return name

    def _unsubscribe(self, arguments: dict[str, Any], now: float) -> Any:
        del now
        self.subscriptions.pop(arguments["subscription"], None)
        self.things.pop(f"sub:{arguments['subscription']}", None)

    def _take_event(self, arguments: dict[str, Any], now: float) -> Any:
        for name in arguments["subscriptions"]:
            if name not in self.subscriptions:
                return Answer(
                    code="subscription.not_found", message=f"no such subscription: {name}"
                )
        topics = [f"sub:{name}" for name in arguments["subscriptions"]]
        return self._take(topics, arguments["deadline_at"], now)

    def _take_signal(self, arguments: dict[str, Any], now: float) -> Any:
        return self._take(
            [f"sig:{name}" for name in arguments["names"]], arguments["deadline_at"], now
        )

    def _take(self, topics: list[str], deadline: float | None, now: float) -> Any:
        for topic in topics:
            if self.things.get(topic):
                thing = self.things[topic].popleft()
                if topic.startswith("sig:"):
                    return {"name": topic[4:], "payload": thing}
                return {"subscription": topic[4:], "id": "evt_9", "type": "post", "data": thing}
        if deadline is not None and now >= deadline:
            return None
        return Answer(is_waiting=True)

    def _signal(self, arguments: dict[str, Any], now: float) -> Any:
        del now
        if arguments["session"] == "ses_gone":
            return Answer(code="session.not_found", message="no such session: ses_gone")
        self.sent.append([arguments["session"], arguments["name"], arguments["payload"]])
        if arguments["session"] == "ses_1":
            self.bring(f"sig:{arguments['name']}", arguments["payload"])
        return None

    def _start_session(self, arguments: dict[str, Any], now: float) -> Any:
        del now
        self.children.append(arguments)
        return f"ses_child{len(self.children)}"

    def _outcome(self, arguments: dict[str, Any], now: float) -> Any:
        del now
        self.outcomes.append(arguments["value"])

    def _store(self, arguments: dict[str, Any], now: float) -> Any:
        del now
        operation, key = arguments["op"], arguments["key"]
        if operation == "list":
            return sorted(self.store)
        if operation not in OPERATIONS:
            (self.published.add if operation == "publish" else self.published.discard)(key)
            return None
        try:
            after, result = apply(operation, self.store.get(key), arguments["operands"])
        except HooklineError as exc:
            return Answer(code=type(exc).code, message=str(exc))
        if after is DELETED:
            self.store.pop(key, None)
        elif after is not UNCHANGED:
            self.store[key] = after
        return result
