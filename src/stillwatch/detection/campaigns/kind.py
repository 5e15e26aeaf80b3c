"""What a family of exchanges is: harvest, public benchmark, one organisation's application, or unclear.

The thresholds are few, stated once, and were frozen on windows other than those reported in benchmarks/README.md.
"""

from stillwatch.detection.campaigns.families import FamilyFacts
from stillwatch.detection.findings.model import Alternative, Kind

BENCHMARK_OVERLAP = 0.3
"""From this part of items on that other accounts ask too, the accounts run one list instead of sharing it out."""
MIN_OWNERS = 3.0
"""Fewer effective owners are one customer's application, however many keys it uses."""
FRAME_COVERAGE = 0.3
"""A frame that fills this part of the text is made by a program even if each account sends it once."""
THIN_COVERAGE = 0.1
REPEATING = 0.3
"""A thinner frame needs this part of the owners to send it again and again; a fashion is tried once."""
PUBLIC_PART = 0.5


def passes_for_harvest(family: FamilyFacts) -> bool:
    """Tell whether a family has the shape of a harvest: many owners, one frame, items that do not recur."""
    made_by_program = family.coverage >= FRAME_COVERAGE or (
        family.coverage >= THIN_COVERAGE and family.repeating >= REPEATING * family.owners
    )
    return (
        family.effective_owners >= MIN_OWNERS
        and family.overlap.share < BENCHMARK_OVERLAP
        and family.public < PUBLIC_PART
        and made_by_program
    )


def kind_of(family: FamilyFacts, p_value: float, fpr: float) -> Kind:
    """Return the kind of a family whose coincidence p-value is given; harvest only below `fpr`."""
    if family.effective_owners < MIN_OWNERS:
        return "single_organisation"
    if family.overlap.share >= BENCHMARK_OVERLAP:
        return "public_benchmark"
    if passes_for_harvest(family) and p_value <= fpr:
        return "harvest"
    return "unclear"


def alternatives(family: FamilyFacts, p_value: float) -> list[Alternative]:
    """Return the innocent explanations of a family, and why each was kept or dropped."""
    one_customer = family.effective_owners < MIN_OWNERS
    benchmark = family.overlap.share >= BENCHMARK_OVERLAP
    public = family.public >= PUBLIC_PART
    return [
        Alternative(
            explanation="one customer's application with many keys or accounts",
            kept=one_customer,
            why=f"{family.owners} declared owners, {family.effective_owners:.1f} counted by their part of the traffic",
        ),
        Alternative(
            explanation="strangers who run one public benchmark or question list",
            kept=benchmark,
            why=f"{family.overlap.share:.0%} of the items recur in other accounts; "
            f"a shared list gives {BENCHMARK_OVERLAP:.0%} or more",
        ),
        Alternative(
            explanation="a public prompt template or tool that many people use",
            kept=public,
            why=f"{family.public:.0%} of the frame is on the list of public templates",
        ),
        Alternative(
            explanation="a prompt in fashion, copied from one source",
            kept=family.repeating < REPEATING * family.owners,
            why=f"{family.repeating} of {family.owners} owners sent it more than once; "
            f"chance of so many sharing it: {p_value:.2g}",
        ),
    ]
