"""What can go wrong between the command and the service, and how it is told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from hookline.errors import (
    HooklineError,
    InternalError,
    InvalidError,
    NotFoundError,
    UnavailableError,
    UserCodeError,
)
from hookline_cli.json_values import JsonObject, object_of
from hookline_service.model.likeness import meant

_SESSION_PREFIX = "ses_"

EXIT_CODES: Mapping[str, int] = {
    "invalid": 1,
    "not_found": 1,
    "conflict": 1,
    "user_code": 1,
    "unauthenticated": 3,
    "forbidden": 3,
    "rate_limited": 4,
    "unavailable": 4,
    "internal": 70,
}


class AnswerError(HooklineError):
    """The service refused; carries the kind, code, message and details of its answer."""

    code = "answer"

    def __init__(self, *, kind: str, code: str, message: str, details: JsonObject) -> None:
        super().__init__(message)
        self.answer_kind = kind
        self.answer_code = code
        self._details = details

    @property
    def details(self) -> dict[str, object]:
        """The details of the answer."""
        return self._details


class ServiceNotRunningError(UnavailableError):
    """No service is running."""

    code = "service.not_running"

    def __init__(self, place: str) -> None:
        super().__init__(f"no Hookline service is running {place}; start it with `hookline up`")


class ServiceUnreachableError(UnavailableError):
    """The service did not answer, or the connection broke."""

    code = "service.unreachable"

    def __init__(self, url: str, problem: str) -> None:
        super().__init__(f"the service at {url} cannot be reached: {problem}")
        self.url = url


class NotHooklineError(UnavailableError):
    """Something answers at the URL, but it is not a Hookline service."""

    code = "service.unknown"

    def __init__(self, url: str, status: int) -> None:
        super().__init__(
            f"what answers at {url} does not speak Hookline's API (HTTP {status}); check HOOKLINE_URL"
        )


class LocalServiceError(InternalError):
    """The temporary service of a command did not start."""

    code = "service.not_started"

    def __init__(self, output: str) -> None:
        super().__init__(f"the service for this command did not start\n{output}".rstrip())


class FileUnusableError(InvalidError):
    """A file or directory named on the command line cannot be used."""

    code = "file.unusable"

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(f"{path}: {problem}")
        self.path = path


class ArgumentInvalidError(InvalidError):
    """A value on the command line is not valid there."""

    code = "argument.invalid"

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(f"{name}: {problem}")
        self.name = name


class SessionNotFoundHereError(NotFoundError):
    """Neither a session's id nor a project with sessions."""

    code = "session.not_found"

    def __init__(self, name: str, *, is_project: bool = True, near: str = "") -> None:
        if is_project:
            message = f"project {name!r} has no session yet; start one with `hookline run`"
        elif name.startswith(_SESSION_PREFIX):
            message = f"session {name!r} not found; `hookline session list` shows the ids"
        else:
            message = (
                f"{name!r} is neither the id of a session nor the name of a project{meant(near)}"
            )
        super().__init__(message)
        self.name = name


class TriggerNotFoundHereError(NotFoundError):
    """The project has no such active trigger."""

    code = "trigger.not_found"

    def __init__(self, project: str, name: str, near: str = "") -> None:
        super().__init__(f"project {project!r} has no active trigger {name!r}{meant(near)}")
        self.name = name


class VariableNotFoundHereError(NotFoundError):
    """The project has no such variable."""

    code = "var.not_found"

    def __init__(self, project: str, name: str, near: str = "") -> None:
        super().__init__(f"project {project!r} has no variable {name!r}{meant(near)}")
        self.name = name


class ValueNotFoundHereError(NotFoundError):
    """The project's store has no such value."""

    code = "store.value_not_found"

    def __init__(self, project: str, key: str, near: str = "") -> None:
        super().__init__(f"the store of project {project!r} has no {key!r}{meant(near)}")
        self.key = key


class InternalAnswerError(InternalError):
    """The service broke its own contract."""

    code = "service.contract"


class ProjectMistypedError(NotFoundError):
    """There is no project of this name, but one of nearly the same."""

    code = "project.not_found"

    def __init__(self, name: str, close: str) -> None:
        super().__init__(
            f"project {name!r} not found; did you mean {close!r}? To make a new one: `hookline project create {name}`"
        )


class ManifestInvalidError(InvalidError):
    """The manifest has errors, which were shown."""

    code = "manifest.invalid"

    def __init__(self, file: str, count: int) -> None:
        super().__init__(f"{file} has {count} {'error' if count == 1 else 'errors'}")


class SessionNotCompletedError(UserCodeError):
    """The awaited session ended without completing."""

    code = "session.not_completed"

    def __init__(self, session: JsonObject) -> None:
        super().__init__(f"session {session.get('id')} ended: {describe_end(session)}")


class TestEnvironmentError(UnavailableError):
    """The requirements of a project's tests cannot be installed."""

    code = "tests.no_environment"

    def __init__(self, problem: str) -> None:
        super().__init__(f"what the tests need cannot be installed:\n{problem}")


class CoveredSecretError(UserCodeError):
    """A session behaves differently when its secrets are masked, as they are in an exported recording."""

    code = "session.needs_secret"

    def __init__(self, session_id: str, names: Sequence[str], difference: str) -> None:
        listed = ", ".join(names)
        covered = f"the secret {listed} is" if len(names) == 1 else f"the secrets {listed} are"
        super().__init__(
            f"session {session_id} cannot be exported: it does something else when {covered} covered\n{difference}\n"
            "Put the code that looks at the secret, such as the check of a signature, into a function marked @hookline.activity: its "
            f"result is recorded then. Or give a value for tests with --var {names[0]}=VALUE, where the code does the same with it"
        )


class ReplayDiffersError(UserCodeError):
    """The code does not match the recording of a session."""

    code = "session.replay_differs"

    def __init__(self, session_id: str, difference: str) -> None:
        super().__init__(f"the replay of session {session_id} differs\n{difference}")


class StillRunningError(UnavailableError):
    """The awaited session did not end in time."""

    code = "session.unfinished"

    def __init__(self, session_id: str, state: str, timeout_s: float) -> None:
        super().__init__(f"session {session_id} is still {state} after {timeout_s:g} s")


def describe_end(session: JsonObject) -> str:
    """State of an ended session with the reason: `error: ValueError: no such key`."""
    state = str(session.get("state"))
    error = object_of(session.get("error"))
    if error is not None:
        return ": ".join(part for part in (state, describe_error(error)) if part)
    reason = session.get("stop_reason")
    return f"{state}: {reason}" if reason else state


def describe_error(error: JsonObject, message: str | None = None) -> str:
    """Type and message of a session's error; without a message its type alone."""
    told = str(error.get("message") or "") if message is None else message
    return ": ".join(part for part in (str(error.get("type") or ""), told) if part)


def exit_code_of(error: HooklineError) -> int:
    """The exit code that stands for the error's kind."""
    return EXIT_CODES.get(_kind_of(error), EXIT_CODES["internal"])


def error_document(error: HooklineError) -> JsonObject:
    """The error as the service writes errors, wherever it arose."""
    code = error.answer_code if isinstance(error, AnswerError) else error.code
    described = {"code": code, "kind": _kind_of(error), "message": error.message}
    return {"error": {**described, "details": error.details}}


def _kind_of(error: HooklineError) -> str:
    return error.answer_kind if isinstance(error, AnswerError) else error.kind
