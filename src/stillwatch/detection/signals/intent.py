"""Accounts whose prompts ask for what a student model is trained on: reasoning, grades, new tasks."""

import numpy as np

from stillwatch.detection.population import Floats, Population


class Intent:
    """Part of an account's prompts that hold a cue phrase (features/cues.toml). Weak evidence, never enough alone."""

    name = "harvest_intent"
    wording = "prompts ask for reasoning, grading or task generation more than other accounts' do"

    def scores(self, population: Population, reference: Population) -> tuple[Floats, Floats]:
        """Return the part of each account's prompts with a cue, NaN for accounts without content."""
        return _asking(population), _asking(reference)


def _asking(population: Population) -> Floats:
    size = len(population)
    total = np.bincount(population.row_account, minlength=size).astype(np.float64)
    asking = np.bincount(population.row_account, weights=population.store.cues != 0, minlength=size)
    with np.errstate(invalid="ignore"):
        share: Floats = asking / total
    return share
