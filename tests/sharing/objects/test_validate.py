import json
from importlib import resources
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.sharing.objects.factories import NOW, account, campaign, everything, indicator

from stillwatch.sharing.objects.build import canonical, timestamp
from stillwatch.sharing.objects.extensions import HARVEST, LLM_ACCOUNT, SHARING
from stillwatch.sharing.objects.validate import MAX_OBJECT, ObjectValidator, _may_repeat, _repeats

VALIDATOR = ObjectValidator()
OWN = {
    "type": "x-example-thing",
    "spec_version": "2.1",
    "id": "x-example-thing--4f9d9c1e-0c6f-4f0e-8a51-6a8f4f0a9b11",
    "created": timestamp(NOW),
    "modified": timestamp(NOW),
    "colour": "green",
}


def errors(decoded: Any) -> list[str]:
    return VALIDATOR.errors(json.dumps(decoded).encode(), decoded)


def extended(body: dict[str, Any], key: str, **changes: Any) -> dict[str, Any]:
    return body | {"extensions": body["extensions"] | {key: body["extensions"][key] | changes}}


@pytest.mark.parametrize("decoded", [None, 1, "x", [], [{}], True])
def test_only_json_objects_are_objects(decoded: object) -> None:
    assert errors(decoded) == ["an object of STIX is a JSON object"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"type": None}, "type"),
        ({"type": ["campaign"]}, "type"),
        ({"type": "bundle"}, "bundle"),
        ({"type": "x-other"}, "x-other"),
        ({"id": "indicator--4f9d9c1e-0c6f-4f0e-8a51-6a8f4f0a9b11"}, "id"),
        ({"confidence": 101}, "confidence"),
        ({"created": "2026-02-30T00:00:00.000Z"}, "created"),
        ({"modified": timestamp(NOW - 1)}, "modified: it is before created"),
        ({"first_seen": timestamp(NOW)}, "last_seen: it is before first_seen"),
        ({"name": None}, "name"),
        ({"extensions": []}, "extensions"),
        ({"extensions": {"block": {}}}, "extensions"),
        ({"labels": []}, "labels"),
    ],
)
def test_faults_are_found_and_placed(changes: dict[str, Any], words: str) -> None:
    (found,) = errors(campaign() | changes)
    assert words in found


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("spec_version", "2.0"),
        ("created_by_ref", "indicator--97d385f1-0c6f-4f0e-8a51-6a8f4f0a9b11"),
    ],
)
def test_the_version_is_ours_and_a_maker_is_somebody(name: str, value: str) -> None:
    assert any(one.startswith(f"{name}: ") for one in errors(indicator() | {name: value}))
    assert errors(OWN | {name: value})


def test_a_missing_property_is_named() -> None:
    assert any('"pattern"' in one for one in errors({k: v for k, v in indicator().items() if k != "pattern"}))


def test_messages_are_few_and_without_values() -> None:
    bad = campaign() | {f"Bad{n}": "jane@example.org" for n in range(5000)}
    (found,) = errors(bad)
    assert len(found) <= 300
    assert "jane" not in found


@pytest.mark.parametrize(
    "changes",
    [
        {"labels": [1] * 300_000},
        {"object_marking_refs": ["x"] * 200_000},
        {"extensions": {f"extension-definition--{n}": 1 for n in range(20_000)}},
        {"type": "x-other", "labels": [[]] * 200_000},
    ],
    ids=["labels", "refs", "extensions", "own type"],
)
def test_a_million_faults_cost_no_more_than_one(changes: dict[str, Any]) -> None:
    """Listing them took half a minute of a processor: this test hangs where they are listed again."""
    assert len(errors(campaign() | changes)) == 1


def examples() -> list[dict[str, Any]]:
    root = Path(str(resources.files("stix2validator").joinpath("schemas-2.1", "examples")))
    bodies = [json.loads(file.read_text("utf-8")) for file in sorted(root.rglob("*.json"))]
    return [one for body in bodies for one in body.get("objects", [body])]


def test_the_examples_of_oasis_are_valid() -> None:
    assert len(examples()) > 200
    assert [found for one in examples() if (found := errors(one))] == []


def test_an_indicator_ends_after_it_begins() -> None:
    bad = indicator() | {"valid_until": indicator()["valid_from"]}
    assert errors(bad) == ["valid_until: it is not after valid_from"]


def test_times_compare_whatever_their_digits() -> None:
    body = campaign() | {"created": "2026-11-28T00:00:00.500Z", "modified": "2026-11-28T00:00:00.5000Z"}
    assert errors(body) == []
    assert errors(body | {"modified": "2026-11-28T00:00:00.4999Z"}) == ["modified: it is before created"]
    whole = campaign() | {"first_seen": "2026-11-28T00:00:00Z", "last_seen": "2026-11-28T00:00:00.0Z"}
    assert errors(whole) == []


def test_patterns_of_stix_are_parsed_and_others_are_not() -> None:
    assert errors(indicator(pattern="[nonsense")) == ["pattern: the pattern is not well formed"]
    sigma = indicator(pattern="title: x") | {"pattern_type": "sigma"}
    assert errors(sigma) == []


