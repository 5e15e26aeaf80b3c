"""From families of exchanges to campaigns: judge, group, weigh, name."""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc

from stillwatch.detection.campaigns.alternatives import alternatives_of_family
from stillwatch.detection.campaigns.assemble import Parts, assemble, members_of, sent_in, tied_accounts
from stillwatch.detection.campaigns.casefile import Casefile
from stillwatch.detection.campaigns.coincidence import InnocentFrames, pair_rate
from stillwatch.detection.campaigns.evidence import group_p_value, weigh_frame
from stillwatch.detection.campaigns.families import FamilyFacts, find_families
from stillwatch.detection.campaigns.grouping import Group, group_families
from stillwatch.detection.campaigns.identity import KnownCampaigns, frame_sketch
from stillwatch.detection.campaigns.infrastructure import has_one_payer
from stillwatch.detection.campaigns.kind import MIN_EXCHANGES, kind_of, passes_for_harvest, unexplained
from stillwatch.detection.campaigns.topics import family_dispersal
from stillwatch.detection.findings.model import Campaign, Kind, Member, Template
from stillwatch.detection.population import Population

Ints = npt.NDArray[np.int64]

WORTH_TELLING = 20
"""Families of fewer exchanges that are no harvest are everyday coincidences; they are left out of the findings."""
LINKING_PART = 0.5
"""Accounts of a community are linked to a campaign if this part of the community takes part in it."""


@dataclass(frozen=True, slots=True)
class Built:
    """A campaign, the rows of the store that it is made of, and its families, which are none if it has no frame."""

    campaign: Campaign
    rows: Ints
    families: list[FamilyFacts]


@dataclass(frozen=True, slots=True)
class Judged:
    """All families of a window with their kinds, and what innocent owners did, by which they were judged."""

    families: list[tuple[FamilyFacts, Kind]]
    innocent: InnocentFrames


def judge_families(case: Casefile, known: KnownCampaigns | None = None) -> Judged:
    """Find the families of a window and say what each is.

    A frame that an earlier run called a harvest stays one while nothing innocent explains it: its owners may multiply
    until each sends it but once.
    """
    found = find_families(case.population, case.owners, case.past, case.public, case.covered >= 0)
    unknown = _unknown_to_history(case)
    families = [_with_accounts(case, family, unknown) for family in found]
    innocent = innocent_frames(case, families)
    judged: list[tuple[FamilyFacts, Kind]] = []
    for family in families:
        p_value = innocent.p_value(family.owners, case.owners.count)
        kind = kind_of(family, p_value, case.fpr, owners_known=case.owners.known)
        if kind == "unclear" and known is not None and unexplained(family) and known.is_harvest(family.frame):
            kind = "harvest"
        judged.append((family, kind))
    return Judged(judged, innocent)


def _with_accounts(case: Casefile, family: FamilyFacts, unknown: npt.NDArray[np.bool_]) -> FamilyFacts:
    """Add what a family's accounts are to each other and to history."""
    if family.rows.size < MIN_EXCHANGES:
        return family
    paid = has_one_payer(case.links, family.accounts)
    return replace(
        family,
        paid_dispersal=family_dispersal(case.population, family.rows) if paid else None,
        newcomers=float(unknown[family.accounts].mean()),
    )


def _unknown_to_history(case: Casefile) -> npt.NDArray[np.bool_]:
    """Tell which accounts of the window history does not know; none where there is no history."""
    if case.history is None:
        return np.zeros(len(case.population), np.bool_)
    names, before = (people.table.column("account_id").combine_chunks() for people in (case.population, case.history))
    return ~np.asarray(pc.is_in(names, before))


def build_campaigns(case: Casefile, judged: Judged, communities: list[Ints], known: KnownCampaigns) -> list[Built]:
    """Group the families of a window into campaigns, the one with most exchanges first."""
    community = np.full(len(case.population), -1, np.int64)
    for number, accounts in enumerate(communities):
        community[accounts] = number
    groups = group_families(judged.families, community)
    return [
        Built(_campaign(case, known, group, _p_value(case, group, judged), community), group.rows, group.families)
        for group in groups
        if group.kind == "harvest" or group.rows.size >= WORTH_TELLING
    ]


