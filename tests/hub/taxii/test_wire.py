"""The wire probe: each request at which a known server failed, with what ours must do (design, table 1.5)."""

import json
from typing import Any

import pytest
from tests.hub.site import SHARED, TAXII, Desk, Site, address, indicator, newer

OBJECTS = f"{SHARED}/objects/"


def test_discovery_gives_absolute_urls(north: Desk) -> None:
    told = north.get("/taxii2/")
    assert told.headers["content-type"] == TAXII
    assert told.json()["default"] == told.json()["api_roots"][0] == "http://hub.test/exchange/"


def test_discovery_asks_who_it_is(site: Site) -> None:
    told = site.client.get("/taxii2/", headers={"Accept": TAXII})
    assert told.status_code == 401
    assert "Bearer" in told.headers["www-authenticate"]
    assert told.json()["title"]


def test_a_hostile_host_is_not_repeated(north: Desk) -> None:
    assert north.ask("GET", "/taxii2/", {"Host": "a b/<script>"}).status_code == 400


def test_the_api_root(north: Desk) -> None:
    told = north.get("/exchange/").json()
    assert told["versions"] == [TAXII]
    assert told["max_content_length"] == 10 * 2**20


def test_collections_are_sorted_by_id(north: Desk) -> None:
    ids = [one["id"] for one in north.get("/exchange/collections/").json()["collections"]]
    assert ids == sorted(ids)


def test_the_inbox_is_write_only_and_says_so(site: Site, north: Desk) -> None:
    inbox = north.get("/exchange/collections/inbox/").json()
    assert (inbox["can_read"], inbox["can_write"]) == (False, True)
    item = indicator()
    assert north.post([item], "/exchange/collections/inbox/objects/").status_code == 202
    for path in ("objects/", "manifest/", f"objects/{item['id']}/", f"objects/{item['id']}/versions/"):
        assert north.get(f"/exchange/collections/inbox/{path}").status_code == 403
    steward = site.desk("steward", "steward")
    assert steward.get("/exchange/collections/inbox/objects/").json()["objects"] == [item]


def test_an_observable_without_spec_version_is_taken(north: Desk) -> None:
    assert north.share(address())["success_count"] == 1
    assert north.objects() == [address()]


def test_a_timestamp_without_fraction_never_ends_the_request(north: Desk) -> None:
    told = north.post([indicator(modified="2026-01-01T00:00:00Z", created="2026-01-01T00:00:00Z")])
    assert told.status_code == 202
    assert told.json()["total_count"] == 1


def test_one_bad_object_spoils_none_of_the_others(north: Desk) -> None:
    good, bad = indicator(), indicator(pattern=7)
    status = north.post([good, bad, "no object", {"type": "indicator"}]).json()
    assert (status["success_count"], status["failure_count"], status["pending_count"]) == (1, 3, 0)
    assert status["failures"][0]["id"] == bad["id"]
    assert all(one["message"] for one in status["failures"])
    assert north.ids() == [good["id"]]


@pytest.mark.parametrize("limit", ["0", "-1", "1.5", "many", "", "٣"])
def test_a_limit_that_is_none_is_refused(north: Desk, limit: str) -> None:
    assert north.get(OBJECTS, limit=limit).status_code == 400


def test_without_limit_a_page_has_an_end(site: Site, north: Desk) -> None:
    north.share(*(indicator() for _ in range(site.hub.limits.page + 1)))
    page = north.get(OBJECTS).json()
    assert len(page["objects"]) == site.hub.limits.page
    assert page["more"]


def test_a_limit_beyond_the_cap_is_the_cap(site: Site, north: Desk) -> None:
    north.share(*(indicator() for _ in range(site.hub.limits.page + 1)))
    for limit in (10**17, 10**19, "9" * 5000, "0" * 5000 + "9999"):
        assert len(north.get(OBJECTS, limit=limit).json()["objects"]) == site.hub.limits.page


NOBODYS = "7f9a6a39-4c39-4a2b-9d55-0c3f5f0a2f11"


