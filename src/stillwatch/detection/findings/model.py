"""What detection says: account findings, campaigns, verdicts. The field names are the contract's (cli.md)."""

from typing import Literal

import msgspec

Kind = Literal["harvest", "public_benchmark", "single_organisation", "authorised", "unclear"]
Action = Literal["allow", "watch", "throttle", "challenge", "degrade", "block"]
Confidence = Literal["low", "moderate", "high"]
Role = Literal["harvester", "linked", "victim"]
Factor = Literal[
    "volume",
    "structure",
    "pattern",
    "coordination",
    "timing",
    "capability_concentration",
    "multiple_accounts",
    "development_timeline",
    "circumvention",
]

ACTIONS: tuple[Action, ...] = ("allow", "watch", "throttle", "challenge", "degrade", "block")
"""Actions from the mildest to the hardest."""


class Reason(msgspec.Struct, frozen=True, kw_only=True):
    """One additive piece of an account's score. `bits` is log2 of a Bayes factor bound, so pieces add up."""

    signal: str
    bits: float
    p_value: float | None
    detail: str


class AccountFinding(msgspec.Struct, frozen=True, kw_only=True):
    """One line of accounts.jsonl.

    Attributes:
        score_bits: sum of the bits of `reasons`.
        p_value: probability of so extreme an account under the segment's ordinary traffic, None if not assessable.
        not_assessable: signals that lacked the fields they need.
    """

    account_id: str
    exchanges: int
    segment: str
    score_bits: float
    p_value: float | None
    action: Action
    campaign_id: str | None
    reasons: list[Reason]
    not_assessable: list[str]


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """One additive piece of evidence for a campaign, named by the legal factor that it speaks to."""

    factor: Factor
    signal: str
    bits: float
    p_value: float | None
    detail: str


class Alternative(msgspec.Struct, frozen=True, kw_only=True):
    """An innocent explanation that was considered. `kept` is true where the data could not rule it out."""

    explanation: str
    kept: bool
    why: str


class Template(msgspec.Struct, frozen=True, kw_only=True):
    """A prompt family. `sketch` is a list of hex tokens; `text` has its slots emptied, None without content.

    `account_ids` names the members that sent it and draws the account graph; empty where that was not kept.
    """

    sketch: list[str]
    text: str | None
    exchanges: int
    accounts: int
    account_ids: list[str] = []


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """An account in a campaign. `share` is the part of its traffic that belongs to the campaign, 0..1.

    `role` is `harvester` (sends the campaign's prompts), `linked` (shares its infrastructure only)
    or `victim` (a real customer whose key or account was taken over).
    """

    account_id: str
    role: Role
    share: float


class DailyCount(msgspec.Struct, frozen=True, kw_only=True):
    """Exchanges of a campaign and of everybody in one bucket of time; `start` is RFC 3339."""

    start: str
    campaign: int
    population: int


class SharedKey(msgspec.Struct, frozen=True, kw_only=True):
    """A rare value shared by accounts of a campaign; the value itself is never written, only its digest."""

    key_kind: str
    digest: str
    accounts: list[str]


class Exposure(msgspec.Struct, frozen=True, kw_only=True):
    """What the campaign took away, as counts. Tokens are None where the log does not carry them."""

    exchanges: int
    output_tokens: int | None
    reasoning_tokens: int | None
    distinct_prompts: int | None
    capabilities: list[str]


class Campaign(msgspec.Struct, frozen=True, kw_only=True):
    """One campaign of campaigns.json. The last two fields feed the report's pictures."""

    campaign_id: str
    kind: Kind
    confidence: Confidence
    p_value: float | None
    accounts: list[Member]
    exchanges: int
    first_seen: str
    last_seen: str
    models: list[str]
    templates: list[Template]
    evidence: list[Evidence]
    alternatives: list[Alternative]
    recommended_action: Action
    exposure: Exposure
    timeline: list[DailyCount] = []
    shared_keys: list[SharedKey] = []


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """One line of verdicts.jsonl, what a gateway loads. `template_bands` are hex band hashes of the sketch."""

    account_id: str
    action: Action
    reason_code: str
    ttl_s: int
    campaign_id: str | None
    template_bands: list[str]


class CalibrationRow(msgspec.Struct, frozen=True, kw_only=True):
    """Declared against realised false positive rate of the account score in one segment.

    `low` and `high` are Clopper-Pearson 95 % limits of the realised rate on accounts that were held out.
    """

    segment: str
    accounts: int
    held_out: int
    declared_fpr: float
    realised_fpr: float | None
    low: float | None
    high: float | None
    source: Literal["history", "window"]


class Findings(msgspec.Struct, frozen=True, kw_only=True):
    """All that one run of detection found."""

    accounts: list[AccountFinding]
    campaigns: list[Campaign]
    verdicts: list[Verdict]
    calibration: list[CalibrationRow]
    notes: list[str] = []
