"""Gathers the facts of a request from memory, asks `decide`, and counts what passes: a few microseconds, no I/O."""

from collections.abc import Collection
from typing import NamedTuple

from stillwatch.detection.findings.model import Action
from stillwatch.enforcement.decide import Facts, Hit, Outcome, Standing, decide
from stillwatch.enforcement.model import (
    LEVEL,
    ORDINARY,
    RECEIVED_INDICATOR,
    WITHIN_THROTTLE,
    Challenge,
    DecideRequest,
    Decision,
    Mode,
)
from stillwatch.enforcement.policy.model import Policy, Rule
from stillwatch.enforcement.state.cohorts import Cohorts, Membership, bucket_of
from stillwatch.enforcement.state.counters import Cost, Counters, reserved_tokens
from stillwatch.enforcement.state.handles import Birth, Handles
from stillwatch.enforcement.state.known_texts import KnownTexts, TextMatch, read_text
from stillwatch.enforcement.state.leased import Peers
from stillwatch.enforcement.state.received import Received
from stillwatch.enforcement.state.standings import Standings
from stillwatch.identifiers import DecisionIds

RETRY_AFTER_S = 30
"""Pace of a throttle where neither verdict nor rule says one."""
_NO_TEXTS = KnownTexts()


class Reading(NamedTuple):
    """A request as it was read: whose it is, the bands of its text, and what it counts for."""

    account_id: str
    member: Membership
    bands: list[int]
    cost: Cost


class Decided(NamedTuple):
    """A decision, and what the record keeps of how it came about; no facts where no rule could wait for any."""

    decision: Decision
    account_id: str | None = None
    cohort: str | None = None
    enforced: Hit | None = None
    shadow: Hit | None = None
    limits: tuple[str, ...] = ()
    facts: Facts | None = None


