"""A policy: who belongs to which cohort, what is limited, which facts bring which action, and who is exempt."""

from datetime import date
from typing import Annotated, Literal

import msgspec

from stillwatch.detection.findings.model import Action
from stillwatch.enforcement.limits import Rate
from stillwatch.enforcement.model import Challenge, Degrade, Mode, Name

Unit = Literal["requests", "tokens", "unseen_templates"]
Period = Literal["second", "minute", "hour", "day"]
Text = Annotated[str, msgspec.Meta(min_length=1)]
Positive = Annotated[float, msgspec.Meta(gt=0)]
Seconds = Annotated[int, msgspec.Meta(ge=1, le=366 * 86_400)]
Share = Annotated[float, msgspec.Meta(gt=0, le=1)]

PERIOD_S: dict[str, float] = {"second": 1.0, "minute": 60.0, "hour": 3600.0, "day": 86_400.0}
EVERYBODY = "everybody"
"""The cohort of accounts that no other one takes."""


class Cohort(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A group of accounts. All conditions that are given must hold; the first cohort of the file that fits wins.

    Attributes:
        plans, programmes, verification: values of the account record (contract: records.md).
        newer_than_days: accounts created at most so long ago.
    """

    id: Name
    account_ids: tuple[Text, ...] = ()
    org_ids: tuple[Text, ...] = ()
    plans: tuple[Text, ...] = ()
    programmes: tuple[Text, ...] = ()
    verification: tuple[Text, ...] = ()
    newer_than_days: Positive | None = None


class Limit(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """So much per account and period, of which `burst` (default: a tenth) may come at once; no cohort = all."""

    id: Name
    counts: Unit
    amount: Positive
    per: Period
    burst: Positive | None = None
    cohorts: tuple[Name, ...] = ()

    @property
    def rate(self) -> Rate:
        """The limit as numbers."""
        return Rate(self.amount, PERIOD_S[self.per], self.burst or max(1.0, self.amount / 10))


class When(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The facts that a rule waits for: one trigger at least, and all that is given must hold.

    Attributes:
        verdict: the account's own verdict is one of these.
        text: the text matches a campaign's frames, whoever sends it, or what other providers reported.
        handle: a reasoning handle is shown outside of the account, session or model that it was born in.
        limits: one of these limits is exceeded.
        reason_codes: narrows `verdict` to these reasons, or `text` where no verdict is given.
    """

    verdict: tuple[Action, ...] = ()
    text: bool = False
    handle: bool = False
    limits: tuple[Name, ...] = ()
    reason_codes: tuple[Text, ...] = ()
    cohorts: tuple[Name, ...] = ()
    models: tuple[Text, ...] = ()
    operations: tuple[Text, ...] = ()


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is done when the facts hold.

    Attributes:
        mode: `shadow` evaluates, counts and records, and lets the request pass.
        canary_percent: part of the accounts, by a hash of their name, for which the rule enforces.
        retry_after_s: what a refused client is told; a throttled account passes once in this time.
        longest_s: no verdict is acted on with `block` for longer, however it was set.
    """

    id: Name
    action: Action
    when: When
    mode: Mode = "shadow"
    canary_percent: Annotated[float, msgspec.Meta(gt=0, le=100)] = 100.0
    retry_after_s: Seconds | None = None
    longest_s: Seconds | None = None
    degrade: Degrade | None = None
    challenge: Challenge | None = None


class Budget(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much harm to honest accounts a cohort bears before its rules fall back to shadow, until a person resets it.

    Attributes:
        overturned: decisions that reviewers overturned within `per_days`.
        refused_share: part of the cohort's accounts seen today that were refused (counted from 100 accounts on).
    """

    cohort: Name
    overturned: Annotated[int, msgspec.Meta(ge=1)] | None = None
    refused_share: Share | None = None
    per_days: Annotated[int, msgspec.Meta(ge=1, le=366)] = 7


class Exemption(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Accounts for which nothing harder than `most` is done: parties of the registry by kind, or accounts by name."""

    id: Name
    reason: Text
    registry_kinds: tuple[Literal["distillation", "researcher", "evaluator"], ...] = ()
    account_ids: tuple[Text, ...] = ()
    org_ids: tuple[Text, ...] = ()
    most: Literal["allow", "watch"] = "watch"
    valid_to: date | None = None


class Policy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A policy file."""

    id: Name
    version: Name
    description: str = ""
    cohort: tuple[Cohort, ...] = ()
    limit: tuple[Limit, ...] = ()
    rule: tuple[Rule, ...] = ()
    budget: tuple[Budget, ...] = ()
    exemption: tuple[Exemption, ...] = ()
