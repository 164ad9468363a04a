"""Programs made by chance of everything a session can ask of the service, each with what it has to say.

The same seed gives the same programs. While one is written, what it will say is worked out beside it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from textwrap import dedent
from typing import cast

KEYS = 2  # of the project's store, for each run of a program
OPEN_SUBSCRIPTIONS = 3
TASKS = 2  # of an async program
SLEEPS_OF_TASKS = ["await asyncio.sleep", "await aio.sleep"]

PRELUDE = dedent('''\
    """Programs; see generated_programs.py. `me` names the run of a program, so that two of them do not meet."""

    import asyncio
    import json
    import os
    import signal as signals
    import time
    import urllib.request

    from hookline import (
        HooklineError,
        activity,
        add_values,
        aio,
        check_and_set_value,
        del_value,
        get_value,
        get_webhook_url,
        inhibit_activities,
        list_values_keys,
        next_event,
        next_signal,
        outcome,
        set_value,
        signal,
        start,
        subscribe,
        unsubscribe,
    )


    @inhibit_activities
    def point(me, number):
        """Ask whether this process is to die, and after how many seconds. Not recorded: a replay asks again."""
        url = f"{os.environ['WORLD']}/point?me={me}&number={number}"
        with urllib.request.urlopen(url, timeout=30) as answer:
            delay_s = json.load(answer)
        if delay_s is not None:
            signals.setitimer(signals.ITIMER_REAL, delay_s)


    def say(said, value):
        said.append(value)
        print(len(said), json.dumps(value, sort_keys=True))


    def number_of(event):
        return None if event is None else event.body.json["number"]


    def payload_of(taken):
        return None if taken is None else taken.payload


    @activity
    def emit(me, number, channel):
        body = json.dumps({"me": me, "number": number, "channel": channel}).encode()
        headers = {"X-Delivery": f"{me}-{number}", "Content-Type": "application/json"}
        request = urllib.request.Request(get_webhook_url("topic"), data=body, headers=headers)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status


    @activity
    def double(number):
        return 2 * number


    @activity
    def broken(number):
        raise ValueError(f"{number} is broken")


    @activity
    async def double_slowly(number):
        await asyncio.sleep(0.01)
        return 2 * number


    def later(event):
        data = event.data
        point(f"{data.me}-child-{data.number}", 0)
        time.sleep(data.delay_s)
        point(f"{data.me}-child-{data.number}", 1)
        emit(data.me, data.number, data.channel)
        return data.number


    def talker(event):
        data = event.data
        for number, value in enumerate(data["values"]):
            point(f"{data.me}-child-{data.number}", number)
            signal(data.parent, f"{data.me} talk", value)


    def echo(event):
        data = event.data
        point(f"{data.me}-child-{data.number}", 0)
        heard = next_signal("go").payload
        point(f"{data.me}-child-{data.number}", 1)
        return heard


    def failing(event):
        point(f"{event.data.me}-child-{event.data.number}", 0)
        add_values(f"{event.data.me}-0", 0)
        raise LookupError("nothing there")
    ''')


@dataclass(frozen=True, kw_only=True)
class Program:
    """One handler, what it says line by line (and returns), and the outcomes it records."""

    name: str
    source: str
    said: list[object]
    outcomes: list[object]


def make_programs(chance: Random, plain: int, with_tasks: int, steps: int) -> list[Program]:
    """So many programs of so many steps, and so many whose tasks make half as many steps each."""
    made = [_make_plain(chance, f"program_{number}", steps) for number in range(plain)]
    made += [_make_async(chance, f"tasks_{number}", steps // 2) for number in range(with_tasks)]
    return made


def _make_plain(chance: Random, name: str, steps: int) -> Program:
    writer = _Writer(chance)
    writer.write(steps)
    lines = [
        f"def {name}(event, session_id):",
        *_indented('me = event.data.body.json["me"]', *writer.lines),
    ]
    return Program(
        name=name, source="\n".join(lines) + "\n", said=writer.said, outcomes=writer.outcomes
    )


def _make_async(chance: Random, name: str, steps: int) -> Program:
    """Tasks that know nothing of each other, each with a `me` of its own."""
    lines: list[str] = []
    said: list[object] = []
    for task in range(TASKS):
        writer = _Writer(chance, is_async=True)
        writer.write(steps)
        head = f'me = event.data.body.json["me"] + "-task-{task}"'
        lines += [f"async def task_{task}():", *_indented(head, *writer.lines), ""]
        said += writer.said
    tasks = ", ".join(f"task_{task}()" for task in range(TASKS))
    lines += [
        "said = []",
        f"for heard in await asyncio.gather({tasks}):",
        *_indented("for each in heard:", *_indented("say(said, each)")),
        "return said",
    ]
    source = "\n".join([f"async def {name}(event, session_id):", *_indented(*lines)])
    return Program(name=name, source=source + "\n", said=said, outcomes=[])


def _indented(*lines: str) -> list[str]:
    return [f"    {line}" if line else "" for line in lines]


def manifest_of(programs: list[Program], world: str) -> str:
    """A manifest with a trigger for each program, and the topic they listen to."""
    lines = [
        "project:",
        "  name: generated",
        "  vars:",
        "    - name: WORLD",
        f"      value: {world}",
        "  triggers:",
        "    - name: topic",
        "      type: webhook",
        "      dedupe: header:X-Delivery",
    ]
    for each in programs:
        lines += [
            f"    - name: {each.name}",
            "      type: webhook",
            f"      call: main.py:{each.name}",
        ]
    return "\n".join(lines) + "\n"


def module_of(programs: list[Program]) -> str:
    """The one file of the project."""
    return "\n\n".join([PRELUDE, *(each.source for each in programs)])


@dataclass(eq=False)
class _Subscription:
    name: str
    channel: int | None  # None: all
    queue: list[int] = field(default_factory=list)


class _Writer:
    """Writes one program and follows what it does: subscriptions and what waits in them, signals, values."""

    def __init__(self, chance: Random, *, is_async: bool = False) -> None:
        self.lines: list[str] = ["said = []"]
        self.said: list[object] = []
        self.outcomes: list[object] = []
        self._chance = chance
        self._is_async = is_async
        self._open: list[_Subscription] = []
        self._ended: list[str] = []
        self._signals: dict[str, list[object]] = defaultdict(list)
        self._values: dict[int, object] = {}
        self._numbers = 0

    def write(self, steps: int) -> None:
        self._subscribe()
        for number in range(steps):
            self._line(f"point(me, {number})")
            self._chance.choice(self._kinds())()
        for key in range(KEYS):
            self._line(f'del_value(f"{{me}}-{key}")')
        self._line("return said")

    def _kinds(self) -> list[Callable[[], None]]:
        return [
            self._subscribe,
            self._unsubscribe,
            self._emit,
            self._emit,
            self._take_event,
            self._take_event,
            self._take_event,
            self._wait_for_event,
            self._wait_for_event,
            self._signal_myself,
            self._take_signal,
            self._hear_a_talker,
            self._ask_an_echo,
            self._start_what_fails,
            self._write_value,
            self._read_values,
            self._add,
            self._add_often,
            self._check_and_set,
            self._be_refused,
            self._record_outcome,
            self._sleep,
            self._compute,
        ]

    def _line(self, text: str) -> None:
        self.lines.append(text)

    def _say(self, expression: str, value: object) -> None:
        self._line(self._saying(expression))
        self.said.append(value)

    def _saying(self, expression: str) -> str:
        """Tasks say everything at the end, so that the order does not depend on them."""
        return f"said.append({expression})" if self._is_async else f"say(said, {expression})"

    def _next(self, what: str) -> str:
        return f"await aio.next_{what}" if self._is_async else f"next_{what}"

    def _say_refusal(self, call: str, code: str) -> None:
        self._line("try:")
        self._line(f"    {call}")
        self._line("except HooklineError as error:")
        self._line(f"    {self._saying('error.code')}")
        self.said.append(code)

    def _number(self) -> int:
        self._numbers += 1
        return self._numbers

    # Events

    def _subscribe(self) -> None:
        if len(self._open) == OPEN_SUBSCRIPTIONS:
            self._emit()
            return
        made = _Subscription(f"s{self._number()}", self._chance.choice([None, 0, 1]))
        expression = "data.body.json.me == '{me}'"
        if made.channel is not None:
            expression += f" && data.body.json.channel == {made.channel}"
        self._line(f'{made.name} = subscribe("topic", f"{expression}")')
        self._open.append(made)

    def _unsubscribe(self) -> None:
        if len(self._open) < 2:
            self._subscribe()
            return
        gone = self._open.pop(self._chance.randrange(len(self._open)))
        self._line(f"unsubscribe({gone.name})")
        self._ended.append(gone.name)

    def _emit(self) -> None:
        number, channel = self._number(), self._chance.randrange(2)
        self._line(f"emit(me, {number}, {channel})")
        self._comes(number, channel)

    def _comes(self, number: int, channel: int) -> None:
        for each in self._open:
            if each.channel in (None, channel):
                each.queue.append(number)

    def _take_event(self) -> None:
        asked = self._chance.sample(self._open, self._chance.randint(1, len(self._open)))
        names = [each.name for each in asked]
        which = names[0] if len(names) == 1 else f"[{', '.join(names)}]"
        holding = next((each for each in asked if each.queue), None)
        timeout = (
            self._chance.choice([0.03, 0.15])
            if holding is None
            else self._chance.choice([None, 30])
        )
        taken = None if holding is None else holding.queue.pop(0)
        self._say(f"number_of({self._next('event')}({which}, timeout={timeout}))", taken)

    def _wait_for_event(self) -> None:
        number, channel = self._number(), self._chance.randrange(2)
        delay_s = self._chance.choice([0.001, 0.04, 0.2])
        child = f"c{number}"
        data = f'"me": me, "number": {number}, "channel": {channel}, "delay_s": {delay_s}'
        self._line(f'{child} = start("main.py:later", {{{data}}})')
        self._comes(number, channel)
        if any(each.queue for each in self._open):
            asked = [each for each in self._open if each.queue]
            which = f"[{', '.join(each.name for each in asked)}]"
            if len(asked) == 1 or all(each.queue == [number] for each in asked):
                self._say(f"number_of({self._next('event')}({which}))", asked[0].queue.pop(0))
        self._say(
            f"payload_of({self._next('signal')}({child}))", {"completed": True, "value": number}
        )

    # Signals and children

    def _signal_myself(self) -> None:
        name, value = self._chance.choice("ab"), self._value()
        self._line(f'signal(session_id, f"{{me}} {name}", {value!r})')
        self._signals[name].append(value)

    def _take_signal(self) -> None:
        names = self._chance.sample("abc", self._chance.randint(1, 3))
        texts = [f"f'{{me}} {name}'" for name in names]
        which = texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
        holding = next((name for name in names if self._signals[name]), None)
        timeout = (
            self._chance.choice([0.03, 0.15])
            if holding is None
            else self._chance.choice([None, 30])
        )
        taken = None if holding is None else self._signals[holding].pop(0)
        self._say(f"payload_of({self._next('signal')}({which}, timeout={timeout}))", taken)

    def _hear_a_talker(self) -> None:
        number = self._number()
        values = [self._value() for _ in range(self._chance.randint(1, 3))]
        data = f'"me": me, "number": {number}, "parent": session_id, "values": {values!r}'
        self._line(f'c{number} = start("main.py:talker", {{{data}}}, memo={{"me": me}})')
        for value in values:
            self._say(f"payload_of({self._next('signal')}(f'{{me}} talk'))", value)
        self._say(
            f"payload_of({self._next('signal')}(c{number}))", {"completed": True, "value": None}
        )

    def _ask_an_echo(self) -> None:
        number, value = self._number(), self._value()
        self._line(f'c{number} = start("main.py:echo", {{"me": me, "number": {number}}})')
        self._line(f'signal(c{number}, "go", {value!r})')
        self._say(
            f"payload_of({self._next('signal')}(c{number}))", {"completed": True, "value": value}
        )

    def _start_what_fails(self) -> None:
        if not _is_number(self._values.get(0, 0)):
            self._compute()
            return
        number = self._number()
        self._line(f'c{number} = start("main.py:failing", {{"me": me, "number": {number}}})')
        self._say(f"payload_of({self._next('signal')}(c{number}))", {"completed": False})
        self._values.setdefault(0, 0)

    # The project's store

    def _value(self) -> object:
        return self._chance.choice([7, 1.5, "text", [1, "two", None], {"a": {"b": [3]}}, True, 0])

    def _key(self) -> tuple[int, str]:
        key = self._chance.randrange(KEYS)
        return key, f'f"{{me}}-{key}"'

    def _write_value(self) -> None:
        key, text = self._key()
        if self._chance.random() < 0.3:
            self._line(f"del_value({text})")
            self._values.pop(key, None)
            return
        value = self._value()
        self._line(f"set_value({text}, {value!r})")
        self._values[key] = value

    def _read_values(self) -> None:
        key, text = self._key()
        self._say(f"get_value({text})", self._values.get(key))
        kept = [f"-{key}" for key in sorted(self._values)]
        mine = "[each.removeprefix(me) for each in list_values_keys() if each.startswith(me + '-')]"
        self._say(mine, kept)

    def _add(self) -> None:
        key, text = self._key()
        before = self._values.get(key, 0)
        if not _is_number(before):
            self._say_refusal(f"add_values({text}, 5)", "store.not_a_number")
            return
        self._values[key] = after = cast("float", before) + 5
        self._say(f"add_values({text}, 5)", after)

    def _add_often(self) -> None:
        key, text = self._key()
        self._line(f"set_value({text}, 10)")
        self._line("for _ in range(3):")
        self._line(f"    {self._saying(f'add_values({text}, 1)')}")
        self.said += [11, 12, 13]
        self._values[key] = 13

    def _check_and_set(self) -> None:
        key, text = self._key()
        before = self._values.get(key)
        expected = self._chance.choice([before, "something else"])
        self._say(f"check_and_set_value({text}, {expected!r}, 'new')", expected == before)
        if expected == before:
            self._values[key] = "new"

    # The rest

    def _be_refused(self) -> None:
        refused = [
            ('subscribe("nowhere")', "subscription.source_not_found"),
            ('subscribe("topic", "data.")', "subscription.filter_invalid"),
            ('signal("ses_00000000000000000000000000", "a", 1)', "session.not_found"),
            *(
                (f"{self._next('event')}({name}, timeout=1)", "subscription.not_found")
                for name in self._ended
            ),
        ]
        self._say_refusal(*self._chance.choice(refused))

    def _record_outcome(self) -> None:
        if self._is_async:  # their order would depend on the tasks
            self._compute()
            return
        number = self._number()
        self._line(f'outcome({{"number": {number}}})')
        self.outcomes.append({"number": number})

    def _sleep(self) -> None:
        sleep = self._chance.choice(SLEEPS_OF_TASKS) if self._is_async else "time.sleep"
        self._line(f"{sleep}({self._chance.choice([0.001, 0.02, 0.15])})")

    def _compute(self) -> None:
        number = self._number()
        double = "await double_slowly" if self._is_async else "double"
        self._say(f"{double}({number})", 2 * number)
        self._line("try:")
        self._line(f"    broken({number})")
        self._line("except ValueError as error:")
        self._line(f"    {self._saying('str(error)')}")
        self.said.append(f"{number} is broken")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
