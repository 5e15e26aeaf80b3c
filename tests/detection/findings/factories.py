"""Invented findings with every kind of part, for the tests of the writers; all text and names are ours."""

import math
from datetime import UTC, datetime, timedelta
from typing import Any

from stillwatch.detection.findings.model import (
    AccountFinding,
    Alternative,
    CalibrationRow,
    Campaign,
    DailyCount,
    Evidence,
    Exposure,
    Findings,
    Member,
    Reason,
    SharedKey,
    Template,
    Verdict,
)

START = datetime(2026, 5, 1, tzinfo=UTC)
GRADER = (
    "You are a careful grader. Read the task and the answer.\n\nTask: {slot}\n\nAnswer: {slot}\n\n"
    "Write down your reasoning step by step, then give a score from 1 to 10 for each of: correctness, helpfulness, "
    "style. End with one line of the form SCORE: {slot}"
)
SOLVER = "Solve the problem. Show every step of your reasoning before the result.\n\nProblem {slot}:\n{slot}"
QUIZ = "Answer with one letter only.\n\nQuestion: {slot}\nA. {slot}\nB. {slot}\nC. {slot}\nD. {slot}\nAnswer:"


def timeline(days: int, peak: int, first: int, last: int) -> list[DailyCount]:
    """Make daily counts with a weekly rhythm, the campaign between the days `first` and `last`."""
    counts = []
    for number in range(days):
        weekday = (START + timedelta(days=number)).weekday()
        population = int(21_000 * (0.6 if weekday >= 5 else 1.0) * (1 + 0.08 * math.sin(number)))
        inside = first <= number <= last
        campaign = (
            int(peak * (0.55 + 0.45 * math.sin(math.pi * (number - first + 1) / (last - first + 2)))) if inside else 0
        )
        start = (START + timedelta(days=number)).isoformat().replace("+00:00", "Z")
        counts.append(DailyCount(start=start, campaign=campaign, population=population + campaign))
    return counts


def harvest(**changes: Any) -> Campaign:
    """Make a harvest of 24 accounts that mix two templates with unrelated traffic."""
    accounts = [f"acct-{7919 * (i + 3) % 99991:05d}" for i in range(24)]
    fields: dict[str, Any] = {
        "campaign_id": "cmp-5f1c0a77b2e94d13",
        "kind": "harvest",
        "confidence": "high",
        "p_value": 1.2e-9,
        "accounts": [
            Member(
                account_id=account,
                role="victim" if i == 5 else "linked" if i > 20 else "harvester",
                share=0.0 if i > 20 else round(0.42 + 0.02 * (i % 13), 4),
            )
            for i, account in enumerate(accounts)
        ],
        "exchanges": 18_432,
        "first_seen": "2026-05-09T03:12:44Z",
        "last_seen": "2026-05-24T22:47:03Z",
        "models": ["sable-2-large", "sable-2-reasoning"],
        "templates": [
            Template(
                sketch=["9f3c11aa", "01b7e2d0"],
                text=GRADER,
                exchanges=11_970,
                accounts=21,
                account_ids=accounts[:21],
            ),
            Template(sketch=["77aa0b1c"], text=SOLVER, exchanges=6_462, accounts=9, account_ids=accounts[4:13]),
        ],
        "evidence": [
            Evidence(
                factor="pattern",
                signal="rare_template",
                bits=18.4,
                p_value=2.1e-7,
                detail="21 accounts send a template that 2.4 million earlier prompts do not contain",
            ),
            Evidence(
                factor="multiple_accounts",
                signal="shared_payment",
                bits=9.7,
                p_value=1.4e-4,
                detail="8 accounts were paid with the same instrument",
            ),
            Evidence(
                factor="coordination",
                signal="disjoint_work",
                bits=6.2,
                p_value=0.0021,
                detail="no prompt was sent by two accounts; chance would repeat about 340",
            ),
            Evidence(
                factor="timing",
                signal="steady_rate",
                bits=3.1,
                p_value=0.018,
                detail="requests do not slow down at night or at weekends",
            ),
            Evidence(
                factor="capability_concentration",
                signal="harvest_intent",
                bits=2.4,
                p_value=0.03,
                detail="94% of the prompts ask for written-out reasoning or for grades",
            ),
            Evidence(
                factor="volume",
                signal="volume_per_account",
                bits=-1.8,
                p_value=0.61,
                detail="each account alone stays within what its segment does",
            ),
        ],
        "alternatives": [
            Alternative(
                explanation="One customer with several keys",
                kept=False,
                why="The accounts pay separately, sign up from 19 unrelated domains and share no organisation.",
            ),
            Alternative(
                explanation="A public benchmark",
                kept=False,
                why="Only 0.3% of the prompts were sent by two accounts; in a benchmark everyone sends the same.",
            ),
            Alternative(
                explanation="An authorised researcher",
                kept=False,
                why="No entry of the registry covers these accounts or their organisations.",
            ),
            Alternative(
                explanation="A popular prompt from the web",
                kept=True,
                why="The wording is not on the list of public templates, but the list cannot be complete.",
            ),
        ],
        "recommended_action": "block",
        "exposure": Exposure(
            exchanges=18_432,
            output_tokens=21_400_000,
            reasoning_tokens=None,
            distinct_prompts=18_390,
            capabilities=["written-out reasoning", "grading by rubric"],
        ),
        "timeline": timeline(days=28, peak=1_700, first=8, last=23),
        "shared_keys": [
            SharedKey(key_kind="payment_id", digest="b0c4f19e22d7", accounts=accounts[:8]),
            SharedKey(key_kind="device_id", digest="41ee7a90c3b5", accounts=[*accounts[8:12], *accounts[21:]]),
            SharedKey(key_kind="tls_fingerprint", digest="d93b6e01f7aa", accounts=accounts[3:19]),
        ],
    }
    return Campaign(**(fields | changes))


