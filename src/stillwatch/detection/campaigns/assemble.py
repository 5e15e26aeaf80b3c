"""A campaign from its parts: the same for all, whatever it was found by."""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from stillwatch.detection.campaigns.casefile import Casefile
from stillwatch.detection.campaigns.infrastructure import ADDRESS_KINDS, IDENTITY_KINDS, shared_keys, shared_values
from stillwatch.detection.campaigns.response import campaign_action, confidence_of
from stillwatch.detection.exposure import exposure_of
from stillwatch.detection.findings.model import (
    Alternative,
    Campaign,
    Confidence,
    Evidence,
    Kind,
    Member,
    Role,
    Template,
)
from stillwatch.detection.moments import rfc3339
from stillwatch.detection.population import Population

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Sent:
    """What a campaign sent; `rows` are those of its exchanges that are in the store."""

    rows: Ints
    exchanges: int
    first_us: int
    last_us: int
    models: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What campaigns differ in by the way they were found.

    Attributes:
        tied: accounts (numbers) whose shared values are shown.
        may_block: whether the evidence is of the kind that a block can rest on.
        capabilities: what its prompts are after.
    """

    campaign_id: str
    kind: Kind
    p_value: float
    sent: Sent
    members: list[Member]
    evidence: list[Evidence]
    alternatives: list[Alternative]
    tied: Ints
    may_block: bool
    templates: list[Template] = field(default_factory=list)
    capabilities: list[str] = field(default_factory=list)


def assemble(case: Casefile, parts: Parts) -> Campaign:
    """Return the campaign; how sure it is and what to do follow from its kind and its evidence."""
    population, sent = case.population, parts.sent
    confidence = _confidence(parts.kind, parts.evidence)
    return Campaign(
        campaign_id=parts.campaign_id,
        kind=parts.kind,
        confidence=confidence,
        p_value=parts.p_value,
        accounts=parts.members,
        exchanges=sent.exchanges,
        first_seen=rfc3339(sent.first_us),
        last_seen=rfc3339(sent.last_us),
        models=sent.models,
        templates=parts.templates,
        evidence=parts.evidence,
        alternatives=parts.alternatives,
        recommended_action=campaign_action(parts.kind, confidence, parts.evidence, calibrated=parts.may_block),
        exposure=exposure_of(population.store, sent.rows, parts.capabilities),
        shared_keys=shared_keys(case.links, parts.tied, population.ids),
    )


def sent_in(population: Population, rows: Ints) -> Sent:
    """Return what was sent in certain rows of the store."""
    store = population.store
    seen = store.ts_us[rows]
    models = sorted(store.models[number] for number in np.unique(store.model[rows]))
    return Sent(rows, int(rows.size), int(seen.min()), int(seen.max()), models)


def sent_by(population: Population, accounts: Ints, models: set[str]) -> Sent:
    """Return all that the accounts (numbers) sent, to the given models."""
    exchanges, first, last = (population.ints(name)[accounts] for name in ("exchanges", "first_us", "last_us"))
    rows = np.flatnonzero(np.isin(population.row_account, accounts))
    return Sent(rows, int(exchanges.sum()), int(first.min()), int(last.max()), sorted(models))


def members_of(case: Casefile, accounts: Ints, shares: npt.ArrayLike, role: Role) -> list[Member]:
    """Return accounts (numbers) as members with the part of their traffic that is the campaign's.

    Who is known to be taken over is a victim, whatever the role of the others.
    """
    return [
        Member(
            account_id=case.population.ids[account],
            role="victim" if case.victims[account] else role,
            share=min(1.0, float(share)),
        )
        for account, share in zip(accounts, np.broadcast_to(shares, accounts.shape), strict=True)
    ]


def tied_accounts(case: Casefile, accounts: Ints) -> Ints:
    """Return those of the accounts (numbers) that rare values tie together beyond chance."""
    shared = shared_values(case.links, accounts, IDENTITY_KINDS | ADDRESS_KINDS)
    return shared.accounts if shared.kinds else accounts[:0]


def _confidence(kind: Kind, evidence: list[Evidence]) -> Confidence:
    if kind == "harvest":
        return confidence_of(evidence)
    return "low" if kind == "unclear" else "moderate"
