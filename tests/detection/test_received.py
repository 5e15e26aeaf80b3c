from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from tests.detection.factories import FRAME, JUDGE, Traffic, filled, history, numbers_only, population
from tests.detection.reports import bands_of, bands_of_frame, report
from tests.records.indicators import indicator, indicator_id

from stillwatch.detection.population import Population
from stillwatch.detection.received import BITS, Matches, compare
from stillwatch.records.indicators import ReceivedIndicator

NOBODY = np.empty(0, np.int64)


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Population:
    """A hundred strangers, of whom all begin with a greeting, and three accounts that send a frame."""
    traffic = Traffic(1)
    names = traffic.strangers(97)
    traffic.together(names, "Hello dear colleague, I hope that you are well today, please tell me about {slot}", each=1)
    traffic.together(["crew-1", "crew-2", "crew-3"], FRAME, each=3, cover=2)
    return population(tmp_path_factory.mktemp("window"), traffic.rows)


GREETING = "Hello dear colleague, I hope that you are well today, please tell me about {slot}"


def compared(
    people: Population, reports: Sequence[ReceivedIndicator], past: Population | None = None, own: Sequence[int] = ()
) -> Matches:
    return compare(reports, people, past, np.array(own, np.int64), 0.001)


def matched(people: Population, matches: Matches) -> set[str]:
    return {people.ids[account] for account in people.row_account[matches.rows]}


def test_exchanges_that_share_a_band_match(people: Population) -> None:
    matches = compared(people, [report(FRAME), report(JUDGE, 2)])
    assert matched(people, matches) == {"crew-1", "crew-2", "crew-3"}
    assert np.unique(matches.rows).size == 9
    assert {matches.indicators[number].indicator_id for number in matches.numbers} == {indicator_id(1)}
    assert matches.notes == ["2 indicators that others shared were compared with the texts."]
    assert matches.assessable.all()


def test_the_surest_come_first_and_each_pair_stands_once(people: Population) -> None:
    reports = [report(FRAME, 3, confidence="low"), report(FRAME, 2), report(FRAME, 1, confidence="moderate")]
    matches = compared(people, reports)
    assert [one.confidence for one in matches.indicators] == ["high", "moderate", "low"]
    pairs = set(zip(matches.rows.tolist(), matches.numbers.tolist(), strict=True))
    assert len(pairs) == matches.rows.size == 27


@pytest.mark.parametrize(
    "changes",
    [
        {"valid_until": "2026-05-01T00:00:00Z"},
        {"valid_from": "2026-06-01T00:00:00Z"},
        {"template_bands": []},
    ],
)
def test_what_does_not_hold_or_names_no_bands_is_left_out(people: Population, changes: dict[str, object]) -> None:
    lapsed = indicator(1, **{"template_bands": bands_of_frame(FRAME), **changes})
    matches = compared(people, [lapsed, report(JUDGE, 2)])
    assert matches.rows.size == 0
    assert "1 were not: they do not hold at the end of the window, or name no bands" in matches.notes[0]


def test_a_band_that_everybody_sends_is_not_heard_and_that_is_said(people: Population) -> None:
    poisoned = indicator(1, template_bands=[*bands_of_frame(GREETING), *bands_of_frame(FRAME)])
    matches = compared(people, [poisoned])
    assert matched(people, matches) == {"crew-1", "crew-2", "crew-3"}
    assert (
        f"Not heard, since ordinary accounts send the same, were bands of received {indicator_id(1)}"
        in matches.notes[1]
    )
    assert "of identity--1" in matches.notes[1]


def test_history_knows_no_campaign_so_what_it_sends_is_ordinary(people: Population, tmp_path: Path) -> None:
    earlier = history()
    earlier.together(["old-1"], FRAME, each=5)
    once = population(tmp_path / "once", earlier.rows)
    assert matched(people, compared(people, [report(FRAME)], once)) == {"crew-1", "crew-2", "crew-3"}
    earlier.together(["old-2"], FRAME, each=5)
    twice = population(tmp_path / "twice", earlier.rows)
    assert not matched(people, compared(people, [report(FRAME)], twice))
    assert matched(people, compared(people, [report(FRAME)], numbers_only(["old-1"])))


def test_accounts_of_a_harvest_of_our_own_tell_nothing_of_ordinary_ones(tmp_path: Path) -> None:
    traffic = Traffic(2)
    traffic.strangers(30)
    traffic.together([f"pool-{number}" for number in range(20)], FRAME, each=3)
    people = population(tmp_path, traffic.rows)
    assert compared(people, [report(FRAME)]).rows.size == 0
    own = [number for number, name in enumerate(people.ids) if name.startswith("pool")]
    assert compared(people, [report(FRAME)], own=own).rows.size == 60


def test_many_narrow_bands_of_one_source_get_no_further_than_a_broad_one(people: Population, tmp_path: Path) -> None:
    traffic = Traffic(3)
    for number in range(100):
        traffic.add(f"customer-{number:03}", filled(traffic.rng, "{slot}", 40))
    customers = population(tmp_path, traffic.rows)
    prompts = [str(row["prompt"]) for row in traffic.rows]
    flood = [indicator(number, template_bands=bands_of(text)) for number, text in enumerate(prompts)]
    matches = compared(customers, flood)
    assert 0 < len(matched(customers, matches)) <= matches.limit == 10
    assert matches.notes[1].endswith("more.")
    honest = report(FRAME, 999, source="identity--2")
    both = compared(people, [*flood, indicator(998, template_bands=bands_of_frame(GREETING)), honest])
    assert matched(people, both) == {"crew-1", "crew-2", "crew-3"}


def test_one_indicator_of_thousands_of_bands_does_no_more(people: Population) -> None:
    rng = np.random.default_rng(1)
    bands = [f"{int(band):016x}" for band in rng.integers(0, 2**63, 5000)]
    matches = compared(people, [indicator(1, template_bands=[*bands, *bands_of_frame(GREETING)])])
    assert matches.rows.size == 0


def test_a_thousand_copies_of_one_indicator_cost_no_more_memory_than_a_few(people: Population) -> None:
    copies = [report(FRAME, number, source=f"identity--{number}") for number in range(200)]
    matches = compared(people, copies)
    assert np.unique(matches.rows).size == 9
    assert matches.rows.size <= 9 * 8 * 32


def test_without_text_nothing_is_assessable() -> None:
    matches = compared(numbers_only(["a", "b"]), [report(FRAME)])
    assert matches.rows.size == 0
    assert not matches.assessable.any()
    assert compared(numbers_only([]), [report(FRAME)]).rows.size == 0


def test_a_report_weighs_no_more_than_intent_and_never_counts_as_a_kind_of_its_own() -> None:
    assert max(BITS.values()) <= 5.0
    assert BITS["low"] < BITS["moderate"] < BITS["high"]
