"""One order and one precision for everything that is written, so that equal findings are equal bytes."""

import math

from msgspec.structs import replace

from stillwatch.detection.findings.model import (
    AccountFinding,
    CalibrationRow,
    Campaign,
    Evidence,
    Exposure,
    Member,
    Reason,
    SharedKey,
    Template,
    Verdict,
)

_P_DIGITS = 6
_BITS_DECIMALS = 3
_SHARE_DECIMALS = 4


def canonical_account(finding: AccountFinding) -> AccountFinding:
    """Round the numbers of one account and sort its reasons by weight."""
    reasons = sorted((_reason(reason) for reason in finding.reasons), key=lambda r: (-r.bits, r.signal, r.detail))
    return replace(
        finding,
        score_bits=_bits(finding.score_bits),
        p_value=_p(finding.p_value),
        reasons=reasons,
        not_assessable=sorted(finding.not_assessable),
    )


def canonical_campaign(campaign: Campaign) -> Campaign:
    """Round the numbers of one campaign and sort its parts; `alternatives` keep the order they were given in."""
    return replace(
        campaign,
        p_value=_p(campaign.p_value),
        accounts=sorted((_member(member) for member in campaign.accounts), key=lambda m: m.account_id),
        models=sorted(campaign.models),
        templates=sorted((_template(t) for t in campaign.templates), key=lambda t: (-t.exchanges, t.sketch)),
        evidence=sorted(
            (_evidence(e) for e in campaign.evidence), key=lambda e: (-e.bits, e.factor, e.signal, e.detail)
        ),
        exposure=_exposure(campaign.exposure),
        timeline=sorted(campaign.timeline, key=lambda bucket: bucket.start),
        shared_keys=sorted((_key(k) for k in campaign.shared_keys), key=lambda k: (k.key_kind, k.digest)),
    )


def canonical_verdict(verdict: Verdict) -> Verdict:
    """Sort the bands of one verdict."""
    return replace(verdict, template_bands=sorted(verdict.template_bands))


def canonical_calibration(row: CalibrationRow) -> CalibrationRow:
    """Round the rates of one segment."""
    return replace(
        row,
        declared_fpr=_significant(row.declared_fpr),
        realised_fpr=_p(row.realised_fpr),
        low=_p(row.low),
        high=_p(row.high),
    )


def _reason(reason: Reason) -> Reason:
    return replace(reason, bits=_bits(reason.bits), p_value=_p(reason.p_value))


def _evidence(evidence: Evidence) -> Evidence:
    return replace(evidence, bits=_bits(evidence.bits), p_value=_p(evidence.p_value))


def _member(member: Member) -> Member:
    return replace(member, share=_finite(round(member.share, _SHARE_DECIMALS)))


def _template(template: Template) -> Template:
    return replace(template, account_ids=sorted(template.account_ids))


def _key(key: SharedKey) -> SharedKey:
    return replace(key, accounts=sorted(key.accounts))


def _exposure(exposure: Exposure) -> Exposure:
    return replace(exposure, capabilities=sorted(exposure.capabilities))


def _p(value: float | None) -> float | None:
    return None if value is None else _significant(value)


def _significant(value: float) -> float:
    return float(f"{_finite(value):.{_P_DIGITS}g}")


def _bits(value: float) -> float:
    return round(_finite(value), _BITS_DECIMALS) + 0.0  # + 0.0 turns a negative zero into zero


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise ValueError(f"a finding must not carry {value}: JSON has no word for it and a reader no use")
    return value
