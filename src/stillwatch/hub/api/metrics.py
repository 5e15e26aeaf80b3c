"""What the token service did since the start, for the hub's operator, as Prometheus reads it."""

from stillwatch.hub.api.tokens import Meter
from stillwatch.hub.http import Answer, Call, HubError
from stillwatch.hub.operations import Operation

_TEXT = "text/plain; version=0.0.4; charset=utf-8"
_HELP = {
    "tokens_evaluated": "Tokens evaluated.",
    "tokens_refused": "Tokens refused because a quota was used up.",
    "token_alarms": "Members whose asking looked like guessing, once an hour each at most.",
}


class Metrics:
    """Handler for metrics: totals, without a member."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter

    def operations(self) -> list[Operation]:
        """Return the operations."""
        return [Operation("/v1/metrics", "get", "Totals since the start, for stewards.", self.show)]

    def show(self, call: Call) -> Answer:
        """Answer the totals."""
        if call.member.role != "steward":
            raise HubError(403, "metrics are for stewards")
        lines = [
            f"# HELP stillwatch_hub_{name}_total {said}\n# TYPE stillwatch_hub_{name}_total counter\n"
            f"stillwatch_hub_{name}_total {self._meter.counts[name]}\n"
            for name, said in _HELP.items()
        ]
        return Answer("".join(lines).encode(), 200, _TEXT)
