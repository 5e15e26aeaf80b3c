"""The demo's table, for a reader who sees stillwatch for the first time."""

from rich.table import Table

from stillwatch.detection.findings.model import Kind
from stillwatch_range.demo import Outcome, Row

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
