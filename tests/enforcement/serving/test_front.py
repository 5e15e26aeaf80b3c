import asyncio
import time

from stillwatch.enforcement.model import DecideRequest
from stillwatch.enforcement.service import Service
from stillwatch.enforcement.serving.front import Front


def test_refusals_leave_at_one_moment_and_nothing_else_waits(service: Service) -> None:
    front = Front(service, 0.03)

    async def took_s(account: str) -> float:
        asked = time.monotonic()
        await front.decide(DecideRequest(account_id=account), "native")
        return time.monotonic() - asked

    for action in ("throttle", "challenge", "block"):
        assert asyncio.run(took_s(action)) >= 0.03
    passed = min(asyncio.run(took_s(action)) for action in ("allow", "watch", "degrade") for _ in range(5))
    assert passed < 0.03  # the best of fifteen: no sleep stands in its way
