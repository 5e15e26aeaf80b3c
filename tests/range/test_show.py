import io

from rich.console import Console
from rich.table import Table

from stillwatch_range.demo import Outcome, Protection, Row, Story
from stillwatch_range.relay import Relayed
from stillwatch_range.show import outcome_table, sharing_table, way_of


def outcome(provider: str, *rows: Row) -> Outcome:
    return Outcome(provider=provider, exchanges=12345, rows=list(rows), report="r.html")


def printed(table: Table) -> str:
    console = Console(width=140, file=io.StringIO(), force_terminal=True, color_system="standard")
    with console.capture() as capture:
        console.print(table)
    return capture.get()


def shown(*rows: Row) -> str:
    return printed(outcome_table(outcome("heron", *rows)))


def story(refused: int = 0) -> Story:
    return Story(
        providers=[outcome("heron"), outcome("osprey")],
        relayed=Relayed(left=3, held=2, withheld=4, released=2, objects=5, indicators=1, received="r.jsonl"),
        alone=Protection(harvested=0.117, refused=0, innocent=1015),
        warned=Protection(harvested=0.004, refused=refused, innocent=1015),
        step_hours=24.0,
    )


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


def test_says_what_being_warned_was_worth() -> None:
    text = printed(sharing_table(story()))
    assert "alone, detecting every 24 h" in text
    assert "11.7%" in text
    assert "0.4%" in text
    assert "\x1b[32m0 of 1,015" in text
    assert "\x1b[31m7 of 1,015" in printed(sharing_table(story(refused=7)))


def test_says_which_way_the_finding_took() -> None:
    told = way_of(story())
    assert "of 9 facts 3 may leave, 4 never do, 2 wait for counsel, and two persons release 2" in told
    assert "osprey fetches 1 indicator in force." in told
