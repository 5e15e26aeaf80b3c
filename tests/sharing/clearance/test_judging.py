"""What counsel and the clock say, beside the rules."""

from pathlib import Path

import pytest
from tests.sharing.clearance.factories import (
    ANN,
    BEN,
    DAY,
    NOW,
    Clock,
    adopted,
    clearing_of,
    everything,
    fact,
    item,
    of_type,
    outbox_in,
    word,
)

from stillwatch.errors import PolicyRefusedError
from stillwatch.sharing.clearance.events import OpinionGiven
from stillwatch.sharing.clearance.model import Item


def test_what_counsel_refused_stays_once_a_basis_is_adopted(tmp_path: Path) -> None:
    with outbox_in(tmp_path) as outbox:
        told = item(fact("cluster.accounts", 50))
        without = clearing_of(outbox, adopted())
        without.clear([told])
        [held] = without.held()
        without.review(word(held.key, ANN, "refuse"))
        [outcome] = clearing_of(outbox, everything()).clear([told])
        assert [(one.state, one.why) for one in outcome.rulings] == [("withheld", "counsel refused it")]
        assert outcome.objects == ()
        assert clearing_of(outbox, everything()).ready() == ([], [])


def test_what_counsel_refused_stays_under_a_standing_opinion(tmp_path: Path) -> None:
    with outbox_in(tmp_path) as outbox:
        told = item(fact("cluster.accounts", 50))
        clearing = clearing_of(outbox, adopted())
        clearing.clear([told])
        clearing.review(word(clearing.held()[0].key, ANN, "refuse"))
        for by in (ANN, BEN):
            clearing.give_opinion(
                OpinionGiven(ts=0, opinion="o", number=14, fields=(), until_s=NOW + DAY, by=by, reason="bands only")
            )
        [outcome] = clearing.clear([told])
        assert outcome.rulings[0].state == "withheld"


def test_what_was_cleared_before_it_was_refused_is_not_sent(tmp_path: Path) -> None:
    with outbox_in(tmp_path) as outbox:
        told = item(fact("cluster.accounts", 50))
        clearing_of(outbox).clear([told])
        lapsed = clearing_of(outbox, adopted())
        lapsed.review(word(lapsed.held()[0].key, ANN, "refuse"))
        ready, waiting = clearing_of(outbox).ready()
        assert ready == []
        assert "counsel refused it" in waiting[0]


# The end that goes out with a value


def address(days: float) -> Item:
    """Return a finding with an address that counsel is asked about."""
    return item(fact("infrastructure.hosting_ip", "8.8.4.4", residential=True, expires_at=NOW + days * DAY))


def test_a_release_is_for_the_end_that_counsel_saw(tmp_path: Path) -> None:
    with outbox_in(tmp_path) as outbox:
        clearing = clearing_of(outbox)
        clearing.clear([address(10)])
        [held] = clearing.held()
        assert held.expires_at == NOW + 10.5 * DAY  # NOW is at noon
        for by in (ANN, BEN):
            clearing.review(word(held.key, by))
        [indicator] = of_type(outbox, "indicator")
        assert indicator["valid_until"] == "2026-08-14T00:00:00.000Z"
        clearing.clear([address(10.2)])  # leaves with the same end
        assert len(clearing.ready()[0]) == 3
        clearing.clear([address(3_650)])
        [again] = clearing.held()
        assert (again.key, again.released_by) == (held.key, ())
        assert clearing.ready()[0] == []


@pytest.mark.parametrize(("expires_at", "end"), [(253_402_300_799, "9999-12-31"), (-253_402_300_799, "1970-01-01")])
def test_an_end_that_no_calendar_has_is_the_nearest_that_one_has(tmp_path: Path, expires_at: float, end: str) -> None:
    with outbox_in(tmp_path) as outbox:
        clearing = clearing_of(outbox)
        clearing.clear([item(fact("infrastructure.hosting_ip", "8.8.4.4", residential=True, expires_at=expires_at))])
        for by in (ANN, BEN):
            clearing.review(word(clearing.held()[0].key, by))
        assert [one["valid_until"][:10] for one in of_type(outbox, "indicator")] == [end]


def test_a_refusal_is_for_whatever_end(tmp_path: Path) -> None:
    with outbox_in(tmp_path) as outbox:
        clearing = clearing_of(outbox)
        clearing.clear([address(10)])
        clearing.review(word(clearing.held()[0].key, ANN, "refuse"))
        [outcome] = clearing.clear([address(3_650)])
        assert [one.state for one in outcome.rulings] == ["withheld"]


# A clock that is set back


@pytest.mark.parametrize("days", [0.9, 30])
def test_a_clock_that_is_set_back_revives_no_adoption(tmp_path: Path, days: float) -> None:
    clock = Clock()
    with outbox_in(tmp_path) as outbox:
        clearing = clearing_of(outbox, adopted("us-2014-statement", until="2026-08-03"), clock)
        clearing.clear([item(fact("cluster.accounts", 50))])
        assert len(clearing.ready()[0]) == 1
        clock.now_s = NOW + days * DAY
        assert clearing.ready()[0] == []
    with outbox_in(tmp_path) as outbox:
        again = clearing_of(outbox, adopted("us-2014-statement", until="2026-08-03"), Clock())
        if days > 1:
            with pytest.raises(PolicyRefusedError, match="2026-09-02"):
                again.ready()
            return
        assert again.ready()[0] == []
        assert [held.field for held in again.held()] == ["cluster.accounts"]
