"""The outcome of `stillwatch policy backtest`, as a person reads it."""

from collections.abc import Iterable

from rich.console import Console
from rich.table import Table

from stillwatch.enforcement.backtest.outcome import Figures, Group, Hits, Outcome, RuleOutcome
from stillwatch.records.rejects import printable

_HEARINGS = (("As written", "as_written"), ("If all rules enforced for everybody", "if_enforced"))


def print_outcome(outcome: Outcome) -> None:
    """Print an outcome on standard error."""
    console = Console(stderr=True, highlight=False, markup=False)
    on, seen = outcome.on, outcome.seen
    console.print(
        f"{seen.requests:,} exchanges of {seen.accounts:,} accounts, {on.first or 'never'} to {on.last or 'never'}"
        f" ({on.counts['duplicate']:,} duplicate, {on.counts['rejected']:,} rejected)"
    )
    for reason, number in on.rejected_by_reason.items():
        console.print(f"  rejected, {reason}: {number:,}")
    for title, name in _HEARINGS:
        console.print(f"{title}: hit / refused")
        console.print(_rules(outcome, name))
    hits = outcome.if_enforced
    console.print(f"{_HEARINGS[1][0]}: accounts")
    console.print(_groups(hits.cohorts + hits.labels))
    if hits.worst_hit:
        console.print("Worst hit of those whom nothing else speaks against")
        console.print(_worst(hits))
    for line in _said(outcome):
        console.print(line)


def _rules(outcome: Outcome, name: str) -> Table:
    written = name == "as_written"
    last = ("no verdict",) if outcome.on.labels is None else ("honest hit", "95 %")
    table = Table("rule", "mode" if written else "action", "accounts", "requests", "tokens", *last, box=None)
    for rule in outcome.rules:
        row = ("n/a",) if rule.not_assessable else _figures(getattr(rule, name))
        table.add_row(rule.id, _mode(rule) if written else rule.action, *row)
    table.add_row("all but watch", "", *_figures(getattr(outcome, name)))
    return table


def _mode(rule: RuleOutcome) -> str:
    return rule.mode if rule.canary_percent == 100 else f"{rule.mode} {rule.canary_percent:g} %"


def _figures(hits: Hits) -> Iterable[str]:
    hit, refused, share = hits.hit, hits.refused, hits.collateral
    yield f"{hit.accounts:,} / {refused.accounts:,}"
    yield f"{hit.requests:,} / {refused.requests:,}"
    yield f"{_thousands(hit)} / {_thousands(refused)}"
    if share is None:
        yield f"{hits.possible_collateral:,}"
    else:
        yield f"{share.accounts:,}"
        yield f"{100 * share.low:.2g}-{100 * share.high:.2g} %"


def _thousands(figures: Figures) -> str:
    return "?" if figures.output_tokens is None else f"{figures.output_tokens / 1000:,.0f}k"


def _groups(groups: Iterable[Group]) -> Table:
    table = Table("", "seen", "hit", "refused", box=None)
    for group in groups:
        table.add_row(group.name, f"{group.seen:,}", f"{group.hit:,}", f"{group.refused:,}")
    return table


def _worst(hits: Hits) -> Table:
    table = Table("account", "label", "requests", "hit", "refused", box=None)
    for one in hits.worst_hit:
        name = printable(one.account_id.encode("utf-8", "surrogatepass"))
        table.add_row(name, one.label, f"{one.seen:,}", f"{one.hit:,}", f"{one.refused:,}")
    return table


def _said(outcome: Outcome) -> Iterable[str]:
    for rule in outcome.rules:
        if rule.not_assessable:
            yield f'Not assessable: rule "{rule.id}" needs {"; ".join(rule.not_assessable)}.'
        if rule.if_enforced.degraded:
            yield f'Rule "{rule.id}" would make {rule.if_enforced.degraded:,} requests smaller.'
    for budget in outcome.budgets:
        for title, name in _HEARINGS:
            at = getattr(budget, name)
            end = "not be spent" if at is None else f"be spent on {at}"
            yield f'{title}, the budget of "{budget.cohort}" (refused_share {budget.refused_share:g}) would {end}.'
    if outcome.on.labels is None:
        yield "The accounts are unlabelled: hit without a verdict means possible collateral."
    if outcome.on.texts is not None and outcome.on.texts < outcome.seen.requests:
        yield f"Text, or a sketch of it, is there in {outcome.on.texts:,} of {outcome.seen.requests:,} exchanges."
    for note in outcome.notes:
        yield f"Note: {note}"
