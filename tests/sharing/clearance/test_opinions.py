"""Standing opinions of counsel."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.sharing.clearance.factories import (
    ANN,
    BANDS,
    BEN,
    DAY,
    NOW,
    RULES,
    Clock,
    adopted,
    clearing_of,
    everything,
    fact,
    item,
    of_type,
    outbox_in,
    sent_bytes,
    word,
)

from stillwatch.errors import PolicyRefusedError, UsageError
from stillwatch.sharing.clearance.engine import Engine
from stillwatch.sharing.clearance.events import OpinionGiven
from stillwatch.sharing.clearance.outbox import Outbox
from stillwatch.sharing.clearance.transform import Means


def opinion(
    by: str, number: int = 22, fields: tuple[str, ...] = (), until_s: float = NOW + 30 * DAY, name: str = "o-1"
) -> OpinionGiven:
    return OpinionGiven(ts=0, opinion=name, number=number, fields=fields, until_s=until_s, by=by, reason="memo 14")


def threshold(clearing: Any, text: str = "over 12") -> str:
    return str(clearing.clear([item(fact("own.thresholds", text))])[0].rulings[0].state)


def test_an_opinion_stands_from_the_second_person_on_to_its_end(tmp_path: Path) -> None:
    clock = Clock()
    with outbox_in(tmp_path) as outbox:
        clearing = clearing_of(outbox, clock=clock)
        assert not clearing.give_opinion(opinion(ANN))
        assert not clearing.give_opinion(opinion("ann lee"))
        assert threshold(clearing) == "held"
        assert clearing.give_opinion(opinion(BEN))
        assert threshold(clearing) == "leaves"
        assert {made.opinions for made in outbox.latest().values()} == {(), ("o-1",)}
        clock.now_s = NOW + 30 * DAY - 1
        assert len(clearing.ready()[0]) == 2
        clock.now_s = NOW + 30 * DAY
        assert clearing.ready()[0] == []
        assert threshold(clearing) == "held"


def test_an_opinion_is_what_both_said(tmp_path: Path) -> None:
    with outbox_in(tmp_path) as outbox:
        clearing = clearing_of(outbox)
        clearing.give_opinion(opinion(ANN, 22, ("own.thresholds",)))
        clearing.give_opinion(opinion(BEN, 22, ("own.thresholds", "own.weights")))
        clearing.give_opinion(opinion(BEN, 22, ("own.thresholds",), NOW + 31 * DAY))
        clearing.give_opinion(opinion(BEN, 25))
        assert outbox.opinions == []


def test_an_opinion_covers_its_fields_only(tmp_path: Path) -> None:
    with outbox_in(tmp_path) as outbox:
        clearing = clearing_of(outbox)
        for by in (ANN, BEN):
            clearing.give_opinion(opinion(by, 22, ("own.thresholds",)))
        [outcome] = clearing.clear([item(fact("own.thresholds", "over 12"), fact("own.weights", "w"))])
        assert [ruling.state for ruling in outcome.rulings] == ["leaves", "held"]


@pytest.mark.parametrize(
    ("names", "state"), [(("biology", "cyber offence"), "leaves"), (("Jane Doe of Acme",), "held")]
)
def test_an_opinion_covers_no_category_that_may_be_somebody(tmp_path: Path, names: tuple[str, ...], state: str) -> None:
    with outbox_in(tmp_path) as outbox:
        clearing = clearing_of(outbox)
        for by in (ANN, BEN):
            clearing.give_opinion(opinion(by, 33, ("safety_gap.scores",)))
        [outcome] = clearing.clear([item(fact("safety_gap.scores", dict.fromkeys(names, 0.5)))])
        assert [ruling.state for ruling in outcome.rulings] == [state]


def test_an_opinion_falls_with_the_basis_that_held_when_it_was_given(tmp_path: Path) -> None:
    with outbox_in(tmp_path) as outbox:
        for by in (ANN, BEN):
            clearing_of(outbox).give_opinion(opinion(by))
        assert threshold(clearing_of(outbox, adopted("us-2014-statement"))) == "held"
        assert threshold(clearing_of(outbox)) == "leaves"


def test_one_person_ends_an_opinion(tmp_path: Path) -> None:
    with outbox_in(tmp_path) as outbox:
        clearing = clearing_of(outbox)
        for by in (ANN, BEN):
            clearing.give_opinion(opinion(by))
        assert threshold(clearing) == "leaves"
        clearing.end_opinion("o-1", by=ANN, reason="a letter came")
        assert threshold(clearing) == "held"
        assert clearing.ready()[0] == []
        clearing.give_opinion(opinion("Cy Dunn"))
        assert outbox.opinions == []
        for name, reason in (("o-2", "r"), ("o-1", " ")):
            with pytest.raises(UsageError):
                clearing.end_opinion(name, by=ANN, reason=reason)


@pytest.mark.parametrize("number", [4, 13, 16, 17, 18, 21, 26, 28, 31])
def test_no_opinion_opens_what_is_never_told(tmp_path: Path, number: int) -> None:
    one = RULES.numbered(number)
    assert one is not None
    with outbox_in(tmp_path) as outbox:
        clearing = clearing_of(outbox)
        for by in (ANN, BEN):
            with pytest.raises(PolicyRefusedError, match="nothing of that go"):
                clearing.give_opinion(opinion(by, number))
        outbox.record([opinion(by, number) for by in (ANN, BEN)], NOW)  # past the check
        told = [fact(field, "x", public=True, consent=True) for field in one.fields]
        assert {ruling.state for ruling in clearing.clear([item(*told)])[0].rulings} == {"withheld"}


@pytest.mark.parametrize(
    "given",
    [
        opinion(ANN, 99),
        opinion(ANN, 25, ("money.price",)),
        opinion(ANN, until_s=NOW),
        opinion(ANN, until_s=NOW + 400 * DAY),
        opinion(ANN, until_s=float("nan")),
        opinion(""),
        msgspec.structs.replace(opinion(ANN), reason=""),
    ],
)
def test_an_opinion_has_a_scope_an_end_a_person_and_a_reason(tmp_path: Path, given: OpinionGiven) -> None:
    with outbox_in(tmp_path) as outbox, pytest.raises(UsageError):
        clearing_of(outbox).give_opinion(given)


def test_a_part_of_a_class_that_is_never_told_is_in_no_opinion(tmp_path: Path) -> None:
    with outbox_in(tmp_path) as outbox:
        clearing = clearing_of(outbox)
        with pytest.raises(PolicyRefusedError):
            clearing.give_opinion(opinion(ANN, 27, ("lineage.probes",)))
        for by in (ANN, BEN):
            clearing.give_opinion(opinion(by, 27))
        assert outbox.opinions[0].fields == ("lineage.result",)


TEXT_FIELDS = (
    ("template.text", {"accounts": 1}),
    ("tactic.description", {}),
    ("prompt.excerpt", {}),
    ("own.thresholds", {}),
    ("own.weights", {}),
    ("own.production_rates", {}),
    ("attribution.company", {"confidence": 60, "alternatives": ["agency"]}),
    ("lineage.result", {"method": "twins"}),
    ("ownership.finding", {}),
)
CERTAIN = (
    ("an e-mail address", "bob.smith@globex.example"),
    ("a card number", "4111 1111 1111 1111"),
    ("a phone number", "+49 170 5550123"),
    ("a key or a token", "sk-live-abcd1234efgh5678"),
    ("a sum of money", "$19,400 a month"),
)
OPINABLE = (1, 2, 3, 22, 25, 27, 29)


def opined(outbox: Outbox) -> Any:
    clearing = clearing_of(outbox)
    for number in OPINABLE:
        for by in (ANN, BEN):
            clearing.give_opinion(opinion(by, number, name=f"o-{number}"))
    assert len(outbox.opinions) == len(OPINABLE)
    return clearing


@pytest.mark.parametrize(("kind", "value"), CERTAIN)
def test_what_is_personal_for_certain_leaves_by_nobodys_word(tmp_path: Path, kind: str, value: str) -> None:
    told = item(*(fact(field, f"think about {value} now", **context) for field, context in TEXT_FIELDS))
    with outbox_in(tmp_path) as outbox:
        clearing = opined(outbox)
        [outcome] = clearing.clear([told])
        assert {ruling.state for ruling in outcome.rulings} == {"withheld"}
        assert all(kind in ruling.why and value not in ruling.why for ruling in outcome.rulings)
        assert clearing.held() == []
        for one in told.facts:  # words that got into the log past `review`
            key, terms = outbox.key_of(told, one), ""
            outbox.record([msgspec.structs.replace(word(key, by), terms=terms) for by in (ANN, BEN)], NOW)
        assert clearing.clear([told])[0].objects == ()
        assert value.encode() not in sent_bytes(outbox)
    engine = Engine(RULES, everything(), [], Means(pseudonym_key=b"k" * 32), NOW)
    assert {engine.released(one, "key").state for one in told.facts} == {"withheld"}


@pytest.mark.parametrize(
    "text", ["think as Globex would", "ask {Bob Smith} first", "my name is bob", "on 3 march", "number 5 5 5 0 1 9 9"]
)
def test_no_opinion_covers_a_text_in_which_somebody_may_be(tmp_path: Path, text: str) -> None:
    facts = [fact(field, text, **context) for field, context in TEXT_FIELDS if field != "template.text"]
    told = item(*facts)
    with outbox_in(tmp_path) as outbox:
        clearing = opined(outbox)
        [outcome] = clearing.clear([told])
        assert {ruling.state for ruling in outcome.rulings} == {"held"}
        assert all("nobody read" in ruling.why and ruling.opinion is None for ruling in outcome.rulings)
        keys = [held.key for held in clearing.held()]
        for by in (ANN, BEN):
            clearing.review(*(word(key, by) for key in keys))
        assert {ruling.state for ruling in clearing.clear([told])[0].rulings} == {"leaves"}


def test_an_opinion_covers_a_template_whose_slots_alone_named_somebody(tmp_path: Path) -> None:
    told = item(
        fact("template.bands", BANDS, accounts=1),
        fact("template.text", "think about {Bob Smith, $40} now", accounts=1),
    )
    with outbox_in(tmp_path) as outbox:
        [outcome] = opined(outbox).clear([told])
        assert [ruling.opinion for ruling in outcome.rulings] == ["o-2", "o-2"]
        assert outcome.rulings[1].value == "think about {} now"


def test_two_persons_release_a_number_of_a_register(tmp_path: Path) -> None:
    text = "Example Holding, HRB 123456 B, SIRET 404 833 048 00022, owns relay.example since 2021-03-04"
    told = item(fact("ownership.finding", text, public=True))
    with outbox_in(tmp_path) as outbox:
        clearing = opined(outbox)
        clearing.clear([told])
        [held] = clearing.held()
        for by in (ANN, BEN):
            clearing.review(word(held.key, by))
        [note] = of_type(outbox, "note")
        assert note["content"] == f"ownership.finding: {text}"


def test_counsel_is_not_asked_for_what_could_not_leave(tmp_path: Path) -> None:
    told = item(fact("identity.kyc_document", "P123", account="acc-1", role="harvester"))
    with outbox_in(tmp_path) as outbox:
        [outcome] = clearing_of(outbox).clear([told])
        assert (outcome.rulings[0].state, "token" in outcome.rulings[0].why) == ("withheld", True)
