"""docs/reference/scenarios.md names all that a scenario can say."""

import re
from pathlib import Path

import msgspec
import pytest

from stillwatch_range import catalogue
from stillwatch_range.campaigns import CampaignPlan, Failover, Search
from stillwatch_range.catalogue import find_scenario
from stillwatch_range.families import FAMILIES
from stillwatch_range.plan import Scenario
from stillwatch_range.profiles import known_profiles
from stillwatch_range.truth import TrueAccount
from stillwatch_range.workloads import Workload, known_workloads

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "scenarios.md").read_text("utf-8")
NAMED = set(re.findall(r"`([^`\n]+)`", PAGE))


@pytest.mark.parametrize("struct", [Scenario, CampaignPlan, Failover, Search, Workload, TrueAccount])
def test_every_field_is_documented(struct: type) -> None:
    assert {field.name for field in msgspec.inspect.type_info(struct).fields} <= NAMED


def test_every_name_is_documented() -> None:
    assert {*FAMILIES, *known_workloads(), *known_profiles()} <= NAMED


def test_every_suffix_is_documented() -> None:
    documented = {re.sub(r"[\d.]+$", "", name) for name in NAMED if name.startswith("+")}
    tables = (
        catalogue._ON_PLANS,
        catalogue._ON_SCENARIO,
        catalogue._ON_PLANS_BY_NUMBER,
        catalogue._ON_SCENARIO_BY_NUMBER,
    )
    assert documented == {f"+{name}" for names in tables for name in names} | {"+pool"}


def test_the_example_is_a_scenario(tmp_path: Path) -> None:
    path = tmp_path / "example.toml"
    path.write_text(PAGE.partition("```toml\n")[2].partition("```")[0])
    assert len(find_scenario(str(path)).campaigns) == 2
