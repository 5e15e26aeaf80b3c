"""Campaigns without a frame: communities of accounts that write the same new things.

Novelty and content never block; what makes such a community a harvest is in `kind`.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from stillwatch.detection.campaigns.alternatives import alternatives_of_content
from stillwatch.detection.campaigns.assemble import Parts, assemble, members_of, sent_in, tied_accounts
from stillwatch.detection.campaigns.build import Built, Judged
from stillwatch.detection.campaigns.casefile import Casefile
from stillwatch.detection.campaigns.content import ContentCommunity, find_content_communities
from stillwatch.detection.campaigns.evidence import weigh_content
from stillwatch.detection.campaigns.identity import KnownCampaigns
from stillwatch.detection.campaigns.kind import kind_of_content
from stillwatch.detection.findings.model import Campaign, Kind

Ints = npt.NDArray[np.int64]

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


def _worth_telling(case: Casefile, known: KnownCampaigns, communities: list[ContentCommunity]) -> Iterator[Built]:
    for community in communities:
        kind = kind_of_content(community, case.fpr)
        if kind == "harvest" or (kind == "unclear" and community.p_value <= case.fpr):
            yield Built(_campaign(case, known, community, kind), community.rows, [])


def _campaign(case: Casefile, known: KnownCampaigns, community: ContentCommunity, kind: Kind) -> Campaign:
    ids = case.population.ids
    evidence, capabilities = weigh_content(case, community)
    return assemble(
        case,
        Parts(
            campaign_id=known.name_accounts([ids[account] for account in community.accounts]),
            kind=kind,
            p_value=community.p_value,
            sent=sent_in(case.population, community.rows),
            members=members_of(case, community.accounts, community.shares, "harvester"),
            evidence=evidence,
            alternatives=alternatives_of_content(community),
            tied=tied_accounts(case, community.accounts),
            # Content and novelty are no linkage: whatever else there is, this kind of campaign is not blocked.
            may_block=False,
            capabilities=capabilities,
        ),
    )
