"""What a family of exchanges is: harvest, public benchmark, one organisation's application, or unclear.

The thresholds are few, stated once, and were frozen on windows other than those reported in benchmarks/README.md.
"""

from stillwatch.detection.campaigns.families import FamilyFacts
from stillwatch.detection.findings.model import Alternative, Kind

BENCHMARK_OVERLAP = 0.3
"""From this part of items on that other accounts ask too, the accounts run one list instead of sharing it out."""
SHARED_OUT = 0.1
"""Up to this part of its items may recur in a harvest: a work list that is shared out has hardly a repeat. Between the
two lies what a class does with one assignment."""
MIN_OWNERS = 3.0
"""Fewer effective owners are one customer's application, however many keys it uses."""
MIN_EXCHANGES = 12
"""Fewer exchanges are no harvest worth the name."""
FRAME = (0.3, 0.3)
"""Part of the text that the frame fills, and part of the owners that send it again: together the mark of a program."""
THIN_FRAME = (0.1, 0.5)
"""The same for a thin frame, which strangers hit upon more easily. A fashion is tried once and fits neither."""
PUBLIC_PART = 0.5
FEW_OWNERS = 10.0
"""Where nothing tells who owns an account, fewer effective owners may be one customer's keys all the same."""
ASKING = 0.5


def passes_for_harvest(family: FamilyFacts) -> bool:
    """Tell whether a family has the shape of a harvest: many owners, one frame, items that do not recur."""
    again = family.repeating / family.owners
    made_by_program = any(family.coverage >= filled and again >= repeated for filled, repeated in (FRAME, THIN_FRAME))
    return unexplained(family) and family.rows.size >= MIN_EXCHANGES and made_by_program


def unexplained(family: FamilyFacts) -> bool:
    """Tell whether neither one customer, nor a list that many ask, nor a public prompt explains a family."""
    return family.effective_owners >= MIN_OWNERS and family.overlap.share < SHARED_OUT and family.public < PUBLIC_PART


def may_be_one_customer(family: FamilyFacts, *, owners_known: bool) -> bool:
    """Tell whether one customer with several keys explains a family.

    Where no organisation is declared anywhere, a small family is given the benefit of the doubt, unless most of its
    prompts ask for what a student model is trained on.
    """
    if family.effective_owners < MIN_OWNERS:
        return True
    return not owners_known and family.effective_owners < FEW_OWNERS and family.asking < ASKING


def kind_of(family: FamilyFacts, p_value: float, fpr: float, *, owners_known: bool) -> Kind:
    """Return the kind of a family whose coincidence p-value is given; harvest only up to `fpr`."""
    if family.effective_owners < MIN_OWNERS:
        return "single_organisation"
    if family.overlap.share >= BENCHMARK_OVERLAP:
        return "public_benchmark"
    doubtful = may_be_one_customer(family, owners_known=owners_known)
    if passes_for_harvest(family) and p_value <= fpr and not doubtful:
        return "harvest"
    return "unclear"


def alternatives(family: FamilyFacts, p_value: float, *, owners_known: bool) -> list[Alternative]:
    """Return the innocent explanations of a family, and why each was kept or dropped."""
    one_customer = may_be_one_customer(family, owners_known=owners_known)
    owners = "1 owner" if family.owners == 1 else f"{family.owners} owners"
    declared = owners if owners_known else f"{family.owners} accounts, no owner being declared anywhere"
    recurring = family.overlap.share >= SHARED_OUT
    public = family.public >= PUBLIC_PART
    return [
        Alternative(
            explanation="one customer's application with many keys or accounts",
            kept=one_customer,
            why=f"{declared}, {family.effective_owners:.1f} counted by their part of the traffic",
        ),
        Alternative(
            explanation="strangers who run one public benchmark or question list, or a class with one assignment",
            kept=recurring,
            why=f"{family.overlap.share:.0%} of the items recur in other accounts; a shared list gives "
            f"{BENCHMARK_OVERLAP:.0%} or more, work that is dealt out less than {SHARED_OUT:.0%}",
        ),
        Alternative(
            explanation="a public prompt template or tool that many people use",
            kept=public,
            why=f"{family.public:.0%} of the frame is on the list of public templates",
        ),
        Alternative(
            explanation="a prompt in fashion, copied from one source",
            kept=family.repeating < FRAME[1] * family.owners,
            why=f"{family.repeating} of {family.owners} owners sent it more than once; "
            f"chance of so many sharing it: {p_value:.2g}",
        ),
    ]