@pytest.mark.parametrize(
    "path",
    [
        "/other/",
        "/other/collections/",
        f"/exchange/collections/{NOBODYS}/",
        f"/exchange/collections/{NOBODYS}/objects/",
        "/exchange/status/none/",
        f"/exchange/status/{NOBODYS}/",
        f"{OBJECTS}indicator--{NOBODYS}/",
        f"{OBJECTS}indicator--{NOBODYS}/versions/",
        f"{OBJECTS}%00/",
    ],
)
def test_what_is_not_there_is_404_in_taxii(north: Desk, path: str) -> None:
    told = north.get(path)
    assert told.status_code == 404
    assert told.headers["content-type"] == TAXII
    assert told.json()["title"]


def test_a_404_says_what_is_not_there(north: Desk) -> None:
    assert north.get("/other/collections/").json()["title"] == "there is no such API root"
    assert north.get("/exchange/other/").json()["title"] == "there is no such resource"
    assert north.get("/").json()["title"] == "there is no such API root"
    assert north.get("/v1/votes").json()["title"] == "there is no such resource"


def test_a_405_names_all_that_is_allowed(north: Desk) -> None:
    told = north.ask("PUT", OBJECTS)
    assert (told.status_code, told.headers["allow"]) == (405, "GET, HEAD, POST")
    assert north.ask("POST", "/taxii2/").headers["allow"] == "GET, HEAD"


def test_added_after_may_be_long_ago(north: Desk) -> None:
    north.share(item := indicator())
    for text in ("0001-01-01T00:00:00Z", "1969-12-31T23:59:59Z"):
        assert north.ids(added_after=text) == [item["id"]]
    assert north.get(OBJECTS, added_after="0000-01-01T00:00:00Z").status_code == 400


def test_added_after_must_be_a_time(north: Desk) -> None:
    assert north.get(OBJECTS, added_after="yesterday").status_code == 400


@pytest.mark.parametrize("text", ["2026-01-01T00:00:00Z", "2026-01-01T00:00:00.123456Z", "2026-01-01T01:00:00+01:00"])
def test_added_after_takes_rfc_3339(north: Desk, text: str) -> None:
    assert north.get(OBJECTS, added_after=text).status_code == 200


def test_added_after_is_strictly_after(north: Desk) -> None:
    north.share(indicator(), indicator())
    told = north.get(OBJECTS, limit=1)
    rest = north.get(OBJECTS, added_after=told.headers["x-taxii-date-added-last"]).json()["objects"]
    assert [one["id"] for one in rest] == north.ids()[1:]


def test_an_unknown_parameter_is_ignored(north: Desk) -> None:
    assert north.get(OBJECTS, foo="bar").status_code == 200


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("application/taxii+json; version=2.1", 202),
        ("application/taxii+json;  version = 2.1", 202),
        ('Application/TAXII+JSON;charset=utf-8;version="2.1"', 202),
        ("application/taxii+json", 202),
        ("application/taxii+json;version=2.0", 415),
        ("application/json", 415),
        ("", 415),
    ],
)
def test_what_a_post_may_call_itself(north: Desk, kind: str, status: int) -> None:
    body = json.dumps({"objects": [indicator()]}).encode()
    assert north.ask("POST", OBJECTS, {"Content-Type": kind}, content=body).status_code == status


@pytest.mark.parametrize(
    ("accept", "status"),
    [
        ("*/*", 200),
        ("application/*;q=0.5", 200),
        ("application/taxii+json", 200),
        ("application/taxii+json; version=2.1, text/html", 200),
        ("application/taxii+json;version=2.0", 406),
        ("text/html", 406),
    ],
)
def test_what_a_client_may_accept(north: Desk, accept: str, status: int) -> None:
    assert north.ask("GET", OBJECTS, {"Accept": accept}).status_code == status


def test_head_is_get_without_a_body(north: Desk) -> None:
    north.share(indicator())
    told = north.ask("HEAD", OBJECTS)
    assert (told.status_code, told.content) == (200, b"")
    assert told.headers["x-taxii-date-added-first"] == north.get(OBJECTS).headers["x-taxii-date-added-first"]


def test_the_same_next_twice_is_the_same_page(north: Desk) -> None:
    north.share(*(indicator() for _ in range(5)))
    cursor = north.get(OBJECTS, limit=2).json()["next"]
    pages = [north.get(OBJECTS, limit=2, next=cursor) for _ in range(2)]
    assert pages[0].content == pages[1].content
    assert pages[0].json()["more"]


