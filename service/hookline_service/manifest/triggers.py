"""One trigger of a manifest: its kind, its policies, its limits."""

from __future__ import annotations

from hookline_service.manifest.keys import TRIGGER_KEYS
from hookline_service.manifest.sections import Section
from hookline_triggers.definitions import (
    DstPolicy,
    OverlapPolicy,
    RetryPolicy,
    SchedulePolicies,
    TriggerDefinition,
    TriggerKind,
)

_KIND_KEYS = {
    "webhook": TriggerKind.WEBHOOK,
    "connection": TriggerKind.CONNECTION,
    "schedule": TriggerKind.SCHEDULE,
}
_ONLY = {key.name: key.only for key in TRIGGER_KEYS if key.only is not None}
_KIND_HINT = "write `type: webhook`, or give a `schedule` or a `connection`"


def parse_trigger(
    section: Section, *, name: str, is_durable: bool, is_lenient: bool
) -> TriggerDefinition:
    """The trigger in this map under this name; where its kind is not to be had, which is a finding, as if a webhook."""
    kind = _kind(section, is_lenient=is_lenient)
    if kind is not None and not is_lenient:
        _check_kind_of_keys(section, kind)
    return TriggerDefinition(
        name=name,
        kind=kind or TriggerKind.WEBHOOK,
        call=section.text("call") or "",
        event_type=section.text("event_type") or "",
        filter=_filter(section, is_lenient=is_lenient),
        schedule=section.text("schedule") or "",
        timezone=section.text("timezone") or "UTC",
        connection=section.text("connection") or "",
        is_durable=section.flag("is_durable", default=is_durable),
        is_sync=section.flag("is_sync", default=False),
        policies=_policies(section),
        retries=_retries(section),
        timeout_s=_timeout(section),
        concurrency=section.count("concurrency"),
        dedupe=section.text("dedupe") or "",
    )


def _filter(section: Section, *, is_lenient: bool) -> str:
    """The expression; in AutoKitteh a lone dot means no filter."""
    text = section.text("filter") or ""
    return "" if is_lenient and text.strip() == "." else text


def _kind(section: Section, *, is_lenient: bool) -> TriggerKind | None:
    """The kind by the keys that are there, then by `type`; what contradicts becomes a finding."""
    given = [name for name in _KIND_KEYS if section.has(name)]
    _check_marker(section, is_lenient=is_lenient)
    word = section.text("type")
    if word is None and section.has("type"):
        return None
    if not word:
        return _kind_by_keys(section, given, is_lenient=is_lenient)
    kind = TriggerKind(word)
    for name in given:
        if _KIND_KEYS[name] is not kind:
            section.wrong(
                "type", f"is `{word}`, which `{name}` contradicts", "remove one of the two"
            )
            return None
    if kind is not TriggerKind.WEBHOOK and str(kind) not in given:
        section.wrong("type", f"is `{word}`, but there is no `{word}`", _missing_hint(kind))
        return None
    return kind


def _kind_by_keys(section: Section, given: list[str], *, is_lenient: bool) -> TriggerKind | None:
    if not given:
        section.error(
            "manifest.no_kind", "the trigger does not say where events come from", _KIND_HINT
        )
        return None
    if len(given) > 1 and not is_lenient:
        both = " and ".join(f"`{name}`" for name in given)
        section.wrong(given[1], f"cannot be here: one trigger has {both}", "make it two triggers")
        return None
    return _KIND_KEYS[given[0]]


def _missing_hint(kind: TriggerKind) -> str:
    if kind is TriggerKind.SCHEDULE:
        return 'add for example `schedule: "0 9 * * mon-fri"`'
    return "add `connection:` with the name of a connection of this project"


def _check_marker(section: Section, *, is_lenient: bool) -> None:
    if section.has("webhook") and section.is_scalar("webhook"):
        section.wrong("webhook", "must be an empty map", "write `webhook: {}`")
    elif section.is_null("webhook") and not is_lenient:
        section.wrong("webhook", "has no value", "write `webhook: {}`, or `type: webhook`")
    elif section.has("webhook"):
        section.section("webhook")


def _check_kind_of_keys(section: Section, kind: TriggerKind) -> None:
    for name in section.names():
        only = _ONLY.get(name)
        if only is not None and only is not kind:
            section.wrong(name, f"belongs to a {only} trigger, and this is a {kind} trigger")


def _policies(section: Section) -> SchedulePolicies:
    plain = SchedulePolicies()
    catchup_s = section.duration("catchup")
    jitter_s = section.duration("jitter")
    overlap, dst = section.text("overlap"), section.text("dst")
    return SchedulePolicies(
        overlap=OverlapPolicy(overlap) if overlap else plain.overlap,
        dst=DstPolicy(dst) if dst else plain.dst,
        catchup_s=plain.catchup_s if catchup_s is None else catchup_s,
        jitter_s=plain.jitter_s if jitter_s is None else jitter_s,
        pause_on_failure=section.flag("pause_on_failure", default=plain.pause_on_failure),
    )


def _timeout(section: Section) -> float | None:
    seconds = section.duration("timeout")
    if seconds is not None and seconds <= 0:
        section.wrong("timeout", "must be more than 0", "leave it out for no limit")
        return None
    return seconds


def _retries(section: Section) -> RetryPolicy:
    plain = RetryPolicy()
    if not section.is_given("retries"):
        return plain
    if section.is_scalar("retries"):
        further = section.count("retries")
        return plain if further is None else RetryPolicy(max_attempts=1 + further)
    policy = section.section("retries")
    if policy is None:
        return plain
    attempts, factor = policy.count("attempts"), policy.number("factor")
    initial_s, max_s = policy.duration("initial"), policy.duration("max")
    found = RetryPolicy(
        max_attempts=plain.max_attempts if attempts is None else attempts,
        initial_s=plain.initial_s if initial_s is None else initial_s,
        factor=plain.factor if factor is None else factor,
        max_s=plain.max_s if max_s is None else max_s,
    )
    if found.max_s < found.initial_s:
        policy.wrong("max", "must not be below `initial`")
    return found
