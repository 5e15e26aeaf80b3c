"""Compares what a run of detection says with what was planted (contract: cli.md, `range score`).

"Flagged" means that the account's action is throttle, challenge, degrade or block. An account that the run
does not mention counts as allowed. Rates carry Clopper-Pearson 95 % limits.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from stillwatch.errors import UsageError
from stillwatch.statistics import clopper_pearson
from stillwatch_range.truth import TrueAccount, Truth, read_truth

FLAGGED = frozenset({"throttle", "challenge", "degrade", "block"})
_FOUND_SHARE = 0.5

Rate = dict[str, float | int | None]


class _Action(msgspec.Struct):
    account_id: str
    action: str
    campaign_id: str | None = None


class Named(msgspec.Struct):
    """An account that a finding names."""

    account_id: str


class Finding(msgspec.Struct):
    """A campaign that a run reports, as far as scoring reads it."""

    campaign_id: str
    kind: str
    accounts: list[Named]


class _Report(msgspec.Struct):
    campaigns: list[Finding]


def score(truth_path: Path, run_dir: Path) -> dict[str, Any]:
    """Score one run; see `score_findings` for the metrics.

    Raises:
        UsageError: a file of the truth or of the run is absent or unreadable.
    """
    return score_findings(read_truth(truth_path), *read_run(run_dir))


def score_findings(truth: Truth, actions: dict[str, str], findings: list[Finding]) -> dict[str, Any]:
    """Score actions (by account) and campaigns found against the truth.

    A planted campaign is found when findings of kind `harvest` that are mostly its own hold at least half of
    its accounts. Purity is the part of those findings' members that belong to the campaign. A finding of kind
    `harvest` in which no planted campaign has the majority is a false campaign.

    Returns:
        Metrics named as in cli.md; each rate as `{value, low, high, hits, of}`, `value` None where `of` is 0.
    """
    flagged = {account for account, action in actions.items() if action in FLAGGED}
    blocked = {account for account, action in actions.items() if action == "block"}
    harvests = [finding for finding in findings if finding.kind == "harvest"]
    owners = {finding.campaign_id: _owner(truth, finding) for finding in harvests}
    heavy = _select(truth, lambda account: account.label == "hard_negative")
    new = _select(truth, lambda account: account.cohort.startswith("new:"))
    drift = _select(truth, lambda account: account.cohort == "drift")
    return {
        "account_recall": by_campaign(truth, lambda ids: _share(flagged, _members(truth, ids))),
        "account_fpr": _share(flagged, _select(truth, lambda account: account.label == "benign")),
        "hard_negative_flagged": {
            "all": _share(flagged, heavy),
            "per_cohort": {
                cohort: _share(flagged, _cohort(truth, cohort))
                for cohort in sorted({truth.accounts[account].cohort for account in heavy})
            },
        },
        "hard_negative_kinds": _kinds(truth, heavy, findings),
        "new_customer_challenged": _share(flagged, new),
        "new_customer_blocked": _share(blocked, new),
        "drift_flagged": _share(flagged, drift),
        "drift_blocked": _share(blocked, drift),
        "campaign_recall": by_campaign(truth, lambda ids: _found(truth, ids, harvests, owners)),
        "campaign_purity": by_campaign(truth, lambda ids: _purity(truth, ids, harvests, owners)),
        "campaign_fragments": {
            campaign: sum(owner == campaign for owner in owners.values()) for campaign in sorted(truth.campaigns)
        },
        "false_campaigns": sum(owner is None for owner in owners.values()),
    }


def rate(hits: int, of: int) -> Rate:
    """Return a proportion with its Clopper-Pearson 95 % limits."""
    low, high = clopper_pearson(hits, of)
    return {"value": hits / of if of else None, "low": low, "high": high, "hits": hits, "of": of}


def read_run(run_dir: Path) -> tuple[dict[str, str], list[Finding]]:
    """Return each account's action and the campaigns that a run wrote.

    Raises:
        UsageError: the directory does not hold a finished run.
    """
    try:
        lines = (run_dir / "accounts.jsonl").read_bytes().splitlines()
        accounts = [msgspec.json.decode(line, type=_Action) for line in lines]
        findings = msgspec.json.decode((run_dir / "campaigns.json").read_bytes(), type=_Report)
    except (OSError, msgspec.DecodeError) as error:
        raise UsageError(f"{run_dir} does not hold a finished run: {error}") from error
    return {account.account_id: account.action for account in accounts}, findings.campaigns


def by_campaign(truth: Truth, measure: Callable[[list[str]], Mapping[str, Any]]) -> dict[str, Any]:
    """Apply a measure to all planted campaigns, to each family's and to each split's."""
    families = sorted({campaign.family for campaign in truth.campaigns.values()})
    splits = sorted({campaign.accounts for campaign in truth.campaigns.values()})
    return {
        "all": measure(sorted(truth.campaigns)),
        "per_family": {
            family: measure([name for name, campaign in truth.campaigns.items() if campaign.family == family])
            for family in families
        },
        "per_split": {
            str(split): measure([name for name, campaign in truth.campaigns.items() if campaign.accounts == split])
            for split in splits
        },
    }


def _select(truth: Truth, chosen: Callable[[TrueAccount], bool]) -> set[str]:
    return {name for name, account in truth.accounts.items() if chosen(account)}


def _cohort(truth: Truth, cohort: str) -> set[str]:
    return _select(truth, lambda account: account.cohort == cohort)


def _members(truth: Truth, campaigns: Iterable[str]) -> set[str]:
    wanted = set(campaigns)
    return {name for name, account in truth.accounts.items() if account.campaign in wanted}


def _share(hit: set[str], among: set[str]) -> Rate:
    return rate(len(hit & among), len(among))


def _owner(truth: Truth, finding: Finding) -> str | None:
    """Return the planted campaign that has more than half of a finding's members, None if there is none."""
    counts = Counter(_campaign_of(truth, member.account_id) for member in finding.accounts)
    campaign, members = counts.most_common(1)[0] if counts else (None, 0)
    return campaign if members * 2 > len(finding.accounts) else None


