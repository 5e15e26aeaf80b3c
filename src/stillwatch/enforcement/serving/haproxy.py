"""The agent that HAProxy asks (SPOE): one frame per request, variables back that its rules act on."""

import asyncio
import struct
import time
from typing import cast

from stillwatch.enforcement.ask import ask
from stillwatch.enforcement.model import ORDINARY, DecideRequest, Decision
from stillwatch.enforcement.refusals import refusal
from stillwatch.enforcement.serving import spop
from stillwatch.enforcement.serving.dialects import told
from stillwatch.enforcement.serving.front import Front

_HEADERS = {
    "account": "x-sw-account-id",
    "org": "x-sw-org-id",
    "authorization": "authorization",
    "api_key": "x-api-key",
    "user_agent": "user-agent",
    "src": "x-real-ip",
    "session": "x-sw-session-id",
    "handle": "x-sw-reasoning-handle",
    "model": "x-sw-model",
}
"""Header that each argument of the message stands for."""
TRANSPORT = "haproxy-spoe"
_ORDINARY = spop.set_variables({"action": "allow"})
"""The answer to nearly every request: HAProxy needs no more of it."""


class Agent(asyncio.Protocol):
    """One connection of HAProxy. A frame that is none ends the connection, told why, and nothing else."""

    def __init__(self, front: Front) -> None:
        self._front = front
        self._held = bytearray()
        self._pending: set[asyncio.Task[None]] = set()
        self._transport: asyncio.Transport | None = None
        self._greeted = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the connection."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's own class, which is none of asyncio's

    def data_received(self, data: bytes) -> None:
        """Answer every whole frame; the answers of one read go out together, but for those that must wait."""
        self._held += data
        answers: list[bytes] = []
        try:
            while (frame := self._next()) is not None and self._transport is not None:
                answers.append(self._answer(frame))
        except spop.FrameError as error:
            self._front.service.counts["http_errors", "spop"] += 1
            answers.append(_goodbye(error.status, str(error)))
            self._end(b"".join(answers))
            return
        if self._transport is not None and answers:
            self._transport.write(b"".join(answers))

    def _next(self) -> spop.Frame | None:
        if len(self._held) < 4:
            return None
        (size,) = struct.unpack_from(">I", self._held)
        if size > spop.MOST_BYTES:
            raise spop.FrameError(f"a frame of {size} bytes is longer than {spop.MOST_BYTES}", status=3)
        if len(self._held) < 4 + size:
            return None
        data = bytes(self._held[4 : 4 + size])
        del self._held[: 4 + size]
        return spop.read_frame(data)

    def _answer(self, frame: spop.Frame) -> bytes:
        if frame.kind == spop.HAPROXY_HELLO:
            return self._greet(spop.Reader(frame.payload).pairs())
        if frame.kind == spop.HAPROXY_DISCONNECT:
            self._end(_goodbye(0, "goodbye"))
            return b""
        if frame.kind != spop.NOTIFY or not self._greeted:
            raise spop.FrameError(f"a frame of kind {frame.kind} is not expected here")
        if not frame.flags & spop.FINISHED:
            raise spop.FrameError("fragments were not agreed upon", status=9)
        return self._notified(frame)

    def _notified(self, frame: spop.Frame) -> bytes:
        """Return the answer to what HAProxy asks; nothing where it follows later, which pipelining allows."""
        asked, arguments = time.monotonic(), spop.arguments(frame.payload)
        path = _text(arguments.get("path")) or ""
        request = _request(arguments, path)
        decision = self._front.at_once(request, TRANSPORT)
        if decision is not None and decision.reason_code == ORDINARY:
            return spop.write_frame(spop.Frame(spop.ACK, spop.FINISHED, frame.stream, frame.number, _ORDINARY))
        if decision is not None and not decision.refuses:
            return self._ack(frame, decision, path)
        task = asyncio.get_running_loop().create_task(self._later(frame, path, request, decision, asked))
        self._pending.add(task)
        task.add_done_callback(self._pending.discard)
        return b""

    async def _later(
        self, frame: spop.Frame, path: str, request: DecideRequest, decision: Decision | None, asked: float
    ) -> None:
        if decision is None:
            decision = await self._front.decide(request, TRANSPORT)
        else:
            await asyncio.sleep(self._front.held_s(asked))
        if self._transport is not None:
            self._transport.write(self._ack(frame, decision, path))

    def _ack(self, frame: spop.Frame, decision: Decision, path: str) -> bytes:
        variables = variables_of(decision, path, self._front.service.now())
        return spop.write_frame(frame._replace(kind=spop.ACK, payload=spop.set_variables(variables)))

    def _greet(self, asked: dict[str, spop.Value]) -> bytes:
        versions = [version.strip() for version in (_text(asked.get("supported-versions")) or "").split(",")]
        if spop.VERSION not in versions:
            raise spop.FrameError(f"no common version in {versions}", status=8)
        size = asked.get("max-frame-size")
        most = min(size, spop.MOST_BYTES) if isinstance(size, int) and size > 0 else spop.MOST_BYTES
        agreed: dict[str, str | int] = {"version": spop.VERSION, "max-frame-size": most, "capabilities": "pipelining"}
        self._greeted = True
        hello = spop.write_frame(spop.Frame(spop.AGENT_HELLO, spop.FINISHED, 0, 0, spop.write_pairs(agreed)))
        if asked.get("healthcheck") is True:
            self._end(hello)
            return b""
        return hello

    def _end(self, last: bytes) -> None:
        if self._transport is not None:
            self._transport.write(last)
            self._transport.close()
            self._transport = None


def variables_of(decision: Decision, path: str, now_s: float) -> dict[str, str | int]:
    """Return the variables that HAProxy's rules act on; `status` is there where the client must be refused.

    `until` (Unix seconds) is how long the refusal may be stood in for when the agent is lost.
    """
    variables: dict[str, str | int] = {
        name[len("x-sw-") :].replace("-", "_"): value for name, value in told(decision).items()
    }
    if decision.refuses:
        shown = refusal(decision, path)
        variables |= {"status": shown.status, "body": shown.body.decode(), "until": int(now_s) + decision.ttl_s}
    return variables


def _request(arguments: dict[str, spop.Value], path: str) -> DecideRequest:
    headers = {}
    for name, value in arguments.items():
        header, told_value = _HEADERS.get(name), _text(value)
        if header is not None and told_value:
            headers[header] = told_value
    body = arguments.get("body")
    return ask(headers, path, body if isinstance(body, bytes) else (_text(body) or "").encode())


def _text(value: spop.Value) -> str | None:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value if isinstance(value, str) else None


def _goodbye(status: int, message: str) -> bytes:
    payload = spop.write_pairs({"status-code": status, "message": message})
    return spop.write_frame(spop.Frame(spop.AGENT_DISCONNECT, spop.FINISHED, 0, 0, payload))
