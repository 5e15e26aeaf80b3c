"""What leaves without the member's name."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.sharing.clearance.factories import (
    ANN,
    BEN,
    DAY,
    HUB,
    MEMBER,
    NOW,
    RULES,
    Clock,
    adopted,
    clearing_of,
    fact,
    harvest,
    item,
    of_type,
    outbox_in,
    own_rules,
    push_all,
    without_rules,
    word,
)

from stillwatch.errors import PolicyRefusedError, UsageError
from stillwatch.sharing.clearance.model import Kept, Terms
from stillwatch.sharing.clearance.outbox import Outbox
from stillwatch.sharing.objects.extensions import SHARING

NOBODY = "identity--0c5f0a52-7d0f-4c37-9f44-2b8a5d1e6a10"
"""Who stands at the hub for members that are not named."""


def bodies(outbox: Outbox) -> list[dict[str, Any]]:
    return [
        json.loads(line) for one in (outbox.directory / "objects").iterdir() for line in one.read_bytes().splitlines()
    ]


def test_the_hub_stands_for_who_is_not_named(tmp_path: Path) -> None:
    with outbox_in(tmp_path) as outbox:
        with pytest.raises(UsageError, match="stands for"):
            clearing_of(outbox, anonymous=True).clear([harvest()])
        outbox.be_hidden_by(NOBODY)
    with outbox_in(tmp_path) as outbox:
        clearing = clearing_of(outbox, anonymous=True)
        clearing.clear([harvest()])
        assert len(clearing.ready()[0]) == 8
        told = [one.body for one in clearing.ready()[0]]
        assert MEMBER.encode() not in b"".join(told)
        creators = {json.loads(body).get("created_by_ref") for body in told}
        assert creators == {NOBODY, None}  # an observable has none


def test_an_outbox_in_which_nobody_stands_for_the_member_sends_the_rest(tmp_path: Path) -> None:
    """Older versions cleared under the member's own name what was to be anonymous; no hub took it."""
    with outbox_in(tmp_path) as outbox:
        clearing_of(outbox).clear([harvest()])
        outbox.keep_item(Kept(item=harvest(), terms=Terms(anonymous=True)))
        clearing_of(outbox).clear([harvest("C-2")])
        assert {outbox.made[one.sha256].item for one in clearing_of(outbox).ready()[0]} == {
            outbox.item_key(harvest("C-2"))
        }


def test_nothing_ties_what_is_anonymous_to_what_is_named(tmp_path: Path) -> None:
    with outbox_in(tmp_path) as outbox:
        outbox.be_hidden_by(NOBODY)
        strict = own_rules(lambda text: without_rules(text, 33))
        clearing_of(outbox, rules=strict).clear([harvest()])
        named = bodies(outbox)
        clearing_of(outbox, rules=strict, anonymous=True).clear([harvest()])
        hidden = [one for one in bodies(outbox) if one["extensions"][SHARING].get("anonymous")]
        assert len(named) == len(hidden) == 8
        same = {one["id"] for one in named} & {one["id"] for one in hidden}
        assert {name.partition("--")[0] for name in same} == {"autonomous-system"}  # its id is that of the number
        for name in ("user_id", "name"):
            assert not {one.get(name) for one in named} & {one.get(name) for one in hidden} - {None}
        digests = [{one["extensions"][SHARING]["cleared"]["log_digest"] for one in some} for some in (named, hidden)]
        assert not digests[0] & digests[1]
        assert all(len(one) == 64 for one in digests[1])
        assert {one["extensions"][SHARING]["cleared"]["rules_version"] for one in (*named, *hidden)} == {RULES.version}


def test_what_was_never_sent_gives_way_to_other_terms(tmp_path: Path) -> None:
    with outbox_in(tmp_path) as outbox:
        outbox.be_hidden_by(NOBODY)
        clearing_of(outbox).clear([harvest()])
        clearing = clearing_of(outbox, anonymous=True)
        clearing.clear([harvest()])
        ready, waiting = clearing.ready()
        assert (len(ready), waiting) == (8, [])


@pytest.mark.parametrize("first", [False, True])
def test_one_finding_is_never_sent_both_ways(tmp_path: Path, *, first: bool) -> None:
    with outbox_in(tmp_path) as outbox:
        outbox.be_hidden_by(NOBODY)
        clearing = clearing_of(outbox, anonymous=first)
        clearing.clear([harvest()])
        push_all(outbox, clearing)
        with pytest.raises(PolicyRefusedError, match="C-1"):
            clearing_of(outbox, anonymous=not first).clear([harvest()])
        assert clearing.ready() == ([], [])


