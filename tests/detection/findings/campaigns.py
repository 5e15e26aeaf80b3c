"""An invented harvest and an invented benchmark, with every kind of part; all text and names are ours."""

import math
from datetime import UTC, datetime, timedelta
from typing import Any

from stillwatch.detection.findings.model import (
    Alternative,
    Campaign,
    DailyCount,
    Evidence,
    Exposure,
    Member,
    SharedKey,
    Template,
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
