"""The one way in which transports ask for a decision: first what must be fetched for it, then the decision itself.

Refusals leave at one moment after they were asked for, whatever led to them: how long a refusal took tells a client
nothing about the evidence. The wait is well below the deadline of every gateway.
"""

import asyncio
import time

from stillwatch.enforcement.model import DecideRequest, Decision
from stillwatch.enforcement.replicas.leases import Leases
from stillwatch.enforcement.service import Service

REFUSED_AFTER_S = 0.004
"""Moment at which a refusal leaves."""
_ROUNDS = 3


class Front:
    """Asks the service, for one event loop."""

    def __init__(
        self, service: Service, refused_after_s: float = REFUSED_AFTER_S, leases: Leases | None = None
    ) -> None:
        """`leases`: the service shares its limits with replicas."""
        self.service = service
        self._refused_after_s, self._leases = refused_after_s, leases

    def at_once(self, request: DecideRequest, transport: str) -> Decision | None:
        """Return the decision if nothing must be fetched for it, else None; a refusal must still be held."""
        reading = self.service.read(request)
        if self._leases is not None and self._leases.needs(reading):
            return None
        return self.service.decide_on(request, reading, transport)

    async def decide(self, request: DecideRequest, transport: str) -> Decision:
        """Return the decision, a refusal not before its moment."""
        asked = time.monotonic()
        reading = self.service.read(request)
        if self._leases is not None:
            for _ in range(_ROUNDS):  # another request of the account may spend what was fetched for this one
                needs = self._leases.needs(reading)
                if not needs:
                    break
                await self._leases.fetch(needs)
        decision = self.service.decide_on(request, reading, transport)
        if decision.refuses:
            await asyncio.sleep(self.held_s(asked))
        return decision

    def held_s(self, asked: float) -> float:
        """Return the seconds for which a refusal asked for at `asked` (monotonic) must still be held."""
        return max(0.0, asked + self._refused_after_s - time.monotonic())
