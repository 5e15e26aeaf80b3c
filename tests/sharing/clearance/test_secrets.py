"""No path from a fact to the wire avoids the rules: random items with planted secrets leave none of them behind."""

import base64
import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tests.sharing.clearance.factories import DAY, NOW, RULES, clearing_of, outbox_in, sent_bytes

from stillwatch.sharing.clearance.circumvention import KINDS
from stillwatch.sharing.clearance.model import Fact, Item
from stillwatch.sharing.objects.validate import ObjectValidator

FORMED = (
    "alice.smith@example.com",
    "bob+llm@corp.example.org",
    "+1 (555) 010-0199",
    "15550100199",
    "4111 1111 1111 1111",
    "4111111111111111",
    "49.90 EUR per month",
    "$1,250,000",
    "AKIA5EXAMPLE77SECRET",
)
"""Secrets that are known by their form: they leave under no field at all."""
NAMES = (
    "Northwind Bakery",
    "acct_7781_premium",
    "aster-5-preview",
    "Zephyrine Quill",
    "tell my lawyer about the merger",
)
"""Secrets that only their field gives away: customers, accounts, models to come, persons, prompts."""
NAMING = {
    "infrastructure.hosting_provider", "target.models", "target.release_timing", "tactic.description",
    "own.open_rules", "own.benchmark_rates", "ownership.finding", "range.scenario", "infrastructure.reseller_domain",
    "identity.disposable_domain", "template.text",
}  # fmt: skip
"""Fields whose value is a name or a text by its nature, once somebody says that it is public."""
FIELDS = sorted({field for one in RULES.classes for field in one.fields})
OTHER_FIELDS = ("volume", "money.price.eur", "Identity.Email", "cluster.accounts ", "prompt", *FORMED, *NAMES)
SAID: dict[str, st.SearchStrategy[Any]] = {
    "accounts": st.sampled_from([1, 2, 900, float("nan")]),
    "public": st.just(value=True) | st.booleans(),
    "released_at": st.sampled_from([NOW - 9 * DAY, NOW, float("inf")]),
    "expires_at": st.sampled_from([NOW + DAY, NOW + 90 * DAY, "soon", float("inf"), -1e300]),
    "residential": st.booleans(),
    "confidence": st.sampled_from([80, "high"]),
    "of_one_cluster": st.booleans(),
    "role": st.sampled_from(["harvester", "victim", None, ["x"]]),
    "account": st.sampled_from(["acc-1", "acc-2", *FORMED, *NAMES]),
    "consent": st.booleans(),
    "synthetic": st.booleans(),
    "contributors": st.sampled_from([9, 1, 10**400]),
    "largest_part": st.sampled_from([0.1, 0.9]),
    "observed_at": st.sampled_from([NOW - 200 * DAY, NOW]),
    "own_observation": st.booleans(),
    "evidence": st.sampled_from(["E-7", *FORMED]),
    "alternatives": st.sampled_from([["agency"], [], [*NAMES]]),
    "method": st.sampled_from(["twins", *NAMES]),
    "source": st.sampled_from(["a register", *NAMES]),
    "dated": st.sampled_from(["2026-01-02", "2026-99-99", 20260102]),
    "licence_allows": st.booleans(),
    "token": st.sampled_from([*FORMED, *(f"r255-v1:{secret}:{'5e' * 64}" for secret in FORMED), 7, "5e" * 64]),
}
HOSTILE: st.SearchStrategy[Any] = st.sampled_from(
    [
        None,
        True,
        float("nan"),
        float("inf"),
        -0.0,
        10**30,
        10**5000,
        "\ud800",
        "\x00",
        "",
        [],
        {},
        [[]],
        b"\xff\x00",
        "9" * 3000,
    ]
) | st.recursive(
    st.none() | st.integers() | st.text(max_size=5), lambda deeper: st.lists(deeper, max_size=2), max_leaves=4
)


def hex_of(secret: str) -> str:
    return secret.encode().hex()


def planted(secrets: tuple[str, ...]) -> st.SearchStrategy[Any]:
    """Return values that hold a secret: bare, in a text, nested, as a key, in a slot, split, or written as hex."""
    return st.sampled_from(secrets).flatmap(
        lambda secret: st.sampled_from(
            [
                secret,
                f"think step by step for {secret} now",
                f"Answer: {secret}",
                [secret],
                (secret, secret),
                {secret: 1},
                {"name": {"deep": [secret]}},
                {secret: 0.5},
                hex_of(secret),
                [hex_of(secret)[:16], hex_of(secret)[-16:]],
                f"2001:4860:4860::8888%{secret}",
                secret.encode(),
            ]
        )
    )


