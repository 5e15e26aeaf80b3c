"""The engine: rules, bases and standing opinions in; a ruling on every fact out. Pure, and refusing by default.

Nothing else makes rulings, and what leaves is built of rulings alone (build.py).
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from stillwatch.sharing.clearance.basis import Bases
from stillwatch.sharing.clearance.circumvention import circumventions
from stillwatch.sharing.clearance.conditions import CONDITIONS, moment_of
from stillwatch.sharing.clearance.load import Rules
from stillwatch.sharing.clearance.model import DataClass, Fact, Item, Rule, Ruling
from stillwatch.sharing.clearance.opinions import Opinion, standing
from stillwatch.sharing.clearance.personal_data import personal_data_in
from stillwatch.sharing.clearance.transform import IN_WORDS, TRANSFORMATIONS, Means, WithheldError

RELEASED = "released by counsel"
NO_CIRCUMVENTION = "the evidence names no circumvention, so this is no cyber threat indicator by itself"
UNNAMED = "no rule names this field, so it does not leave"


class Engine:
    """Rules on facts at one moment."""

    def __init__(self, rules: Rules, bases: Bases, opinions: Sequence[Opinion], means: Means, now_s: float) -> None:
        self._rules, self._opinions, self._means, self._now_s = rules, opinions, means, now_s
        self._support = {
            one.number: bases.support(one.bases, now_s) if one.bases else ((), None) for one in rules.classes
        }

    def rule_on(self, item: Item) -> list[Ruling]:
        """Return a ruling on each fact of an item, in its order.

        An item with times tells of one incident, whatever its facts are about.
        """
        proven = bool(circumventions(item.circumvention))
        return [self._on(fact, proven=proven, finding=item.last_seen > 0) for fact in item.facts]

    def released(self, fact: Fact, key: str) -> Ruling:
        """Return the ruling on a fact that counsel released under a key: it leaves as its rule says, or not after all.

        Counsel cannot release what no rule lets go.
        """
        one = self._rules.class_of(fact.field)
        rule = None if one is None else self._fitting(one, fact)
        if one is None or rule is None:
            return self._stays(fact, one)
        left = self._leave(fact, one, msgspec.structs.replace(rule, decision="counsel"), RELEASED)
        return msgspec.structs.replace(left, review=key)

    def _on(self, fact: Fact, *, proven: bool, finding: bool) -> Ruling:
        one = self._rules.class_of(fact.field)
        rule = None if one is None else self._fitting(one, fact)
        if one is None or rule is None:
            return self._stays(fact, one)
        why = self._why_counsel(one, rule, fact, claims=(one.incident or finding) and not proven)
        if why is None:
            return self._leave(fact, one, rule, one.reason)
        by_counsel = msgspec.structs.replace(rule, decision="counsel")
        left = self._leave(fact, one, by_counsel, why)
        if left.state != "leaves":  # counsel is not asked for what could not leave after all
            return left
        opinion = standing(self._opinions, one.number, fact.field, self._support[one.number][0], self._now_s)
        if opinion is not None:
            unread = _unread(left)
            if not unread:
                return msgspec.structs.replace(left, why=f"{why}; standing opinion {opinion.id}", opinion=opinion.id)
            why = f"{why}; no opinion covers a text that nobody read and that may hold {', '.join(unread)}"
        return msgspec.structs.replace(left, why=why, state="held", value=fact.value)

    def _fitting(self, one: DataClass, fact: Fact) -> Rule | None:
        for rule in one.rule:
            if fact.field in rule.fields and not self._unmet(rule, fact):
                return rule
        return None

    def _unmet(self, rule: Rule, fact: Fact) -> list[str]:
        return [name for name in rule.when if not CONDITIONS[name](fact, self._now_s)]

    def _why_counsel(self, one: DataClass, rule: Rule, fact: Fact, *, claims: bool) -> str | None:
        missing = self._support[one.number][1]
        if rule.decision == "counsel":
            easier = [before for before in one.rule[: one.rule.index(rule)] if fact.field in before.fields]
            unmet = [name.replace("_", " ") for before in easier for name in self._unmet(before, fact)]
            return f"{one.reason} (not shown: {', '.join(unmet)})" if unmet else one.reason
        return NO_CIRCUMVENTION if missing is None and claims else missing

    def _leave(self, fact: Fact, one: DataClass, rule: Rule, why: str) -> Ruling:
        try:
            value = TRANSFORMATIONS[rule.transformation](fact, self._means)
        except WithheldError as error:
            return self._ruling(fact, one, rule, str(error), state="withheld")
        return self._ruling(fact, one, rule, why, state="leaves", value=value)

    def _stays(self, fact: Fact, one: DataClass | None) -> Ruling:
        return Ruling(
            field=fact.field,
            number=0 if one is None else one.number,
            decision="never",
            state="withheld",
            transformation="",
            why=UNNAMED if one is None else one.reason,
            source="" if one is None else one.source,
            rules_version=self._rules.version,
            channel="hub" if one is None else one.channel,
        )

    def _ruling(self, fact: Fact, one: DataClass, rule: Rule, why: str, **more: Any) -> Ruling:
        account = fact.context.get("account")
        return Ruling(
            field=fact.field,
            number=one.number,
            decision=rule.decision,
            transformation=rule.transformation,
            why=why,
            source=one.source,
            rules_version=self._rules.version,
            channel=one.channel,
            bases=self._support[one.number][0],
            account=account if isinstance(account, str) else None,
            expires_at=moment_of(fact.context, "expires_at"),
            **more,
        )


def _unread(left: Ruling) -> list[str]:
    """Return what in words, as they would leave, could be about somebody; those between braces count."""
    if left.transformation not in IN_WORDS:
        return []
    words = left.value if isinstance(left.value, str) else ". ".join(left.value)
    return personal_data_in(words.replace("{", " ").replace("}", " "))
