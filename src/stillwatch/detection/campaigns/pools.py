"""Pools: communities of accounts that rare values tie together, judged without looking at what they wrote.

Families share a card, agencies an office. So a pool is called a harvest only if its accounts also did something
together that sharing does not explain; otherwise a large one is reported as unclear, for a person to look at.
"""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.detection.campaigns.alternatives import alternatives_of_pool
from stillwatch.detection.campaigns.assemble import Parts, assemble, members_of, sent_by
from stillwatch.detection.campaigns.casefile import Casefile
from stillwatch.detection.campaigns.evidence import weigh_pool
from stillwatch.detection.campaigns.identity import KnownCampaigns
from stillwatch.detection.campaigns.infrastructure import ADDRESS_KINDS, IDENTITY_KINDS, shared_values
from stillwatch.detection.campaigns.response import independent_kinds
from stillwatch.detection.findings.model import Campaign, Evidence, Kind

Ints = npt.NDArray[np.int64]

MIN_OWNERS = 6
MIN_KINDS = 2
LARGE = 8
_SHARED = frozenset({"shared_identity", "shared_address"})


def build_pools(case: Casefile, communities: list[Ints], taken: Ints, known: KnownCampaigns) -> list[Campaign]:
    """Return the pools among the communities that are not mostly (half) made of `taken` accounts.

    Communities are chosen for what they share, so sharing proves nothing about them; what they did together is held
    against the number of communities that were looked at (Bonferroni).
    """
    candidates = [accounts for accounts in communities if _worth_a_look(case, accounts, taken)]
    pools = []
    for accounts in candidates:
        evidence = weigh_pool(case, accounts)
        joint = min((p for p in _joint_p_values(evidence) if p is not None), default=1.0)
        kind: Kind = "harvest" if joint * len(candidates) <= case.fpr else "unclear"
        if kind == "harvest" or np.unique(case.owners.number[accounts]).size >= LARGE:
            pools.append(_pool(case, known, accounts, evidence, kind))
    return pools


def _joint_p_values(evidence: list[Evidence]) -> list[float | None]:
    return [piece.p_value for piece in evidence if piece.signal not in _SHARED]


def _worth_a_look(case: Casefile, accounts: Ints, taken: Ints) -> bool:
    """Tell whether a community has enough owners that share values of one hand, and of a second kind."""
    if np.unique(case.owners.number[accounts]).size < MIN_OWNERS or (case.covered[accounts] >= 0).any():
        return False
    if np.isin(accounts, taken).mean() > 0.5:
        return False
    shared = shared_values(case.links, accounts, IDENTITY_KINDS | ADDRESS_KINDS)
    return len(shared.kinds) >= MIN_KINDS and bool(IDENTITY_KINDS & set(shared.kinds))


def _pool(case: Casefile, known: KnownCampaigns, accounts: Ints, evidence: list[Evidence], kind: Kind) -> Campaign:
    ids = [case.population.ids[account] for account in accounts]
    used = case.model_days.filter(pc.is_in(case.model_days.column("account_id"), pa.array(ids)))
    return assemble(
        case,
        Parts(
            campaign_id=known.name_accounts(ids),
            kind=kind,
            p_value=shared_values(case.links, accounts, IDENTITY_KINDS | ADDRESS_KINDS).p_value,
            sent=sent_by(case.population, accounts, set(used.column("model").to_pylist())),
            members=members_of(case, accounts, 1.0, "linked"),
            evidence=evidence,
            alternatives=alternatives_of_pool(kind),
            tied=accounts,
            may_block=_may_block(case, evidence),
        ),
    )


def _may_block(case: Casefile, evidence: list[Evidence]) -> bool:
    """Tell whether there is evidence of a kind beside the sharing, which is the linkage itself here."""
    beside = [piece for piece in evidence if piece.signal not in _SHARED]
    return case.past is not None and bool(independent_kinds(beside))
