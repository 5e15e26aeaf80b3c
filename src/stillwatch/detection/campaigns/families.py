"""Template families with what matters for judging them: who sent them, how often, and how much of it recurs."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from stillwatch.detection.owners import Owners
from stillwatch.detection.population import Population
from stillwatch.features.hot_rows import HotRows, find_hot_rows
from stillwatch.features.overlap import Overlap, measure_overlap
from stillwatch.features.store import SketchStore
from stillwatch.features.templates import TemplateFamily, mine_families
from stillwatch.statistics import effective_number

Ints = npt.NDArray[np.int64]

_FULL_MEMBER = 0.2
_STRAY_PART = 0.05
_STRAY_SHARE = 0.2


@dataclass(frozen=True, slots=True)
class FamilyFacts:
    """A family, and the accounts that take part in it.

    Attributes:
        rows: its exchanges, as rows of the population's sketch store; `row_account` the account of each.
        accounts: numbers of the accounts that sent them, ascending; `counts`: exchanges of each.
        owners: how many owners they have; `effective_owners`: counting each by its part of the family.
        repeating: owners that sent two or more.
        coverage: median part of a member's text that belongs to the frame.
        asking: part of its exchanges with a cue phrase (features/cues.toml).
        public: part of the frame that is a public template.
        paid_dispersal: how many times more alike one account's items are than two accounts' (median over accounts);
            None where no one hand pays for most of them.
        newcomers: part of its accounts that history does not know; 0 where there is no history.
    """

    rows: Ints
    row_account: Ints
    accounts: Ints
    counts: Ints
    owners: int
    effective_owners: float
    repeating: int
    coverage: float
    asking: float
    overlap: Overlap
    public: float
    tokens: npt.NDArray[np.uint64]
    core: npt.NDArray[np.uint64]
    paid_dispersal: float | None = None
    newcomers: float = 0.0

    @property
    def frame(self) -> npt.NDArray[np.uint64]:
        """The tokens that stand for the frame: the core, or all of them where nothing is in half of the exchanges."""
        return self.core if self.core.size else self.tokens

    def within(self, accounts: Ints) -> "FamilyFacts":
        """Return the family with the exchanges of some accounts only; what it was judged by stays."""
        kept = np.isin(self.row_account, accounts)
        own = np.isin(self.accounts, accounts)
        return replace(
            self,
            rows=self.rows[kept],
            row_account=self.row_account[kept],
            accounts=self.accounts[own],
            counts=self.counts[own],
        )


def _full_members(family: TemplateFamily) -> npt.NDArray[np.bool_]:
    """Tell which exchanges are made from the frame itself, not only alike in what fills it."""
    framed = (family.frame_counts > 0) | (family.frame_counts.max(initial=0) == 0)
    full: npt.NDArray[np.bool_] = framed & (family.coverage >= _FULL_MEMBER * np.median(family.coverage))
    return full


def find_families(
    population: Population,
    owners: Owners,
    history: SketchStore | None,
    public: npt.NDArray[np.uint64],
    left_out: npt.NDArray[np.bool_],
) -> list[FamilyFacts]:
    """Mine the families of a population, largest number of accounts first.

    Args:
        population: the period to look at.
        owners: the owner of each of its accounts.
        history: sketches of earlier traffic; what was usual then is no template now.
        public: tokens of public templates, ascending.
        left_out: accounts (mask) whose exchanges are not looked at, such as those that the registry covers.
    """
    hot = find_hot_rows(population.store, history)
    if left_out.any():
        kept = ~left_out[population.row_account[hot.rows]]
        hot = HotRows(hot.rows[kept], hot.minhash[kept], hot.hot[kept])
    families = mine_families(hot, population.row_account[hot.rows])
    return list(_describe(population, owners, hot, families, public))


def _describe(
    population: Population,
    owners: Owners,
    hot: HotRows,
    families: list[TemplateFamily],
    public: npt.NDArray[np.uint64],
) -> Iterator[FamilyFacts]:
    traffic = population.ints("exchanges")
    for family in families:
        full = family.members[_full_members(family)]
        account = population.row_account[hot.rows[full]]
        accounts, counts = np.unique(account, return_counts=True)
        stray = (counts < _STRAY_PART * np.median(counts)) & (counts < _STRAY_SHARE * traffic[accounts])
        accounts, counts = accounts[~stray], counts[~stray]
        full = full[np.isin(account, accounts)]
        rows = hot.rows[full]
        account = population.row_account[rows]
        per_owner = np.bincount(np.unique(owners.number[account], return_inverse=True)[1])
        frame = family.core if family.core.size else family.tokens
        yield FamilyFacts(
            rows=rows,
            row_account=account,
            accounts=accounts,
            counts=counts,
            owners=per_owner.size,
            effective_owners=effective_number(per_owner),
            repeating=int((per_owner > 1).sum()),
            coverage=float(np.median(family.coverage)),
            asking=float((population.store.cues[rows] != 0).mean()),
            overlap=measure_overlap(population.store.content[rows], account, hot.minhash[full]),
            public=float(np.isin(frame, public).mean()),
            tokens=family.tokens,
            core=family.core,
        )