def _p_value(case: Casefile, group: Group, judged: Judged) -> float:
    return group_p_value(group, case.owners.count, judged.innocent)


def innocent_frames(case: Casefile, families: list[FamilyFacts]) -> InnocentFrames:
    """Return what innocent owners did in history, scaled to the window's length; without it, in small families."""
    if case.past is None or case.history is None or case.history_owners is None:
        small = [family for family in families if passes_for_harvest(family) and family.rows.size < WORTH_TELLING]
        return _innocent(small, case.owners.count, 1.0)
    placebos: list[FamilyFacts] = []
    first = np.arange(len(case.history)) % 2 == 0
    for half in (first, ~first):
        inside = _part(case.history, half)
        outside = _part(case.history, ~half)
        found = find_families(inside, case.history_owners, outside.store, case.public, np.zeros(half.size, np.bool_))
        placebos += [family for family in found if passes_for_harvest(family)]
    longer = max(1.0, _span_us(case.population) / max(1, _span_us(case.history)))
    return _innocent(placebos, case.history_owners.count // 2, longer)


def _innocent(placebos: list[FamilyFacts], owners: int, longer: float) -> InnocentFrames:
    rate = min(1.0, pair_rate(placebos, owners) * longer)
    return InnocentFrames(rate, tuple(family.owners for family in placebos))


def _span_us(population: Population) -> int:
    return int(population.ints("last_us").max() - population.ints("first_us").min()) if len(population) else 0


def _part(population: Population, accounts: npt.NDArray[np.bool_]) -> Population:
    rows = np.flatnonzero(accounts[population.row_account])
    return Population(
        population.table,
        population.ratios,
        population.store.part(rows),
        population.row_account[rows],
        population.fields,
    )


def _campaign(case: Casefile, known: KnownCampaigns, group: Group, p_value: float, community: Ints) -> Campaign:
    evidence, capabilities = weigh_frame(case, group, p_value)
    return assemble(
        case,
        Parts(
            campaign_id=known.name(group),
            kind=group.kind,
            p_value=p_value,
            sent=sent_in(case.population, group.rows),
            members=_members(case, group, community, linked=group.kind == "harvest"),
            evidence=evidence,
            alternatives=alternatives_of_family(group.families[0], p_value, owners_known=case.owners.known),
            tied=tied_accounts(case, group.accounts),
            may_block=case.past is not None,
            templates=[_template(family, case.population.ids) for family in group.families],
            capabilities=capabilities,
        ),
    )


def _members(case: Casefile, group: Group, community: Ints, *, linked: bool) -> list[Member]:
    population = case.population
    accounts, counts = np.unique(population.row_account[group.rows], return_counts=True)
    members = members_of(case, accounts, counts / population.ints("exchanges")[accounts], "harvester")
    if linked:
        beside = np.setdiff1d(np.flatnonzero(np.isin(community, _own_communities(community, accounts))), accounts)
        members += [Member(account_id=population.ids[account], role="linked", share=0.0) for account in beside]
    return sorted(members, key=lambda member: member.account_id)


def _own_communities(community: Ints, accounts: Ints) -> Ints:
    """Return the communities that are mostly the campaign's: one victim does not link its family or its office."""
    numbers, inside = np.unique(community[accounts], return_counts=True)
    size = np.array([np.count_nonzero(community == number) for number in numbers])
    own: Ints = numbers[(numbers >= 0) & (inside >= LINKING_PART * size)]
    return own


def _template(family: FamilyFacts, ids: list[str]) -> Template:
    return Template(
        sketch=frame_sketch(family.frame),
        text=None,
        exchanges=int(family.rows.size),
        accounts=int(family.accounts.size),
        account_ids=[ids[account] for account in family.accounts],
    )