def test_an_as_number_that_was_sent_stays_as_it_was_sent(tmp_path: Path) -> None:
    """Its id is the same whoever tells of it: another version would show that both are of one member."""
    with outbox_in(tmp_path) as outbox:
        outbox.be_hidden_by(NOBODY)
        named = clearing_of(outbox)
        named.clear([harvest("C-1")])
        push_all(outbox, named)
        hidden = clearing_of(outbox, anonymous=True)
        hidden.clear([harvest("C-2")])
        assert {one.object_id.partition("--")[0] for one in hidden.ready()[0]} == {
            "campaign", "indicator", "note", "relationship", "user-account"
        }  # fmt: skip
        [number] = of_type(outbox, "autonomous-system")
        assert "anonymous" not in number["extensions"][SHARING]


def test_a_withdrawal_of_what_is_anonymous_names_nobody(tmp_path: Path) -> None:
    with outbox_in(tmp_path) as outbox:
        outbox.be_hidden_by(NOBODY)
        clearing = clearing_of(outbox, anonymous=True)
        clearing.clear([harvest()])
        push_all(outbox, clearing)
        for object_id in outbox.latest():
            clearing.withdraw(object_id, by=ANN, reason="wrong")
        owed, _ = clearing.to_revoke(HUB, anonymous=True)
        assert len(owed) == 6
        for one in owed:
            assert outbox.made[one.sha256].anonymous
            assert MEMBER.encode() not in one.body
            assert json.loads(one.body)["extensions"][SHARING]["anonymous"] is True


def test_no_two_kinds_share_a_moment(tmp_path: Path) -> None:
    """One review clears a named and an anonymous finding at once: what is anonymous tells the day alone."""
    clock, adopt_nothing = Clock(NOW + 0.123), adopted()
    with outbox_in(tmp_path) as outbox:
        outbox.be_hidden_by(NOBODY)
        clearing_of(outbox, adopt_nothing, clock).clear([harvest("C-1")])
        hidden = clearing_of(outbox, adopt_nothing, clock, anonymous=True)
        hidden.clear([harvest("C-2")])
        for by in (ANN, BEN):
            clock.now_s += 60
            hidden.review(*(word(one.key, by) for one in hidden.held() if one.field.startswith("template")))
        times: dict[str, set[str]] = {"named": set(), "hidden": set()}
        for body in bodies(outbox):
            kind = "hidden" if body["extensions"][SHARING].get("anonymous") else "named"
            times[kind] |= {body["created"], body["modified"]}
        assert times == {"named": {"2026-08-03T12:02:00.123Z"}, "hidden": {"2026-08-03T00:00:00.000Z"}}


def test_versions_of_what_is_anonymous_grow_and_tell_the_day(tmp_path: Path) -> None:
    clock = Clock()
    with outbox_in(tmp_path) as outbox:
        outbox.be_hidden_by(NOBODY)
        clearing = clearing_of(outbox, clock=clock, anonymous=True)
        for accounts in (9, 90, 900):
            clock.now_s += 3_600
            clearing.clear([item(fact("cluster.accounts", accounts))])
        push_all(outbox, clearing, clock.now_s)
        [campaign] = of_type(outbox, "campaign")
        assert campaign["modified"] == "2026-08-03T00:00:00.002Z"
        clock.now_s += DAY
        clearing.withdraw(campaign["id"], by=ANN, reason="wrong")
        [back] = clearing.to_revoke(HUB, anonymous=True)[0]
        told = json.loads(back.body)
        assert told["created"] == "2026-08-03T00:00:00.000Z"
        assert told["modified"] == "2026-08-04T00:00:00.001Z"


def test_revocations_of_one_kind_are_made_without_those_of_the_other(tmp_path: Path) -> None:
    with outbox_in(tmp_path) as outbox:
        outbox.be_hidden_by(NOBODY)
        named, hidden = clearing_of(outbox), clearing_of(outbox, anonymous=True)
        named.clear([harvest("C-1")])
        hidden.clear([harvest("C-2")])
        push_all(outbox, named)
        for object_id in outbox.latest():
            named.withdraw(object_id, by=ANN, reason="wrong")
        named.to_revoke(HUB)
        made = [one for one in outbox.made.values() if one.revokes]
        assert len(made) == 6
        assert not any(one.anonymous for one in made)
        kinds = [[name.partition("--")[0] for name in named.to_delete(HUB, anonymous=one)] for one in (False, True)]
        assert kinds == [["user-account"], ["autonomous-system", "user-account"]]  # the number went as it was last made


def test_who_stands_for_the_member_is_not_changed_by_a_clearance_that_is_refused(tmp_path: Path) -> None:
    with outbox_in(tmp_path) as outbox:
        named = clearing_of(outbox)
        named.clear([harvest()])
        push_all(outbox, named)
        with pytest.raises(PolicyRefusedError, match="under this member's name"):
            clearing_of(outbox, anonymous=True).clear([harvest()], NOBODY)
        assert outbox.member.hidden_by == ""
        clearing_of(outbox, anonymous=True).clear([harvest("C-2")], NOBODY)
    with outbox_in(tmp_path) as outbox:
        assert outbox.member.hidden_by == NOBODY
