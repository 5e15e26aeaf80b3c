"""Finds what is wrong with a policy that reads well: rules that can never matter, or that go too far.

A rule that silently never applies is the commonest fault of gateway policies; here it is an error.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from stillwatch.enforcement.model import CAMPAIGN_TEXT, LEVEL, RECEIVED_INDICATOR
from stillwatch.enforcement.policy.model import EVERYBODY, Cohort, Policy, Rule, When


class Fault(NamedTuple):
    """A fault, where it is (`rule "x"`) and what would mend it."""

    place: str
    message: str
    hint: str


def find_faults(policy: Policy) -> list[Fault]:
    """Return all faults of a policy, in the order of the file."""
    return [
        *_names(policy),
        *(fault for cohort in policy.cohort for fault in _cohort(cohort, policy)),
        *_references(policy),
        *(fault for rule in policy.rule for fault in _rule(rule)),
        *(fault for rule in policy.rule for fault in _never_matters(rule, policy)),
        *_exemptions(policy),
    ]


def _names(policy: Policy) -> Iterator[Fault]:
    for table in ("cohort", "limit", "rule", "exemption"):
        counts = Counter(entry.id for entry in getattr(policy, table))
        for name in [name for name, count in counts.items() if count > 1]:
            yield Fault(f'{table} "{name}"', "the id is given twice", "give each its own")
    for name, count in Counter(budget.cohort for budget in policy.budget).items():
        if count > 1:
            yield Fault(f'budget of "{name}"', "the cohort has two budgets", "keep one")


def _cohort(cohort: Cohort, policy: Policy) -> Iterator[Fault]:
    place = f'cohort "{cohort.id}"'
    if cohort.id == EVERYBODY:
        yield Fault(place, "this name is taken", f'"{EVERYBODY}" are the accounts that no cohort takes')
    asked = _conditions(cohort)
    if not asked:
        yield Fault(place, "it has no condition and takes every account", f'use "{EVERYBODY}", or give a condition')
        return
    for earlier in policy.cohort[: policy.cohort.index(cohort)]:
        taken = _conditions(earlier)
        if taken and all(name in asked and _inside(asked[name], values) for name, values in taken.items()):
            yield Fault(place, f'cohort "{earlier.id}" before it takes all its accounts', "put the narrower one first")


def _conditions(cohort: Cohort) -> dict[str, tuple[object, ...]]:
    names = ("account_ids", "org_ids", "plans", "programmes", "verification")
    given = {name: getattr(cohort, name) for name in names if getattr(cohort, name)}
    if cohort.newer_than_days is not None:
        given["newer_than_days"] = (cohort.newer_than_days,)
    return given


def _inside(narrow: tuple[object, ...], wide: tuple[object, ...]) -> bool:
    if len(narrow) == len(wide) == 1 and isinstance(narrow[0], float) and isinstance(wide[0], float):
        return narrow[0] <= wide[0]
    return set(narrow) <= set(wide)


def _references(policy: Policy) -> Iterator[Fault]:
    cohorts = {cohort.id for cohort in policy.cohort} | {EVERYBODY}
    limits = {limit.id for limit in policy.limit}
    named = [
        *((f'limit "{limit.id}"', "cohort", limit.cohorts, cohorts) for limit in policy.limit),
        *((f'rule "{rule.id}"', "cohort", rule.when.cohorts, cohorts) for rule in policy.rule),
        *((f'rule "{rule.id}"', "limit", rule.when.limits, limits) for rule in policy.rule),
        *((f'budget of "{budget.cohort}"', "cohort", (budget.cohort,), cohorts) for budget in policy.budget),
    ]
    for place, kind, names, known in named:
        for name in sorted(set(names) - known):
            yield Fault(place, f'there is no {kind} "{name}"', f"there is {_listed(known)}")
    used = {name for rule in policy.rule for name in rule.when.limits}
    for name in sorted(limits - used):
        yield Fault(
            f'limit "{name}"', "no rule says what happens when it is exceeded", "name it in a rule's when.limits"
        )


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in sorted(names)) or "none"


def _rule(rule: Rule) -> Iterator[Fault]:
    place, when = f'rule "{rule.id}"', rule.when
    if not (when.verdict or when.text or when.handle or when.limits):
        yield Fault(place, "it waits for nothing", "give when.verdict, when.text, when.handle or when.limits")
    if rule.action == "allow":
        yield Fault(place, "allow is what happens without a rule", "use an exemption, or leave the rule out")
    if "allow" in when.verdict:
        yield Fault(place, "an account with the verdict allow has none", "leave allow out of when.verdict")
    yield from _reason_codes(when, place)
    yield from _too_hard(rule, place)
    if rule.action == "block" and rule.longest_s is None and not when.handle:
        yield Fault(place, "a block must end", "give longest_s, in seconds")
    if rule.action == "degrade" and rule.degrade is None:
        yield Fault(
            place, "it does not say what is made smaller", "give degrade = {max_tokens = …, n = …, strip = […]}"
        )
    for name in ("degrade", "challenge"):
        if getattr(rule, name) is not None and rule.action != name:
            yield Fault(place, f"{name} is given, but the action is another", f'set action = "{name}", or leave it out')


def _reason_codes(when: When, place: str) -> Iterator[Fault]:
    if not when.reason_codes or when.verdict:
        return
    if not when.text:
        hint = "give when.verdict, or when.text"
        yield Fault(place, "when.reason_codes narrows a verdict or a text, and none is given", hint)
        return
    for code in sorted(set(when.reason_codes) - {CAMPAIGN_TEXT, RECEIVED_INDICATOR}):
        hint = f'a text alone has "{CAMPAIGN_TEXT}" or "{RECEIVED_INDICATOR}"'
        yield Fault(place, f'no text has the reason "{code}"', hint)


def _too_hard(rule: Rule, place: str) -> Iterator[Fault]:
    """A rule is never harder than what was found; volume alone leads to throttle, a text alone to challenge."""
    when, level = rule.when, LEVEL[rule.action]
    for verdict in when.verdict:
        if verdict != "allow" and LEVEL[verdict] < level:
            hint = "a rule is never harder than what was found"
            yield Fault(place, f"{rule.action} is harder than the verdict {verdict}", hint)
    if when.verdict or when.handle:
        return
    if when.text and level > LEVEL["challenge"]:
        yield Fault(place, f"a text alone may not {rule.action}", "a text that matches leads to challenge at most")
    if when.limits and not when.text and level > LEVEL["throttle"]:
        yield Fault(place, f"a limit alone may not {rule.action}", "volume alone leads to throttle at most")


def _never_matters(rule: Rule, policy: Policy) -> Iterator[Fault]:
    place, when = f'rule "{rule.id}"', rule.when
    limits = [limit for limit in policy.limit if limit.id in when.limits]
    if when.cohorts and limits and all(limit.cohorts for limit in limits):
        counted = {cohort for limit in limits for cohort in limit.cohorts}
        if not counted & set(when.cohorts):
            yield Fault(place, "its limits count none of its cohorts", f"they count {_listed(counted)}")
    for other in policy.rule:
        tied = LEVEL[other.action] == LEVEL[rule.action] and policy.rule.index(other) < policy.rule.index(rule)
        stronger = LEVEL[other.action] > LEVEL[rule.action] or tied
        everywhere = other.canary_percent >= rule.canary_percent and (other.mode == "enforce" or rule.mode == "shadow")
        if other is not rule and stronger and everywhere and _implies(when, other.when):
            yield Fault(place, f'it can never matter: rule "{other.id}" holds wherever it does', "narrow that one")
            return


def _implies(narrow: When, wide: When) -> bool:
    """Whether whatever meets `narrow` meets `wide`."""
    triggers = (not wide.text or narrow.text) and (not wide.handle or narrow.handle)
    if wide.reason_codes and bool(wide.verdict) != bool(narrow.verdict):  # reasons of a text and of a verdict
        return False
    lists = ("verdict", "limits", "reason_codes", "cohorts", "models", "operations")
    return triggers and all(
        not getattr(wide, name) or (getattr(narrow, name) and set(getattr(narrow, name)) <= set(getattr(wide, name)))
        for name in lists
    )


def _exemptions(policy: Policy) -> Iterator[Fault]:
    for one in policy.exemption:
        if not (one.registry_kinds or one.account_ids or one.org_ids):
            yield Fault(f'exemption "{one.id}"', "it covers nobody", "give registry_kinds, account_ids or org_ids")
