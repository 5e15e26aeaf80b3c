"""What `share` prints."""

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from stillwatch.sharing.clearance.clearing import Outcome
    from stillwatch.sharing.clearance.outbox import Outbox


def trace(outbox: "Outbox", made: Any) -> dict[str, Any]:
    """Return where an object stands: under which rules and by whom it was cleared, and whether a hub has it."""
    pushed = outbox.pushed.get(made.sha256)
    places = outbox.places.of(made.object_id)
    reviewers = {one.by for key in made.released for one in outbox.reviews.of(key) if one.verdict == "release"}
    return {
        "object_id": made.object_id,
        "sha256": made.sha256,
        "state": _state(made, pushed, places),
        "rules_version": made.rules_version,
        "classes": list(made.numbers),
        "bases": list(made.bases),
        "released_by": sorted(reviewers),
        "opinions": [_opinion(outbox, name) for name in made.opinions],
        "withdrawn": made.withdrawn,
        "hub": None if pushed is None else pushed.hub,
        "places": [list(place) for place in places],
    }


def _state(made: Any, pushed: Any, places: list[Any]) -> str:
    if made.withdrawn is not None:
        return "withdrawn" + (f"; still at {', '.join(map(str, places))}: `share push` there" if places else "")
    return "not sent" if pushed is None else "sent" if pushed.accepted else f"refused: {pushed.message}"


def _opinion(outbox: "Outbox", name: str) -> dict[str, Any]:
    """Return a standing opinion that let parts of an object pass: whose it is, why, and its last day."""
    found = outbox.opinion(name)
    if found is None:
        return {"opinion": name, "by": [], "reason": "", "until": ""}
    last = datetime.fromtimestamp(found.until_s - 1, UTC).date()
    return {"opinion": name, "by": list(found.by), "reason": found.reason, "until": last.isoformat()}


def clearers(row: dict[str, Any]) -> str:
    """Return by whom an object was cleared: persons who released parts of it, opinions with theirs, else the rules."""
    opinions = [
        f"opinion {one['opinion']} of {' and '.join(one['by'])} until {one['until']} ({one['reason']})"
        for one in row["opinions"]
    ]
    return ", ".join([*row["released_by"], *opinions]) or "the rules"


def outcomes_as_json(outcomes: list["Outcome"], held: int, expired: int) -> dict[str, Any]:
    """Return what became of items, without the values."""
    return {
        "items": [
            {
                "item": outcome.item_id,
                "objects": list(outcome.objects),
                "facts": [
                    {"field": one.field, "class": one.number, "state": one.state, "why": one.why, "source": one.source}
                    for one in outcome.rulings
                ],
            }
            for outcome in outcomes
        ],
        "held": held,
        "expired": expired,
    }


def note_expired(expired: int) -> None:
    """Say where indicators leave that hold no more."""
    if expired:
        typer.echo(
            f"Note: {expired:,} indicators that leave have expired already; receivers will not use them", err=True
        )


def print_outcomes(outcomes: list["Outcome"], held: int, out: Path) -> None:
    """Print what became of each fact of each item."""
    from rich.console import Console
    from rich.table import Table

    console = Console(stderr=True)
    for outcome in outcomes:
        table = Table(
            "field", "class", "facts", "outcome", "why", title=f"{outcome.item_id}", box=None, title_justify="left"
        )
        counted = Counter((one.field, one.number, one.state, one.why) for one in outcome.rulings)
        for (field, number, state, why), count in counted.items():
            table.add_row(field, str(number), f"{count:,}", state, why)
        console.print(table)
        console.print(f"{len(outcome.objects)} objects may be sent.\n", highlight=False)
    if not outcomes:
        console.print("No harvest was found, so there is nothing to clear.")
    if held:
        console.print(f"{held:,} facts wait for counsel: stillwatch share review {out}", highlight=False)


def print_held(held: list[Any]) -> None:
    """Print what waits for counsel, with its values."""
    from rich.console import Console

    console = Console(stderr=True)
    if not held:
        console.print("Nothing waits for counsel.")
    for one in held:
        console.print(f"[bold]{one.key}[/bold] {one.field} (class {one.number}) of {one.item_id}", highlight=False)
        console.print(f"  value: {one.value}", highlight=False, markup=False)
        console.print(f"  why held: {one.why}\n  source: {one.source}", highlight=False, markup=False)
        if one.expires_at is not None:
            console.print(f"  leaves with its end: {datetime.fromtimestamp(one.expires_at, UTC).date()}", markup=False)
        if one.released_by:
            console.print(f"  released by: {', '.join(one.released_by)}; one more person is needed", markup=False)


def note_unusable(found: dict[str, int]) -> None:
    """Tell how many identifiers were left out because they are none, so that silence means that all were used."""
    for kind, count in found.items():
        typer.echo(f"{count:,} values of {kind} are none in any known writing and were left out", err=True)
