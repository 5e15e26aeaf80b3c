"""Sums a replay up: tallies and labels in, outcome out."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from stillwatch.detection.moments import rfc3339
from stillwatch.enforcement.backtest.labels import HONEST, LABELS, Label
from stillwatch.enforcement.backtest.outcome import AccountHit, BudgetOutcome, Figures, Group, Hits, Share
from stillwatch.enforcement.backtest.tally import Spent, Sums, Tally
from stillwatch.enforcement.policy.model import Policy
from stillwatch.statistics import clopper_pearson

_WORST = 10
UNLABELLED = "unlabelled"


@dataclass(frozen=True, slots=True)
class Known:
    """What hits are held against.

    Attributes:
        seen: requests of each account.
        seen_in: accounts in each cohort; one that changed is in both.
        labels: None where there are none.
        suspects: accounts with a verdict.
        tokens: whether the exchanges tell of output tokens.
    """

    seen: Mapping[str, Sums]
    seen_in: Mapping[str, int]
    labels: Mapping[str, Label] | None
    suspects: frozenset[str]
    tokens: bool

    @classmethod
    def of(cls, seen: Tally, labels: Mapping[str, Label] | None, suspects: frozenset[str], *, tokens: bool) -> "Known":
        """Sum up what was seen."""
        return cls(seen.by_account(), Counter(cohort for _, cohort in seen.sums), labels, suspects, tokens)

    def label(self, account: str) -> str:
        """Return an account's label."""
        return (self.labels or {}).get(account, UNLABELLED)

    def innocent(self, account: str) -> bool:
        """Whether nothing speaks against an account: neither its label nor, without one, a verdict."""
        label = self.label(account)
        return label in HONEST or (label == UNLABELLED and account not in self.suspects)


def describe(tally: Tally, known: Known) -> Hits:
    """Return what requests that were hit come to."""
    hit, whole = tally.by_account(), tally.whole()
    labels = _by_label(hit, known)
    innocent = [account for account in hit if known.innocent(account)]
    return Hits(
        hit=_figures(len(hit), whole.requests, whole.tokens, known),
        refused=_figures(sum(sums.refused > 0 for sums in hit.values()), whole.refused, whole.refused_tokens, known),
        degraded=whole.degraded,
        first=None if tally.first_us is None else rfc3339(tally.first_us),
        last=None if tally.last_us is None else rfc3339(tally.last_us),
        cohorts=_by_cohort(tally, known),
        labels=[] if known.labels is None else labels,
        collateral=None if known.labels is None else _collateral(labels),
        possible_collateral=sum(known.label(account) == UNLABELLED for account in innocent),
        worst_hit=_worst({account: hit[account] for account in innocent}, known),
    )


def seen_figures(seen: Tally, known: Known) -> Figures:
    """Return how much traffic there was."""
    whole = seen.whole()
    return _figures(len(known.seen), whole.requests, whole.tokens, known)


def describe_budgets(
    policy: Policy, as_written: Mapping[str, Spent], if_enforced: Mapping[str, Spent]
) -> list[BudgetOutcome]:
    """Return what became of each budget by `refused_share`."""
    found = []
    for budget in policy.budget:
        if budget.refused_share is None:
            continue
        written, enforced = as_written.get(budget.cohort), if_enforced.get(budget.cohort)
        spent = enforced or written
        found.append(
            BudgetOutcome(
                cohort=budget.cohort,
                refused_share=budget.refused_share,
                as_written=None if written is None else rfc3339(written.at_us),
                if_enforced=None if enforced is None else rfc3339(enforced.at_us),
                reason=None if spent is None else spent.reason,
            )
        )
    return found


def _figures(accounts: int, requests: int, tokens: int, known: Known) -> Figures:
    return Figures(accounts=accounts, requests=requests, output_tokens=tokens if known.tokens else None)


def _by_cohort(tally: Tally, known: Known) -> list[Group]:
    hit = Counter(cohort for _, cohort in tally.sums)
    refused = Counter(cohort for (_, cohort), sums in tally.sums.items() if sums.refused)
    return _groups(known.seen_in, hit, refused)


def _by_label(hit: Mapping[str, Sums], known: Known) -> list[Group]:
    seen = dict.fromkeys((*LABELS, UNLABELLED), 0) | Counter(map(known.label, known.seen))
    refused = Counter(known.label(account) for account, sums in hit.items() if sums.refused)
    return _groups(seen, Counter(map(known.label, hit)), refused)


def _groups(seen: Mapping[str, int], hit: Mapping[str, int], refused: Mapping[str, int]) -> list[Group]:
    return [
        Group(name=name, seen=seen[name], hit=hit.get(name, 0), refused=refused.get(name, 0)) for name in sorted(seen)
    ]


def _collateral(labels: Iterable[Group]) -> Share:
    honest = [group for group in labels if group.name in HONEST]
    accounts, of = sum(group.hit for group in honest), sum(group.seen for group in honest)
    low, high = clopper_pearson(accounts, of)
    share = accounts / max(1, of)
    return Share(accounts=accounts, of=of, share=round(share, 6), low=round(low, 6), high=round(high, 6))


def _worst(innocent: Mapping[str, Sums], known: Known) -> list[AccountHit]:
    order = sorted(innocent.items(), key=lambda one: (-one[1].refused, -one[1].requests, one[0]))
    return [
        AccountHit(
            account_id=account,
            label=known.label(account),
            seen=known.seen[account].requests,
            hit=sums.requests,
            refused=sums.refused,
        )
        for account, sums in order[:_WORST]
    ]
