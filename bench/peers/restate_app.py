"""The workloads as a Restate service; served by hypercorn in the peers' environment."""

from __future__ import annotations

import socket
import time
from datetime import timedelta

import restate

bench = restate.Service("Bench")


def mark() -> int:
    """One step: says when it ran."""
    return time.perf_counter_ns()


@bench.handler()
async def steps(ctx: restate.Context, count: int) -> list[int]:
    """Run this many durable steps in a row; when each ran, in nanoseconds."""
    return [await ctx.run_typed("mark", mark) for _ in range(count)]


@bench.handler()
async def answer(ctx: restate.Context, event: dict) -> dict:
    """Answer with one field of the request."""
    del ctx
    return {"number": event["order"]["number"]}


@bench.handler()
async def listen(ctx: restate.Context, order: dict) -> None:
    """Wait for some awakeables in turn; see `_listen`."""
    await _listen(ctx, order)


@bench.handler(inactivity_timeout=timedelta(milliseconds=50))
async def listen_evicted(ctx: restate.Context, order: dict) -> None:
    """The same, suspended soon after it began to wait."""
    await _listen(ctx, order)


async def _listen(ctx: restate.Context, order: dict) -> None:
    """Tell the name of each awakeable by datagram, and when the code behind it goes on."""
    for _ in range(order["n"]):
        name, resolved = ctx.awakeable(type_hint=int)
        await ctx.run_typed("offer", _tell, port=order["port"], text=name)
        await resolved
        await ctx.run_typed("mark", _tell, port=order["port"], text="")


def _tell(port: int, text: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as messenger:
        messenger.sendto((text or str(time.time_ns())).encode(), ("127.0.0.1", port))


app = restate.app([bench])
