from tests.enforcement.factories import NOW, standing, verdict

from stillwatch.enforcement.state.standings import Standings


def test_what_people_set_goes_before_what_was_found() -> None:
    standings = Standings()
    standings.take([verdict("a"), verdict("b", "watch")], NOW)
    standings.put("a", standing("allow", until_s=NOW + 100))
    assert standings.of("a", NOW) is None
    found = standings.of("a", NOW + 100)
    assert found is not None
    assert found.action == "block"
    standings.drop("a")
    assert standings.of("a", NOW) is not None
    assert standings.of("nobody", NOW) is None
    assert len(standings) == 2


def test_verdicts_lapse_and_the_next_run_replaces_all() -> None:
    standings = Standings()
    standings.take([verdict("a", ttl_s=60)], NOW)
    assert standings.of("a", NOW + 59) is not None
    assert standings.of("a", NOW + 60) is None
    standings.put("c", standing("block", until_s=NOW + 5))
    standings.take([verdict("b")], NOW)
    assert sorted(account for account, _ in standings.in_force(NOW)) == ["b", "c"]
    standings.sweep(NOW + 5)
    assert [account for account, _ in standings.in_force(NOW)] == ["b"]


def test_a_lift_is_told_from_an_account_that_nothing_was_held_against() -> None:
    standings = Standings()
    standings.put("lifted", standing("allow", until_s=NOW + 10))
    standings.put("held", standing("block"))
    assert standings.is_lifted("lifted", NOW)
    assert not standings.is_lifted("lifted", NOW + 10)
    assert not standings.is_lifted("held", NOW)
    assert not standings.is_lifted("other", NOW)
