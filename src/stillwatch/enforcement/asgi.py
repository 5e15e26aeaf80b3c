"""What applications without a framework need: ASGI's types, a whole body, an answer."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from stillwatch.enforcement.refusals import Refusal

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

MOST_BYTES = 16 * 2**20
"""The longest body that is read."""


class BadRequestError(Exception):
    """A request that cannot be answered, with what it is told."""

    def __init__(self, status: int, message: str, hint: str) -> None:
        super().__init__(message)
        self.status, self.message, self.hint = status, message, hint


async def read_body(receive: Receive) -> bytes:
    """Return the whole body.

    Raises:
        BadRequestError: it is longer than 16 MiB (413), or the client went away (400).
    """
    chunks, size, more = [], 0, True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            raise BadRequestError(400, "the client went away", "send the whole body")
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > MOST_BYTES:
            raise BadRequestError(413, f"the body is longer than {MOST_BYTES:,} bytes", "send less at once")
        chunks.append(chunk)
        more = message.get("more_body", False)
    return b"".join(chunks)


async def reply(send: Send, answer: Refusal) -> None:
    """Send an answer."""
    headers = [(name.encode(), value.encode("latin-1", "replace")) for name, value in answer.headers.items()]
    headers.append((b"content-length", str(len(answer.body)).encode()))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})
