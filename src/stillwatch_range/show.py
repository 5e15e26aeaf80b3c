"""The demo's table, for a reader who sees stillwatch for the first time."""

from rich.table import Table

from stillwatch.detection.findings.model import Kind
from stillwatch_range.demo import Outcome, Protection, Row, Story

_KINDS: dict[Kind, str] = {
    "harvest": "harvest",
    "public_benchmark": "public benchmark",
    "single_organisation": "one organisation",
    "authorised": "authorised",
    "unclear": "for a person to judge",
}


def outcome_table(outcome: Outcome) -> Table:
    """Return one provider's table: what was planted, what stillwatch says, and whom it would act against."""
    table = Table(title=f"Provider {outcome.provider}: {outcome.exchanges:,} exchanges", title_justify="left")
    table.add_column("Planted")
    table.add_column("Accounts", justify="right")
    table.add_column("Found as")
    table.add_column("Acted on", justify="right")
    for row in outcome.rows:
        table.add_row(row.planted, f"{row.accounts:,}", _verdict(row), _touched(row))
    return table


def _verdict(row: Row) -> str:
    if not row.found:
        return "nothing"
    return "; ".join(f"{_KINDS[kind]}: {accounts:,}" for kind, accounts in row.found.items())


def _touched(row: Row) -> str:
    style = "green" if (row.acted_on == 0) == row.innocent else "red"
    return f"[{style}]{row.acted_on:,} of {row.accounts:,}[/{style}]"


def sharing_table(story: Story) -> Table:
    """Return what the second provider lost to the harvest, alone and warned by the first."""
    first, second = story.providers[0].provider, story.providers[1].provider
    table = Table(title=f"The same harvest at {second}, later: what got an answer", title_justify="left")
    table.add_column("")
    table.add_column("Harvest answered", justify="right")
    table.add_column("Innocents held back", justify="right")
    table.add_row(f"alone, detecting every {story.step_hours:g} h", *_protected(story.alone))
    table.add_row(f"warned by {first}", *_protected(story.warned))
    return table


def _protected(one: Protection) -> tuple[str, str]:
    style = "green" if one.refused == 0 else "red"
    return f"{one.harvested:.1%}", f"[{style}]{one.refused:,} of {one.innocent:,}[/{style}]"


def way_of(story: Story) -> str:
    """Return in words how the finding got from the first provider to the second."""
    first, second = (outcome.provider for outcome in story.providers)
    way = story.relayed
    facts = way.left + way.held + way.withheld
    plural = "" if way.indicators == 1 else "s"
    return (
        f"{first} clears its finding: of {facts} facts {way.left} may leave, {way.withheld} never do, {way.held} wait "
        f"for counsel, and two persons release {way.released}. {way.objects} signed objects go to a hub on this "
        f"machine; {second} fetches {way.indicators} indicator{plural} in force."
    )
