import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.sharing.clearance.factories import MEMBER, NOW, OTHER, RULES, clearing_of, everything, harvest, outbox_in

from stillwatch.errors import PolicyRefusedError
from stillwatch.sharing.clearance import drafting
from stillwatch.sharing.clearance.build import build_objects
from stillwatch.sharing.clearance.egress import check_egress
from stillwatch.sharing.clearance.engine import Engine
from stillwatch.sharing.clearance.model import Ruling
from stillwatch.sharing.clearance.transform import Means
from stillwatch.sharing.objects.build import Object, Origin
from stillwatch.sharing.objects.extensions import HARVEST, Cleared, Sharing

SECRETS = (
    "alice@example.com",
    "Northwind Bakery",
    "4111111111111111",
    "491701234567",
    "EUR 40",
    "aster-5",
    491701234567,
    40.5,
)
CAMPAIGN = "campaign--4f9d9c1e-0c6f-4f0e-8a51-6a8f4f0a9b11"
SHARED = Sharing(
    recipients=(OTHER,), cleared=Cleared(rules_version="1", log_digest="0f" * 32, bases=("us-2014-statement",))
)
ORIGIN = Origin(
    created_by=MEMBER,
    at=NOW,
    confidence="high",
    sharing=SHARED,
)


def identify(place: str, kind: str) -> str:
    return CAMPAIGN if place == "campaign" else f"{kind}--b1c7a9d2-33aa-4c1d-9f6e-{place.encode().hex():0<12.12}"


RULINGS = Engine(RULES, everything(), [], Means(pseudonym_key=b"k" * 32), NOW).rule_on(harvest())
DRAFTS = [(draft.body, draft.rulings) for draft in build_objects(harvest(), RULINGS, ORIGIN, identify)]


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    inner: Any = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, one in inner:
        yield from places(one, (*path, name))


def at(body: Any, path: tuple[Any, ...]) -> Any:
    for name in path:
        body = body[name]
    return body


def plain(body: Object) -> Object:
    return msgspec.json.decode(msgspec.json.encode(body), type=dict[str, Any])  # lists for tuples


def check(body: Object, rulings: tuple[Ruling, ...]) -> None:
    check_egress(body, rulings, ORIGIN, CAMPAIGN)


def test_what_was_built_passes() -> None:
    assert len(DRAFTS) == 8
    for body, rulings in DRAFTS:
        check(body, rulings)
        check(plain(body), rulings)


def planted(body: Object, path: tuple[Any, ...], way: str, secret: Any) -> Object | None:
    """Return an object with a secret at a place: as its value, as a key beside it, as an element, within its text."""
    changed = copy.deepcopy(plain(body))
    found = at(changed, path)
    if way == "value" and path:
        at(changed, path[:-1])[path[-1]] = secret
    elif way == "nested" and path:
        at(changed, path[:-1])[path[-1]] = {"type": secret}
    elif way == "listed" and path:
        at(changed, path[:-1])[path[-1]] = [found, secret]
    elif way == "key" and isinstance(found, dict):
        found[str(secret)] = found.get("type", "campaign")
    elif way == "empty key" and isinstance(found, dict):
        found[str(secret)] = {}
    elif way == "element" and isinstance(found, list):
        found.append(secret)
    elif way == "text" and isinstance(found, str):
        at(changed, path[:-1])[path[-1]] = f"{found} {secret}"
    elif way == "line" and isinstance(found, str):
        at(changed, path[:-1])[path[-1]] = f"{found}\n{secret}"
    elif way == "literal" and isinstance(found, str) and found.startswith("["):
        at(changed, path[:-1])[path[-1]] = f"{found[:-1]} OR domain-name:value = '{secret}']"
    else:
        return None
    return changed


WAYS = ("value", "nested", "listed", "key", "empty key", "element", "text", "line", "literal")


@given(st.sampled_from(DRAFTS), st.data(), st.sampled_from(WAYS), st.sampled_from(SECRETS))
def test_a_planted_secret_does_not_pass_and_is_not_repeated(
    draft: tuple[Object, tuple[Ruling, ...]], data: st.DataObject, way: str, secret: Any
) -> None:
    body, rulings = draft
    path = data.draw(st.sampled_from(list(places(plain(body)))))
    changed = planted(body, path, way, secret)
    if changed is None:
        return
    with pytest.raises(PolicyRefusedError) as refused:
        check(changed, rulings)
    assert str(secret) not in str(refused.value)


