"""The workloads as a Restate service; served by hypercorn in the peers' environment."""

from __future__ import annotations

import time

import restate

bench = restate.Service("Bench")


def mark() -> int:
    """One step: says when it ran."""
    return time.perf_counter_ns()


@bench.handler()
async def steps(ctx: restate.Context, count: int) -> list[int]:
    """Run this many durable steps in a row; when each ran, in nanoseconds."""
    return [await ctx.run_typed("mark", mark) for _ in range(count)]


app = restate.app([bench])
