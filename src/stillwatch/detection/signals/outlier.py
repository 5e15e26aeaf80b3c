"""Accounts whose amount, pace and shape of use lie far from everybody else's: the single-account case.

Many honest customers are outliers, so this only ever asks for a second look.
"""

import numpy as np

from stillwatch.detection.population import Floats, Population

_LOGS = ("exchanges", "busiest_hour", "active_hours", "ips", "sessions")
_RATIOS = ("output_per_exchange", "hour_entropy", "gap_cv", "single_turn_share")
_CLIP = 8.0


class Outlier:
    """Sum of squared robust z-scores (median and MAD of the reference), each clipped at 8."""

    name = "account_outlier"
    wording = "amount, pace and shape of use lie far from other accounts"

    def scores(self, population: Population, reference: Population) -> tuple[Floats, Floats]:
        """Return the distance of each account; features that are not assessable count as ordinary."""
        here, there = _features(population), _features(reference)
        scales = {name: _scale(there[name]) for name in sorted(here.keys() & there.keys())}
        return _distance(here, scales, len(population)), _distance(there, scales, len(reference))


def _features(population: Population) -> dict[str, Floats]:
    logs = {name: np.log1p(population.ints(name).astype(np.float64)) for name in _LOGS}
    return logs | {name: population.ratios[name] for name in _RATIOS if name in population.ratios}


def _scale(reference: Floats) -> tuple[float, float]:
    """Return median and robust spread of a feature; the spread never vanishes."""
    known = reference[~np.isnan(reference)]
    if known.size == 0:
        return 0.0, np.inf
    centre = float(np.median(known))
    return centre, max(1.4826 * float(np.median(np.abs(known - centre))), 0.05 * abs(centre), 1e-6)


def _distance(features: dict[str, Floats], scales: dict[str, tuple[float, float]], accounts: int) -> Floats:
    total = np.zeros(accounts)
    for name, (centre, spread) in scales.items():
        z = np.clip(np.nan_to_num((features[name] - centre) / spread), -_CLIP, _CLIP)
        total += z * z
    return total
