from pathlib import Path

import pytest

from stillwatch_range.demo import Outcome, Story, run_demo


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    return run_demo(tmp_path_factory.mktemp("demo"), seed=7)


@pytest.fixture(scope="module")
def outcomes(story: Story) -> list[Outcome]:
    return story.providers


@pytest.mark.slow
def test_the_campaign_is_found_at_both_providers(outcomes: list[Outcome]) -> None:
    assert [outcome.provider for outcome in outcomes] == ["heron", "osprey"]
    for outcome in outcomes:
        (campaign,) = [row for row in outcome.rows if not row.innocent]
        assert campaign.found.get("harvest", 0) >= 0.95 * campaign.accounts
        assert campaign.acted_on >= 0.95 * campaign.accounts


@pytest.mark.slow
def test_nobody_innocent_is_touched(outcomes: list[Outcome]) -> None:
    for outcome in outcomes:
        innocent = [row for row in outcome.rows if row.innocent]
        assert sum(row.accounts for row in innocent) > 1000
        assert sum(row.acted_on for row in innocent) <= 0.001 * sum(row.accounts for row in innocent)


@pytest.mark.slow
def test_each_look_alike_is_recognised_as_what_it_is(outcomes: list[Outcome]) -> None:
    kinds = {
        "a firm with six keys": "single_organisation",
        "benchmark, strangers": "public_benchmark",
        "licensed distiller": "authorised",
    }
    for outcome in outcomes:
        found = {row.planted: row.found for row in outcome.rows}
        assert {planted: set(found[planted]) for planted in kinds} == {
            planted: {kind} for planted, kind in kinds.items()
        }


@pytest.mark.slow
def test_there_is_a_report_to_open(outcomes: list[Outcome]) -> None:
    assert all(Path(outcome.report).read_text("utf-8").startswith("<!") for outcome in outcomes)


@pytest.mark.slow
def test_the_finding_passes_counsel_and_the_hub(story: Story) -> None:
    way = story.relayed
    assert way.withheld > 0
    assert way.held == way.released > 0
    assert way.objects > 0
    assert way.indicators == 1
    assert Path(way.received).read_bytes().count(b"\n") == 1


@pytest.mark.slow
def test_the_second_provider_loses_less_when_it_is_warned_and_nobody_innocent_pays(story: Story) -> None:
    assert story.alone.harvested > 0.05
    assert story.warned.harvested < story.alone.harvested / 5
    assert story.warned.refused <= 0.001 * story.warned.innocent
