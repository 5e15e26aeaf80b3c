"""Pools: communities of accounts that rare values tie together, judged without looking at what they wrote.

Families share a card, agencies an office. So a pool is called a harvest only if its accounts also did something
together that sharing does not explain; otherwise a large one is reported as unclear, for a person to look at.
"""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.detection.campaigns.casefile import Casefile
from stillwatch.detection.campaigns.evidence import weigh_pool
from stillwatch.detection.campaigns.infrastructure import (
    ADDRESS_KINDS,
    IDENTITY_KINDS,
    shared_keys,
    shared_values,
)
from stillwatch.detection.campaigns.response import campaign_action, confidence_of
from stillwatch.detection.exposure import exposure_of
from stillwatch.detection.findings.model import Alternative, Campaign, Evidence, Kind, Member
from stillwatch.detection.moments import rfc3339
from stillwatch.identifiers import campaign_id

Ints = npt.NDArray[np.int64]

MIN_OWNERS = 6
MIN_KINDS = 2
LARGE = 8
_JOINT_BITS = 6.6


def build_pools(case: Casefile, communities: list[Ints], taken: Ints) -> list[Campaign]:
    """Return the pools among the communities that are not mostly (half) made of `taken` accounts."""
    pools = []
    for accounts in communities:
        owners = np.unique(case.owners.number[accounts]).size
        if owners < MIN_OWNERS or np.isin(accounts, taken).mean() > 0.5 or (case.covered[accounts] >= 0).any():
            continue
        if len(shared_values(case.links, accounts, IDENTITY_KINDS | ADDRESS_KINDS).kinds) < MIN_KINDS:
            continue
        evidence = weigh_pool(case, accounts)
        kind: Kind = "harvest" if _acted_together(evidence) else "unclear"
        if kind == "harvest" or owners >= LARGE:
            pools.append(_pool(case, accounts, evidence, kind))
    return pools


def _acted_together(evidence: list[Evidence]) -> bool:
    shared = {"shared_identity", "shared_address"}
    return any(piece.signal not in shared and piece.bits >= _JOINT_BITS for piece in evidence)


def _pool(case: Casefile, accounts: Ints, evidence: list[Evidence], kind: Kind) -> Campaign:
    population = case.population
    ids = population.ids
    keys = shared_keys(case.links, accounts, ids)
    rows = np.flatnonzero(np.isin(population.row_account, accounts))
    confidence = confidence_of(evidence) if kind == "harvest" else "low"
    used = pc.is_in(case.model_days.column("account_id"), pa.array([ids[account] for account in accounts]))
    models = set(case.model_days.column("model").filter(used).to_pylist())
    return Campaign(
        campaign_id=campaign_id([keys[0].key_kind, keys[0].digest]),
        kind=kind,
        confidence=confidence,
        p_value=shared_values(case.links, accounts, IDENTITY_KINDS | ADDRESS_KINDS).p_value,
        accounts=[
            Member(account_id=ids[account], role="victim" if case.victims[account] else "linked", share=1.0)
            for account in accounts
        ],
        exchanges=int(population.ints("exchanges")[accounts].sum()),
        first_seen=rfc3339(int(population.ints("first_us")[accounts].min())),
        last_seen=rfc3339(int(population.ints("last_us")[accounts].max())),
        models=sorted(models),
        templates=[],
        evidence=evidence,
        alternatives=_alternatives(kind),
        recommended_action=campaign_action(kind, confidence, evidence, calibrated=case.history is not None),
        exposure=exposure_of(population.store, rows, []),
        shared_keys=keys,
    )


def _alternatives(kind: Kind) -> list[Alternative]:
    together = "they also acted together" if kind == "harvest" else "nothing that they did together speaks against it"
    return [
        Alternative(explanation="a family, an agency or a reseller that pays for others", kept=True, why=together),
        Alternative(
            explanation="one office, school or carrier behind one address",
            kept=False,
            why="two kinds of rare values are shared at least; one address alone does not tie accounts",
        ),
    ]
