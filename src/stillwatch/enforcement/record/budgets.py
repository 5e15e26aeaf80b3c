"""How much harm to honest accounts each cohort bears: past that, its rules fall back to shadow until a person looks."""

from collections import defaultdict
from collections.abc import Mapping
from types import MappingProxyType

from stillwatch.enforcement.policy.model import Budget, Policy
from stillwatch.enforcement.record.rulings import Rulings
from stillwatch.enforcement.record.store import Ruling, Store

_DAY_S = 86_400.0
_FOREVER = 1e12
_FEWEST_ACCOUNTS = 100
"""Below so many accounts a share of refused ones says nothing."""


class Budgets:
    """Watches the budgets of a policy. What fell back stays so over restarts, until `reset`."""

    def __init__(self, policy: Policy, store: Store, rulings: Rulings) -> None:
        self._budgets = {budget.cohort: budget for budget in policy.budget}
        self._shares = frozenset(budget.cohort for budget in policy.budget if budget.refused_share is not None)
        self._store, self._rulings = store, rulings
        self._fallen: dict[str, str] = {}
        rulings.on("cohort", self._take, 0.0)
        self._day = -1
        self._seen: defaultdict[str, set[str]] = defaultdict(set)
        self._refused: defaultdict[str, set[str]] = defaultdict(set)

    @property
    def fallen(self) -> Mapping[str, str]:
        """The cohorts whose rules are in shadow, and why, as it changes."""
        return MappingProxyType(self._fallen)

    def watch(self, cohort: str, account_id: str, *, refused: bool, now_s: float) -> bool:
        """Count an account of today; returns whether its cohort falls back with it."""
        if cohort not in self._shares:
            return False
        day = int(now_s // _DAY_S)
        if day != self._day:
            self._day = day
            self._seen.clear()
            self._refused.clear()
        self._seen[cohort].add(account_id)
        if not refused:
            return False
        self._refused[cohort].add(account_id)
        seen, hit = len(self._seen[cohort]), len(self._refused[cohort])
        most = self._budgets[cohort].refused_share or 1.0
        if seen < _FEWEST_ACCOUNTS or hit <= most * seen:
            return False
        return self._fall(cohort, f"{hit} of {seen} accounts seen today were refused, over {most:.3g}", now_s)

    def overturn(self, cohort: str, rule: str, now_s: float) -> bool:
        """Count a decision that a reviewer overturned; returns whether its cohort falls back with it."""
        self._store.add_overturned(now_s, cohort, rule)
        budget = self._budgets.get(cohort)
        if budget is None or budget.overturned is None:
            return False
        count = self._count(budget, now_s)
        if count < budget.overturned:
            return False
        return self._fall(cohort, f"{count} decisions were overturned within {budget.per_days} days", now_s)

    def reset(self, cohort: str, now_s: float) -> bool:
        """Let a cohort's rules enforce again, its budget whole; returns whether they did not."""
        fell = cohort in self._fallen
        self._store.forget_overturned(cohort, now_s)
        self._rulings.settle(Ruling(kind="cohort", name=cohort, ts=now_s, until=_FOREVER, body={}))
        return fell

    def _count(self, budget: Budget, now_s: float) -> int:
        return self._store.overturned(budget.cohort, now_s - budget.per_days * _DAY_S)

    def _fall(self, cohort: str, reason: str, now_s: float) -> bool:
        if cohort in self._fallen:
            return False
        self._rulings.settle(Ruling(kind="cohort", name=cohort, ts=now_s, until=_FOREVER, body={"reason": reason}))
        return True

    def _take(self, ruling: Ruling) -> None:
        """Put in force that a cohort fell back, or that a person ended it."""
        reason = ruling.body.get("reason")
        if reason is None:
            for held in (self._fallen, self._seen, self._refused):
                held.pop(ruling.name, None)
        else:
            self._fallen[ruling.name] = str(reason)
