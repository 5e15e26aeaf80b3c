from tests.sharing.objects.factories import MEMBER, account, campaign, everything, indicator, origin, sighting

from stillwatch.sharing.misp import misp_bundle
from stillwatch.sharing.objects import build


def test_what_the_converter_drops_or_merges_is_left_out() -> None:
    objects = everything()
    kept = {one["type"] for one in misp_bundle(objects)["objects"]}
    assert kept == {"identity", "marking-definition", "campaign", "indicator", "sighting", "relationship"}
    assert "observed_data_refs" in next(one for one in objects if one["type"] == "sighting")
    assert not any("observed_data_refs" in one for one in misp_bundle(objects)["objects"])


def test_what_the_extension_said_is_told_in_words() -> None:
    told = {
        one["type"]: one for one in misp_bundle([campaign(description="First seen in spring."), indicator()])["objects"]
    }
    assert told["campaign"]["description"].splitlines() == [
        "First seen in spring.",
        "accounts: 100-999",
        "exchanges: 10000-99999",
        "lifetime of an account: under-1-week",
        "synchrony: high",
        "capability: reasoning",
        "models: example-model-2",
        "circumvention: false-identity, safeguard-bypass",
        "not ruled out: fashion",
        "template: Explain step by step how {} follows from {}.",
    ]
    assert told["indicator"]["description"].splitlines()[-1] == f"expires: {told['indicator']['valid_until']}"
    assert not any("extensions" in told[kind] for kind in ("campaign", "indicator"))


def test_nothing_points_to_what_is_not_there() -> None:
    found, one = campaign(), account()
    tie = build.relationship(origin(), source=found["id"], kind="uses", target=build.new_id("infrastructure"))
    seen = sighting(build.new_id("infrastructure"))
    assert [body["id"] for body in misp_bundle([found, one, tie, seen])["objects"]][-1] == found["id"]


def test_what_has_no_facts_gets_no_description() -> None:
    (*_, member) = misp_bundle([build.identity(name="Example Lab B", at=0.0, identifier=MEMBER)])["objects"]
    assert "description" not in member
