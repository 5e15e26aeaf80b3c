"""Invented findings with every kind of part, for the tests of the writers; all text and names are ours."""

from typing import Any

from tests.detection.findings import campaigns

from stillwatch.detection.findings.model import (
    AccountFinding,
    Alternative,
    CalibrationRow,
    Campaign,
    Evidence,
    Exposure,
    Findings,
    Member,
    Reason,
    SharedKey,
    Template,
    Verdict,
)


def account(account_id: str, **changes: Any) -> AccountFinding:
    """Make an account that nothing speaks against."""
    fields: dict[str, Any] = {
        "account_id": account_id,
        "exchanges": 40,
        "segment": "api / small",
        "score_bits": 0.0,
        "p_value": 0.5,
        "action": "allow",
        "campaign_id": None,
        "reasons": [],
        "not_assessable": [],
    }
    return AccountFinding(**(fields | changes))


def accounts_of(campaign: Campaign) -> list[AccountFinding]:
    """Make the account findings of a campaign's members."""
    exchanges = campaign.exchanges // len(campaign.accounts)
    return [
        account(
            member.account_id,
            exchanges=exchanges,
            score_bits=12.25,
            p_value=0.0008,
            action=campaign.recommended_action if member.role == "harvester" else "watch",
            campaign_id=campaign.campaign_id,
            reasons=[Reason(signal="rare_template", bits=12.25, p_value=0.0002, detail="sends a rare template")],
        )
        for member in campaign.accounts
    ]


def calibration() -> list[CalibrationRow]:
    """Make a calibration that holds, one that fails and one that cannot be told."""
    row = {"declared_fpr": 0.001, "source": "history"}
    return [
        CalibrationRow(
            segment="api / small",
            accounts=8_200,
            held_out=4_100,
            realised_fpr=0.00073,
            low=0.00015,
            high=0.00214,
            **row,
        ),
        CalibrationRow(
            segment="api / large",
            accounts=640,
            held_out=320,
            realised_fpr=0.0125,
            low=0.0034,
            high=0.0317,
            **row,
        ),
        CalibrationRow(
            segment="app",
            accounts=31,
            held_out=0,
            realised_fpr=None,
            low=None,
            high=None,
            declared_fpr=0.001,
            source="window",
        ),
    ]


def findings(**changes: Any) -> Findings:
    """Make a run that found a harvest and a benchmark among ordinary accounts."""
    found = [campaigns.benchmark(), campaigns.harvest()]
    loud = [
        account(
            "acct-solo-1",
            exchanges=52_110,
            segment="api / large",
            score_bits=11.4,
            p_value=0.0004,
            action="watch",
            reasons=[
                Reason(
                    signal="account_outlier",
                    bits=8.1,
                    p_value=0.0011,
                    detail="more distinct prompts per hour than 99.9% of the segment",
                ),
                Reason(
                    signal="harvest_intent",
                    bits=3.3,
                    p_value=0.02,
                    detail="61% of the prompts ask for written-out reasoning",
                ),
            ],
        ),
        account(
            "acct-solo-2",
            exchanges=9_034,
            segment="api / small",
            score_bits=6.02,
            p_value=0.009,
            action="watch",
            reasons=[
                Reason(
                    signal="novel_mass",
                    bits=6.02,
                    p_value=0.009,
                    detail="most prompts resemble nothing seen before",
                ),
            ],
        ),
    ]
    quiet = [account(f"acct-q{i:04d}", not_assessable=["reasoning_replay"]) for i in range(300)]
    members = [finding for campaign in found for finding in accounts_of(campaign)]
    fields: dict[str, Any] = {
        "accounts": [*loud, *quiet, *members],
        "campaigns": found,
        "verdicts": [
            Verdict(
                account_id=finding.account_id,
                action=finding.action,
                reason_code="campaign_member",
                ttl_s=86_400,
                campaign_id=finding.campaign_id,
                template_bands=["b1", "a0"],
            )
            for finding in members
        ],
        "calibration": calibration(),
        "notes": ["Calibrated on 30 days of earlier traffic."],
    }
    return Findings(**(fields | changes))