def test_next_without_limit_goes_on(north: Desk) -> None:
    north.share(*(indicator() for _ in range(5)))
    cursor = north.get(OBJECTS, limit=2).json()["next"]
    assert len(north.get(OBJECTS, next=cursor).json()["objects"]) == 3


@pytest.mark.parametrize("more", [{"match[type]": "tool"}, {"added_after": "2026-01-01T00:00:00Z"}, {"next": "x"}])
def test_next_with_other_filters_is_refused(north: Desk, more: dict[str, str]) -> None:
    north.share(indicator(), indicator())
    cursor = north.get(OBJECTS, limit=1).json()["next"]
    assert north.get(OBJECTS, **{"next": cursor, **more}).status_code == 400


@pytest.mark.parametrize("path", ["manifest/", "objects/{id}/versions/"])
def test_manifest_and_versions_can_be_paged_to_their_end(north: Desk, path: str) -> None:
    item = indicator()
    north.share(item, *(newer(item, month) for month in range(2, 8)), indicator(), indicator())
    query: dict[str, Any] = {"limit": 2, **({"match[version]": "all"} if path == "manifest/" else {})}
    seen: list[Any] = []
    for _ in range(20):
        page = north.get(f"{SHARED}/{path.format(id=item['id'])}", **query).json()
        seen += [str(one) for one in page.get("objects", page.get("versions", []))]
        if not page["more"]:
            break
        query["next"] = page["next"]
    assert len(seen) == len(set(seen)) == (9 if path == "manifest/" else 7)


def test_delete_takes_all_versions(north: Desk, south: Desk) -> None:
    item = indicator()
    north.share(item, newer(item), newer(item, 3))
    assert north.ask("DELETE", f"{OBJECTS}{item['id']}/").status_code == 200
    assert south.get(f"{OBJECTS}{item['id']}/", **{"match[version]": "all"}).status_code == 404


def test_compressed_where_asked(north: Desk) -> None:
    north.share(*(indicator() for _ in range(20)))
    packed = north.ask("GET", OBJECTS, {"Accept-Encoding": "gzip"})
    plain = north.ask("GET", OBJECTS, {"Accept-Encoding": "identity"})
    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert packed.content == plain.content
    assert "content-encoding" not in north.ask("GET", OBJECTS, {"Accept-Encoding": "gzip;q=0, br"}).headers


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"\xff\xfe", 400),
        (b'{"objects": ["\xff"]}', 400),
        (b"[" * 100_000, 422),
        (b'{"objects":[' + b"[" * 100_000 + b"]" * 100_000 + b"]}", 400),
        (b"[]", 422),
        (b"{}", 422),
        (b'{"objects": 1}', 422),
        (b'{"objects": []}', 422),
        (b'{"objects": [' + b",".join([b"1"] * 10_001) + b"]}", 413),
        (b" " * (10 * 2**20 + 1), 413),
    ],
)
def test_what_is_no_envelope(north: Desk, body: bytes, status: int) -> None:
    told = north.ask("POST", OBJECTS, {"Content-Type": TAXII}, content=body)
    assert told.status_code == status
    assert told.json()["title"]


def test_a_body_without_a_length_is_cut_off_as_well(north: Desk) -> None:
    parts = (b" " * 2**20 for _ in range(11))
    assert north.ask("POST", OBJECTS, {"Content-Type": TAXII}, content=parts).status_code == 413


def test_a_body_with_an_encoding_is_refused(north: Desk) -> None:
    headers = {"Content-Type": TAXII, "Content-Encoding": "gzip"}
    assert north.ask("POST", OBJECTS, headers, content=b"x").status_code == 415


def test_the_bytes_that_were_posted_are_the_bytes_that_are_served(north: Desk, south: Desk) -> None:
    raw = json.dumps(indicator(), indent=3).replace("http://a", "http:\\/\\/a").encode()
    north.ask("POST", OBJECTS, {"Content-Type": TAXII}, content=b'{"more": false, "objects" : [ ' + raw + b" ] }")
    assert raw in south.get(OBJECTS).content


def test_an_empty_page(north: Desk) -> None:
    told = north.get(OBJECTS)
    assert told.json() == {"more": False}
    assert "x-taxii-date-added-first" not in told.headers
