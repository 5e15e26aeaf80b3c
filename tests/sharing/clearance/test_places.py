from stillwatch.sharing.clearance.places import Place, Places

SHARED, INBOX = Place("https://h.example/", "shared"), Place("https://h.example/", "inbox")


def test_a_refused_version_leaves_the_one_before() -> None:
    places = Places()
    places.sending("x", SHARED, "all", "1")
    places.sending("x", SHARED, "all", "2")
    assert places.versions_at("x", SHARED) == ["2"]
    places.refused("x", SHARED, "all", "2")
    assert places.versions_at("x", SHARED) == ["1"]
    places.refused("x", SHARED, "all", "1")
    assert (places.of("x"), places.versions_at("x", SHARED)) == ([], [])
    places.refused("x", SHARED, "all", "1")
    places.refused("unknown", SHARED, "all", "1")
    assert places.of("x") == []


def test_a_refusal_answers_for_one_sending_and_for_nothing_that_was_taken() -> None:
    places = Places()
    places.sending("x", SHARED, "all", "1")  # nobody knows what became of it
    places.sending("x", SHARED, "all", "1")
    places.refused("x", SHARED, "all", "1")
    assert places.versions_at("x", SHARED) == ["1"]
    places.sending("y", SHARED, "all", "2")
    places.taken("y", SHARED, "all", "2")
    places.refused("y", SHARED, "all", "2")
    assert places.versions_at("y", SHARED) == ["2"]


def test_each_audience_and_each_place_stands_for_itself() -> None:
    places = Places()
    for place, audience, version in ((SHARED, "a", "1"), (SHARED, "b", "2"), (INBOX, "a", "3")):
        places.sending("x", place, audience, version)
    assert places.versions_at("x", SHARED) == ["1", "2"]
    places.gone("x", SHARED, "a")
    assert places.versions_at("x", SHARED) == ["2"]
    places.gone("x", SHARED)
    assert places.of("x") == [INBOX]
    places.gone("unknown", SHARED)


def test_a_place_without_a_collection_stands_for_any_of_its_hub() -> None:
    places = Places()
    places.sending("x", Place(SHARED.hub), "", "1")
    assert places.versions_at("x", INBOX) == ["1"]
    assert places.versions_at("x", Place("https://other.example/", "inbox")) == []
    assert "does not say" in str(places.of("x")[0])
    places.gone("x", INBOX)
    assert places.of("x") == []


def test_a_collection_is_the_same_under_another_address_of_its_hub() -> None:
    collection = "2f6f2a1e-6a0c-4f5e-9f0e-2f6a5d1f7c11"
    before, after = Place("https://h.example/", collection), Place("https://moved.example/", collection)
    places = Places()
    places.sending("x", before, "all", "1")
    places.sending("x", after, "all", "1")
    assert places.versions_at("x", after) == ["1"]
    places.gone("x", after)
    assert places.of("x") == []
    assert not SHARED.is_same(Place("https://moved.example/", "shared"))
    assert not Place("https://h.example/").is_same(Place("https://moved.example/"))
