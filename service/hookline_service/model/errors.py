"""Errors of the service, each with its stable public code."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from hookline.errors import (
    ConflictError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    UnavailableError,
)
from hookline_service.model.likeness import meant, nearest

_SHOWN_SOURCES: Final = 20


class _MissingError(NotFoundError):
    """Nothing has this name or id; `near` is the name of what is written like it, or empty."""

    noun = "thing"

    def __init__(self, name: str, near: str = "") -> None:
        super().__init__(f"{self.noun} {name!r} not found{meant(near)}")
        self.name = name

    @property
    def details(self) -> dict[str, object]:
        """The name or id that was asked for."""
        return {"name": self.name}


class ProjectNotFoundError(_MissingError):
    """No such project."""

    code = "project.not_found"
    noun = "project"


class BuildNotFoundError(_MissingError):
    """No such build."""

    code = "build.not_found"
    noun = "build"


class DeploymentNotFoundError(_MissingError):
    """No such deployment."""

    code = "deployment.not_found"
    noun = "deployment"


class TriggerNotFoundError(_MissingError):
    """No such active trigger."""

    code = "trigger.not_found"
    noun = "trigger"


class EventNotFoundError(_MissingError):
    """No such event."""

    code = "event.not_found"
    noun = "event"


class SessionNotFoundError(_MissingError):
    """No such session."""

    code = "session.not_found"
    noun = "session"


class VariableNotFoundError(_MissingError):
    """No such variable."""

    code = "var.not_found"
    noun = "variable"


class EventUnreadableError(InvalidError):
    """An event cannot be a value: it is nested too deep, or has too many items."""

    code = "event.not_a_value"

    def __init__(self, event_id: str, problem: str) -> None:
        super().__init__(f"event {event_id} cannot be given to a session that waits: {problem}")


class NoEventToAnswerError(NotFoundError):
    """No event started the session, so its outcome belongs to none."""

    code = "event.not_found"

    def __init__(self) -> None:
        super().__init__("no event started this session, so its outcome belongs to none; name one")


class CallTooLargeError(InvalidError):
    """A session's call to its service has too many bytes."""

    code = "call.too_large"

    def __init__(self, what: str, size_bytes: int, limit_bytes: int) -> None:
        super().__init__(
            f"{what} has {size_bytes} bytes, and may have {limit_bytes}: pass on less, or the name of a file"
        )


class NameTooLongError(InvalidError):
    """A name that a session passes to its service, such as a key of the store, is too long."""

    code = "call.name_too_long"

    def __init__(self, what: str, size: int, limit: int) -> None:
        super().__init__(f"{what} has at most {limit} characters; this one has {size}")


class TtlInvalidError(InvalidError):
    """The requested time to live of a value is not allowed."""

    code = "store.ttl_invalid"

    def __init__(self, ttl_s: float, longest_s: float) -> None:
        super().__init__(
            f"a value may live more than 0 seconds and at most {longest_s:.0f}; not {ttl_s:g}"
        )


class SubscriptionNotFoundError(_MissingError):
    """The session has no such subscription (any more)."""

    code = "subscription.not_found"
    noun = "subscription"


class SourceNotFoundError(NotFoundError):
    """The project has no trigger and no connection of this name to subscribe to."""

    code = "subscription.source_not_found"

    def __init__(self, source: str, known: Sequence[str]) -> None:
        there = ", ".join(known[:_SHOWN_SOURCES]) + (", …" if len(known) > _SHOWN_SOURCES else "")
        hint = f"it has {there}" if known else "it has none"
        super().__init__(
            f'source "{source}" not found among the triggers and connections of the project; '
            f"{hint}{meant(nearest(source, known))}"
        )
        self.source = source

    @property
    def details(self) -> dict[str, object]:
        """The name that was asked for."""
        return {"source": self.source}


class SourceAmbiguousError(ConflictError):
    """A trigger and a connection of the project have this name."""

    code = "subscription.source_ambiguous"

    def __init__(self, source: str) -> None:
        super().__init__(
            f'source "{source}" is ambiguous: a trigger and a connection have this name; rename one of them'
        )


class SubscriptionFilterError(InvalidError):
    """The filter of a subscription is not valid."""

    code = "subscription.filter_invalid"

    def __init__(self, problem: str) -> None:
        super().__init__(f"the filter cannot be used: {problem}")


class TooManySubscriptionsError(ConflictError):
    """The session has as many subscriptions as are allowed."""

    code = "subscription.too_many"

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"a session may have {limit} subscriptions, and this one has them already; end some by unsubscribe, or wait for more by one filter"
        )


class TooManyKeysError(ConflictError):
    """The project's store is full."""

    code = "store.too_many_keys"

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"the project's store may hold {limit} keys, and has them already; delete some, or keep more in one value"
        )


class ValueUnreadableError(ConflictError):
    """A value that was encrypted because it contains a secret cannot be decrypted; it is kept unchanged."""

    code = "value.unreadable"

    def __init__(self, kind: str, *, is_damaged: bool) -> None:
        reason = (
            "it was changed, or belongs to something else"
            if is_damaged
            else "its key is not here: bring back the former lines of secret.key, or of HOOKLINE_SECRET_KEY, and restart the service"
        )
        super().__init__(f"this {kind} is encrypted and cannot be read: {reason}")


