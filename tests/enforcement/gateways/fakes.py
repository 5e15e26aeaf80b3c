"""A decision service without a network, and time that goes on when it is told to."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

import msgspec
from aiohttp import web

from stillwatch.enforcement.gateways.client import Client
from stillwatch.enforcement.gateways.transport import Answer
from stillwatch.enforcement.model import Challenge, DecideRequest, Decision, Degrade

DEGRADE = Degrade(max_tokens=1024, n=1, strip=("logprobs", "reasoning"))


def decision(action: Any = "allow", **more: Any) -> Decision:
    """Return a decision as the service would make it for an account whose verdict is `action`."""
    fields: dict[str, Any] = {
        "decision_id": "01a22036-6ec6-769a-9503-01991f8ae980",
        "reason_code": "ordinary" if action == "allow" else "campaign_member",
        "policy_id": "p",
        "policy_version": "1",
        "mode": "enforce",
        "ttl_s": 0 if action == "allow" else 600,
        "retry_after_s": 30 if action == "throttle" else None,
        "degrade": DEGRADE if action == "degrade" else None,
        "challenge": Challenge() if action == "challenge" else None,
    }
    return Decision(action=action, **{**fields, **more})


class Clock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


class Service:
    """Decides what each account is named, or as `answers` says; keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[DecideRequest] = []
        self.headers: list[Mapping[str, str]] = []
        self.answers: dict[str | None, Decision] = {}
        self.fault: Exception | Answer | None = None
        self.hangs = False
        self.closed = False

    async def post(self, body: bytes, headers: Mapping[str, str]) -> Answer:
        self.asked.append(msgspec.json.decode(body, type=DecideRequest))
        self.headers.append(headers)
        if self.hangs:
            await asyncio.Event().wait()
        if isinstance(self.fault, Exception):
            raise self.fault
        if self.fault is not None:
            return self.fault
        account = self.asked[-1].account_id
        action = account if account in {"throttle", "challenge", "degrade", "block", "watch"} else "allow"
        return Answer(200, msgspec.json.encode(self.answers.get(account) or decision(action)))

    async def close(self) -> None:
        self.closed = True


def client(service: Service, clock: Clock | None = None, deadline_s: float = 5.0) -> Client:
    return Client(transport=service, clock=clock or Clock(), deadline_s=deadline_s, adapter="asgi")


@contextlib.asynccontextmanager
async def answering(handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> AsyncIterator[int]:
    """Yield the port of an HTTP server that answers every request as `handler` does."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app, auto_decompress=False, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()
