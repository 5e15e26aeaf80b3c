"""Clearing under legal bases that begin and end."""

import datetime as dt
from pathlib import Path

from tests.sharing.clearance.factories import (
    DAY,
    Clock,
    adopted,
    clearing_of,
    fact,
    harvest,
    item,
    outbox_in,
)

from stillwatch.sharing.clearance.events import BasisAdopted
from stillwatch.sharing.clearance.outbox import Outbox


def test_a_basis_that_lapses_at_midnight_holds_back_what_was_cleared_before(tmp_path: Path) -> None:
    """CISA 2015 ends with 30 September 2026 (6 U.S.C. 1510)."""
    midnight = dt.datetime(2026, 10, 1, tzinfo=dt.UTC).timestamp()
    clock = Clock(midnight - 1)
    told = item(
        fact("infrastructure.hosting_ip", "8.8.4.4", residential=False, expires_at=midnight + 9 * DAY, confidence=80)
    )
    with outbox_in(tmp_path) as outbox:
        clearing = clearing_of(outbox, adopted("us-cisa-2015"), clock)
        [outcome] = clearing.clear([told])
        assert len(outcome.objects) == 3
        assert len(clearing.ready()[0]) == 3
        clock.now_s = midnight
        ready, waiting = clearing.ready()
        assert ready == []
        assert any("us-cisa-2015 is not in force on 2026-10-01" in why for why in waiting)
        assert outbox.rules is not None
        assert outbox.rules.in_force == ()
        [outcome] = clearing.clear([told])
        assert outcome.objects == ()
        [held] = clearing.held()
        assert "us-cisa-2015" in held.why
        assert clearing.ready()[0] == []
        clock.now_s = midnight - 1  # a clock that is set back revives nothing
        assert clearing.clear([told])[0].objects == ()
        assert clearing.ready()[0] == []


def test_an_adoption_that_ends_holds_back_too(tmp_path: Path) -> None:
    midnight = dt.datetime(2026, 9, 1, tzinfo=dt.UTC).timestamp()
    clock = Clock(midnight - 1)
    with outbox_in(tmp_path) as outbox:
        clearing = clearing_of(outbox, adopted("us-2014-statement", until="2026-08-31"), clock)
        clearing.clear([item(fact("cluster.accounts", 9))])
        assert len(clearing.ready()[0]) == 1
        clock.now_s = midnight
        assert clearing.ready()[0] == []


def test_the_log_says_who_adopted_what_until_when(tmp_path: Path) -> None:
    def logged(outbox: Outbox) -> list[tuple[str, str, str, str]]:
        found = [event for _, event in outbox._ledger if isinstance(event, BasisAdopted)]
        return [(one.basis, one.by, str(one.start), str(one.until)) for one in found]

    first = ("us-2014-statement", "R. Ames", "2026-01-01", "2026-12-31")
    with outbox_in(tmp_path) as outbox:
        clearing = clearing_of(outbox, adopted("us-2014-statement", until="2026-12-31"))
        clearing.clear([harvest()])
        clearing.ready()
        assert logged(outbox) == [first]
    with outbox_in(tmp_path) as outbox:
        both = adopted("us-2014-statement", "eu-gdpr-6-1-f", until="2026-12-31")
        clearing_of(outbox, both).clear([harvest()])
        assert logged(outbox) == [first, ("eu-gdpr-6-1-f", *first[1:])]
