from pathlib import Path

import pytest

from stillwatch.errors import UsageError
from stillwatch_range.catalogue import TEMPLATED, find_scenario


def test_one_campaign_by_family_and_accounts() -> None:
    (plan,) = find_scenario("evolinstruct-20").campaigns
    assert (plan.family, plan.accounts, plan.mixing) == ("evolinstruct", 20, 0.5)


def test_combined_plants_each_templated_family_once_over_all_splits() -> None:
    plans = find_scenario("combined").campaigns
    assert [plan.family for plan in plans] == list(TEMPLATED)
    assert {plan.accounts for plan in plans} == {200, 20, 6}


def test_suffixes_add_up() -> None:
    scenario = find_scenario("cot-6+known+bare+apart+keys+drift")
    assert scenario.hard_negatives == "known"
    assert not scenario.metadata
    assert scenario.drift == "volunteers"
    assert scenario.campaigns[0].shared_infrastructure == 0
    assert not any(workload.one_org for workload in scenario.workloads)


def test_quiet_plants_nothing() -> None:
    assert find_scenario("quiet").campaigns == ()


@pytest.mark.parametrize("name", ["", "nothing", "cot", "cot-0", "cot-x", "poems-6", "quiet+loud"])
def test_unknown_names_say_what_there_is(name: str) -> None:
    with pytest.raises(UsageError, match="FAMILY-ACCOUNTS"):
        find_scenario(name)


def test_a_scenario_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(
        'name = "mine"\nbenign_accounts = 50\n'
        '[[campaigns]]\nfamily = "cot"\naccounts = 3\nmixing = 0.8\n'
        '[[workloads]]\nname = "judge"\naccounts = 2\nstrangers = true\nitems = 5\nearlier_items = 0\n'
    )
    scenario = find_scenario(str(path))
    assert scenario.benign_accounts == 50
    assert scenario.campaigns[0].mixing == 0.8
    assert scenario.workloads[0].strangers


@pytest.mark.parametrize(
    "text", ["", "name = ", 'name = "x"\nsize = 3', 'name = "x"\n[[campaigns]]\nfamily = "a"\naccounts = 0']
)
def test_a_wrong_file_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(UsageError, match=r"mine\.toml is not a scenario"):
        find_scenario(str(path))


def test_an_absent_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is not a scenario"):
        find_scenario(str(tmp_path / "none.toml"))
