import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.sharing.clearance.certain import certain_in

EMAIL, CARD, PHONE, KEY, MONEY, IBAN = (
    "an e-mail address", "a card number", "a phone number", "a key or a token", "a sum of money",
    "an account at a bank",
)  # fmt: skip
FOUND = [
    (EMAIL, "write to bob.smith@globex.example now"), (EMAIL, "b\uff4fb\uff20globex\uff0eexample"),
    (EMAIL, "mailto:bob@x.co"), (EMAIL, "b\u200bob@globex.exa\u00admple"), (EMAIL, "bob+x@a.b.example"),
    (CARD, "4111111111111111"), (CARD, "card 4111 1111 1111 1111 12/27"), (CARD, "4111-1111-1111-1111"),
    (CARD, "3782 822463 10005"), (CARD, "5555\u20135555\u20135555\u20134444"), (CARD, "30569309025904"),
    (CARD, "x4222222222222"), (CARD, "6304000000000000000"), (CARD, "\uff14111 1111 1111 1111"),
    (CARD, "12 4111 1111 1111 1111"), (CARD, "4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1"),
    (PHONE, "call +49 170 5550123"), (PHONE, "+1 (555) 010-0199"), (PHONE, "tel+4915550100"),
    (PHONE, "+ 49 170 5550123"),
    (KEY, "key sk-live-abcd1234efgh5678"), (KEY, "AKIA5EXAMPLE77SECRET"), (KEY, "Bearer abcdef0123456789abcdef"),
    (KEY, "eyJhbGciOiJub25lIn0.eyJzdWIiOiJib2IifQ."), (KEY, "-----BEGIN RSA PRIVATE KEY-----"),
    (KEY, "api_key=abcd1234"), (KEY, "xyz_9f8e7d6c5b4a39281706"), (KEY, "q7Jx2LmN8pRt4VwZ6yBc1DfG"),
    (MONEY, "$19,400 a month"), (MONEY, "\u20ac 40"), (MONEY, "40 \u20ac"), (MONEY, "49.90 EUR per month"),
    (MONEY, "USD 40"), (MONEY, "40k usd"), (MONEY, "2 million dollars"), (MONEY, "nineteen thousand dollars"),
    (MONEY, "19.400,- Euro"), (MONEY, "12.50\u5143"), (MONEY, "3\u4e07\u5186\u3067\u3059"), (MONEY, "12 z\u0142"),
    (MONEY, "99 kr."), (MONEY, "$\u034f12"), (EMAIL, "jane@ac\u034fme.example"),
    (EMAIL, "jane@a\ufe0fcme.example"), (CARD, "4111/1111/1111/1111"), (CARD, "4111\\1111\\1111\\1111"),
    (CARD, "4111\ufe0e1111\ufe0e1111\ufe0e1111"), (PHONE, "0044 20 7946 0958"), (PHONE, "+44\ufe0f 20 7946 0958"),
    (KEY, "xoxb-123456789012-abc"), (IBAN, "to DE89 3704 0044 0532 0130 00, at once"), (IBAN, "GB82WEST12345698765432"),
    (IBAN, "BE68 5390 0754 7034 NOW"), (IBAN, "BE68539007547034 PAID"),
    (IBAN, "de89 3704 0044 0532 0130 00"), (MONEY, "$40-60"), (MONEY, "$5-$10"), (MONEY, "$5 per month"),
    (MONEY, "$3.50"),
    (MONEY, "between $40 and $60"), (MONEY, "pay 40 $"), (MONEY, "3\u4e07\u5143\u4ee5\u4e0a"),
]  # fmt: skip
NOTHING = [
    "Think step by step and write down every thought before you answer.\n\n{}", "score over 12", "p = 0.001",
    "owned by Example Holding, HRB 123456 B", "number 552 100 554", "LEI 5493001KJTIIGC8Y1R12",
    "two waves of accounts", "3 + 1234567", "12+1234567", "2026-05-04 and 2026-05-05", "recall 0.9 at 5 minutes",
    "ISBN 9780306406157", "4111 1111 1111 1112", "a @ b", "question 1: {} step 2: {}", "Solve $x$ in {}.",
    "step-by-step", "1 2 3 4 5 6 7 8 9 1 2 3 4 5 6 7 8 9 1 2 3 4 5",
    "an api key is never shown", "the bearer of the message", "GB82WEST12345698765433", "row 001 20 30",
    "$2+2=4$", "Let $x = 40$ and $y_1 = 12$.", "awk '{print $1}'", "If $12 + \\frac{1}{2} = 40$, find it.",
    "$10$ apples",
    "\u7b2c1\u5143\u7d20", "2\u5186\u5f62", "100\uc6d0\uc18c", "npm i react@latest", "actions/checkout@main",
    "ask @jane",
    "1 + \\cdots + 2009 - 2010", "vpn1.kr", "ab12 of the cases that we have seen so far in all",
    "DE22 cells were seen in 20",
    "2026/11/28 and 2026/11/29", "@user asks", "Step 3 rub the pan", "12 kids, 2 won",
]  # fmt: skip


@pytest.mark.parametrize(("kind", "text"), FOUND)
def test_what_is_certain_is_named_by_its_kind_alone(kind: str, text: str) -> None:
    assert kind in certain_in(text)
    assert text not in " ".join(certain_in(text))


@pytest.mark.parametrize("text", NOTHING)
def test_what_could_be_something_else_is_left_to_persons(text: str) -> None:
    assert certain_in(text) == []


@pytest.mark.parametrize("number", ["30569309025904", "4222222222222", "HRB 552100554", "SIRET 404 833 048 00022"])
def test_registers_number_companies(number: str) -> None:
    assert certain_in(f"owned by Example Holding, {number}", register=True) == []
    assert certain_in("4111 1111 1111 1111", register=True) == [CARD]


@given(st.text(max_size=200))
def test_any_text_gets_an_answer(text: str) -> None:
    assert certain_in(text) == certain_in(text, register=True) or CARD in certain_in(text)


@given(st.emails(domains=st.just("globex.example")), st.text(max_size=20))
def test_no_address_gets_by(address: str, around: str) -> None:
    assert EMAIL in certain_in(f"{around} {address}")


@given(st.integers(min_value=2 * 10**14, max_value=7 * 10**14 - 1), st.sampled_from(["", " ", "-", " - "]))
def test_no_card_gets_by(number: int, between: str) -> None:
    digits = [int(digit) for digit in str(number)]
    doubled = sum(sum(divmod(2 * digit, 10)) for digit in digits[::-1][::2]) + sum(digits[::-1][1::2])
    card = f"{number}{-doubled % 10}"
    assert len(card) == 16
    assert CARD in certain_in(f"pay {between.join(card[at : at + 4] for at in range(0, 16, 4))} now")
