from pathlib import Path

import pytest

from stillwatch.errors import UsageError
from stillwatch_range.campaigns import CampaignPlan
from stillwatch_range.catalogue import OWN, TEMPLATED, find_scenario


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


@pytest.mark.parametrize("family", OWN)
def test_families_of_the_ranges_own_have_names_too(family: str) -> None:
    (plan,) = find_scenario(f"{family}-60").campaigns
    assert (plan.family, plan.accounts) == (family, 60)


@pytest.mark.parametrize(
    ("suffix", "expected"),
    [
        ("mix80", {"mixing": 0.8}),
        ("share0.1", {"share": 0.001}),
        ("pace860", {"pace": 860.0, "rhythm": "daily"}),
        ("pace2", {"pace": 2.0, "rhythm": "human"}),
        ("homes", {"residential": True}),
        ("swarm", {"pace": 2.0, "mixing": 0.0}),
        ("pivot", {"pivot": 0.5}),
        ("stolen", {"stolen": True}),
        ("cloud", {"channel": "cloud-north"}),
        ("first", {"queue_part": (1, 2)}),
        ("second", {"queue_part": (2, 2)}),
    ],
)
def test_suffixes_change_every_campaign(suffix: str, expected: dict[str, object]) -> None:
    scenario = find_scenario(f"combined+{suffix}")
    for plan in scenario.campaigns:
        assert {name: getattr(plan, name) for name in expected} == expected
    assert (scenario.returning > 0) == (suffix == "stolen")


def test_suffixes_that_add_something() -> None:
    (plan,) = find_scenario("tags-20+search+failover").campaigns
    assert plan.search
    assert plan.search.accounts == 2
    assert plan.failover
    assert plan.failover.standby == 10
    first, second = find_scenario("tags-20+pool").campaigns
    assert first.pool == second.pool is not None
    assert (second.family, second.accounts) == ("grading", 12)


def test_suffixes_that_size_the_window() -> None:
    scenario = find_scenario("quiet+everyday+benign5000+talks20000+profiles")
    assert scenario.profiles
    assert (scenario.benign_accounts, scenario.history_accounts, scenario.invented_talks) == (5000, 5000, 20000)
    assert {"students", "llm_gateway", "classifier"} <= {workload.name for workload in scenario.workloads}


def test_suffixes_that_do_not_fit_each_other_are_refused() -> None:
    with pytest.raises(UsageError, match=r"\+share60 does not fit"):
        find_scenario("tags-20+share60")


def test_quiet_plants_nothing() -> None:
    assert find_scenario("quiet").campaigns == ()


@pytest.mark.parametrize(
    "name", ["", "nothing", "cot", "cot-0", "cot-x", "poems-6", "quiet+loud", "cot-6+mix", "cot-6+known2"]
)
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


def test_a_file_may_name_campaigns_and_workloads(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(
        'name = "mine"\nreturning = 0.4\nworkloads = ["students", "judge"]\n'
        'campaigns = ["cot-6+mix80", {family = "tags", accounts = 9, share = 0.05, '
        "failover = {day = 3.0, standby = 4}, search = {variants = 50, accounts = 2, days = 1.0}}]\n"
    )
    scenario = find_scenario(str(path))
    assert [workload.name for workload in scenario.workloads] == ["students", "judge"]
    assert scenario.campaigns[0] == CampaignPlan(family="cot", accounts=6, mixing=0.8)
    assert scenario.campaigns[1].members() == 13


def test_an_unknown_workload_in_a_file_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('name = "mine"\nworkloads = ["poetry"]\n')
    with pytest.raises(UsageError, match="unknown workload 'poetry'"):
        find_scenario(str(path))


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
