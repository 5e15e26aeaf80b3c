"""Scenarios by name, so that a command line or a table can say which one it means; and scenarios from files."""

import re
import tomllib
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import msgspec

from stillwatch.errors import UsageError
from stillwatch_range.campaigns import CampaignPlan, Failover, Search
from stillwatch_range.families import FAMILIES
from stillwatch_range.plan import Scenario
from stillwatch_range.workloads import WORKLOADS, known_workloads

TEMPLATED = ("selfinstruct", "evolinstruct", "rubric", "toolbench", "toolformer", "cot")
"""Families whose prompts are one template with changing contents."""
UNTEMPLATED = ("alpaca", "codealpaca", "math")
"""Families whose prompts have nothing but their purpose in common."""
OWN = tuple(FAMILIES)
"""Families that the range writes itself."""
SPLITS = (200, 20, 6)
"""Numbers of accounts that a campaign is spread over."""

_RETURNING = 0.5
"""Part of the customers that were there before, in scenarios whose attackers steal keys."""

Change = Callable[[CampaignPlan], dict[str, Any]]

_ON_PLANS: dict[str, Change] = {
    "apart": lambda _: {"shared_infrastructure": 0.0},
    "homes": lambda _: {"residential": True, "shared_infrastructure": 0.0},
    "swarm": lambda _: {"pace": 2.0, "start_day": 3.0, "end_day": 5.0, "mixing": 0.0, "spread": 0.25},
    "search": lambda plan: {"search": Search(variants=2000, accounts=max(1, plan.accounts // 10), days=2.0)},
    "pivot": lambda _: {"pivot": 0.5},
    "failover": lambda plan: {"failover": Failover(day=3.5, standby=max(1, plan.accounts // 2))},
    "stolen": lambda _: {"stolen": True, "start_day": 3.0, "pace": 10.0},
    "cloud": lambda _: {"channel": "cloud-north"},
    "first": lambda _: {"queue_seed": 1, "queue_part": (1, 2)},
    "second": lambda _: {"queue_seed": 1, "queue_part": (2, 2)},
}
_ON_PLANS_BY_NUMBER: dict[str, Callable[[float], dict[str, Any]]] = {
    "mix": lambda percent: {"mixing": percent / 100},
    "share": lambda percent: {"share": percent / 100, "pace": None, "exchanges": None},
    "pace": lambda pace: {"pace": pace, "share": None, "exchanges": None, "rhythm": "daily" if pace > 50 else "human"},
}
_ON_SCENARIO: dict[str, Callable[[], dict[str, Any]]] = {
    "known": lambda: {"hard_negatives": "known"},
    "bare": lambda: {"metadata": False},
    "keys": lambda: {"workloads": tuple(replace(workload, one_org=False) for workload in WORKLOADS)},
    "everyday": lambda: {"workloads": tuple(known_workloads().values())},
    "drift": lambda: {"drift": "volunteers"},
    "profiles": lambda: {"profiles": True},
}
_ON_SCENARIO_BY_NUMBER: dict[str, Callable[[float], dict[str, Any]]] = {
    "benign": lambda accounts: {"benign_accounts": int(accounts), "history_accounts": int(accounts)},
    "talks": lambda talks: {"invented_talks": int(talks)},
}

_HELP = (
    "FAMILY-ACCOUNTS, combined or quiet, with any of "
    + " ".join(f"+{name}" for name in (*_ON_SCENARIO, *_ON_PLANS, "pool"))
    + " "
    + " ".join(f"+{name}NUMBER" for name in (*_ON_PLANS_BY_NUMBER, *_ON_SCENARIO_BY_NUMBER))
    + "; or a TOML file"
)


def find_scenario(name: str) -> Scenario:
    """Return the scenario of a name or of a TOML file.

    `evolinstruct-20` plants one campaign, `combined` all templated families at once in turn over 200, 20 and
    6 accounts, `quiet` none. Suffixes add up, from left to right; docs/reference/scenarios.md lists them. A file
    has the fields of `Scenario`; names may stand for campaigns and workloads in it.

    Raises:
        UsageError: no such scenario, or the file does not describe one.
    """
    if name.endswith(".toml"):
        return _from_file(Path(name))
    base, *suffixes = name.split("+")
    scenario = Scenario(name=name, campaigns=_plans(base))
    for suffix in suffixes:
        scenario = _adjust(scenario, suffix)
    return scenario


def _from_file(path: Path) -> Scenario:
    try:
        content = tomllib.loads(path.read_text("utf-8"))
        for key, expand in (("campaigns", _named_plans), ("workloads", _named_workload)):
            if isinstance(content.get(key), list):
                content[key] = [
                    part for entry in content[key] for part in (expand(entry) if isinstance(entry, str) else [entry])
                ]
        return msgspec.convert(content, Scenario)
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} is not a scenario: {error}") from error


def _named_plans(name: str) -> list[dict[str, Any]]:
    return [msgspec.to_builtins(plan) for plan in find_scenario(name).campaigns]


def _named_workload(name: str) -> list[dict[str, Any]]:
    known = known_workloads()
    if name not in known:
        raise UsageError(f"unknown workload {name!r}", hint=f"one of {', '.join(sorted(known))}")
    return [asdict(known[name])]


def _plans(base: str) -> tuple[CampaignPlan, ...]:
    if base == "quiet":
        return ()
    if base == "combined":
        return tuple(
            CampaignPlan(family=family, accounts=SPLITS[number % len(SPLITS)])
            for number, family in enumerate(TEMPLATED)
        )
    family, _, accounts = base.rpartition("-")
    if family not in TEMPLATED + UNTEMPLATED + OWN or not accounts.isdecimal() or int(accounts) < 1:
        families = ", ".join(TEMPLATED + UNTEMPLATED + OWN)
        raise UsageError(f"unknown scenario {base!r}", hint=f"{_HELP}. Families: {families}")
    return (CampaignPlan(family=family, accounts=int(accounts)),)


def _adjust(scenario: Scenario, suffix: str) -> Scenario:
    numbered = re.fullmatch(r"([a-z]+)(\d+(?:\.\d+)?)", suffix)
    name, number = (numbered[1], float(numbered[2])) if numbered else (suffix, 0.0)
    plans = scenario.campaigns
    try:
        if numbered and name in _ON_SCENARIO_BY_NUMBER:
            return msgspec.structs.replace(scenario, **_ON_SCENARIO_BY_NUMBER[name](number))
        if numbered and name in _ON_PLANS_BY_NUMBER:
            return _with_plans(scenario, [(plan, _ON_PLANS_BY_NUMBER[name](number)) for plan in plans])
        if name in _ON_SCENARIO and not numbered:
            return msgspec.structs.replace(scenario, **_ON_SCENARIO[name]())
        if name in _ON_PLANS and not numbered:
            return _with_plans(scenario, [(plan, _ON_PLANS[name](plan)) for plan in plans])
    except ValueError as error:
        raise UsageError(f"{scenario.name}: +{suffix} does not fit: {error}", hint=_HELP) from error
    if suffix == "pool":
        return msgspec.structs.replace(scenario, campaigns=tuple(part for plan in plans for part in _pooled(plan)))
    raise UsageError(f"unknown suffix +{suffix}", hint=_HELP)


def _with_plans(scenario: Scenario, changes: list[tuple[CampaignPlan, dict[str, Any]]]) -> Scenario:
    plans = tuple(msgspec.structs.replace(plan, **change) for plan, change in changes)
    returning = _RETURNING if any(plan.stolen for plan in plans) else scenario.returning
    return msgspec.structs.replace(scenario, campaigns=plans, returning=returning)


def _pooled(plan: CampaignPlan) -> tuple[CampaignPlan, CampaignPlan]:
    """Return a campaign and another actor's that uses a part of its accounts."""
    pool = f"pool of {plan.family}"
    family = "grading" if plan.family != "grading" else "tags"
    first = msgspec.structs.replace(plan, pool=pool)
    return first, msgspec.structs.replace(first, family=family, accounts=max(1, round(plan.accounts * 0.6)))
