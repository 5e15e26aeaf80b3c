"""Accounts that write what nobody wrote before: the window explains part of their prompts, history does not.

A new population or a new heavy customer is novel too, so novelty alone never does more than ask for a look.
"""

import numpy as np
import numpy.typing as npt

from stillwatch.detection.contrast import fit_contrast, mixture_scores, row_log_odds
from stillwatch.detection.population import Floats, Population

NOVEL_PART = 0.2
"""Assumed part of the window's prompts that history does not explain; the smaller, the more each one counts."""
_LEAST_RATIO = 1e-3


class Novelty:
    """Gain of a mixture of old and new over old alone, summed over the account's prompts."""

    name = "novel_mass"
    wording = "prompts are unlike anything in history"

    def scores(self, population: Population, reference: Population) -> tuple[Floats, Floats]:
        """Return the novelty of both periods' accounts; NaN without content, or where the two periods are one."""
        if population is reference or not len(population.store) or not len(reference.store):
            return np.full(len(population), np.nan), np.full(len(reference), np.nan)
        contrast = fit_contrast(population, np.ones(len(population.store)), reference)

        def score(people: Population) -> Floats:
            ratio = novel_log_ratio(row_log_odds(people, [contrast])[:, 0])
            scores = mixture_scores(ratio, people.row_account, len(people))
            return np.where(np.bincount(people.row_account, minlength=len(people)) > 0, scores, np.nan)

        return score(population), score(reference)


def novel_log_ratio(log_odds: npt.NDArray[np.float32]) -> Floats:
    """Turn log-odds of window against history into those of what is new in the window against history.

    The window is a mixture, `window = (1 - NOVEL_PART) history + NOVEL_PART new`, which is solved for `new`.
    """
    ratio = (np.exp(log_odds.astype(np.float64)) - (1 - NOVEL_PART)) / NOVEL_PART
    solved: Floats = np.log(np.maximum(ratio, _LEAST_RATIO))
    return solved