@pytest.mark.parametrize("way", WAYS)
def test_a_secret_at_every_place_does_not_pass(way: str) -> None:
    tried = 0
    for body, rulings in DRAFTS:
        for path in places(plain(body)):
            changed = planted(body, path, way, "alice@example.com")
            if changed is not None:
                tried += 1
                with pytest.raises(PolicyRefusedError):
                    check(changed, rulings)
    assert tried > 0


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("campaign", {"name": "Harvest 491701234567"}),
        ("campaign", {"created_by_ref": OTHER}),
        ("campaign", {"object_marking_refs": ["marking-definition--94868c89-83c2-464b-929b-a1a8aa3c8487"]}),
        ("campaign", {"first_seen": "2026-07-25T13:37:12.000Z"}),
        ("campaign", {"first_seen": "2026-07-25T00:00:00.000Z"}),
        ("campaign", {"first_seen": "2026-99-25T00:00:00.000Z"}),
        ("campaign", {"confidence": 50}),
        ("campaign", {"extensions": {HARVEST: {"alternatives": [{"explanation": "agency", "kept": False}]}}}),
        ("campaign", {"extensions": {HARVEST: {"alternatives": [{"explanation": "trial", "kept": True}]}}}),
        ("campaign", {"extensions": {HARVEST: {"alternatives": {}}}}),
        ("campaign", {"extensions": {HARVEST: {"circumvention": ["reasoning-replay"]}}}),
        ("campaign", {"labels": []}),
        ("campaign", {"labels": None}),
        ("campaign", {"confidence": True}),
        ("campaign", {7: "campaign"}),
        ("campaign", {"description": "1000-9999"}),
        ("indicator", {"pattern": "[domain-name:value = '8.8.4.4']"}),
        ("indicator", {"pattern": "[ipv4-addr:value = '8.8.4.4'] FOLLOWEDBY [x:y = 1]"}),
        ("indicator", {"pattern": "[ipv4-addr:value != '8.8.4.4']"}),
        ("indicator", {"pattern": ""}),
        ("indicator", {"pattern": ["[ipv4-addr:value = '8.8.4.4']"] * 2 + [4]}),
        ("note", {"object_refs": [OTHER]}),
        ("user-account", {"user_id": "acc-1"}),
        ("autonomous-system", {"number": 64_513}),
        ("autonomous-system", {"number": True}),
    ],
)
def test_what_has_the_form_but_was_not_ruled_on_does_not_pass(kind: str, change: dict[Any, Any]) -> None:
    for body, rulings in DRAFTS:
        if body["type"] == kind:
            with pytest.raises(PolicyRefusedError):
                check({**body, **change}, rulings)


@pytest.mark.parametrize("change", [{"state": "held"}, {"state": "withheld"}, {"channel": "government"}])
def test_only_what_leaves_by_this_channel_accounts_for_a_word(change: dict[str, Any]) -> None:
    for body, rulings in DRAFTS:
        if body["type"] != "relationship":
            with pytest.raises(PolicyRefusedError):
                check(body, tuple(msgspec.structs.replace(ruling, **change) for ruling in rulings))


def test_a_word_stands_only_where_its_field_stands() -> None:
    body, rulings = next(draft for draft in DRAFTS if draft[0]["type"] == "campaign")
    moved = tuple(msgspec.structs.replace(ruling, field="tactic.description") for ruling in rulings)
    with pytest.raises(PolicyRefusedError):
        check(body, moved)


@pytest.mark.parametrize(
    ("field", "change"), [("cluster.lifetime", "first_seen"), ("finding.confidence", "confidence")]
)
def test_what_stands_beside_a_field_does_not_pass_without_it(field: str, change: str) -> None:
    body, rulings = next(draft for draft in DRAFTS if draft[0]["type"] == "campaign")
    without = tuple(ruling for ruling in rulings if ruling.field != field)
    with pytest.raises(PolicyRefusedError, match=change):
        check({name: value for name, value in body.items() if name in ("type", change)}, without)


def test_the_sharing_extension_is_that_of_the_clearance() -> None:
    body, rulings = DRAFTS[0]
    other = msgspec.structs.replace(ORIGIN, sharing=msgspec.structs.replace(SHARED, recipients=()))
    with pytest.raises(PolicyRefusedError):
        check_egress(body, rulings, other, CAMPAIGN)


def test_nothing_is_written_where_one_object_does_not_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:

    def with_secret(*given: Any) -> Any:
        drafts = build_objects(*given)
        return [*drafts[:-1], msgspec.structs.replace(drafts[-1], body={**drafts[-1].body, "abstract": "alice"})]

    monkeypatch.setattr(drafting, "build_objects", with_secret)
    with outbox_in(tmp_path) as outbox:
        with pytest.raises(PolicyRefusedError, match="cleared by no rule"):
            clearing_of(outbox).clear([harvest()])
        assert list((outbox.directory / "objects").iterdir()) == []
        assert outbox.latest() == {}
