from importlib import resources
from pathlib import Path

import pytest
from tests.sharing.clearance.factories import RULES, everything

from stillwatch.errors import UsageError
from stillwatch.sharing.clearance.load import load_rules, parse_rules

SHIPPED = resources.files("stillwatch.sharing.clearance").joinpath("rules.toml").read_text("utf-8")
OWN = SHIPPED.replace(f'version = "{RULES.version}"', 'version = "own-1"')
ONE = """\
version = "1"
[[class]]
number = 1
title = "t"
fields = ["a.b"]
reason = "because"
source = "a law"
bases = ["us-2014-statement"]
[[class.rule]]
fields = ["a.b"]
decision = "share"
transformation = "text"
"""


TARGET = 'fields = ["target.capability"]\ndecision = '
COMPANY = 'fields = ["attribution.company"]\nwhen = ["states_confidence", "states_alternatives"]\ndecision = '
BOTH = '"us-2014-statement", "eu-horizontal-2023"'


def own(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "rules.toml"
    path.write_text(text, "utf-8")
    return path


def test_a_member_may_use_the_rules_that_ship_as_its_own(tmp_path: Path) -> None:
    assert load_rules(own(tmp_path, SHIPPED), everything()).digest == RULES.digest
    assert load_rules(own(tmp_path, OWN), everything()).version == "own-1"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('when = ["of_one_cluster"]', 'when = ["of_one_cluster", "three_contributors"]'),
        (TARGET + '"transform"', TARGET + '"counsel"'),
        ('"us-cisa-2015", "eu-gdpr', '"eu-gdpr'),
        (SHIPPED[SHIPPED.index("[[class]]\nnumber = 14") : SHIPPED.index("[[class]]\nnumber = 15")], ""),
        ("number = 1\ntitle", "number = 1\nincident = true\ntitle"),
    ],
)  # fmt: skip
def test_a_members_rules_may_be_stricter(tmp_path: Path, before: str, after: str) -> None:
    assert before in OWN
    assert load_rules(own(tmp_path, OWN.replace(before, after)), everything()).version == "own-1"


def extra(number: int, field: str, transformation: str = "text") -> str:
    return (
        ONE[ONE.index("[[class]]") :]
        .replace("number = 1", f"number = {number}")
        .replace("a.b", field)
        .replace('"text"', f'"{transformation}"')
    )


def test_a_members_rules_may_name_fields_of_their_own(tmp_path: Path) -> None:
    rules = load_rules(own(tmp_path, OWN + extra(99, "weather.report")), everything())
    assert rules.class_of("weather.report") is not None


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('when = ["of_one_cluster"]\n', ""),
        ('when = ["three_contributors", "a_day_old"]', 'when = ["a_day_old"]'),
        ('fields = ["volume.exchanges", "volume.tokens"]\nwhen', 'fields = ["volume.exchanges", "volume.total"]\nwhen'),
        ('decision = "transform"\ntransformation = "band"', 'decision = "share"\ntransformation = "text"'),
        ('decision = "counsel"\ntransformation = "emptied_template"', 'decision = "counsel"\ntransformation = "text"'),
        (COMPANY + '"counsel"', COMPANY + '"share"'),
        ("number = 14\nincident = true", "number = 14\nincident = false"),
        ('channel = "government"', 'channel = "hub"'),
        (f"bases = [{BOTH}]", f'bases = [{BOTH}, "us-cisa-2015"]'),
    ],
)  # fmt: skip
def test_a_members_rules_may_not_be_looser(tmp_path: Path, before: str, after: str) -> None:
    assert before in OWN
    with pytest.raises(UsageError, match="never looser"):
        load_rules(own(tmp_path, OWN.replace(before, after)), everything())


@pytest.mark.parametrize("decision", ["share", "transform", "counsel"])
@pytest.mark.parametrize("number", [4, 13, 16, 17, 18, 21, 26, 28, 31])
def test_no_rules_file_opens_what_is_never_told(tmp_path: Path, number: int, decision: str) -> None:
    one = RULES.numbered(number)
    assert one is not None
    for field in one.fields:
        rule = (
            f'bases = ["us-2014-statement"]\n[[class.rule]]\nfields = ["{field}"]\n'
            f'decision = "{decision}"\ntransformation = "text"\n'
        )
        start = OWN.index(f"[[class]]\nnumber = {number}\n")
        end = OWN.find("\n[[class]]", start)
        with pytest.raises(UsageError, match="more easily"):
            load_rules(own(tmp_path, OWN[: end + 1] + rule + OWN[end + 1 :]), everything())
        # nor by moving the field to a class of its own
        moved = OWN.replace(f'"{field}"', f'"elsewhere.{number}"') + extra(99, field).replace(
            '"share"', f'"{decision}"'
        )
        with pytest.raises(UsageError, match="more easily"):
            load_rules(own(tmp_path, moved), everything())


@pytest.mark.parametrize(
    "field", ["money.estimate", "customer.id", "terms.discount", "joint.list", "output.summary", "marks.seed"]
)
def test_an_area_that_is_never_told_stays_closed_to_new_names(tmp_path: Path, field: str) -> None:
    with pytest.raises(UsageError, match="more easily"):
        load_rules(own(tmp_path, OWN + extra(99, field)), everything())


def test_other_rules_need_another_version(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="version"):
        load_rules(own(tmp_path, SHIPPED + extra(99, "weather.report")), everything())


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ('version = "1"', 'version = ""', "version"),
        ('version = "1"', 'version = "price 40"', "version"),
        ("number = 1", "number = 0", "counted from 1"),
        ('["us-2014-statement"]', '["no-law"]', "no basis"),
        ('["us-2014-statement"]', "[]", "needs a legal basis"),
        ('"text"', '"as it is"', "no transformation"),
        ('reason = "because"', 'reason = " "', "no reason"),
        ('source = "a law"', 'source = ""', "no source"),
        ('decision = "share"', 'decision = "never"', "Invalid enum"),
        ('decision = "share"', 'decision = "share"\nwhen = ["it_rains"]', "no condition"),
        ('[[class.rule]]\nfields = ["a.b"]', '[[class.rule]]\nfields = ["a.c"]', "not of this class"),
        ('title = "t"', 'title = "t"\notherwise = "share"', "unknown field"),
        ("[[class]]", "[[class", "one.toml"),
    ],
)  # fmt: skip
def test_a_faulty_table_is_refused_whole(before: str, after: str, said: str) -> None:
    assert parse_rules(ONE, "one.toml", everything()).numbered(2) is None
    with pytest.raises(UsageError, match=said):
        parse_rules(ONE.replace(before, after, 1), "one.toml", everything())


def test_a_table_names_nothing_twice() -> None:
    with pytest.raises(UsageError, match=r"class 1 is there twice; the field 'a\.b' stands in two"):
        parse_rules(ONE + ONE[ONE.index("[[class]]") :], "one.toml", everything())


def test_a_file_that_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "bytes").write_bytes(b"\xff")
    for name in ("nothing", "bytes"):
        with pytest.raises(UsageError):
            load_rules(tmp_path / name, everything())
