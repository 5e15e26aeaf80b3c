import io

from rich.console import Console

from stillwatch_range.demo import Outcome, Row
from stillwatch_range.show import outcome_table


def shown(*rows: Row) -> str:
    outcome = Outcome(provider="heron", exchanges=12345, rows=list(rows), report="r.html")
    console = Console(width=140, file=io.StringIO(), force_terminal=True, color_system="standard")
    with console.capture() as capture:
        console.print(outcome_table(outcome))
    return capture.get()


def test_says_what_was_planted_found_and_touched() -> None:
    text = shown(Row(planted="a campaign", accounts=20, innocent=False, found={"harvest": 19}, acted_on=18))
    assert "12,345 exchanges" in text
    assert "harvest: 19" in text
    assert "\x1b[32m18 of 20" in text


def test_an_innocent_that_is_touched_is_red() -> None:
    text = shown(Row(planted="customers", accounts=1000, innocent=True, found={}, acted_on=3))
    assert "nothing" in text
    assert "\x1b[31m3 of 1,000" in text


def test_a_campaign_that_is_missed_is_red() -> None:
    text = shown(Row(planted="a campaign", accounts=20, innocent=False, found={"unclear": 5}, acted_on=0))
    assert "for a person to judge: 5" in text
    assert "\x1b[31m0 of 20" in text
