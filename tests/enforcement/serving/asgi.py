"""Calls an ASGI application without a network."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any

from tests.processes import Reply

from stillwatch.enforcement.asgi import App


def call(
    app: App, method: str, target: str, body: bytes | object = b"", headers: Mapping[str, str] | None = None
) -> Reply:
    path, _, query = target.partition("?")
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "scheme": "http",
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in (headers or {}).items()],
    }
    half = len(data) // 2
    incoming = [
        {"type": "http.request", "body": data[:half], "more_body": True},
        {"type": "http.request", "body": data[half:], "more_body": False},
    ]
    sent: list[Any] = []

    async def receive() -> Any:
        return incoming.pop(0) if incoming else {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(_finish(app, scope, receive, send))
    answered = {name.decode(): value.decode("latin-1") for name, value in sent[0]["headers"]}
    return Reply(sent[0]["status"], answered, b"".join(part.get("body", b"") for part in sent[1:]))


async def _finish(app: App, scope: Any, receive: Any, send: Any) -> None:
    await app(scope, receive, send)
