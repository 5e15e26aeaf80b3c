"""What a replay comes to, for people and for `serve`. Field names are documented in docs/reference/policy.md."""

import msgspec

from stillwatch.detection.findings.model import Action
from stillwatch.enforcement.model import Mode


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """A part of accounts, with Clopper-Pearson 95 % limits."""

    accounts: int
    of: int
    share: float
    low: float
    high: float


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """How much traffic; `output_tokens` stand in for revenue, null where the exchanges do not tell."""

    accounts: int
    requests: int
    output_tokens: int | None


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """Accounts of one cohort or label: how many were seen, hit, refused."""

    name: str
    seen: int
    hit: int
    refused: int


class AccountHit(msgspec.Struct, frozen=True, kw_only=True):
    """One account that was hit; `seen` counts all its requests."""

    account_id: str
    label: str
    seen: int
    hit: int
    refused: int


class Hits(msgspec.Struct, frozen=True, kw_only=True):
    """What a rule, or all rules together, hit.

    Attributes:
        hit: requests that the rule's facts hold for.
        refused: those of them that it keeps from the model; a harder rule may do so instead.
        degraded: requests that it makes smaller.
        collateral: benign and hard negative accounts that are hit, of all that were seen; null without labels.
        possible_collateral: accounts hit that have neither a label nor a verdict.
        worst_hit: accounts that are not labelled as a campaign's, those with most requests refused or hit first.
    """

    hit: Figures
    refused: Figures
    degraded: int
    first: str | None
    last: str | None
    cohorts: list[Group]
    labels: list[Group]
    collateral: Share | None
    possible_collateral: int
    worst_hit: list[AccountHit]


class RuleOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """One rule: as the file has it, and were all rules enforced for everybody."""

    id: str
    action: Action
    mode: Mode
    canary_percent: float
    not_assessable: list[str]
    as_written: Hits
    if_enforced: Hits


class BudgetOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a cohort's `refused_share` would have been spent, when first, and why."""

    cohort: str
    refused_share: float
    as_written: str | None
    if_enforced: str | None
    reason: str | None


class PolicyName(msgspec.Struct, frozen=True, kw_only=True):
    """Which policy was replayed; `digest` is of its meaning (see gate.py)."""

    id: str
    version: str
    digest: str


class Basis(msgspec.Struct, frozen=True, kw_only=True):
    """What the replay rests on. `texts`: exchanges with a prompt or a sketch, null where the policy reads none."""

    exchanges: str
    counts: dict[str, int]
    rejected_by_reason: dict[str, int]
    first: str | None
    last: str | None
    texts: int | None
    verdicts: int | None
    labels: dict[str, int] | None


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """A replay's outcome. `seen` is all of the traffic; `as_written` and `if_enforced` are all rules but `watch`."""

    policy: PolicyName
    on: Basis
    notes: list[str]
    seen: Figures
    as_written: Hits
    if_enforced: Hits
    rules: list[RuleOutcome]
    budgets: list[BudgetOutcome]
