"""A host of the ASGI middleware: an application that answers as the model of `peers.py` does."""

import asyncio
import json
from collections.abc import AsyncIterator

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from tests.deploy import answers
from tests.deploy.peers import PAUSE_S, as_event, numbered


async def answer(request: Request) -> Response:
    asked = json.loads(await request.body())
    path = request.url.path
    if "messages" not in asked and "input" not in asked:
        return StreamingResponse(slowly(numbered()), media_type="text/event-stream")
    if not asked.get("stream"):
        return JSONResponse(answers.whole(path, asked))
    return StreamingResponse(
        slowly([as_event(event) for event in answers.events(path)]), media_type="text/event-stream"
    )


async def slowly(parts: list[bytes]) -> AsyncIterator[bytes]:
    for part in parts:
        yield part
        await asyncio.sleep(PAUSE_S)


app = Starlette(routes=[Route("/{path:path}", answer, methods=["POST"])])
