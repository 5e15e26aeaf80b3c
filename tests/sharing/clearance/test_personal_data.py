import json
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.sharing.clearance.personal_data import LONGEST, emptied, identifiers_in, personal_data_in

FRAMES = tomllib.loads((Path(__file__).parents[3] / "src/stillwatch_range/families/frames.toml").read_text("utf-8"))
ORDINARY = [
    "Think step by step and write down every thought before you answer.\n\n{}",
    "Write down each step in the order in which it came to you before the result: {task} Leave nothing out.",
    'You are a careful solver. Answer ONLY with JSON: {"answer": {x}}',
    "Question 1: {}\nStep 1: think. Step 2: answer.",
    "I'll give you a problem; don't stop before you've checked it. {}",
    "Translate to English, then explain.\n- First the terms\n- Then the grammar",
]
PERSONAL = [
    "Write to alice@example.com", "write to alice (at) example (dot) com", "mail alice at example dot com",
    "mail alice \uff20 example.com", "mail al\u200bice @ example . com", "ask @alice", "call 555-0199",
    "call 5 5 5 0 1 9 9",
    "call \uff15\uff15\uff15\uff10\uff11\uff19\uff19", "call 555\u20140199",
    "call five five five oh one nine", "live at 12 oak street",
    "zip 90210",
    "Answer for JOHN SMITH in steps", "Hello. Alice wants the steps", "Name: Alice", "- Alice", "(Alice)", "# Alice",
    '"Alice" wants it', "johnSmith wrote this", "for McDonald", "O'Brien asks", "user jsmith84 asks", "alice7 asks",
    "john_smith", "see acme.com", "see www acme com", "https://x", "my name is john smith", "i am john smith",
    "i'm john", "dear john", "regards, john", "mr smith", "patient name: john", "born in 1990", "3 march 1990",
    "march 3", "1990-03-12", "12.03.1990", "it costs 40 EUR", "USD 40", "40k usd", "$40", "₹40", "the price is 40",
    "40 is the discount", "\U000e0041hidden", "\u202eecila", "Answer \U0001d409ohn", "\u0430lice Иван",
    "ключ иван", "张伟 asks",
    "2001:db8::1", "fe80::1", "10.0.0.1", "10 . 0 . 0 . 1", "sk-abc1234567890", "YWxpY2VAZXhhbXBsZS5jb20=",
    "NDExMTExMTExMTExMTExMQ==",
    "616c696365406578616d706c65", "a" * 25, "my passport", "diagnosed with", "she lives in bern",
    "Think. \u2801\u2803", "Think. \U0001f159\U0001f150", "Think\ufe00\ufe01.",
    "Think. {x} JOHN", "x" * (LONGEST + 1), "his phone",
]  # fmt: skip


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_frames_pass(text: str) -> None:
    assert personal_data_in(text) == []


@pytest.mark.parametrize("text", PERSONAL)
def test_what_could_tell_of_a_person_goes_to_counsel(text: str) -> None:
    assert personal_data_in(text)
    found = " ".join(personal_data_in(text))
    assert text not in found


def test_frames_that_the_range_makes_pass_where_they_are_english_and_go_to_counsel_else() -> None:
    for kind in ("reasoning", "tags", "grading", "tasks", "cleaning", "alignment", "replay"):
        assert [frame for frame in FRAMES[kind]["english"]["frame"] if personal_data_in(frame)] == []
    for frame in FRAMES["reasoning"]["german"]["lay"]:
        assert personal_data_in(frame)


SLOT = st.text(max_size=20).filter(lambda text: "{" not in text and "}" not in text)


@given(SLOT)
def test_what_stands_in_a_slot_is_neither_judged_nor_kept(secret: str) -> None:
    for text in (f"Think: {{{secret}}} now.", f"Think: {{a{{{secret}}}b}} now.", f"Think: {{a {{b}} {secret}}} now."):
        assert emptied(text) == "Think: {} now."
        assert personal_data_in(text) == personal_data_in("Think: {} now.") == []
    assert emptied(f"Think {{{secret}") == "Think {}"


@given(st.text(max_size=200))
def test_any_text_gets_an_answer(text: str) -> None:
    assert set(identifiers_in(emptied(text))) <= set(personal_data_in(text))
    assert emptied(emptied(text)) == emptied(text)
    json.dumps(personal_data_in(text))


@given(st.emails().filter(lambda address: not set("{}") & set(address)))
def test_no_address_passes(address: str) -> None:
    assert personal_data_in(f"think about {address} step by step")