def benchmark(**changes: Any) -> Campaign:
    """Make a public benchmark that many strangers ran."""
    accounts = [f"acct-b{i:04d}" for i in range(140)]
    fields: dict[str, Any] = {
        "campaign_id": "cmp-c21b9d440e6f8a05",
        "kind": "public_benchmark",
        "confidence": "moderate",
        "p_value": 3.4e-4,
        "accounts": [Member(account_id=account, role="harvester", share=0.31) for account in accounts],
        "exchanges": 196_000,
        "first_seen": "2026-05-02T08:00:00Z",
        "last_seen": "2026-05-27T17:30:00Z",
        "models": ["sable-2-large"],
        "templates": [Template(sketch=["3d02ff18"], text=QUIZ, exchanges=196_000, accounts=140, account_ids=accounts)],
        "evidence": [
            Evidence(
                factor="pattern",
                signal="rare_template",
                bits=11.2,
                p_value=4.0e-5,
                detail="140 accounts send the same template",
            ),
            Evidence(
                factor="coordination",
                signal="duplicate_share",
                bits=-14.0,
                p_value=None,
                detail="97% of the prompts were sent word for word by another account",
            ),
        ],
        "alternatives": [
            Alternative(explanation="A public benchmark", kept=True, why="Every account sends the whole set of items.")
        ],
        "recommended_action": "watch",
        "exposure": Exposure(
            exchanges=196_000,
            output_tokens=392_000,
            reasoning_tokens=None,
            distinct_prompts=1_400,
            capabilities=[],
        ),
        "timeline": timeline(days=28, peak=9_000, first=1, last=26),
        "shared_keys": [],
    }
    return Campaign(**(fields | changes))


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
    campaigns = [benchmark(), harvest()]
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
    members = [finding for campaign in campaigns for finding in accounts_of(campaign)]
    fields: dict[str, Any] = {
        "accounts": [*loud, *quiet, *members],
        "campaigns": campaigns,
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
    attack = harvest(
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
