"""What a runner host can tell of a project before its deploy; its code is judged also when its environment fails."""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from hookline.errors import HooklineError, UnavailableError
from hookline_service.engine.protocol import Prepared, Preparer, PrepareRequest
from hookline_service.manifest.check import CheckContext
from hookline_service.manifest.encoding import canonical_json
from hookline_service.manifest.files import digest
from hookline_service.manifest.values import DEFAULT_REQUIREMENTS, Position
from hookline_service.model.errors import Finding, RunnerUnavailableError
from hookline_service.model.ids import BuildId, build_id_of
from hookline_service.use_cases.deploy_source import Source

Progress = Callable[[str], Awaitable[None]]

_HOST_FAULT = "runner."
_ENVIRONMENT_FAULT = "environment."
_DEFAULTS_HINT = (
    "packages for the imports are added; one that requirements.txt names takes the place of ours"
)


class PreparationLostError(UnavailableError):
    """The runner host could not finish the build, for a reason outside the project."""

    code = "build.interrupted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Preparation:
    """What is known from runner hosts.

    Attributes:
        ready: The build with its environment, ready to run; None when there is none, for whatever reason.
        code: What the project's code was found to be; without its environment when that cannot be had.
        failure: Why the environment cannot be had, when it was tried and the project is at fault.
        unavailable: Why nobody could be asked, when that is not the project's fault.
    """

    ready: Prepared | None = None
    code: Prepared | None = None
    failure: Finding | None = None
    unavailable: HooklineError | None = None

    def surroundings(self, variables: frozenset[tuple[str, str]]) -> CheckContext:
        """What the project is to be checked against; `variables` are those with a stored value."""
        return CheckContext(
            modules=self.code.modules if self.code is not None else None,
            provided=self.ready.provided if self.ready is not None else None,
            stdlib=self.code.stdlib if self.code is not None else (),
            variables=variables,
        )


IsHopeless = Callable[[Preparation], Awaitable[bool]]
"""Whether something is known to be wrong with the project, by what was found so far."""


async def prepare_source(
    preparer: Preparer,
    source: Source,
    is_hopeless: IsHopeless,
    on_progress: Progress,
    *,
    is_new: bool,
) -> Preparation:
    """Everything a runner host can say of the project; never raises for what is wrong with it.

    Packages are installed only for a project in which nothing is known to be wrong, for that takes its time. `is_new` says
    that they may not be there yet; then the code is read before.
    """
    if source.has_bad_requirements or (source.requirements and await is_hopeless(Preparation())):
        await on_progress("reading the code; with these errors, nothing is installed")
        return await _prepare_code(preparer, source, None, on_progress)
    bare = Preparation()
    if source.requirements and is_new:
        await on_progress("reading the code")
        bare = await _prepare_code(preparer, source, None, on_progress)
        if bare.code is None or bare.failure is not None or await is_hopeless(bare):
            return bare
    return await _prepare_whole(preparer, source, bare, on_progress)


async def _prepare_whole(
    preparer: Preparer, source: Source, bare: Preparation, on_progress: Progress
) -> Preparation:
    """The project with its environment; where that cannot be had, its code alone, if that is not read already."""
    if source.default_packages:
        await on_progress(f"for its imports: {', '.join(source.default_packages)}")
    whole = await _ask(preparer, _request(source), on_progress)
    if isinstance(whole, HooklineError):
        return Preparation(unavailable=whole)
    if not whole.error_code:
        return Preparation(ready=whole, code=whole)
    failure = _environment_failure(source, whole, of_packages=bool(source.requirements))
    if bare.code is not None or not failure.code.startswith(_ENVIRONMENT_FAULT):
        return dataclasses.replace(bare, failure=failure)
    await on_progress("reading the code without its environment")
    return await _prepare_code(preparer, source, failure, on_progress)


async def _prepare_code(
    preparer: Preparer, source: Source, failure: Finding | None, on_progress: Progress
) -> Preparation:
    """The code alone: with the Python it asks for, else with the one that is there."""
    wanted = source.manifest.python
    for python in dict.fromkeys((wanted, "")):
        if failure is not None and (python, "") == (wanted, source.requirements):
            continue  # that is what failed
        code = await _ask(preparer, _code_request(source, python), on_progress)
        if isinstance(code, HooklineError):
            return Preparation(failure=failure, unavailable=code)
        if not code.error_code:
            return Preparation(failure=failure, code=code)
        if python or failure is None:  # then it is not the packages but this Python
            failure = _environment_failure(source, code)
    return Preparation(failure=failure)


async def _ask(
    preparer: Preparer, request: PrepareRequest, on_progress: Progress
) -> Prepared | HooklineError:
    """The answer, or the error that there is none."""
    try:
        prepared = await preparer.prepare(request, on_progress)
    except RunnerUnavailableError as exc:
        return exc
    if prepared.error_code.startswith(_HOST_FAULT):
        return PreparationLostError(prepared.error_message)
    return prepared


def _request(source: Source) -> PrepareRequest:
    return PrepareRequest(
        project=source.manifest.project,
        build_id=source.build_id,
        python=source.manifest.python,
        requirements=source.requirements,
        process=source.manifest.process,
        archive=source.archive,
    )


def _code_request(source: Source, python: str) -> PrepareRequest:
    """The same files as a build of their own, which asks for no packages."""
    return dataclasses.replace(
        _request(source), build_id=_code_build_id(source, python), python=python, requirements=""
    )


def _code_build_id(source: Source, python: str) -> BuildId:
    bare = dataclasses.replace(source.manifest, python=python, requirements=())
    return build_id_of(digest(canonical_json(bare), source.files, python, ""))


def _environment_failure(
    source: Source, prepared: Prepared, *, of_packages: bool = False
) -> Finding:
    manifest = source.manifest
    written = manifest.requirements
    place = Position() if of_packages else manifest.position("project.python")
    is_file = written is not None or DEFAULT_REQUIREMENTS in source.files
    in_file = of_packages and is_file and not isinstance(written, tuple)
    return Finding(
        level="error",
        code=prepared.error_code,
        file=(written if isinstance(written, str) else DEFAULT_REQUIREMENTS)
        if in_file
        else manifest.file,
        line=place.line,
        column=place.column,
        message=prepared.error_message,
        hint=_DEFAULTS_HINT if of_packages and source.default_packages else "",
    )
