"""Asks the decision service from inside a gateway: within a deadline, and never at its host's expense.

Where no decision can be had, accounts that were refused before are refused still, and everybody else passes. Each
missing decision is counted, logged now and then, and told to the service with the next call that gets through.
"""

import asyncio
import logging
import time
from collections.abc import Callable

import msgspec

from stillwatch.enforcement.gateways.breaker import Breaker
from stillwatch.enforcement.gateways.memory import Memory, Who
from stillwatch.enforcement.gateways.transport import Answer, HttpTransport, Transport
from stillwatch.enforcement.model import DecideRequest, Decision

SERVICE = "http://127.0.0.1:8377"
DEADLINE_S = 0.02
_MOST_TEXT = 2**18
"""Characters of a text that are told. Were all of them, the longest prompts would never be decided on in time."""
_MOST_TOLD = 1_000_000
_WARN_EVERY_S = 60.0

_log = logging.getLogger(__name__)
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Decision).decode


class _NoDecisionError(Exception):
    """The service answered with another status than 200."""

    def __init__(self, status: int) -> None:
        super().__init__(f"status {status}")
        self.status = status


class Client:
    """Asks one service; for one event loop at a time."""

    def __init__(
        self,
        service: str = SERVICE,
        *,
        adapter: str = "other",
        deadline_s: float = DEADLINE_S,
        clock: Callable[[], float] = time.monotonic,
        transport: Transport | None = None,
    ) -> None:
        """Nothing is connected yet.

        Args:
            service: URL of the decision service.
            adapter: which gateway asks, for the service's count of decisions that were missed.
            deadline_s: the longest that a request waits for a decision.
            clock: returns seconds that never go back.
            transport: what posts instead of HTTP.

        Raises:
            UsageError: `service` is no URL.
        """
        self._transport = HttpTransport(service) if transport is None else transport
        self._adapter, self._deadline_s, self._clock = adapter, deadline_s, clock
        self._breaker, self._memory = Breaker(clock), Memory(clock)
        self.missed = 0
        self._untold = 0
        self._warned_s, self._unwarned = clock() - _WARN_EVERY_S, 0

    async def decide(self, request: DecideRequest) -> Decision | None:
        """Return what was decided, or the earlier refusal that stands in for it; None: the request passes.

        Raises nothing, whatever the service does.
        """
        who = _who(request)
        if not self._breaker.lets_through():
            self.miss("the service is let be for a while")
            return self._recall(who)
        try:
            decision = await self._ask(request)
        except Exception as error:  # noqa: BLE001 - whatever it is, the host goes on
            self.miss(str(error) if isinstance(error, _NoDecisionError) else type(error).__name__)
            return self._recall(who)
        if who is not None:
            self._memory.keep(who, decision)
        return decision

    def miss(self, why: str) -> None:
        """Count a decision that could not be had; `why` must name nobody."""
        self.missed += 1
        self._untold += 1
        self._unwarned += 1
        now_s = self._clock()
        if now_s - self._warned_s >= _WARN_EVERY_S:
            _log.warning("no decision for %d requests, for the last because of: %s", self._unwarned, why)
            self._warned_s, self._unwarned = now_s, 0

    async def close(self) -> None:
        """Close the connections to the service."""
        await self._transport.close()

    def _recall(self, who: Who | None) -> Decision | None:
        return None if who is None else self._memory.recall(who)

    async def _ask(self, request: DecideRequest) -> Decision:
        told = min(self._untold, _MOST_TOLD)
        self._untold -= told  # no call at the same time may tell them too
        try:
            return await self._call(request, told)
        except BaseException:
            self._untold += told
            raise

    async def _call(self, request: DecideRequest, told: int) -> Decision:
        headers = {"content-type": "application/json", "x-sw-adapter": self._adapter}
        if told:
            headers["x-sw-missed"] = str(told)
        body = _encode(_bounded(request))
        try:
            async with asyncio.timeout(self._deadline_s):
                answer = await self._transport.post(body, headers)
            decision = _decision(answer)
        except Exception as error:
            if _is_loss(error):
                self._breaker.failed()
            raise
        self._breaker.succeeded()
        return decision


def _decision(answer: Answer) -> Decision:
    if answer.status != 200:
        raise _NoDecisionError(answer.status)
    return _decode(answer.body)


def _is_loss(error: Exception) -> bool:
    """Whether an error speaks against the service; 4xx speaks against the one request, which a client wrote."""
    return not (isinstance(error, _NoDecisionError) and 400 <= error.status < 500)


def _who(request: DecideRequest) -> Who | None:
    if request.account_id is not None:
        return "account", request.account_id
    return None if request.key_id is None else ("key", request.key_id)


def _bounded(request: DecideRequest) -> DecideRequest:
    prompt, system = request.prompt, request.system
    if len(prompt or "") <= _MOST_TEXT and len(system or "") <= _MOST_TEXT:
        return request
    return msgspec.structs.replace(
        request, prompt=prompt and prompt[:_MOST_TEXT], system=system and system[:_MOST_TEXT]
    )
