"""The innocent explanations of every kind of campaign: what each says, and when the data cannot rule it out."""

from stillwatch.detection.campaigns.content import ContentCommunity
from stillwatch.detection.campaigns.families import FamilyFacts
from stillwatch.detection.campaigns.infrastructure import ONE_PAYER
from stillwatch.detection.campaigns.kind import (
    ASKING,
    BENCHMARK_OVERLAP,
    MAX_DISPERSAL,
    MIN_EFFECTIVE,
    MIN_PER_ACCOUNT,
    MIN_REST,
    OWN_BUSINESS,
    PUBLIC_PART,
    SHARED_OUT,
    may_be_fashion,
    may_be_one_customer,
    may_be_public_list,
    works_for_clients,
)
from stillwatch.detection.findings.model import Alternative, Kind
from stillwatch.records.registry import RegistryEntry


def alternatives_of_family(family: FamilyFacts, p_value: float, *, owners_known: bool) -> list[Alternative]:
    """Return the innocent explanations of a family, and why each was kept or dropped."""
    one_customer = may_be_one_customer(family, owners_known=owners_known)
    owners = "1 owner" if family.owners == 1 else f"{family.owners} owners"
    alike = family.paid_dispersal
    declared = owners if owners_known else f"{family.owners} accounts, no owner being declared anywhere"
    return [
        _one_customer(declared, family.effective_owners, kept=one_customer),
        Alternative(
            explanation="an agency that pays for its clients' accounts and writes for each from one template",
            kept=works_for_clients(family),
            why=f"no payment is known to be common to over {ONE_PAYER:.0%} of the accounts"
            if alike is None
            else f"one payment is common to most; items of one account are {alike:.2f} times as alike as those of two, "
            f"where each account has a business of its own over {OWN_BUSINESS:g} times",
        ),
        Alternative(
            explanation="strangers who run one public benchmark or question list, or a class with one assignment",
            kept=may_be_public_list(family),
            why=_met_as_strangers(family),
        ),
        Alternative(
            explanation="a public prompt template or tool that many people use",
            kept=family.public >= PUBLIC_PART,
            why=f"{family.public:.0%} of the frame is on the list of public templates",
        ),
        Alternative(
            explanation="a prompt in fashion, copied from one source",
            kept=may_be_fashion(family),
            why=f"{family.repeating} of {family.owners} owners sent it more than once, {family.newcomers:.0%} of the "
            f"accounts are unknown to history, {family.asking:.0%} of the prompts ask for training material; "
            f"chance of so many sharing it: {p_value:.2g}",
        ),
    ]


def alternatives_of_content(community: ContentCommunity) -> list[Alternative]:
    """Return the innocent explanations of accounts that write the same new things without a frame."""
    return [
        Alternative(
            explanation="a new group of customers, or a topic that is new to everybody",
            kept=community.dispersal > MAX_DISPERSAL or (community.rest < MIN_REST and community.asking < ASKING),
            why=f"prompts of one account are {community.dispersal:.2f} times as alike as those of two, customers' are "
            f"over {MAX_DISPERSAL:g} times; what else they write is {community.rest:.0%} as ordinary as others'",
        ),
        _one_customer(
            f"{community.owners} owners",
            community.effective_owners,
            kept=community.effective_owners < MIN_EFFECTIVE,
        ),
        Alternative(
            explanation="strangers who run one public benchmark or question list",
            kept=community.overlap.share >= BENCHMARK_OVERLAP,
            why=_recurring(community.overlap.share),
        ),
        Alternative(
            explanation="people who try something out",
            kept=community.per_account < MIN_PER_ACCOUNT,
            why=f"half of the accounts sent at least {community.per_account:.0f} prompts of this kind",
        ),
    ]


def alternatives_of_pool(kind: Kind) -> list[Alternative]:
    """Return the innocent explanations of accounts that rare values tie together."""
    together = "they also acted together" if kind == "harvest" else "nothing that they did together speaks against it"
    return [
        Alternative(explanation="a family, an agency or a reseller that pays for others", kept=True, why=together),
        Alternative(
            explanation="one office, school or carrier behind one address",
            kept=False,
            why="two kinds of rare values are shared at least; one address alone does not tie accounts",
        ),
    ]


def authorised_use(entry: RegistryEntry, busiest: int) -> Alternative:
    """Return the explanation that the registry gives for accounts with so many exchanges on their busiest day."""
    limit = entry.max_exchanges_per_day
    return Alternative(
        explanation=f"authorised use ({entry.kind}) by {entry.holder}, registry entry {entry.id}",
        kept=True,
        why=f"{busiest} exchanges on its busiest day; {'any number' if limit is None else limit} are allowed",
    )


def _one_customer(owners: str, effective: float, *, kept: bool) -> Alternative:
    return Alternative(
        explanation="one customer's application with many keys or accounts",
        kept=kept,
        why=f"{owners}, {effective:.1f} counted by their part of the traffic",
    )


def _met_as_strangers(family: FamilyFacts) -> str:
    recurring = f"{_recurring(family.overlap.share)}, work that is dealt out less than {SHARED_OUT:.0%}"
    if family.overlap.share < SHARED_OUT and may_be_public_list(family):
        return f"{recurring}; with {family.rows.size} exchanges so far strangers too could have met as seldom"
    return recurring


def _recurring(share: float) -> str:
    return f"{share:.0%} of the items recur in other accounts; a shared list gives {BENCHMARK_OVERLAP:.0%} or more"
