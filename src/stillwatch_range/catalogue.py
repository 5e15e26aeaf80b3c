"""Scenarios by name, so that a command line or a table can say which one it means."""

import tomllib
from dataclasses import replace
from pathlib import Path

import msgspec

from stillwatch.errors import UsageError
from stillwatch_range.campaigns import CampaignPlan
from stillwatch_range.plan import Scenario
from stillwatch_range.workloads import WORKLOADS

TEMPLATED = ("selfinstruct", "evolinstruct", "rubric", "toolbench", "toolformer", "cot")
"""Families whose prompts are one template with changing contents."""
UNTEMPLATED = ("alpaca", "codealpaca", "math")
"""Families whose prompts have nothing but their purpose in common."""
SPLITS = (200, 20, 6)
"""Numbers of accounts that a campaign is spread over."""

_HELP = "FAMILY-ACCOUNTS, combined or quiet, with any of +known +bare +apart +keys +drift; or a TOML file"


def find_scenario(name: str) -> Scenario:
    """Return the scenario of a name or of a TOML file.

    `evolinstruct-20` plants one campaign, `combined` all templated families at once in turn over 200, 20 and
    6 accounts, `quiet` none. Suffixes: `+known` puts the heavy users into the history, `+bare` drops
    metadata, `+apart` lets campaigns share no infrastructure, `+keys` spreads each firm's keys over organisations of
    their own, `+drift` lets a population arrive that the history has never seen.

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
        return msgspec.convert(tomllib.loads(path.read_text("utf-8")), Scenario)
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} is not a scenario: {error}") from error


def _plans(base: str) -> tuple[CampaignPlan, ...]:
    if base == "quiet":
        return ()
    if base == "combined":
        return tuple(
            CampaignPlan(family=family, accounts=SPLITS[number % len(SPLITS)])
            for number, family in enumerate(TEMPLATED)
        )
    family, _, accounts = base.rpartition("-")
    if family not in TEMPLATED + UNTEMPLATED or not accounts.isdecimal() or int(accounts) < 1:
        raise UsageError(f"unknown scenario {base!r}", hint=_HELP)
    return (CampaignPlan(family=family, accounts=int(accounts)),)


def _adjust(scenario: Scenario, suffix: str) -> Scenario:
    match suffix:
        case "known":
            return msgspec.structs.replace(scenario, hard_negatives="known")
        case "bare":
            return msgspec.structs.replace(scenario, metadata=False)
        case "apart":
            plans = (msgspec.structs.replace(plan, shared_infrastructure=0.0) for plan in scenario.campaigns)
            return msgspec.structs.replace(scenario, campaigns=tuple(plans))
        case "keys":
            workloads = tuple(replace(workload, one_org=False) for workload in WORKLOADS)
            return msgspec.structs.replace(scenario, workloads=workloads)
        case "drift":
            return msgspec.structs.replace(scenario, drift="volunteers")
    raise UsageError(f"unknown suffix +{suffix}", hint=_HELP)
