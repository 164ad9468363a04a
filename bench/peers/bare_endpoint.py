"""The least a webhook endpoint does: parse JSON, answer 202; nothing is kept. Run as `python -m bench.peers.bare_endpoint PORT`."""

from __future__ import annotations

import json
import sys

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route


async def accept(request: Request) -> JSONResponse:
    """Parse the body and say so."""
    event = json.loads(await request.body())
    return JSONResponse({"fields": len(event)}, status_code=202)


async def ready(request: Request) -> Response:
    """Say that it listens."""
    del request
    return Response()


app = Starlette(routes=[Route("/hook", accept, methods=["POST"]), Route("/ready", ready)])

if __name__ == "__main__":
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=int(sys.argv[1]),
        loop="uvloop",
        http="httptools",
        access_log=False,
        log_level="warning",
    )
