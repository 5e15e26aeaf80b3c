"""A campaign as an OCSF Detection Finding (class 2004) for a SIEM. Prompt text never goes into it."""

from collections.abc import Iterator
from typing import Any

import msgspec

from stillwatch import __version__
from stillwatch.detection.findings.formats import parse_instant
from stillwatch.detection.findings.model import Action, Campaign, Confidence, Evidence, Member
from stillwatch.detection.findings.run import RunFacts
from stillwatch.detection.findings.wording import ACTION_MEANING, campaign_sentences, campaign_title

SCHEMA_VERSION = "1.6.0"
"""Version of the OCSF schema; its `attack` object covers ATLAS as well as ATT&CK."""

ATLAS_VERSION = "5.6.0"
"""Version of the ATLAS data that the technique ids were read from; names change, ids do not."""

_MEMBERS_LISTED = 100
_CLASS, _CATEGORY, _CREATE = 2004, 2, 1
_CONFIDENCE: dict[Confidence, tuple[int, str]] = {
    "low": (1, "Low"),
    "moderate": (2, "Medium"),
    "high": (3, "High"),
}
_SEVERITY: dict[Action, tuple[int, str]] = {
    "allow": (1, "Informational"),
    "watch": (2, "Low"),
    "throttle": (3, "Medium"),
    "challenge": (3, "Medium"),
    "degrade": (3, "Medium"),
    "block": (4, "High"),
}


def detection_finding(campaign: Campaign, run: RunFacts) -> dict[str, Any]:
    """Return the OCSF event of one campaign.

    `time` is the end of the window, the first moment at which the finding could be made, so that the same
    input gives the same bytes. At most 100 members are listed; `unmapped` says how many there are.

    Raises:
        ValueError: a timestamp that is not RFC 3339 with a zone.
    """
    harvest = campaign.kind == "harvest"
    severity_id, severity = _SEVERITY[campaign.recommended_action] if harvest else (1, "Informational")
    confidence_id, confidence = _CONFIDENCE[campaign.confidence]
    first, last = _milliseconds(campaign.first_seen), _milliseconds(campaign.last_seen)
    made = last if run.window is None else _milliseconds(run.window.last)
    return {
        "activity_id": _CREATE,
        "activity_name": "Create",
        "category_uid": _CATEGORY,
        "category_name": "Findings",
        "class_uid": _CLASS,
        "class_name": "Detection Finding",
        "type_uid": _CLASS * 100 + _CREATE,
        "type_name": "Detection Finding: Create",
        "time": made,
        "start_time": first,
        "end_time": last,
        "count": campaign.exchanges,
        "severity_id": severity_id,
        "severity": severity,
        "confidence_id": confidence_id,
        "confidence": confidence,
        "status_id": 1,
        "status": "New",
        "is_alert": harvest,
        "message": campaign_title(campaign),
        "metadata": _metadata(campaign, run),
        "finding_info": _finding_info(campaign, first, last, made),
        "evidences": [*map(_evidence, campaign.evidence), *_members(campaign)],
        "resources": [{"type": "AI model", "name": model} for model in campaign.models],
        "remediation": {"desc": ACTION_MEANING[campaign.recommended_action]},
        "unmapped": _unmapped(campaign),
    }


def _metadata(campaign: Campaign, run: RunFacts) -> dict[str, Any]:
    version = run.versions.get("stillwatch", __version__)
    return {
        "version": SCHEMA_VERSION,
        "uid": f"{campaign.campaign_id}/{campaign.last_seen}",
        "log_name": "findings.ocsf.jsonl",
        "product": {"name": "stillwatch", "vendor_name": "stillwatch", "version": version},
    }


def _finding_info(campaign: Campaign, first: int, last: int, made: int) -> dict[str, Any]:
    return {
        "uid": campaign.campaign_id,
        "title": campaign_title(campaign),
        "desc": " ".join(campaign_sentences(campaign)),
        "types": [campaign.kind],
        "created_time": made,
        "first_seen_time": first,
        "last_seen_time": last,
        "analytic": {
            "name": "stillwatch detect",
            "uid": "stillwatch.detect",
            "type_id": 3,
            "type": "Statistical",
        },
        "attacks": list(_attacks(campaign)),
    }


def _attacks(campaign: Campaign) -> Iterator[dict[str, Any]]:
    """Yield the ATLAS techniques that the campaign's own evidence speaks for; none unless it is a harvest."""
    if campaign.kind != "harvest":
        return
    factors = {evidence.factor for evidence in campaign.evidence}
    roles = {member.role for member in campaign.accounts}
    yield _attack("AML.T0024", "Exfiltration via AI Inference API", sub=("AML.T0024.002", "Extract AI Model"))
    yield _attack("AML.T0040", "AI Model Inference API Access")
    if "multiple_accounts" in factors:
        yield _attack("AML.T0021", "Establish Accounts")
    if "victim" in roles:
        yield _attack("AML.T0012", "Valid Accounts")
    if "circumvention" in factors:
        yield _attack("AML.T0008", "Acquire Infrastructure", sub=("AML.T0008.005", "AI Service Proxies"))


def _attack(uid: str, name: str, sub: tuple[str, str] | None = None) -> dict[str, Any]:
    attack: dict[str, Any] = {"technique": {"uid": uid, "name": name}, "version": ATLAS_VERSION}
    if sub is not None:
        attack["sub_technique"] = {"uid": sub[0], "name": sub[1]}
    return attack


def _evidence(evidence: Evidence) -> dict[str, Any]:
    return {"name": evidence.signal, "data": msgspec.to_builtins(evidence)}


def _members(campaign: Campaign) -> Iterator[dict[str, Any]]:
    by_share = sorted(campaign.accounts, key=lambda member: (-member.share, member.account_id))
    return map(_member, by_share[:_MEMBERS_LISTED])


def _member(member: Member) -> dict[str, Any]:
    return {
        "name": "account",
        "actor": {"user": {"uid": member.account_id}},
        "data": {"role": member.role, "share": member.share},
    }


def _unmapped(campaign: Campaign) -> dict[str, Any]:
    return {
        "kind": campaign.kind,
        "recommended_action": campaign.recommended_action,
        "p_value": campaign.p_value,
        "evidence_bits": round(sum(evidence.bits for evidence in campaign.evidence), 3),
        "accounts": len(campaign.accounts),
        "accounts_listed": min(len(campaign.accounts), _MEMBERS_LISTED),
        "templates": len(campaign.templates),
        "alternatives": msgspec.to_builtins(campaign.alternatives),
        "exposure": msgspec.to_builtins(campaign.exposure),
    }


def _milliseconds(instant: str) -> int:
    return int(parse_instant(instant).timestamp() * 1000)
