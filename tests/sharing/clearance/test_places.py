from stillwatch.sharing.clearance.places import Place, Places

SHARED, INBOX = Place("https://h.example/", "shared"), Place("https://h.example/", "inbox")


def test_a_refused_version_leaves_the_one_before() -> None:
    places = Places()
    places.has("x", SHARED, "all", "1")
    places.has("x", SHARED, "all", "2")
    assert places.versions_at("x", SHARED) == ["2"]
    places.has_not("x", SHARED, "all", "2")
    assert places.versions_at("x", SHARED) == ["1"]
    places.has_not("x", SHARED, "all", "1")
    assert (places.of("x"), places.versions_at("x", SHARED)) == ([], [])


def test_each_audience_and_each_place_stands_for_itself() -> None:
    places = Places()
    for place, audience, version in ((SHARED, "a", "1"), (SHARED, "b", "2"), (INBOX, "a", "3")):
        places.has("x", place, audience, version)
    assert places.versions_at("x", SHARED) == ["1", "2"]
    places.gone("x", SHARED, "a")
    assert places.versions_at("x", SHARED) == ["2"]
    places.gone("x", SHARED)
    assert places.of("x") == [INBOX]
    places.gone("unknown", SHARED)


def test_a_place_without_a_collection_stands_for_any_of_its_hub() -> None:
    places = Places()
    places.has("x", Place(SHARED.hub), "", "1")
    assert places.versions_at("x", INBOX) == ["1"]
    assert places.versions_at("x", Place("https://other.example/", "inbox")) == []
    assert "does not say" in str(places.of("x")[0])
    places.gone("x", INBOX)
    assert places.of("x") == []
