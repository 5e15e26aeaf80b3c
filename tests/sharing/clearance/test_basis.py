import datetime as dt
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.sharing.clearance.factories import ALL, DAY, NOW, adopted, fact, ruled

from stillwatch.errors import UsageError
from stillwatch.sharing.clearance.adopt import adopt_basis
from stillwatch.sharing.clearance.basis import load_adoptions, standard_bases


def at(text: str) -> float:
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC).timestamp()


@pytest.mark.parametrize(
    ("moment", "holds"),
    [
        ("2025-09-30T23:59:59", True),
        ("2025-10-01T00:00:00", False),  # the first lapse of 43 days
        ("2025-11-12T23:59:59", False),
        ("2025-11-13T00:00:00", True),
        ("2026-01-30T23:59:59", True),
        ("2026-01-31T00:00:00", False),  # the second, of some days
        ("2026-02-02T23:59:59", False),
        ("2026-02-03T00:00:00", True),
        ("2026-09-30T23:59:59", True),
        ("2026-10-01T00:00:00", False),  # and none was found after it
        ("2026-11-28T00:00:00", False),
    ],
)
def test_cisa_2015_lapses_at_midnight_utc(moment: str, holds: bool) -> None:  # noqa: FBT001
    bases = adopted("us-cisa-2015", since="2020-01-01")
    assert bases.in_force("us-cisa-2015", at(moment)) is holds
    states = [
        ruling.state
        for ruling in ruled(
            fact("infrastructure.hosting_ip", "8.8.4.4", residential=False, expires_at=at(moment) + DAY, confidence=80),
            bases=bases,
            now_s=at(moment),
        )
    ]
    assert states == ["leaves" if holds else "held"]


@given(st.floats(min_value=at("2014-01-01"), max_value=at("2030-01-01")))
def test_nothing_is_in_force_that_counsel_did_not_adopt(now_s: float) -> None:
    assert not any(standard_bases().in_force(name, now_s) for name in ALL)


def test_an_adoption_covers_its_days_to_the_second() -> None:
    bases = adopted("us-2014-statement", since="2026-03-01", until="2026-03-31")
    found = [
        bases.in_force("us-2014-statement", at(moment))
        for moment in ("2026-02-28T23:59:59", "2026-03-01T00:00:00", "2026-03-31T23:59:59", "2026-04-01T00:00:00")
    ]
    assert found == [False, True, True, False]


def test_each_jurisdiction_that_the_member_names_needs_a_basis() -> None:
    told = fact("cluster.accounts", 9)
    both = ("US", "EU")
    assert ruled(told, bases=adopted("us-2014-statement"))[0].state == "leaves"
    [ruling] = ruled(told, bases=adopted("us-2014-statement", jurisdictions=both))
    assert (ruling.state, "EU" in ruling.why) == ("held", True)
    assert (
        ruled(told, bases=adopted("us-2014-statement", "eu-horizontal-2023", jurisdictions=both))[0].state == "leaves"
    )
    # A basis of the place that the class does not list does not count.
    assert ruled(told, bases=adopted("us-2014-statement", "eu-gdpr-6-1-f", jurisdictions=both))[0].state == "held"
    assert ruled(told, bases=adopted(*ALL, jurisdictions=()))[0].state == "held"


def test_one_basis_that_lapsed_does_not_matter_where_another_holds() -> None:
    told = fact("infrastructure.hosting_ip", "8.8.4.4", residential=False, expires_at=at("2026-11-02"), confidence=80)
    [ruling] = ruled(told, bases=adopted("us-cisa-2015", "us-2014-statement"), now_s=at("2026-11-01"))
    assert (ruling.state, ruling.bases) == ("leaves", ("us-2014-statement",))


GOOD = """\
jurisdictions = ["US"]
[[adoption]]
basis = "us-2014-statement"
by = "R. Ames"
reason = "memo 12"
from = 2026-01-01
until = 2026-12-31
"""


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("us-2014-statement", "us-2015"), "no basis is called"),
        (('"US"', '"us"'), "jurisdiction"),
        (("R. Ames", " "), "no person"),
        (("memo 12", ""), "no reason"),
        (("until = 2026-12-31", ""), "until"),
        (("2026-12-31", "2025-12-31"), "ends before"),
        (("2026-12-31", "never"), "bases.toml"),
        (("2026-12-31", "2027-01-03"), "longer than 366 days"),
        (("by =", "buy ="), "unknown field"),
    ],
)
def test_a_faulty_file_of_adoptions_is_refused(tmp_path: Path, change: tuple[str, str], said: str) -> None:
    file = tmp_path / "bases.toml"
    file.write_text(GOOD)
    assert load_adoptions(file).adoption[0].by == "R. Ames"
    file.write_text(GOOD.replace(*change))
    with pytest.raises(UsageError, match=said):
        load_adoptions(file)


def test_a_file_of_adoptions_that_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "bytes").write_bytes(b"\xff")
    for name in ("nothing", "bytes"):
        with pytest.raises(UsageError):
            load_adoptions(tmp_path / name)


@given(by=st.text(min_size=1).filter(str.strip), reason=st.text(min_size=1).filter(str.strip))
def test_an_adoption_is_read_as_it_was_written(tmp_path_factory: pytest.TempPathFactory, by: str, reason: str) -> None:
    file = tmp_path_factory.mktemp("adoptions") / "sub" / "bases.toml"
    try:
        by.encode()
        reason.encode()
    except UnicodeEncodeError:
        return
    adopt_basis(file, "us-2014-statement", until="2027-06-30", by=by, reason=reason, now_s=NOW)
    adopt_basis(file, "eu-gdpr-6-1-f", until="2027-06-30", by="B", reason="r", now_s=NOW)
    found = load_adoptions(file)
    assert (found.adoption[0].by, found.adoption[0].reason) == (by, reason)
    assert found.jurisdictions == ("US", "EU")
    assert standard_bases(found).in_force("us-2014-statement", NOW)


@pytest.mark.parametrize(
    "change",
    [{"name": "x"}, {"until": "x"}, {"until": "2026-01-01"}, {"until": "2027-08-05"}, {"by": " "}, {"reason": ""}],
)
def test_an_adoption_needs_a_basis_an_end_a_person_and_a_reason(tmp_path: Path, change: dict[str, str]) -> None:
    given = {"name": "us-2014-statement", "until": "2027-06-30", "by": "R. Ames", "reason": "memo", **change}
    with pytest.raises(UsageError):
        adopt_basis(tmp_path / "b", given.pop("name"), now_s=NOW, **given)
