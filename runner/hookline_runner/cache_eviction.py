"""Forgets builds and environments that nobody has used for long and that the service does not need; see `Builds`, `Environments`.

Both are caches: the service has the files of every build, and an environment is built again when it is asked for.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence

import anyio
import anyio.to_thread

from hookline_runner.builds import Builds
from hookline_runner.environments import Environments, environment_id
from hookline_runner.idle_directories import remove_half_done
from hookline_runner.preparation import ReadyBuild

logger = logging.getLogger(__name__)

_FIRST_AFTER_S = 600.0
_EVERY_S = 6 * 3600.0
_DAY_S = 86_400.0
_ASKED_AT_ONCE = 1_000

Ask = Callable[[Sequence[str]], Awaitable[Collection[str]]]


class CacheEviction:
    """Looks now and then for what has been idle for `days`; 0 keeps everything.

    `ask` says which of some builds nothing needs, as far as the service knows, and `in_use` gives those that are warm.
    """

    def __init__(
        self,
        builds: Builds,
        environments: Environments,
        *,
        days: float,
        now: Callable[[], float],
        ask: Ask,
        in_use: Callable[[], Iterable[ReadyBuild]],
    ) -> None:
        self._builds = builds
        self._environments = environments
        self._days = days
        self._now = now
        self._ask = ask
        self._in_use = in_use

    async def run(self) -> None:
        """Tidy until cancelled."""
        await anyio.sleep(_FIRST_AFTER_S)
        while self._days > 0:
            try:
                await self.tidy()
            except Exception:  # whatever foreign code left on disk must not end the host
                logger.exception("not tidied; trying again later")
            await anyio.sleep(_EVERY_S)

    async def tidy(self) -> None:
        """Remove what is idle now."""
        before_s = self._now() - self._days * _DAY_S
        for ready in self._in_use():
            ready.mark_used()
        for directory in (self._builds.directory, self._environments.directory):
            await anyio.to_thread.run_sync(remove_half_done, directory, self._now() - _DAY_S)
        idle = await anyio.to_thread.run_sync(self._builds.list_idle, before_s)
        asked = idle[:_ASKED_AT_ONCE]
        unneeded = set(asked) & set(await self._ask(asked)) if asked else set[str]()
        gone = await anyio.to_thread.run_sync(self._remove, unneeded, before_s)
        if gone:
            logger.info("idle builds and environments removed", extra={"removed": gone})

    def _remove(self, unneeded: set[str], before_s: float) -> list[str]:
        gone = [each for each in sorted(unneeded) if self._builds.remove_idle(each, before_s)]
        specs = self._builds.list_specs()
        named = {environment_id(spec.python, spec.requirements) for spec in specs}
        idle = [each for each in self._environments.list_idle(before_s) if each not in named]
        return gone + [each for each in idle if self._environments.remove_idle(each, before_s)]
