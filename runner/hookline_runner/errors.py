"""What can go wrong in a runner host, as the service and the person at the terminal see it."""

from __future__ import annotations

from hookline.errors import InternalError, InvalidError, UnauthenticatedError, UnavailableError


class ArchiveError(InvalidError):
    """The build's archive contains something that is not allowed in a project."""

    code = "build.archive"

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(f"archive entry {name!r}: {problem}")
        self.name = name
        self.problem = problem


class EnvironmentFailedError(InvalidError):
    """The project's Python environment cannot be built from its requirements."""

    code = "environment.failed"

    def __init__(self, what: str, output: str) -> None:
        super().__init__(f"{what}\n{output}" if output else what)
        self.what = what
        self.output = output


class EnvironmentTimeoutError(UnavailableError):
    """Building the project's Python environment took too long."""

    code = "environment.timeout"

    def __init__(self, timeout_s: float) -> None:
        super().__init__(
            f"the environment was not ready after {timeout_s:.0f} s; the package index may be slow, or"
            " a package may be compiling; raise HOOKLINE_RUNNER_ENVIRONMENT_TIMEOUT_S to allow more time"
        )
        self.timeout_s = timeout_s


class PreparationFailedError(InternalError):
    """Analysing or compiling a build failed."""

    code = "build.preparation_failed"

    def __init__(self, output: str) -> None:
        super().__init__(f"the build could not be analysed:\n{output}")
        self.output = output


class ServiceUnreachableError(UnavailableError):
    """Nobody listens on the service's socket."""

    code = "runner.service_unreachable"

    def __init__(self, path: str) -> None:
        super().__init__(f"no Hookline service listens on {path}; is `hookline up` running?")
        self.path = path


class LinkRefusedError(UnauthenticatedError):
    """The service closed the link instead of welcoming this host."""

    code = "runner.refused"

    def __init__(self) -> None:
        super().__init__(
            "the service did not welcome this runner host: it ended, or the token is wrong"
        )


class BuildNotSentError(UnavailableError):
    """The service did not send a build that this host asked for."""

    code = "build.not_sent"

    def __init__(self, build_id: str) -> None:
        super().__init__(
            f"build {build_id} is not on this runner host, and the service did not send it"
        )
        self.build_id = build_id


class StartUnreadableError(InternalError):
    """The service sent a request that this host cannot parse."""

    code = "runner.start_unreadable"

    def __init__(self, problem: str) -> None:
        super().__init__(f"the runner host cannot read what the service sent: {problem}")
        self.problem = problem


class SandboxRequiredError(UnavailableError):
    """A sandbox is required, but none works here."""

    code = "runner.no_sandbox"

    def __init__(self, why: str, setting: str = "HOOKLINE_RUNNER_SANDBOX=require") -> None:
        super().__init__(
            f"a sandbox is required ({setting}), but there is {why}; install bubblewrap"
            " and allow user namespaces, or change the setting"
        )
        self.why = why


class NetworkSettingError(InvalidError):
    """The setting has neither of its two possible values."""

    code = "runner.network_setting"

    def __init__(self, value: str) -> None:
        super().__init__(f"HOOKLINE_RUNNER_NETWORK is {value!r:.80}; it can be host or none")
        self.value = value
