"""The conditions that rules name. Each judges what is said of a fact; what is not said does not hold."""

import datetime as dt
import math
from collections.abc import Callable, Mapping
from typing import Any

from stillwatch.sharing.clearance.model import Fact
from stillwatch.sharing.clearance.personal_data import identifiers_in, personal_data_in, speaks_of_money
from stillwatch.sharing.objects.hub_words import value_asks

_DAY_S = 86_400.0
_SHORT = 200
_LARGEST = 253_402_300_800.0
"""No moment is behind the year 9999 (Unix seconds), and no count as large."""
_NAME_WORDS, _NAME_DIGITS = 5, 4
_HARVESTERS = ("harvester", "linked")

Condition = Callable[[Fact, float], bool]
"""Takes a fact and the moment (Unix seconds)."""


def moment_of(context: Mapping[str, Any], name: str) -> float | None:
    """Return what a context says of a number or a moment; None where it says no finite number."""
    value = context.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < _LARGEST:
        return None
    return float(value)


def _number(context: Mapping[str, Any], name: str) -> float:
    found = moment_of(context, name)
    return math.nan if found is None else found


def _says(name: str) -> Condition:
    return lambda fact, _now_s: fact.context.get(name) is True


def _names(name: str) -> Condition:
    return lambda fact, _now_s: bool(fact.context.get(name))


def _at_least(name: str, least: int) -> Condition:
    return lambda fact, _now_s: _number(fact.context, name) >= least


def _older(name: str, days: float) -> Condition:
    return lambda fact, now_s: 0 < _number(fact.context, name) <= now_s - days * _DAY_S


def _lapses_within(days: float) -> Condition:
    return lambda fact, now_s: 0 < _number(fact.context, "expires_at") - now_s <= days * _DAY_S


def _five_contributors(fact: Fact, _now_s: float) -> bool:
    return _number(fact.context, "contributors") >= 5 and 0 < _number(fact.context, "largest_part") <= 0.25


def _sourced_and_dated(fact: Fact, now_s: float) -> bool:
    dated = fact.context.get("dated")
    try:
        day = dt.date.fromisoformat(dated) if isinstance(dated, str) else dt.date.max
    except ValueError:
        return False
    return bool(fact.context.get("source")) and day <= dt.datetime.fromtimestamp(now_s, dt.UTC).date()


def _plain_names(fact: Fact, _now_s: float) -> bool:
    """A name or a list of them: few words, few digits in all, and nothing that is found or that must not be said."""
    names = fact.value if isinstance(fact.value, list | tuple) else [fact.value]
    return all(isinstance(name, str) and _is_plain(name) for name in names) and (
        sum(map(str.isdigit, "".join(names))) <= _NAME_DIGITS
    )


def _is_plain(name: str) -> bool:
    return len(name.split()) <= _NAME_WORDS and not (identifiers_in(name) or speaks_of_money(name) or value_asks(name))


CONDITIONS: dict[str, Condition] = {
    "a_day_after_release": _older("released_at", 1),
    "a_day_old": _older("observed_at", 1),
    "already_public": _says("public"),
    "customer_consents": _says("consent"),
    "expires_within_30_days": _lapses_within(30),
    "expires_within_7_days": _lapses_within(7),
    "five_contributors": _five_contributors,
    "free_of_identifiers": lambda fact, _now_s: isinstance(fact.value, str) and not identifiers_in(fact.value),
    "free_of_personal_data": lambda fact, _now_s: isinstance(fact.value, str) and not personal_data_in(fact.value),
    "licence_allows": _says("licence_allows"),
    "not_a_victim": lambda fact, _now_s: fact.context.get("role") in _HARVESTERS,
    "not_residential": lambda fact, _now_s: fact.context.get("residential") is False,
    "of_one_cluster": _says("of_one_cluster"),
    "own_observation": _says("own_observation"),
    "plain_names": _plain_names,
    "public_model": _says("public"),
    "sent_by_two_accounts": _at_least("accounts", 2),
    "short": lambda fact, _now_s: isinstance(fact.value, str) and len(fact.value) <= _SHORT,
    "sourced_and_dated": _sourced_and_dated,
    "states_alternatives": _names("alternatives"),
    "states_confidence": lambda fact, _now_s: 0 <= _number(fact.context, "confidence") <= 100,
    "states_evidence": _names("evidence"),
    "states_method": _names("method"),
    "synthetic": _says("synthetic"),
    "three_contributors": _at_least("contributors", 3),
    "three_months_old": _older("observed_at", 92),
    "without_slots": lambda fact, _now_s: isinstance(fact.value, str) and not set("{}") & set(fact.value),
}
