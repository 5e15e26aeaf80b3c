"""Everything that campaigns are judged on, gathered once."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stillwatch.detection.campaigns.infrastructure import Links
from stillwatch.detection.owners import Owners
from stillwatch.detection.population import Population
from stillwatch.features.store import SketchStore
from stillwatch.records.registry import RegistryEntry, Release

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Casefile:
    """One window of traffic, with what is known beside it.

    Attributes:
        population: the window; `history` earlier traffic, None where there is none.
        history_owners: owners of the accounts of history.
        covered: number of the registry entry that covers each account, -1 for none.
        victims: accounts (mask) that the provider knows to be taken over.
        model_days: account_id, model, day, exchanges; replays: account_id, exchanges.
        public: tokens of public templates.
        fpr: declared false positive rate.
    """

    population: Population
    owners: Owners
    history: Population | None
    history_owners: Owners | None
    links: Links
    registry: tuple[RegistryEntry, ...]
    covered: Ints
    victims: npt.NDArray[np.bool_]
    releases: tuple[Release, ...]
    model_days: pa.Table
    replays: pa.Table
    public: npt.NDArray[np.uint64]
    fpr: float
    seed: int

    @property
    def past(self) -> SketchStore | None:
        """Sketches of history, None where none carries any: then no frame can be told from what was usual before."""
        return self.history.store if self.history is not None and len(self.history.store) else None
