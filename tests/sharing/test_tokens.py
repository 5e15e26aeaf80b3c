import json
from collections.abc import Sequence

import pytest

from stillwatch.errors import UsageError
from stillwatch.sharing.clearance.model import Fact, Item
from stillwatch.sharing.clearance.transform import TRANSFORMATIONS, Means, WithheldError
from stillwatch.sharing.objects import build
from stillwatch.sharing.objects.extensions import AccountToken, LlmAccount
from stillwatch.sharing.received import Received
from stillwatch.sharing.tokens import matches, named_by, unusable, with_tokens

ROLE = {"role": "harvester", "account": "a-1"}


class Service:
    """Stands for the token service, and keeps what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[bytes] = []

    def __call__(self, names: Sequence[bytes]) -> list[str]:
        self.asked += names
        return [token_of(name) for name in names]


def token_of(name: bytes) -> str:
    return f"r255-v1:e1:{name.hex():0<128}"[: len("r255-v1:e1:") + 128]


def item(*facts: Fact) -> Item:
    return Item(item_id="cmp-1", facts=facts)


def reported(*names: bytes) -> Received:
    tokens = tuple(AccountToken(kind="email", token=token_of(name)) for name in names)
    account = LlmAccount(token_scheme="r255-v1", token_epoch="e1", tokens=tokens)  # noqa: S106 - no passwords
    body = build.user_account(account, user_id="acct-1")
    return Received("0", body["id"], "user-account", "", json.dumps(body).encode(), "identity--a")


def test_facts_about_identifiers_get_their_tokens_each_asked_for_once() -> None:
    service = Service()
    mail = Fact(field="identity.email", value="Some.One@Mail.example", context=ROLE)
    same = Fact(field="identity.email", value="some.one@mail.example", context=ROLE)
    (found,) = with_tokens([item(mail, same, Fact(field="cluster.accounts", value=3))], service)
    assert service.asked == [b"email:some.one@mail.example"]
    tokens = [fact.context.get("token") for fact in found.facts]
    assert tokens == [token_of(b"email:some.one@mail.example")] * 2 + [None]


@pytest.mark.parametrize(
    "fact",
    [
        Fact(field="identity.email", value="victim@shop.example", context={"role": "victim"}),
        Fact(field="identity.email", value="unknown@shop.example"),
        Fact(field="identity.card_number", value="4111111111111111", context=ROLE),
        Fact(field="customer.name", value="x@shop.example", context=ROLE),
    ],
)
def test_a_victims_identifier_or_none_at_all_is_not_even_asked_for(fact: Fact) -> None:
    service = Service()
    (found,) = with_tokens([item(fact)], service)
    assert service.asked == []
    assert found.facts == (fact,)


def test_accounts_that_others_reported_are_found_by_the_same_writing() -> None:
    holders = {"mine": {"email": "ONE@mail.example", "phone": None}, "other": {"email": "two@mail.example"}}
    found = list(matches(holders, [reported(b"email:one@mail.example")], Service()))
    assert [(one.account_id, one.kind, one.source) for one in found] == [("mine", "email", "identity--a")]


def test_nobody_is_asked_where_nothing_was_reported() -> None:
    service = Service()
    other = Received("0", "note--1", "note", "", b"{}", "identity--a")
    broken = Received("0", "user-account--1", "user-account", "", b'{"extensions": 5}', "identity--a")
    assert list(matches({"mine": {"email": "one@mail.example"}}, [other, broken], service)) == []
    assert service.asked == []


def test_identifiers_of_a_kind_by_their_writing() -> None:
    holders = {
        "a": {"email": "One@mail.example"},
        "b": {"email": "one@mail.example", "phone": "01234"},
        "c": {},
        "d": {"email": "none", "payment": None},
    }
    assert named_by(holders, "email") == {b"email:one@mail.example": ["a", "b"]}
    assert unusable(holders) == {"email": 1, "phone": 1}
    assert unusable(holders, ["phone", "device"]) == {"phone": 1}
    with pytest.raises(UsageError, match="no kind 'shoe'"):
        named_by(holders, "shoe")


@pytest.mark.parametrize("value", ["no address", 7])
def test_an_identifier_that_is_none_is_said_to_be_none(value: object) -> None:
    service = Service()
    [told] = with_tokens([item(Fact(field="identity.email", value=value, context=ROLE))], service)
    assert service.asked == []
    with pytest.raises(WithheldError, match="not written as one of its kind"):
        TRANSFORMATIONS["token"](told.facts[0], Means())
