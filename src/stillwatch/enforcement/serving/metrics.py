"""What the service counts, as Prometheus text."""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from stillwatch.enforcement.service import Service

_LABELS = {
    "decisions": ("transport", "action", "mode"),
    "decisions_missing": ("adapter",),
    "exchanges": ("outcome",),
    "verdict_files": ("outcome",),
    "received_files": ("outcome",),
    "http_errors": ("status",),
}
_HELP = {
    "decisions": "Decisions by transport, action and mode.",
    "decisions_missing": "Requests that went without a decision, as the adapters in gateways tell.",
    "exchanges": "Exchanges posted, by what became of them.",
    "verdict_files": "Verdict files found, by what became of them.",
    "received_files": "Files of received indicators found, by what became of them.",
    "http_errors": "Requests that were answered with an error, by status.",
}


class Metrics:
    """Reads the service's own counts when asked, so that a decision pays for no metric."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._registry = CollectorRegistry()
        self._registry.register(self)  # anything with collect()

    def text(self) -> bytes:
        """Return all metrics in the Prometheus text format."""
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        """Yield each metric."""
        for name, labels in _LABELS.items():
            family = CounterMetricFamily(f"stillwatch_{name}", _HELP[name], labels=labels)
            for key, count in self._service.counts.items():
                if key[0] == name:
                    family.add_metric(key[1:], count)
            yield family
        decider = self._service.decider
        for name, text, value in (
            ("verdicts", "Verdicts held.", len(decider.standings)),
            ("known_bands", "Bands of known campaigns held.", len(decider.texts)),
            ("received_bands", "Bands that other providers reported held.", len(decider.received)),
            ("received_not_heard", "Received indicators not heard in full.", len(decider.received.not_heard())),
            ("reasoning_handles", "Births of reasoning handles held.", len(decider.handles)),
            ("cohorts_in_shadow", "Cohorts whose false-positive budget is spent.", len(decider.shadowed_cohorts)),
        ):
            yield GaugeMetricFamily(f"stillwatch_{name}", text, value=value)
        peers = self._service.peers
        if peers is not None:
            yield GaugeMetricFamily("stillwatch_replicas", "Replicas last known to live.", value=peers.count)
            yield GaugeMetricFamily("stillwatch_store_lost", "1: limits are counted here alone.", value=int(peers.lost))
