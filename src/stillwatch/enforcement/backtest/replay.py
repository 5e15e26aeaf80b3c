"""One hearing of stored exchanges by the decider, whose clock is the exchange's own moment."""

import heapq
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from stillwatch.detection.findings.model import Verdict
from stillwatch.enforcement.backtest.tally import PASSED, Fate, Spent, Tally
from stillwatch.enforcement.backtest.traffic import Asked
from stillwatch.enforcement.decide import Hit, heard
from stillwatch.enforcement.decider import Decider, Reading
from stillwatch.enforcement.model import LEVEL, DecideRequest
from stillwatch.enforcement.policy.model import Policy
from stillwatch.enforcement.record.budgets import Budgets
from stillwatch.enforcement.record.intake import settle
from stillwatch.enforcement.record.rulings import Rulings
from stillwatch.enforcement.record.store import Store
from stillwatch.enforcement.state.cohorts import Cohorts
from stillwatch.enforcement.state.counters import Cost, reserved_tokens
from stillwatch.enforcement.state.known_texts import KnownTexts

_SWEEP_S = 60.0
_LONGEST_ANSWER_S = 600.0
"""No answer is waited for longer, so that what is in flight stays little."""


def enforced_for_everybody(policy: Policy) -> Policy:
    """Return the policy with every rule enforced, whatever its mode and canary."""
    rules = tuple(msgspec.structs.replace(rule, mode="enforce", canary_percent=100.0) for rule in policy.rule)
    return msgspec.structs.replace(policy, rule=rules)


class Hearing:
    """A policy in force from the first exchange to the last.

    A cohort whose budget would be spent stays in force all the same, so that the counts are those of the whole time.

    Attributes:
        hits: what each rule hit: requests that its facts hold for, refused or made smaller only where it decided.
        all_hits: requests that any rule harder than `watch` hit.
        spent: by cohort.
    """

    def __init__(
        self, policy: Policy, cohorts: Cohorts, verdicts: Sequence[Verdict], last_s: float, store: Path
    ) -> None:
        """Put the verdicts in force from before the first exchange until after the last, which is at `last_s`."""
        self.decider = Decider(policy, "enforce", cohorts)
        self.decider.standings.take(verdicts, last_s + 1)
        self.decider.texts = KnownTexts(verdicts, last_s + 1)
        self.hits: defaultdict[str, Tally] = defaultdict(Tally)
        self.all_hits = Tally()
        self.spent: dict[str, Spent] = {}
        self._store = Store(store)
        self._budgets = Budgets(policy, self._store, Rulings(self._store))
        self._in_flight: list[tuple[float, int, Asked]] = []
        self._number = 0
        self._swept_s = 0.0

    def close(self) -> None:
        """Close the file of the budgets."""
        self._store.close()

    def hear(self, asked: Asked, request: DecideRequest, reading: Reading, now_s: float) -> None:
        """Decide on an exchange, count what that comes to, and let its answer come where it passes."""
        self._catch_up(now_s)
        decided = self.decider.decide_on(request, reading, now_s)
        decision, account, cohort = decided.decision, asked.account_id, decided.cohort or ""
        if self._budgets.watch(cohort, account, refused=decision.refuses, now_s=now_s):
            self.spent[cohort] = Spent(asked.ts_us, self._budgets.fallen[cohort])
        if not decision.refuses:
            self._number += 1
            took_s = min(max(0, asked.latency_ms or 0) / 1000, _LONGEST_ANSWER_S)
            heapq.heappush(self._in_flight, (now_s + took_s, self._number, asked))
        if decided.facts is None:
            return
        deciding = None if decided.enforced is None else decided.enforced.rule.id
        fate = Fate(decision.refuses, decision.degrades)
        harmful = False
        for hit in _hits(heard(self.decider.policy, decided.facts, now_s)):
            harmful = harmful or LEVEL[hit.action] > LEVEL["watch"]
            mine = fate if hit.rule.id == deciding else PASSED
            self.hits[hit.rule.id].count(account, cohort, asked.output_tokens or 0, mine, asked.ts_us)
        if harmful:
            self.all_hits.count(account, cohort, asked.output_tokens or 0, fate, asked.ts_us)

    def _catch_up(self, now_s: float) -> None:
        """Let the answers come that are there by now, and forget what is over, as the service does every minute."""
        counters = self.decider.counters
        while self._in_flight and self._in_flight[0][0] <= now_s:
            at_s, _, asked = heapq.heappop(self._in_flight)
            settle(asked, asked.chars, counters, self.decider.handles, at_s)
        if now_s - self._swept_s >= _SWEEP_S:
            self._swept_s = now_s
            counters.sweep(now_s)


def _hits(held: Iterable[Hit]) -> Iterable[Hit]:
    """Leave out what an exemption, or a verdict that is only to watch, makes of a harder rule."""
    return (hit for hit in held if LEVEL[hit.action] > LEVEL["watch"] or hit.action == hit.rule.action)


def replay(traffic: Iterable[Asked], cohorts: Cohorts, hearings: Sequence[Hearing], seen: Tally) -> None:
    """Let each exchange be heard by all hearings, and count it as seen."""
    for asked in traffic:
        now_s = asked.ts_us / 1_000_000
        member = cohorts.of(asked.account_id, asked.org_id, asked.model, now_s)
        cost = Cost(reserved_tokens(asked.chars, asked.max_tokens), asked.head)
        reading = Reading(asked.account_id, member, asked.bands, cost)
        request = asked.request
        seen.count(asked.account_id, member.cohort, asked.output_tokens or 0, PASSED, asked.ts_us)
        for hearing in hearings:
            hearing.hear(asked, request, reading, now_s)
