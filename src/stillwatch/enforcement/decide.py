"""The decision, as a pure function of facts and policy: no clock, no state, no transport.

Every rule whose facts hold is heard, and the hardest action wins; rules in shadow are heard apart. So the order of a
file decides only between rules of one action.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import msgspec

from stillwatch.detection.findings.model import ACTIONS, Action
from stillwatch.enforcement.model import CAMPAIGN_TEXT, LEVEL, RECEIVED_INDICATOR
from stillwatch.enforcement.policy.model import Policy, Rule, When


class Standing(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The verdict on an account, while it holds.

    Attributes:
        set_s, until_s: when it was set and when it lapses (Unix seconds).
        retry_after_s: what this verdict says instead of its rule.
    """

    action: Action
    reason_code: str
    set_s: float
    until_s: float
    campaign_id: str | None = None
    retry_after_s: int | None = None


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """All that a decision rests on.

    Attributes:
        most: the hardest action that an exemption leaves.
        bucket: place of the account in 0..100, for canaries.
        text_level, text_campaign: what the known campaign whose frames the text matches brings on it.
        received_level, received_indicator: the same of what other providers reported.
        exceeded: limits that the request does not fit into, with the seconds until it would.
        shadowed: a false-positive budget is spent: everything is heard in shadow.
    """

    cohort: str
    model: str | None = None
    operation: str | None = None
    standing: Standing | None = None
    text_level: int = 0
    text_campaign: str | None = None
    received_level: int = 0
    received_indicator: str | None = None
    foreign_handle: bool = False
    exceeded: Mapping[str, float] = msgspec.field(default_factory=dict)
    most: Action = "block"
    bucket: float = 0.0
    shadowed: bool = False


class Hit(NamedTuple):
    """A rule whose facts hold, and the action that it comes to."""

    rule: Rule
    action: Action
    reason_code: str
    campaign_id: str | None = None


class Outcome(NamedTuple):
    """The hardest rule that is enforced and the hardest of those in shadow, as far as any holds."""

    enforced: Hit | None = None
    shadow: Hit | None = None


def decide(policy: Policy, facts: Facts, now_s: float) -> Outcome:
    """Return what the policy makes of the facts at a moment (Unix seconds)."""
    enforced: Hit | None = None
    shadow: Hit | None = None
    for hit in heard(policy, facts, now_s):
        rule = hit.rule
        if rule.mode == "enforce" and not facts.shadowed and facts.bucket < rule.canary_percent:
            enforced = _harder(enforced, hit)
        else:
            shadow = _harder(shadow, hit)
    return Outcome(enforced, shadow)


def heard(policy: Policy, facts: Facts, now_s: float) -> Iterator[Hit]:
    """Yield every rule that holds at a moment (Unix seconds), in the order of the file."""
    for rule in policy.rule:
        if _holds(rule.when, facts):
            hit = _hit(rule, facts, now_s)
            if hit is not None:
                yield hit


def _holds(when: When, facts: Facts) -> bool:
    verdict = facts.standing
    if when.verdict and (verdict is None or verdict.action not in when.verdict):
        return False
    if when.verdict and when.reason_codes and (verdict is None or verdict.reason_code not in when.reason_codes):
        return False
    if (when.text and not _text(when, facts).level) or (when.handle and not facts.foreign_handle):
        return False
    if when.limits and not any(name in facts.exceeded for name in when.limits):
        return False
    return (
        (not when.cohorts or facts.cohort in when.cohorts)
        and (not when.models or facts.model in when.models)
        and (not when.operations or facts.operation in when.operations)
    )


def _hit(rule: Rule, facts: Facts, now_s: float) -> Hit | None:
    """Return what a rule that holds comes to; None where its verdict has been acted on for as long as the rule may."""
    verdict, when = facts.standing, rule.when
    action = rule.action
    if when.verdict and verdict is not None:
        if rule.longest_s is not None and now_s >= verdict.set_s + rule.longest_s:
            return None
        reason, campaign = verdict.reason_code, verdict.campaign_id
    elif when.handle:
        reason, campaign = "foreign_reasoning_handle", None
    elif when.text:
        level, reason, campaign = _text(when, facts)
        action = _milder(action, level)
    else:
        reason, campaign = "limit_exceeded", None
    return Hit(rule, _milder(action, LEVEL[facts.most]), reason, campaign)


class _Text(NamedTuple):
    """What a text brings on a request, why, and by which campaign or indicator."""

    level: int
    reason_code: str
    campaign_id: str | None


def _text(when: When, facts: Facts) -> _Text:
    """Return the hardest that a text is known for under a rule, what we know ourselves before what others reported.

    Nobody's word blocks: whatever was received leads to a challenge at most.
    """
    own = _Text(facts.text_level, CAMPAIGN_TEXT, facts.text_campaign)
    reported = min(facts.received_level, LEVEL["challenge"])
    known = (own, _Text(reported, RECEIVED_INDICATOR, facts.received_indicator))
    narrowed = () if when.verdict else when.reason_codes
    return max(
        (one for one in known if not narrowed or one.reason_code in narrowed),
        key=lambda one: one.level,
        default=own._replace(level=0),
    )


def _milder(action: Action, most: int) -> Action:
    """Return the action, or the hardest one that is left where less may be done."""
    return ACTIONS[min(LEVEL[action], most)]


def _harder(one: Hit | None, other: Hit) -> Hit:
    return other if one is None or LEVEL[other.action] > LEVEL[one.action] else one
