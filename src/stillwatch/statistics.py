"""The few statistical tools that several packages share. Each names its source and what it assumes."""

import numpy as np
import numpy.typing as npt
from scipy import special

Floats = npt.NDArray[np.float64]

MAX_BITS = 30.0
"""No single piece of evidence counts for more: beyond it the model is likelier wrong than the chance so small."""

MIN_P = 1e-300
"""Tail probabilities are never given as 0: that is only where a float ends."""


def conformal_p_values(calibration: Floats, scores: Floats) -> Floats:
    """Return p-values of `scores` (high = unusual) against the scores of calibration accounts.

    p = (1 + #{calibration >= score}) / (n + 1), marginally valid if an innocent account is exchangeable with the
    calibration accounts (Bates et al. 2023, arXiv 2104.08279). NaN scores give NaN; NaN in the calibration is left out.
    """
    known = np.sort(calibration[~np.isnan(calibration)])
    at_least = known.size - np.searchsorted(known, scores, side="left")
    return np.where(np.isnan(scores), np.nan, (1 + at_least) / (known.size + 1))


def evidence_bits(p_value: float) -> float:
    """Return log2 of the largest Bayes factor that a p-value can stand for: 1 / (-e p ln p), 0 for p >= 1/e.

    Sellke, Bayarri & Berger 2001. Bounded by MAX_BITS. NaN gives 0: what is not assessable is no evidence.
    """
    if np.isnan(p_value) or p_value >= np.exp(-1):
        return 0.0
    p_value = max(p_value, MIN_P)
    return float(min(MAX_BITS, -np.log2(-np.e * p_value * np.log(p_value))))


def clopper_pearson(successes: int, trials: int, level: float = 0.95) -> tuple[float, float]:
    """Return the exact confidence limits of a proportion (Clopper & Pearson 1934)."""
    if trials == 0:
        return 0.0, 1.0
    failures, beyond = trials - successes, (1 - level) / 2
    low = special.betaincinv(successes, failures + 1, beyond) if successes else 0.0
    high = special.betaincinv(successes + 1, failures, 1 - beyond) if failures else 1.0
    return float(low), float(high)


def binomial_tail(at_least: int, trials: int, rate: float) -> float:
    """Return P(X >= at_least) for X binomial, at least MIN_P."""
    if not 0 < at_least <= trials:
        return 1.0 if at_least <= 0 else MIN_P
    return max(MIN_P, float(special.betainc(at_least, trials - at_least + 1, rate)))


def overdispersed_tail(at_least: int, mean: float, dispersion: float) -> float:
    """Return P(X >= at_least) for X negative binomial, whose variance is `dispersion` (over 1) times its mean.

    At least MIN_P.
    """
    if at_least <= 0:
        return 1.0
    return max(MIN_P, float(special.betainc(at_least, mean / (dispersion - 1), 1 - 1 / dispersion)))


def uniform_p_value(values: Floats) -> float:
    """Return the p-value of the Kolmogorov-Smirnov test that values within 0..1 are uniform.

    Twice the exact one-sided tail (Smirnov 1944): right to the second order where it is small, too large elsewhere.
    """
    ordered, count = np.sort(values), values.size
    steps = np.arange(count + 1) / count
    distance = max((steps[1:] - ordered).max(), (ordered - steps[:-1]).max())
    return float(min(1.0, 2 * special.smirnov(count, distance)))


def effective_number(counts: npt.NDArray[np.integer]) -> float:
    """Return how many equal shares are as concentrated as these counts (0 if none): exp of their Shannon entropy.

    The Hill number of order 1 (Jost 2006). That of order 2, the inverse Herfindahl index, sees little but the busiest,
    and a crew's accounts take turns at being that.
    """
    shares = counts[counts > 0] / max(1, counts.sum())
    return float(np.exp(special.entr(shares).sum())) if shares.size else 0.0
