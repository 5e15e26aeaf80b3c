"""Gathers the facts of a request from memory, asks `decide`, and counts what passes: a few microseconds, no I/O."""

from collections.abc import Mapping
from typing import NamedTuple

from stillwatch.detection.findings.model import Action
from stillwatch.enforcement.decide import NOTHING, Facts, Hit, Outcome, Standing, decide
from stillwatch.enforcement.model import LEVEL, Challenge, DecideRequest, Decision, Mode
from stillwatch.enforcement.policy.model import Policy, Rule
from stillwatch.enforcement.state.cohorts import Cohorts, Membership, bucket_of
from stillwatch.enforcement.state.counters import Cost, Counters, reserved_tokens
from stillwatch.enforcement.state.handles import Birth, Handles
from stillwatch.enforcement.state.known_texts import KnownTexts, read_text
from stillwatch.enforcement.state.standings import Standings
from stillwatch.identifiers import DecisionIds

_RETRY_AFTER_S = 30
_NO_TEXTS = KnownTexts()


class Decided(NamedTuple):
    """A decision, and what the record keeps of how it came about."""

    decision: Decision
    account_id: str | None
    cohort: str | None
    enforced: Hit | None
    shadow: Hit | None
    limits: tuple[str, ...]


class Decider:
    """Decides from what is in memory. All that it looks up may be replaced while it serves; one thread only."""

    def __init__(
        self, policy: Policy, mode: Mode, cohorts: Cohorts, key_accounts: dict[str, str] | None = None
    ) -> None:
        """`key_accounts` maps hashes of API keys to accounts."""
        self.policy, self.mode, self.cohorts = policy, mode, cohorts
        self.key_accounts = key_accounts or {}
        self.standings, self.handles, self.counters = Standings(), Handles(), Counters(policy)
        self.texts: KnownTexts = _NO_TEXTS
        self.received: KnownTexts = _NO_TEXTS
        self.shadowed_cohorts: frozenset[str] = frozenset()
        self._ids = DecisionIds()

    def account_of(self, request: DecideRequest) -> str | None:
        """Return the account that a request names, itself or by its key."""
        if request.account_id is not None:
            return request.account_id
        return None if request.key_id is None else self.key_accounts.get(request.key_id)

    def decide(self, request: DecideRequest, now_s: float) -> Decided:
        """Decide on a request at a moment (Unix seconds). An unknown account passes, and that is recorded."""
        account = self.account_of(request)
        if account is None:
            return Decided(self._decision(now_s, "allow", "unknown_account"), None, None, None, None, ())
        member = self.cohorts.of(account, request.org_id, request.model, now_s)
        bands, cost = self._read(request)
        exceeded = self.counters.exceeded(account, member.cohort, cost, now_s)
        facts = self._facts(request, account, member, (bands, exceeded), now_s)
        outcome = NOTHING if facts.ordinary else decide(self.policy, facts, now_s)
        decision = self._resolve(account, facts, outcome, now_s)
        if not decision.refuses:
            self.counters.charge(account, member.cohort, cost, now_s)
        return Decided(decision, account, member.cohort, outcome.enforced, outcome.shadow, tuple(exceeded))

    def _read(self, request: DecideRequest) -> tuple[list[int], Cost]:
        """Return the bands of the request's text and what it costs; the text is read only where something needs it."""
        prompt = request.prompt
        chars = len(prompt or "") + len(request.system or "")
        tokens = reserved_tokens(chars, request.max_tokens)
        if prompt and (self.counters.reads_text or len(self.texts) or len(self.received)):
            bands, head = read_text(request.system, prompt)
            return bands, Cost(tokens, head)
        return [], Cost(tokens)

    def _facts(
        self,
        request: DecideRequest,
        account: str,
        member: Membership,
        counted: tuple[list[int], Mapping[str, float]],
        now_s: float,
    ) -> Facts:
        bands, exceeded = counted
        standing = self.standings.of(account, now_s)
        match = None
        if bands:
            found = (self.texts.match(bands, now_s), self.received.match(bands, now_s))
            match = max((one for one in found if one is not None), key=lambda one: one.level, default=None)
        foreign = request.reasoning_handle is not None and self.handles.is_foreign(
            request.reasoning_handle, Birth(account, request.session_id, request.model)
        )
        return Facts(
            cohort=member.cohort,
            model=request.model,
            operation=request.operation,
            standing=standing,
            text_level=0 if match is None else match.level,
            text_campaign=None if match is None else match.campaign_id,
            foreign_handle=foreign,
            exceeded=exceeded,
            most=member.most,
            bucket=bucket_of(account) if standing or match or foreign or exceeded else 0.0,
            shadowed=member.cohort in self.shadowed_cohorts,
        )

    def _resolve(self, account: str, facts: Facts, outcome: Outcome, now_s: float) -> Decision:
        """Turn an outcome into the answer: what is enforced, or else what a rule in shadow would have done."""
        hit, mode, shadow = outcome.enforced, self.mode, outcome.shadow
        if shadow is not None and (hit is None or LEVEL[hit.action] <= LEVEL["watch"] < LEVEL[shadow.action]):
            hit, mode = shadow, "shadow"
        if hit is None:
            return self._decision(now_s, "allow", "ordinary")
        retry = None
        if hit.action == "throttle":
            wait = self._wait(account, hit, facts, mode, now_s)
            if wait <= 0.0:
                return self._decision(now_s, "watch", "within_throttle", hit)
            retry = max(1, int(wait + 0.999))
        return self._decision(now_s, hit.action, hit.reason_code, hit, mode=mode, retry=retry, facts=facts)

    def _wait(self, account: str, hit: Hit, facts: Facts, mode: Mode, now_s: float) -> float:
        """Return the seconds that a throttled request must wait, 0 where it may pass."""
        limits = [wait for name, wait in facts.exceeded.items() if name in hit.rule.when.limits]
        if limits:
            return max(limits)
        standing = facts.standing
        every = (standing.retry_after_s if standing else None) or hit.rule.retry_after_s or _RETRY_AFTER_S
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
