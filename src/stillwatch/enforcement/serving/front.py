"""The one way in which transports ask for a decision: first what must be fetched for it, then the decision itself.

Refusals leave at one moment after they were asked for, whatever led to them: how long a refusal took tells a client
nothing about the evidence. The wait is well below the deadline of every gateway.
"""

import asyncio
import time

from stillwatch.enforcement.model import DecideRequest, Decision
from stillwatch.enforcement.service import Service

REFUSED_AFTER_S = 0.004
"""Moment at which a refusal leaves."""


class Front:
    """Asks the service, for one event loop."""

    def __init__(self, service: Service, refused_after_s: float = REFUSED_AFTER_S) -> None:
        self.service = service
        self._refused_after_s = refused_after_s

    def at_once(self, request: DecideRequest, transport: str) -> Decision | None:
        """Return the decision if nothing must be fetched for it, else None; a refusal must still be held."""
        return self.service.decide(request, transport)

    async def decide(self, request: DecideRequest, transport: str) -> Decision:
        """Return the decision, a refusal not before its moment."""
        asked = time.monotonic()
        decision = self.service.decide(request, transport)
        if decision.refuses:
            await asyncio.sleep(self.held_s(asked))
        return decision

    def held_s(self, asked: float) -> float:
        """Return the seconds for which a refusal asked for at `asked` (monotonic) must still be held."""
        return max(0.0, asked + self._refused_after_s - time.monotonic())
