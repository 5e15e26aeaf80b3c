"""The finding of each account: its score as a sum of reasons, and the action that follows from it."""

from dataclasses import dataclass

import numpy as np

from stillwatch.detection.calibration import Calibrated
from stillwatch.detection.findings.model import ACTIONS, AccountFinding, Action, Campaign, Member, Reason
from stillwatch.detection.population import Population
from stillwatch.detection.signals import SIGNALS
from stillwatch.statistics import evidence_bits

_TELLING = 0.05
_LINKS = ("shared_identity", "shared_address")
_HARVEST_SIGNALS = (
    "template_linkage",
    "novel_mass",
    *_LINKS,
    "first_use_synchrony",
    "first_seen_synchrony",
    "handle_replay",
    "release_pivot",
)


@dataclass(frozen=True, slots=True)
class _Membership:
    campaign: Campaign
    member: Member


def judge_accounts(
    population: Population, calibrated: Calibrated, campaigns: list[Campaign], fpr: float, *, records_given: bool
) -> list[AccountFinding]:
    """Return the finding of every account of the window, by account number.

    `records_given` tells whether there are account records, from which cards and phones are known.
    """
    memberships = _memberships(campaigns)
    missing = _not_assessable(population, records_given=records_given)
    exchanges = population.ints("exchanges")
    by_signal = [(signal, calibrated.by_signal[signal.name]) for signal in SIGNALS]
    findings = []
    for number, account_id in enumerate(population.ids):
        p_value = float(calibrated.p_value[number])
        reasons = [
            Reason(
                signal=signal.name,
                bits=evidence_bits(float(p[number])),
                p_value=float(p[number]),
                detail=signal.wording,
            )
            for signal, p in by_signal
            if p[number] <= _TELLING
        ]
        membership = memberships.get(account_id)
        if membership is not None:
            reasons = _campaign_reasons(membership) + reasons
        findings.append(
            AccountFinding(
                account_id=account_id,
                exchanges=int(exchanges[number]),
                segment=str(calibrated.segment[number]),
                score_bits=float(sum(reason.bits for reason in reasons)),
                p_value=None if np.isnan(p_value) else p_value,
                action=_action(membership, p_value, fpr),
                campaign_id=membership.campaign.campaign_id if membership else None,
                reasons=reasons,
                not_assessable=missing + [signal.name for signal, p in by_signal if np.isnan(p[number])],
            )
        )
    return findings


def _memberships(campaigns: list[Campaign]) -> dict[str, _Membership]:
    """Choose one campaign per account: the one with the hardest action, then the largest share of its traffic."""
    chosen: dict[str, _Membership] = {}
    for campaign in campaigns:
        for member in campaign.accounts:
            old = chosen.get(member.account_id)
            if old is None or _rank(campaign, member) > _rank(old.campaign, old.member):
                chosen[member.account_id] = _Membership(campaign, member)
    return chosen


def _rank(campaign: Campaign, member: Member) -> tuple[bool, int, float]:
    return member.role != "linked", ACTIONS.index(campaign.recommended_action), member.share


def _campaign_reasons(membership: _Membership) -> list[Reason]:
    """Return the campaign's evidence that speaks about the account; accounts that are only linked share the linkage."""
    campaign, member = membership.campaign, membership.member
    if campaign.kind != "harvest":
        return []
    signals = _LINKS if member.role == "linked" else _HARVEST_SIGNALS
    return [
        Reason(signal=piece.signal, bits=piece.bits, p_value=piece.p_value, detail=piece.detail)
        for piece in campaign.evidence
        if piece.signal in signals and piece.bits > 0
    ]


def _action(membership: _Membership | None, p_value: float, fpr: float) -> Action:
    own: Action = "watch" if p_value <= fpr else "allow"
    if membership is None:
        return own
    action = membership.campaign.recommended_action
    if membership.member.role == "linked":
        return "watch"
    if membership.member.role == "victim":
        # A campaign without a frame is a pool, whose other members are linked and only watched.
        return min(action, "challenge" if membership.campaign.templates else "watch", key=ACTIONS.index)
    if membership.campaign.kind in {"authorised", "single_organisation", "public_benchmark"}:
        return action
    return max(action, own, key=ACTIONS.index)


def _not_assessable(population: Population, *, records_given: bool) -> list[str]:
    """Name the kinds of evidence for which the log lacks what they need."""
    missing = []
    if not len(population.store):
        missing.append("template_linkage")
    if not records_given and not population.fields & {"device_id", "key_id"}:
        missing.append("shared_identity")
    if not population.fields & {"client_ip", "tls_fingerprint", "user_agent"}:
        missing.append("shared_address")
    if "reasoning_handle_account" not in population.fields:
        missing.append("handle_replay")
    return missing
