"""What a gateway loads: one line per account that is not simply allowed, with the bands of its campaign's frames.

A verdict that stands on what others reported names no campaign and no bands: what we received is no finding of ours,
and is never shared as one.
"""

from collections.abc import Set as AbstractSet

import numpy as np

from stillwatch.detection.campaigns.build import Built
from stillwatch.detection.campaigns.response import TTL_S
from stillwatch.detection.findings.model import AccountFinding, Verdict
from stillwatch.detection.population import Population
from stillwatch.features.sketch import bands

_SAMPLE = 2_000
_BAND_RATE = 0.2
_MAX_BANDS = 32


def verdicts_of(
    accounts: list[AccountFinding], bands_by_campaign: dict[str, list[str]], by_report: AbstractSet[str] = frozenset()
) -> list[Verdict]:
    """Return the verdicts of all accounts whose action is not `allow`; those `by_report` stand on a report alone."""
    return [
        _by_report(account) if account.account_id in by_report else _verdict(account, bands_by_campaign)
        for account in accounts
        if account.action != "allow"
    ]


def _verdict(account: AccountFinding, bands_by_campaign: dict[str, list[str]]) -> Verdict:
    return Verdict(
        account_id=account.account_id,
        action=account.action,
        reason_code=_reason_code(account),
        ttl_s=TTL_S[account.action],
        campaign_id=account.campaign_id,
        template_bands=bands_by_campaign.get(account.campaign_id or "", []),
    )


def _by_report(account: AccountFinding) -> Verdict:
    return Verdict(
        account_id=account.account_id,
        action=account.action,
        reason_code="received_indicator",
        ttl_s=TTL_S[account.action],
        campaign_id=None,
        template_bands=[],
    )


def _reason_code(account: AccountFinding) -> str:
    if account.campaign_id is None:
        return "unusual_account"
    return "linked_to_campaign" if account.action == "watch" else "campaign_member"


def template_bands(population: Population, built: list[Built]) -> dict[str, list[str]]:
    """Return, per harvest campaign, the LSH bands that at least a fifth of its exchanges have, most frequent first."""
    found = {}
    for one in built:
        if one.campaign.kind != "harvest":
            continue
        rows = one.rows[np.argsort(population.store.content[one.rows], kind="stable")]
        sample = rows[np.unique(np.linspace(0, rows.size - 1, min(rows.size, _SAMPLE)).astype(np.int64))]
        values, count = np.unique(bands(population.store.minhash(sample)), return_counts=True)
        order = np.lexsort((values, -count))
        frequent = order[count[order] >= _BAND_RATE * sample.size][:_MAX_BANDS]
        found[one.campaign.campaign_id] = [f"{int(value):016x}" for value in values[frequent]]
    return found
