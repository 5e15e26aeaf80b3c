"""Takes off the answer to a degraded request, on its way out of an ASGI application, what it was not to be given."""

from stillwatch.enforcement.asgi import MOST_BYTES, Message, Send, reply
from stillwatch.enforcement.degrade import Stream, bare_answer
from stillwatch.enforcement.model import Degrade
from stillwatch.enforcement.refusals import fault

_JSON, _EVENTS = b"application/json", b"text/event-stream"


class BareAnswer:
    """Stands in for `send`: JSON is held until it is whole, events go out as they come, all else is left alone.

    An answer that is compressed, or longer than 16 MiB, cannot be read on its way: the client gets a 502 in its place.
    """

    def __init__(self, send: Send, degrade: Degrade, path: str) -> None:
        self._send, self._degrade, self._path = send, degrade, path
        self._start: Message | None = None
        self._held = bytearray()
        self._stream: Stream | None = None
        self._ended = False

    async def __call__(self, message: Message) -> None:
        """Send on what may go out now."""
        if self._ended:
            return
        if message["type"] == "http.response.start":
            await self._begin(message)
        elif message["type"] == "http.response.body":
            await self._go_on(message)
        else:
            await self._send(message)

    async def _begin(self, start: Message) -> None:
        kind = _header(start, b"content-type").partition(b";")[0].strip().lower()
        if kind in {_JSON, _EVENTS} and _header(start, b"content-encoding").strip().lower() not in {b"", b"identity"}:
            await self._fail()
        elif kind == _JSON:
            self._start = start
        elif kind == _EVENTS:
            self._stream = Stream(self._degrade)
            await self._send({**start, "headers": _without(start, b"content-length")})
        else:
            await self._send(start)

    async def _go_on(self, message: Message) -> None:
        chunk, more = message.get("body", b""), message.get("more_body", False)
        if self._stream is not None:
            whole = self._stream.feed(chunk) + (b"" if more else self._stream.close())
            if whole or not more:
                await self._send({**message, "body": whole})
        elif self._start is None:
            await self._send(message)
        else:
            self._held += chunk
            if len(self._held) > MOST_BYTES:
                await self._fail()
            elif not more:
                await self._finish(self._start)

    async def _finish(self, start: Message) -> None:
        body, _ = bare_answer(bytes(self._held), self._degrade)
        length = (b"content-length", str(len(body)).encode())
        await self._send({**start, "headers": [*_without(start, b"content-length"), length]})
        await self._send({"type": "http.response.body", "body": body})

    async def _fail(self) -> None:
        self._ended = True
        await reply(self._send, fault(self._path, 502, "bad_answer", "The model's answer could not be passed on."))


def _header(start: Message, name: bytes) -> bytes:
    value: bytes = next((value for one, value in start.get("headers", ()) if one.lower() == name), b"")
    return value


def _without(start: Message, name: bytes) -> list[tuple[bytes, bytes]]:
    return [(one, value) for one, value in start.get("headers", ()) if one.lower() != name]