def slotted(secrets: tuple[str, ...]) -> st.SearchStrategy[Any]:
    return st.sampled_from(secrets).map(lambda secret: f"Think step by step: {{{secret}}} then {{a {{{secret}}} b}}.")


@st.composite
def facts(draw: st.DrawFn) -> Fact:
    field = draw(st.sampled_from(FIELDS) | st.sampled_from(OTHER_FIELDS))
    secrets = FORMED if field in NAMING else FORMED + NAMES
    value = draw(planted(secrets) | (slotted(FORMED + NAMES) if field == "template.text" else HOSTILE))
    context = {name: draw(SAID[name]) for name in draw(st.sets(st.sampled_from(sorted(SAID)), max_size=len(SAID)))}
    return Fact(field=field, value=value, context=context)


ITEMS = st.builds(
    Item,
    item_id=st.sampled_from(["C-1", *NAMES, *FORMED]),
    facts=st.lists(facts(), min_size=1, max_size=20).map(tuple),
    circumvention=st.lists(st.sampled_from([*KINDS, *NAMES]), max_size=2).map(tuple),
    first_seen=st.just(NOW - 9 * DAY),
    last_seen=st.just(NOW - DAY),
)


def forms(secret: str) -> set[bytes]:
    raw = secret.encode()
    return {raw, json.dumps(secret)[1:-1].encode(), raw.hex().encode(), base64.b64encode(raw).rstrip(b"=")[:-1]}


PUBLIC = {"public": True, "synthetic": True, "accounts": 900, "released_at": NOW - 9 * DAY, "role": "harvester"}


def all_fields_with(secret: str | bytes) -> Item:
    facts = tuple(Fact(field=field, value=secret, context=PUBLIC) for field in FIELDS)
    return Item(item_id="C-1", facts=facts, circumvention=("false-identity",), first_seen=NOW - DAY, last_seen=NOW)


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(ITEMS)
@example(all_fields_with(FORMED[0]))
@example(all_fields_with(FORMED[3]))
@example(all_fields_with(FORMED[5]))
@example(all_fields_with(FORMED[6]))
@example(all_fields_with(FORMED[8]))
@example(all_fields_with(FORMED[4].encode()))
@example(all_fields_with(FORMED[5].encode()))
def test_no_secret_leaves_or_is_logged(item: Item) -> None:
    with tempfile.TemporaryDirectory() as name, outbox_in(Path(name)) as outbox:
        clearing = clearing_of(outbox)
        [outcome] = clearing.clear([item])
        assert len(outcome.rulings) == len(item.facts)
        clearing.held()
        ready, _ = clearing.ready()
        told = sent_bytes(outbox)
        for secret in FORMED + NAMES:
            for form in forms(secret):
                assert form not in told, (secret, form)
        validator = ObjectValidator()
        for one in ready:
            assert validator.errors(one.body, json.loads(one.body)) == []


@pytest.mark.parametrize("secret", FORMED)
def test_secrets_of_a_form_leave_under_no_field_even_where_all_is_said_to_be_public(
    tmp_path: Path, secret: str
) -> None:
    context = {
        **PUBLIC, "of_one_cluster": True, "consent": True, "own_observation": True, "evidence": "E", "confidence": 80,
        "residential": False, "expires_at": NOW + DAY, "source": "r", "dated": "2026-01-02", "licence_allows": True,
        "contributors": 9, "largest_part": 0.1, "observed_at": NOW - 200 * DAY,
    }  # fmt: skip
    values = (
        secret,
        [secret],
        f"see {secret} there",
        [hex_of(secret)[:16], hex_of(secret)[-16:]],
        secret.partition("@")[2],
    )
    facts = tuple(Fact(field=field, value=value, context=context) for field in FIELDS for value in values)
    with outbox_in(tmp_path) as outbox:
        clearing_of(outbox).clear([Item(item_id="C", facts=facts, circumvention=KINDS)])
        told = sent_bytes(outbox)
        assert not any(form in told for form in forms(secret))
