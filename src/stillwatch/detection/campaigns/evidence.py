"""The evidence for a campaign, piece by piece, in bits that add up; and which pieces are independent of the linkage."""

import numpy as np
import numpy.typing as npt

from stillwatch.detection.campaigns.casefile import Casefile
from stillwatch.detection.campaigns.coincidence import InnocentFrames
from stillwatch.detection.campaigns.conduct import (
    Conduct,
    first_seen_synchrony,
    first_use_synchrony,
    handle_replay,
    harvest_intent,
    release_pivot,
)
from stillwatch.detection.campaigns.content import ContentCommunity
from stillwatch.detection.campaigns.families import FamilyFacts
from stillwatch.detection.campaigns.grouping import Group
from stillwatch.detection.campaigns.infrastructure import ADDRESS_KINDS, IDENTITY_KINDS, shared_values
from stillwatch.detection.campaigns.kind import BENCHMARK_OVERLAP
from stillwatch.detection.findings.model import Evidence, Factor
from stillwatch.features.overlap import Overlap
from stillwatch.statistics import binomial_tail, evidence_bits

Ints = npt.NDArray[np.int64]

INDEPENDENT = frozenset({"shared_identity", "handle_replay"})
"""Signals that are evidence of another kind than a common frame, and can carry a block.

Intent is read from the same text. Synchrony and the move to a new model are not among them: a tool that is published
with a model's release gives strangers its frame and the model on one day. Nor are shared addresses: a class on one
campus has one address and one assignment.
"""
REPORTED = "reported_by_others"
"""Signal of what other providers reported: shown, and counted neither for confidence nor as a kind of its own."""
_BOUNDS = {
    "repeat_use": 10.0,
    "novel_mass": 20.0,
    "partition": 10.0,
    "harvest_intent": 5.0,
    "first_use_synchrony": 10.0,
    "first_seen_synchrony": 10.0,
}
_REPEAT_RATE = 0.2
_ITEMS_AT_MOST = 30


def weigh_frame(case: Casefile, group: Group, p_value: float) -> tuple[list[Evidence], list[str]]:
    """Return the evidence for a group of families, and the capabilities that its prompts are after."""
    largest = group.families[0]
    intent, capabilities = harvest_intent(case.population, group.rows, group.accounts)
    evidence = [
        _linkage(case, largest, p_value),
        _repeat_use(largest),
        _partition(largest.overlap, largest.rows.size),
        *_shared(case, group.accounts),
        *_conduct("first_use_synchrony", "timing", first_use_synchrony(case.population, group.rows, case.seed)),
        *_conduct("harvest_intent", "capability_concentration", intent),
        *_shared_conduct(case, group.accounts),
    ]
    return evidence, capabilities


def weigh_content(case: Casefile, community: ContentCommunity) -> tuple[list[Evidence], list[str]]:
    """Return the evidence for accounts that write the same new things, and the capabilities that they are after."""
    accounts = community.accounts
    intent, capabilities = harvest_intent(case.population, community.rows, accounts)
    detail = (
        f"{accounts.size} accounts of {community.owners} owners write the same things, unknown in history: "
        f"{np.median(community.shares):.0%} of an account's prompts"
    )
    evidence = [
        _piece("pattern", "novel_mass", community.p_value, detail),
        _partition(community.overlap, community.rows.size),
        *_shared(case, accounts),
        *_conduct("first_use_synchrony", "timing", first_use_synchrony(case.population, community.rows, case.seed)),
        *_conduct("harvest_intent", "capability_concentration", intent),
        *_shared_conduct(case, accounts),
    ]
    return evidence, capabilities


def weigh_pool(case: Casefile, accounts: Ints) -> list[Evidence]:
    """Return the evidence for accounts (numbers) that rare values tie together, whatever they wrote."""
    return [
        *_shared(case, accounts, without_payer=False),
        *_conduct("first_seen_synchrony", "timing", first_seen_synchrony(case.population, accounts)),
        *_shared_conduct(case, accounts),
    ]


def _shared_conduct(case: Casefile, accounts: Ints) -> list[Evidence]:
    pivot = release_pivot(case.population, case.model_days, accounts, case.releases)
    return [
        *_conduct("release_pivot", "development_timeline", pivot),
        *_conduct("handle_replay", "circumvention", handle_replay(case.population, case.replays, accounts)),
    ]


def _conduct(signal: str, factor: Factor, conduct: Conduct | None) -> list[Evidence]:
    return [] if conduct is None else [_piece(factor, signal, conduct.p_value, conduct.detail)]


def _piece(factor: Factor, signal: str, p_value: float, detail: str) -> Evidence:
    bits = min(evidence_bits(p_value), _BOUNDS.get(signal, np.inf))
    return Evidence(factor=factor, signal=signal, bits=bits, p_value=p_value, detail=detail)


def _linkage(case: Casefile, family: FamilyFacts, p_value: float) -> Evidence:
    seen = "unknown in history" if case.past is not None else "not known from history, for there is none"
    detail = (
        f"{family.accounts.size} accounts of {family.owners} owner{'' if family.owners == 1 else 's'} "
        f"send one frame, {seen}; "
        f"it fills {family.coverage:.0%} of their text"
    )
    return _piece("pattern", "template_linkage", p_value, detail)


def _repeat_use(family: FamilyFacts) -> Evidence:
    p_value = binomial_tail(family.repeating, family.owners, _REPEAT_RATE)
    detail = f"{family.repeating} of {family.owners} owners sent it more than once"
    return _piece("structure", "repeat_use", p_value, detail)


def _partition(overlap: Overlap, exchanges: int) -> Evidence:
    """Items that do not recur speak for a shared-out work list, items that do against it."""
    items = min(exchanges, _ITEMS_AT_MOST)
    recurring = round(overlap.share * items)
    p_value = 1 - binomial_tail(recurring + 1, items, BENCHMARK_OVERLAP)
    detail = f"{overlap.share:.0%} of the items recur in other accounts"
    if overlap.share < BENCHMARK_OVERLAP:
        return _piece("structure", "partition", p_value, detail)
    return Evidence(factor="structure", signal="partition", bits=-_BOUNDS["partition"], p_value=None, detail=detail)


def _shared(case: Casefile, accounts: Ints, *, without_payer: bool = True) -> list[Evidence]:
    """Weigh what accounts of different owners share: of one hand, and of one place."""
    pieces = []
    for signal, kinds in (("shared_identity", IDENTITY_KINDS), ("shared_address", ADDRESS_KINDS)):
        if kinds & set(case.links.kinds):
            shared = shared_values(case.links, accounts, kinds, without_payer=without_payer)
            what = ", ".join(shared.kinds) or "no kind of value more than strangers do"
            detail = (
                f"{shared.accounts.size} of {accounts.size} accounts share with another owner's: {what}; "
                f"{shared.ties} ties where chance gives {shared.expected:.1f}"
            )
            pieces.append(_piece("multiple_accounts", signal, shared.p_value, detail))
    return pieces


def group_p_value(group: Group, owners: int, innocent: InnocentFrames) -> float:
    """Return the smallest coincidence p-value of the group's families, times their number (Bonferroni)."""
    smallest = min(innocent.p_value(family.owners, owners) for family in group.families)
    return min(1.0, smallest * len(group.families))