class Decider:
    """Decides from what is in memory. All that it looks up may be replaced while it serves; one thread only."""

    def __init__(
        self,
        policy: Policy,
        mode: Mode,
        cohorts: Cohorts,
        key_accounts: dict[str, str] | None = None,
        peers: Peers | None = None,
        known_accounts: int = 0,
    ) -> None:
        """Begin without verdicts.

        Args:
            policy: what is done about what is known.
            mode: whether anything is done.
            cohorts: who belongs where.
            key_accounts: accounts by hash of their API key.
            peers: replicas that share the limits.
            known_accounts: number of customers, as far as it is known.
        """
        self.policy, self.mode, self.cohorts = policy, mode, cohorts
        self.key_accounts = key_accounts or {}
        self.standings, self.handles, self.counters = Standings(), Handles(), Counters(policy, peers)
        self.texts: KnownTexts = _NO_TEXTS
        self.received = Received(known_accounts)
        self.shadowed_cohorts: Collection[str] = ()
        self._ids = DecisionIds()

    def account_of(self, request: DecideRequest) -> str | None:
        """Return the account that a request names, itself or by its key."""
        if request.account_id is not None:
            return request.account_id
        return None if request.key_id is None else self.key_accounts.get(request.key_id)

    def read(self, request: DecideRequest, now_s: float) -> Reading | None:
        """Read a request; None if its account is unknown. The text is read only where something needs it."""
        account = self.account_of(request)
        if account is None:
            return None
        member = self.cohorts.of(account, request.org_id, request.model, now_s)
        prompt = request.prompt
        tokens = reserved_tokens(len(prompt or "") + len(request.system or ""), request.max_tokens)
        if prompt and (self.counters.reads_text or len(self.texts) or len(self.received)):
            bands, head = read_text(request.system, prompt)
            return Reading(account, member, bands, Cost(tokens, head))
        return Reading(account, member, [], Cost(tokens))

    def decide(self, request: DecideRequest, now_s: float) -> Decided:
        """Decide on a request at a moment (Unix seconds)."""
        return self.decide_on(request, self.read(request, now_s), now_s)

    def decide_on(self, request: DecideRequest, reading: Reading | None, now_s: float) -> Decided:
        """Decide on a request that was read. An unknown account passes, and that is recorded."""
        if reading is None:
            return Decided(self._decision(now_s, "allow", "unknown_account"))
        account, member, bands, cost = reading
        standing = self.standings.of(account, now_s)
        match = self.texts.match(bands, now_s) if bands else None
        reported = self._reported(account, bands, standing, match, now_s) if bands and len(self.received) else None
        foreign = request.reasoning_handle is not None and self.handles.is_foreign(
            request.reasoning_handle, Birth(account, request.session_id, request.model)
        )
        exceeded = self.counters.exceeded(account, member.cohort, cost, now_s)
        if not (standing or match or reported or foreign or exceeded):  # nearly all: no rule can wait for it
            self.counters.charge(account, member.cohort, cost, now_s)
            return Decided(self._decision(now_s, "allow", ORDINARY), account, member.cohort)
        facts = Facts(
            cohort=member.cohort,
            model=request.model,
            operation=request.operation,
            standing=standing,
            text_level=0 if match is None else match.level,
            text_campaign=None if match is None else match.campaign_id,
            received_level=0 if reported is None else reported.level,
            received_indicator=None if reported is None else reported.campaign_id,
            foreign_handle=foreign,
            exceeded=exceeded,
            most=member.most,
            bucket=bucket_of(account),
            shadowed=member.cohort in self.shadowed_cohorts,
        )
        outcome = decide(self.policy, facts, now_s)
        decision = self._resolve(account, facts, outcome, now_s)
        if not decision.refuses:
            self.counters.charge(account, member.cohort, cost, now_s)
        return Decided(decision, account, member.cohort, outcome.enforced, outcome.shadow, tuple(exceeded), facts)

    def _reported(
        self, account: str, bands: list[int], standing: Standing | None, match: TextMatch | None, now_s: float
    ) -> TextMatch | None:
        """Return what others reported of a text; nothing where a person of ours cleared the account."""
        ours = match is not None or (standing is not None and standing.reason_code != RECEIVED_INDICATOR)
        found = self.received.match(account, bands, now_s, ordinary=not ours)
        return None if found is None or self.standings.is_lifted(account, now_s) else found

    def _resolve(self, account: str, facts: Facts, outcome: Outcome, now_s: float) -> Decision:
        """Turn an outcome into the answer: what is enforced, or else what a rule in shadow would have done."""
        hit, mode, shadow = outcome.enforced, self.mode, outcome.shadow
        if shadow is not None and (hit is None or LEVEL[hit.action] <= LEVEL["watch"] < LEVEL[shadow.action]):
            hit, mode = shadow, "shadow"
        if hit is None:
            return self._decision(now_s, "allow", ORDINARY)
        retry = None
        if hit.action == "throttle":
            wait = self._wait(account, hit, facts, mode, now_s)
            if wait <= 0.0:
                return self._decision(now_s, "watch", WITHIN_THROTTLE, hit)
            retry = max(1, int(wait + 0.999))
        return self._decision(now_s, hit.action, hit.reason_code, hit, mode=mode, retry=retry, facts=facts)

    def _wait(self, account: str, hit: Hit, facts: Facts, mode: Mode, now_s: float) -> float:
        """Return the seconds that a throttled request must wait, 0 where it may pass."""
        limits = [wait for name, wait in facts.exceeded.items() if name in hit.rule.when.limits]
        if limits:
            return max(limits)
        standing = facts.standing
        every = (standing.retry_after_s if standing else None) or hit.rule.retry_after_s or RETRY_AFTER_S
        return self.counters.pace(account, every, now_s) if mode == "enforce" else float(every)

    def _decision(
        self,
        now_s: float,
        action: Action,
        reason: str,
        hit: Hit | None = None,
        *,
        mode: Mode | None = None,
        retry: int | None = None,
        facts: Facts | None = None,
    ) -> Decision:
        standing = None if facts is None else facts.standing
        ttl_s = 0
        if standing is not None and hit is not None and hit.rule.when.verdict and LEVEL[action] > LEVEL["watch"]:
            ttl_s = _remaining(standing, hit.rule, now_s)
        return Decision(
            decision_id=self._ids.make(now_s),
            action=action,
            reason_code=reason,
            policy_id=self.policy.id,
            policy_version=self.policy.version,
            mode=mode or self.mode,
            retry_after_s=retry,
            degrade=hit.rule.degrade if hit is not None and action == "degrade" else None,
            challenge=(hit.rule.challenge or Challenge()) if hit is not None and action == "challenge" else None,
            ttl_s=ttl_s,
            evidence_ref=None if hit is None else hit.campaign_id,
        )


def _remaining(standing: Standing, rule: Rule, now_s: float) -> int:
    """Return the whole seconds for which a verdict will be acted on under a rule."""
    until = standing.until_s if rule.longest_s is None else min(standing.until_s, standing.set_s + rule.longest_s)
    return max(0, int(until - now_s))