@pytest.mark.parametrize(
    ("body", "key", "changes"),
    [
        (campaign(), SHARING, {"recipients": []}),
        (campaign(), SHARING, {"recipients": ["everybody"]}),
        (campaign(), SHARING, {"action": "block"}),
        (campaign(), SHARING, {"extension_type": "toplevel-property-extension"}),
        (campaign(), SHARING, {"iep": {"id": "1", "name": "x"}}),
        (campaign(), HARVEST, {"capability": "chemistry"}),
        (campaign(), HARVEST, {"accounts_band": "437"}),
        (campaign(), HARVEST, {"template_bands": ["0123456789ABCDEF"]}),
        (campaign(), HARVEST, {"alternatives": [{"explanation": "fashion", "kept": "block"}]}),
        (account(), LLM_ACCOUNT, {"requests_bucket": "12345"}),
        (account(), LLM_ACCOUNT, {"tokens": [{"kind": "email", "token": "jane@example.org"}]}),
        (account(), LLM_ACCOUNT, {"token_epoch": "2026-12"}),
        (account(), LLM_ACCOUNT, {"distinct_models": 100}),
    ],
)
def test_our_extensions_are_closed(body: dict[str, Any], key: str, changes: dict[str, Any]) -> None:
    found = errors(extended(body, key, **changes))
    assert found
    assert "jane" not in " ".join(found)


def test_tokens_name_their_scheme_and_epoch() -> None:
    body = account()
    bare = {k: v for k, v in body["extensions"][LLM_ACCOUNT].items() if k != "token_epoch"}
    assert errors(body | {"extensions": {LLM_ACCOUNT: bare}})


def test_an_extension_stands_where_it_may() -> None:
    stray = account() | {"extensions": campaign()["extensions"]}
    assert errors(stray) == [f"{HARVEST}: this extension stands on campaign and indicator only"]


def test_other_peoples_types_and_extensions_pass() -> None:
    assert errors(OWN) == []
    other = "extension-definition--11111111-1111-4111-8111-111111111111"
    assert errors(campaign() | {"extensions": {other: {"extension_type": "property-extension", "rank": 5}}}) == []
    observable = {"type": "x-example-observable", "id": OWN["id"].replace("thing", "observable"), "value": "1"}
    assert errors(observable) == []


def test_other_peoples_types_keep_the_rules() -> None:
    assert errors(OWN | {"id": "x-another--4f9d9c1e-0c6f-4f0e-8a51-6a8f4f0a9b11"})
    assert errors(OWN | {"modified": "yesterday"})
    assert errors(OWN | {"valid_until": timestamp(NOW)}) == []


def test_an_object_has_a_largest_size() -> None:
    assert errors(campaign() | {"description": "x" * MAX_OBJECT}) == [f"an object has at most {MAX_OBJECT} bytes"]


@pytest.mark.parametrize(
    "twice",
    [
        b'{"type": "course-of-action", ',
        b'{"\\u0074ype": "course-of-action", "x_a": "\\u0022\\u0022", ',
        b'{"x_inner": {"a": 1, "a": 2}, ',
        b'{"x_list": [{"a": 1, "a": 2}], ',
    ],
)
def test_a_property_given_twice_is_refused(twice: bytes) -> None:
    """Readers differ on which of two counts, so rules could be kept by one and broken by the other."""
    raw = twice + canonical(campaign())[1:]
    assert VALIDATOR.errors(raw, msgspec.json.decode(raw)) == ["a property is given twice"]


@pytest.mark.parametrize("body", everything(), ids=lambda body: body["type"])
def test_what_is_given_once_is_seen_at_once(body: dict[str, Any]) -> None:
    assert not _may_repeat(canonical(body), body)


def test_escaped_quotes_are_no_property() -> None:
    body = campaign() | {"description": '"a": "b"'}
    raw = canonical(body).replace(b'\\"', b"\\u0022")
    assert VALIDATOR.errors(raw, body) == []


NAMES = st.text(st.sampled_from('ab"\\é\n'), max_size=2)
TREES = st.recursive(
    st.none() | st.integers(0, 9) | NAMES,
    lambda inner: st.lists(inner, max_size=2) | st.lists(st.tuples(NAMES, inner), max_size=3).map(tuple),
    max_leaves=6,
)


def written(tree: object, *, plain: bool) -> str:
    """Return JSON in which a tuple of pairs is an object whose names may repeat."""
    if isinstance(tree, tuple):
        pairs = (f"{written(name, plain=plain)}:{written(value, plain=plain)}" for name, value in tree)
        return "{" + ",".join(pairs) + "}"
    if isinstance(tree, list):
        return "[" + ",".join(written(one, plain=plain) for one in tree) + "]"
    if plain and isinstance(tree, str):
        return '"' + "".join("\\u0022" if sign == '"' else json.dumps(sign)[1:-1] for sign in tree) + '"'
    return json.dumps(tree, ensure_ascii=False)


def has_repeats(tree: object) -> bool:
    if isinstance(tree, tuple):
        names = [name for name, _ in tree]
        return len(set(names)) != len(names) or any(has_repeats(value) for _, value in tree)
    return isinstance(tree, list) and any(map(has_repeats, tree))


@given(TREES, st.booleans())
def test_repeated_properties_are_found_wherever_they_are(tree: object, plain: bool) -> None:  # noqa: FBT001
    raw = written(tree, plain=plain).encode()
    found = _may_repeat(raw, msgspec.json.decode(raw)) and _repeats(raw)
    assert found is has_repeats(tree)


@given(st.sampled_from(everything()), st.data())
def test_no_change_of_a_valid_object_makes_it_raise(body: dict[str, Any], data: st.DataObject) -> None:
    values = st.none() | st.booleans() | st.integers() | st.text() | st.just([]) | st.just({}) | st.just([{}])
    changed = body | {data.draw(st.sampled_from([*body, "x_custom", "valid_until", "Bad name"])): data.draw(values)}
    assert all(isinstance(one, str) for one in VALIDATOR.errors(msgspec.json.encode(changed), changed))