def empty_findings(**changes: Any) -> Findings:
    """Make a run over logs without content that found nothing."""
    gaps = ["harvest_intent", "novel_mass", "rare_template"]
    fields: dict[str, Any] = {
        "accounts": [account(f"acct-q{i:04d}", not_assessable=gaps) for i in range(120)],
        "campaigns": [],
        "verdicts": [],
        "calibration": [],
        "notes": ["The log holds no prompts: signals on content were not assessed."],
    }
    return Findings(**(fields | changes))


def run_facts(**changes: Any) -> dict[str, Any]:
    """Make the facts of a run."""
    fields: dict[str, Any] = {
        "versions": {"stillwatch": "0.1.0", "python": "3.11.9", "duckdb": "1.5.6", "numpy": "2.4.0"},
        "configuration": {
            "fpr": 0.001,
            "memory": "4GB",
            "history": ["history/"],
            "registry": None,
            "seed": 7,
        },
        "counts": {"read": 596_204, "accepted": 596_180, "duplicate": 21, "rejected": 3},
        "timings": [
            {
                "name": "read",
                "rows": 596_180,
                "wall_s": 1.9,
                "cpu_s": 3.4,
                "peak_mib": 412,
                "rows_per_s": 313_779,
            },
            {
                "name": "sketch prompts",
                "rows": 596_180,
                "wall_s": 4.2,
                "cpu_s": 7.9,
                "peak_mib": 655,
                "rows_per_s": 141_948,
            },
            {
                "name": "link",
                "rows": 24_311,
                "wall_s": 0.4,
                "cpu_s": 0.6,
                "peak_mib": 655,
                "rows_per_s": 60_778,
            },
        ],
        "engine": "duckdb",
        "window": {"first": "2026-05-01T00:00:00Z", "last": "2026-05-28T23:59:58Z"},
    }
    return fields | changes


HOSTILE = (
    "</style><script>window.pwned = 1</script><img src='https://evil.example/x' onerror='window.pwned = 2'>"
    "]]><svg onload='window.pwned = 3'> {{ 7 * 7 }} \u202egnp.exe\u2066 \x00\x1b[31m '\"`--> &lt; "
    "javascript:window.pwned=4"
)


def hostile_findings() -> Findings:
    """Make findings in which every text that comes from outside attacks the page."""
    name = f"id{HOSTILE}"
    attack = campaigns.harvest(
        campaign_id=name,
        models=[name],
        accounts=[
            Member(account_id=name, role="harvester", share=0.5),
            Member(account_id="plain", role="linked", share=0.1),
        ],
        templates=[
            Template(
                sketch=[HOSTILE],
                text=f"{HOSTILE}\n\N{ARABIC LETTER SEEN}\N{ARABIC LETTER LAM}\N{ARABIC LETTER MEEM}\n{HOSTILE * 30}",
                exchanges=5,
                accounts=2,
                account_ids=[name, "plain"],
            )
        ],
        evidence=[Evidence(factor="pattern", signal=name, bits=3.0, p_value=0.1, detail=HOSTILE)],
        alternatives=[Alternative(explanation=HOSTILE, kept=True, why=HOSTILE)],
        exposure=Exposure(
            exchanges=5,
            output_tokens=None,
            reasoning_tokens=None,
            distinct_prompts=None,
            capabilities=[HOSTILE],
        ),
        shared_keys=[SharedKey(key_kind=name, digest=HOSTILE, accounts=[name, "plain"])],
    )
    loud = account(
        f"loud{HOSTILE}",
        segment=HOSTILE,
        score_bits=4.0,
        reasons=[Reason(signal=HOSTILE, bits=4.0, p_value=0.1, detail=HOSTILE)],
        not_assessable=[HOSTILE],
    )
    row = CalibrationRow(
        segment=HOSTILE,
        accounts=1,
        held_out=1,
        declared_fpr=0.1,
        realised_fpr=0.0,
        low=0.0,
        high=0.9,
        source="window",
    )
    return findings(accounts=[loud], campaigns=[attack], calibration=[row], notes=[HOSTILE], verdicts=[])
