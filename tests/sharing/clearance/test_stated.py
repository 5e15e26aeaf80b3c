"""Rules and adoptions that somebody named are not dropped by a command that is not told of them."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.sharing.clearance.factories import (
    NOW,
    RULES,
    adopted,
    everything,
    fact,
    item,
    outbox_in,
    own_rules,
    without_rules,
)

from stillwatch.errors import PolicyRefusedError
from stillwatch.sharing.clearance.basis import standard_bases
from stillwatch.sharing.clearance.clearing import Clearing
from stillwatch.sharing.clearance.model import Terms
from stillwatch.sharing.clearance.outbox import Outbox
from stillwatch.sharing.clearance.stated import check_stated

OWN = own_rules(lambda text: without_rules(text, 14))


def used(outbox: Outbox, stated: tuple[str, ...] | None, rules: Any = RULES, bases: Any = None) -> None:
    clearing = Clearing(outbox, rules, bases or everything(), Terms(), lambda: NOW, stated)
    clearing.clear([item(fact("cluster.accounts", 50))])


def test_own_rules_are_not_dropped_unsaid(tmp_path: Path) -> None:
    with outbox_in(tmp_path) as outbox:
        check_stated(outbox, RULES, everything(), ())  # nothing was used yet
        used(outbox, ("rules",), OWN)
        with pytest.raises(PolicyRefusedError, match="own-1") as refused:
            check_stated(outbox, RULES, everything(), ("bases",))
        assert "--rules" in str(refused.value)
        check_stated(outbox, RULES, everything(), ("rules",))
        used(outbox, ())
        check_stated(outbox, RULES, everything(), ())


def test_named_adoptions_are_not_dropped_unsaid(tmp_path: Path) -> None:
    with outbox_in(tmp_path) as outbox:
        used(outbox, ("bases",))
        with pytest.raises(PolicyRefusedError, match="--bases"):
            check_stated(outbox, RULES, standard_bases(), ("rules",))
        check_stated(outbox, RULES, standard_bases(), ("bases",))


def test_other_rules_that_ship_and_a_new_adoption_are_no_news(tmp_path: Path) -> None:
    with outbox_in(tmp_path) as outbox:
        used(outbox, (), bases=adopted())
        assert outbox.rules is not None
        outbox.record([msgspec.structs.replace(outbox.rules, version="2020-01-01.1", table="0")], NOW)
        check_stated(outbox, RULES, everything(), ())


def test_of_entries_that_do_not_say_what_was_named(tmp_path: Path) -> None:
    with outbox_in(tmp_path) as outbox:
        used(outbox, None)
        check_stated(outbox, RULES, everything(), ())
        check_stated(outbox, RULES, adopted("us-2014-statement"), ())
        with pytest.raises(PolicyRefusedError, match="--bases"):
            check_stated(outbox, RULES, standard_bases(), ())
        used(outbox, None, OWN)
        with pytest.raises(PolicyRefusedError, match="--rules"):
            check_stated(outbox, RULES, everything(), ())
