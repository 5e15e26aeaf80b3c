"""Campaigns without a frame: what a community of accounts that write the same new things is, and what speaks for it.

What is new can be a new population, a fashion, a school term. So a community is called a harvest only if three things
hold together that customers do not do: its members share out one kind of work instead of having topics of their own,
each does a good deal of it, and it is not all that they do, or else it asks for what a student model is trained on.
Novelty and content never block.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from stillwatch.detection.campaigns.build import Built, Judged
from stillwatch.detection.campaigns.casefile import Casefile
from stillwatch.detection.campaigns.content import ContentCommunity, find_content_communities
from stillwatch.detection.campaigns.evidence import weigh_content
from stillwatch.detection.campaigns.identity import KnownCampaigns
from stillwatch.detection.campaigns.infrastructure import ADDRESS_KINDS, IDENTITY_KINDS, shared_keys, shared_values
from stillwatch.detection.campaigns.kind import ASKING, BENCHMARK_OVERLAP, MIN_OWNERS
from stillwatch.detection.campaigns.response import campaign_action, confidence_of
from stillwatch.detection.exposure import exposure_of
from stillwatch.detection.findings.model import Alternative, Campaign, Kind, Member
from stillwatch.detection.moments import rfc3339

Ints = npt.NDArray[np.int64]

MIN_EFFECTIVE = 6.0
MAX_DISPERSAL = 1.2
"""Prompts of one customer are more alike than this, compared with those of others; dealt-out work is not."""
MIN_PER_ACCOUNT = 4.0
MIN_REST = 0.7
"""Members whose other prompts are less ordinary than this are, as far as content tells, a new kind of customer."""

_EXPLAINED_EXCHANGES = 12
_MOSTLY = 0.5


def build_untemplated(case: Casefile, judged: Judged, known: KnownCampaigns, taken: Ints) -> list[Built]:
    """Return the campaigns among accounts whose prompts neither a frame nor history explains.

    Communities that are mostly made of `taken` accounts, which a harvest with a frame already holds, are left out.
    """
    communities = find_content_communities(case.population, case.owners, case.history, unexplained_rows(case, judged))
    new = [one for one in communities if np.isin(one.accounts, taken).mean() <= _MOSTLY]
    return list(_worth_telling(case, known, new))


def unexplained_rows(case: Casefile, judged: Judged) -> npt.NDArray[np.bool_]:
    """Return the rows that belong to no family and to no account that is licensed or mostly runs an application."""
    population = case.population
    rows = np.zeros(len(population.store), np.bool_)
    innocent = np.zeros(len(population.store), np.bool_)
    for family, kind in judged.families:
        if family.accounts.size > 1 or family.rows.size >= _EXPLAINED_EXCHANGES:
            rows[family.rows] = True
            innocent[family.rows] = kind != "harvest"
    accounts = len(population)
    total = np.bincount(population.row_account, minlength=accounts)
    application = np.bincount(population.row_account[innocent], minlength=accounts) > _MOSTLY * total
    left_out = application | (case.covered >= 0)
    unexplained: npt.NDArray[np.bool_] = ~rows & ~left_out[population.row_account]
    return unexplained


def kind_of_content(community: ContentCommunity, fpr: float) -> Kind:
    """Return what a community is, judged by its members, never by the words themselves."""
    if community.effective_owners < MIN_OWNERS:
        return "single_organisation"
    if community.overlap.share >= BENCHMARK_OVERLAP:
        return "public_benchmark"
    dealt_out = community.dispersal <= MAX_DISPERSAL and community.per_account >= MIN_PER_ACCOUNT
    beside_other_work = community.rest >= MIN_REST
    if (
        community.p_value <= fpr
        and community.effective_owners >= MIN_EFFECTIVE
        and dealt_out
        and (beside_other_work or community.asking >= ASKING)
    ):
        return "harvest"
    return "unclear"


def _worth_telling(case: Casefile, known: KnownCampaigns, communities: list[ContentCommunity]) -> Iterator[Built]:
    for community in communities:
        kind = kind_of_content(community, case.fpr)
        if kind == "harvest" or (kind == "unclear" and community.p_value <= case.fpr):
            yield Built(_campaign(case, known, community, kind), community.rows, [])


def _campaign(case: Casefile, known: KnownCampaigns, community: ContentCommunity, kind: Kind) -> Campaign:
    population = case.population
    ids = population.ids
    evidence, capabilities = weigh_content(case, community)
    shared = shared_values(case.links, community.accounts, IDENTITY_KINDS | ADDRESS_KINDS)
    confidence = confidence_of(evidence) if kind == "harvest" else "low"
    seen = population.store.ts_us[community.rows]
    models = np.unique(population.store.model[community.rows])
    return Campaign(
        campaign_id=known.name_accounts([ids[account] for account in community.accounts]),
        kind=kind,
        confidence=confidence,
        p_value=community.p_value,
        accounts=_members(case, community),
        exchanges=int(community.rows.size),
        first_seen=rfc3339(int(seen.min())),
        last_seen=rfc3339(int(seen.max())),
        models=sorted(population.store.models[number] for number in models),
        templates=[],
        evidence=evidence,
        alternatives=_alternatives(community),
        # Content and novelty are no linkage: whatever else there is, this kind of campaign is not blocked.
        recommended_action=campaign_action(kind, confidence, evidence, calibrated=False),
        exposure=exposure_of(population.store, community.rows, capabilities),
        shared_keys=shared_keys(case.links, shared.accounts, ids) if shared.kinds else [],
    )


def _members(case: Casefile, community: ContentCommunity) -> list[Member]:
    ids = case.population.ids
    return [
        Member(
            account_id=ids[account],
            role="victim" if case.victims[account] else "harvester",
            share=min(1.0, float(share)),
        )
        for account, share in zip(community.accounts, community.shares, strict=True)
    ]


def _alternatives(community: ContentCommunity) -> list[Alternative]:
    return [
        Alternative(
            explanation="a new group of customers, or a topic that is new to everybody",
            kept=community.dispersal > MAX_DISPERSAL or (community.rest < MIN_REST and community.asking < ASKING),
            why=f"prompts of one account are {community.dispersal:.2f} times as alike as those of two, customers' are "
            f"over {MAX_DISPERSAL:g} times; what else they write is {community.rest:.0%} as ordinary as others'",
        ),
        Alternative(
            explanation="one customer's application with many keys or accounts",
            kept=community.effective_owners < MIN_EFFECTIVE,
            why=f"{community.owners} owners, {community.effective_owners:.1f} counted by their part of the traffic",
        ),
        Alternative(
            explanation="strangers who run one public benchmark or question list",
            kept=community.overlap.share >= BENCHMARK_OVERLAP,
            why=f"{community.overlap.share:.0%} of the items recur in other accounts; "
            f"a shared list gives {BENCHMARK_OVERLAP:.0%} or more",
        ),
        Alternative(
            explanation="people who try something out",
            kept=community.per_account < MIN_PER_ACCOUNT,
            why=f"half of the accounts sent at least {community.per_account:.0f} prompts of this kind",
        ),
    ]
