"""What a campaign is: harvest, public benchmark, one organisation's application, or unclear.

Families are judged by their frame. Of communities without one, what is new can be a new population, a fashion, a school
term. So these are called a harvest only if three things hold together that customers do not do: the members share out
one kind of work instead of having topics of their own, each does a good deal of it, and it is not all that they do, or
else it asks for what a student model is trained on.

The thresholds are few, stated once, and were frozen on windows other than those reported in benchmarks/README.md.
"""

import numpy as np
from scipy import special

from stillwatch.detection.campaigns.content import ContentCommunity
from stillwatch.detection.campaigns.families import FamilyFacts
from stillwatch.detection.findings.model import Kind

BENCHMARK_OVERLAP = 0.3
"""From this part of items on that other accounts ask too, the accounts run one list instead of sharing it out."""
SHARED_OUT = 0.1
"""Up to this part of its items may recur in a harvest: a work list that is shared out has hardly a repeat. Between the
two lies what a class does with one assignment."""
PUBLIC_LIST = 1_000
"""Items of a public benchmark; the well-known ones that are judged by a template have 80 to 1,300."""
BY_CHANCE = 0.2
"""Strangers who run such a list and hardly met yet are cleared of dealing it out down to this probability."""
MIN_OWNERS = 3.0
"""Fewer effective owners are one customer's application, however many keys it uses."""
MIN_EXCHANGES = 12
"""Fewer exchanges are no harvest worth the name."""
FRAME = (0.3, 0.3)
"""Part of the text that the frame fills, and part of the owners that send it again: together the mark of a program."""
THIN_FRAME = (0.1, 0.5)
"""The same for a thin frame, which strangers hit upon more easily. A fashion is tried once and fits neither."""
NEWCOMERS = 0.5
"""Part of the accounts that history does not know: a fashion spreads among customers of old, a crew is new."""
PUBLIC_PART = 0.5
FEW_OWNERS = 10.0
"""Where nothing tells who owns an account, fewer effective owners may be one customer's keys all the same."""
ASKING = 0.5
OWN_BUSINESS = 1.5
"""Where one hand pays for most accounts and each account's items are so many times more alike than others', an agency
that works for its clients explains a family. Work lists of harvests gave .8 to 1.2."""

MIN_EFFECTIVE = 6.0
MAX_DISPERSAL = 1.2
"""Prompts of one customer are more alike than this, compared with those of others; dealt-out work is not."""
MIN_PER_ACCOUNT = 4.0
MIN_REST = 0.7
"""Members whose other prompts are less ordinary than this are, as far as content tells, a new kind of customer."""


def passes_for_harvest(family: FamilyFacts) -> bool:
    """Tell whether a family has the shape of a harvest: many owners, one frame, items that do not recur."""
    return unexplained(family) and family.rows.size >= MIN_EXCHANGES and not may_be_fashion(family)


def may_be_fashion(family: FamilyFacts) -> bool:
    """Tell whether a prompt that goes round explains a family: few owners send it again.

    A crew may be so large that each of its accounts sends the frame once. It is told from a fashion if most of its
    accounts are newcomers and most of its prompts ask for what a student model is trained on.
    """
    again = family.repeating / family.owners
    if any(family.coverage >= filled and again >= repeated for filled, repeated in (FRAME, THIN_FRAME)):
        return False
    return family.coverage < FRAME[0] or family.newcomers < NEWCOMERS or family.asking < ASKING


def may_be_public_list(family: FamilyFacts) -> bool:
    """Tell whether strangers who each took items from one public list could so far have met as seldom as this.

    Two accounts with a and b of its items meet in a * b / PUBLIC_LIST of them on average (the collisions of capture
    and recapture), Poisson distributed. Soon after the first request no list can be told from one that is dealt out,
    so that prompts which do not ask for what a student model is trained on have the benefit of the doubt.
    """
    if family.overlap.share >= SHARED_OUT or family.asking >= ASKING:
        return family.overlap.share >= SHARED_OUT
    counts = family.counts.astype(np.float64)
    meetings = (counts.sum() ** 2 - (counts**2).sum()) / 2 / PUBLIC_LIST
    seen = round(family.overlap.share * family.rows.size)
    return bool(special.pdtr(seen, meetings) > BY_CHANCE)


def unexplained(family: FamilyFacts) -> bool:
    """Tell whether neither one customer, an agency, a list that many ask nor a public prompt explains a family."""
    of_many = family.effective_owners >= MIN_OWNERS and not works_for_clients(family)
    return of_many and family.overlap.share < SHARED_OUT and family.public < PUBLIC_PART


def may_be_one_customer(family: FamilyFacts, *, owners_known: bool) -> bool:
    """Tell whether one customer with several keys explains a family.

    Where no organisation is declared anywhere, a small family is given the benefit of the doubt, unless most of its
    prompts ask for what a student model is trained on.
    """
    if family.effective_owners < MIN_OWNERS:
        return True
    return not owners_known and family.effective_owners < FEW_OWNERS and family.asking < ASKING


def works_for_clients(family: FamilyFacts) -> bool:
    """Tell whether an agency explains a family: one hand pays, and each account's items are about its own business."""
    return family.paid_dispersal is not None and family.paid_dispersal >= OWN_BUSINESS


def kind_of(family: FamilyFacts, p_value: float, fpr: float, *, owners_known: bool) -> Kind:
    """Return the kind of a family whose coincidence p-value is given; harvest only up to `fpr`."""
    if family.effective_owners < MIN_OWNERS:
        return "single_organisation"
    if family.overlap.share >= BENCHMARK_OVERLAP:
        return "public_benchmark"
    doubtful = may_be_one_customer(family, owners_known=owners_known)
    if passes_for_harvest(family) and p_value <= fpr and not doubtful and not may_be_public_list(family):
        return "harvest"
    return "unclear"


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