def _campaign_of(truth: Truth, account_id: str) -> str | None:
    account = truth.accounts.get(account_id)
    return None if account is None else account.campaign


def _found(truth: Truth, campaigns: list[str], harvests: list[Finding], owners: dict[str, str | None]) -> Rate:
    hits = 0
    for campaign in campaigns:
        own = [finding for finding in harvests if owners[finding.campaign_id] == campaign]
        named = {member.account_id for finding in own for member in finding.accounts}
        members = _members(truth, [campaign])
        hits += len(named & members) >= _FOUND_SHARE * len(members)
    return rate(hits, len(campaigns))


def _purity(truth: Truth, campaigns: list[str], harvests: list[Finding], owners: dict[str, str | None]) -> Rate:
    own = named = 0
    for finding in harvests:
        owner = owners[finding.campaign_id]
        if owner in campaigns:
            named += len(finding.accounts)
            own += sum(_campaign_of(truth, member.account_id) == owner for member in finding.accounts)
    return rate(own, named)


def _kinds(truth: Truth, heavy: set[str], findings: list[Finding]) -> dict[str, dict[str, int]]:
    """Count, for each cohort of heavy users, the kinds of the findings that its accounts stand in."""
    found: dict[str, set[str]] = {}
    for finding in findings:
        for member in finding.accounts:
            found.setdefault(member.account_id, set()).add(finding.kind)
    kinds: dict[str, Counter[str]] = {}
    for account in sorted(heavy):
        kind = "+".join(sorted(found.get(account, {"none"})))
        kinds.setdefault(truth.accounts[account].cohort, Counter())[kind] += 1
    return {cohort: dict(sorted(counts.items())) for cohort, counts in sorted(kinds.items())}