class ValueTooLargeError(InvalidError):
    """A value is larger than the project's store allows."""

    code = "store.value_too_large"

    def __init__(self, key: str, size_bytes: int, limit_bytes: int) -> None:
        super().__init__(
            f"the value of {key!r} would have {size_bytes} bytes; the project's store takes {limit_bytes} for one value"
        )


class DeploymentBusyError(ConflictError):
    """The deployment is not inactive."""

    code = "deployment.busy"

    def __init__(self, deployment_id: str, state: str) -> None:
        super().__init__(
            f"deployment {deployment_id} is {state}; only an inactive one can be deleted"
        )


class BuildInUseError(ConflictError):
    """Deployments or sessions still use the build."""

    code = "build.in_use"

    def __init__(self, build_id: str) -> None:
        super().__init__(f"build {build_id} is still named by a deployment or a session")


class SessionBusyError(ConflictError):
    """The session has not ended."""

    code = "session.busy"

    def __init__(self, session_id: str, state: str) -> None:
        super().__init__(f"session {session_id} is {state}; stop it before deleting it")


class SessionFinalError(ConflictError):
    """The session has ended already."""

    code = "session.final"

    def __init__(self, session_id: str, state: str) -> None:
        super().__init__(f"session {session_id} has ended already ({state})")


class StackNotTakenError(UnavailableError):
    """The process of a running session did not report its stack."""

    code = "session.stack_not_taken"

    def __init__(self, session_id: str, why: str) -> None:
        super().__init__(f"where session {session_id} hangs could not be found out: {why}")


class NoActiveDeploymentError(ConflictError):
    """The project has nothing deployed."""

    code = "project.not_deployed"

    def __init__(self, project: str) -> None:
        super().__init__(f"project {project!r} has no active deployment; run `hookline deploy`")


class NoActiveDeploymentThereError(ConflictError):
    """The project in which a session wants to start another one has nothing deployed."""

    code = "deployment.none_active"

    def __init__(self, project: str) -> None:
        super().__init__(f"project {project!r} has no active deployment; deploy it first")


class TooManyChildrenError(ConflictError):
    """As many children of the project's sessions are waiting to begin as is allowed."""

    code = "child.too_many"

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"sessions of this project have started others that have not begun yet, up to the limit of {limit} "
            "(each counts 1, and 1 more for each 16 KiB of data): start more when some of them have begun; "
            "HOOKLINE_CHILD_LIMIT_WAITING of the service sets the limit"
        )


class TooManyGenerationsError(ConflictError):
    """Children of children are nested as deep as is allowed."""

    code = "child.too_deep"

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"this session is the child of a child, and so on, {limit} times, which is the limit: does a session keep "
            "starting itself? HOOKLINE_CHILD_LIMIT_GENERATIONS of the service sets the limit"
        )


class NotExportedError(ForbiddenError):
    """A session wants to start a function of another project whose manifest does not export it.

    `is_exported`: the function is exported, but not to the `caller`'s project.
    """

    code = "project.not_exported"

    def __init__(self, project: str, entry_point: str, caller: str, *, is_exported: bool) -> None:
        if is_exported:
            what = f"project {project!r} exports {entry_point} to others, not to {caller!r}"
            needed = f"`from` of this export must name {caller}"
        else:
            what = f"project {project!r} does not export {entry_point}"
            needed = f"write `exports: [{entry_point}]` under `project`"
        super().__init__(f"{what}; to allow it, in the manifest of {project!r}: {needed}")


class OtherProjectError(ForbiddenError):
    """A session wants to reach one that belongs to another project and is neither its parent nor its child."""

    code = "session.other_project"

    def __init__(self, session_id: str) -> None:
        super().__init__(
            f"session {session_id} belongs to another project; a session reaches those of its own project, "
            "its parent and the children that it started"
        )


class RunnerUnavailableError(UnavailableError):
    """No runner host is connected."""

    code = "runner.unavailable"

    def __init__(self) -> None:
        super().__init__(
            "no runner host is connected; start one with `hookline up` or `hookline runner`"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing wrong (or worth a warning) in a project: where, what, and what would be right.

    `line` and `column` count from 1; 0 means the whole file.
    """

    level: str
    code: str
    file: str
    line: int
    column: int
    message: str
    hint: str = ""
    source: str = ""


class ProjectInvalidError(InvalidError):
    """A project cannot be deployed as written; carries every finding."""

    code = "project.invalid"

    def __init__(self, findings: tuple[Finding, ...]) -> None:
        errors = [finding for finding in findings if finding.level == "error"]
        noun = "error" if len(errors) == 1 else "errors"
        super().__init__(f"the project has {len(errors)} {noun}")
        self.findings = findings

    @property
    def details(self) -> dict[str, object]:
        """All findings, in the order of files and lines."""
        return {
            "findings": [
                {
                    "level": finding.level,
                    "code": finding.code,
                    "file": finding.file,
                    "line": finding.line,
                    "column": finding.column,
                    "message": finding.message,
                    "hint": finding.hint,
                    "source": finding.source,
                }
                for finding in self.findings
            ]
        }


def log_level_of(error: object) -> int:
    """How loudly to log an error: that the store takes no writes it says itself, once."""
    is_known = isinstance(error, UnavailableError) and error.code == "storage.unavailable"
    return logging.DEBUG if is_known else logging.ERROR
