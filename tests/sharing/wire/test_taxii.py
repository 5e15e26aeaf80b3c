"""The client against servers that keep the standard only just: what others run."""

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from tests.sharing.wire.servers import Asked, Told, serving

from stillwatch.errors import RemoteError, UsageError
from stillwatch.sharing.clearance import release
from stillwatch.sharing.clearance.release import Cleared
from stillwatch.sharing.wire import taxii
from stillwatch.sharing.wire.taxii import find_collection

COLLECTIONS = {"collections": [{"id": "c-1", "title": "Shared", "alias": "shared", "can_read": True}]}


def server(objects: list[tuple[str, dict[str, Any]]], *, page: int, with_next: bool, root: str = "/api/") -> Any:
    """Return a server with objects by the date on which they were added."""

    def answer(asked: Asked) -> Told:
        parts = urlsplit(asked.path)
        if parts.path == "/taxii2/":
            return Told({"title": "t", "api_roots": [root]})
        if parts.path == "/api/collections/":
            return Told(COLLECTIONS)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        rows = [row for row in objects if row[0] > query.get("added_after", "")]
        start = int(query.get("next", "0"))
        found = rows[start : start + page]
        more = start + page < len(rows)
        body: dict[str, Any] = {"objects": [one for _, one in found], "more": more} if found else {}
        if more and with_next:
            body["next"] = str(start + page)
        headers = {"X-TAXII-Date-Added-Last": found[-1][0]} if found else {}
        return Told(body, 200, headers)

    return answer


def rows(number: int) -> list[tuple[str, dict[str, Any]]]:
    return [(f"2026-01-01T00:00:{at:02d}.000000Z", {"id": f"x--{at}"}) for at in range(number)]


@pytest.mark.parametrize("with_next", [True, False])
@pytest.mark.parametrize("root", ["/api/", "api/"])
def test_reads_every_page_with_and_without_next(*, with_next: bool, root: str) -> None:
    with serving(server(rows(7), page=3, with_next=with_next, root=root)) as (connection, _):
        pages = list(find_collection(connection, "shared").pages(None))
    assert [len(page.objects) for page in pages] == [3, 3, 1]
    assert pages[-1].added_last == "2026-01-01T00:00:06.000000Z"


def test_goes_on_after_a_date() -> None:
    with serving(server(rows(7), page=100, with_next=True)) as (connection, _):
        (page,) = find_collection(connection, "c-1").pages("2026-01-01T00:00:04.000000Z")
    assert [bytes(one) for one in page.objects] == [b'{"id": "x--5"}', b'{"id": "x--6"}']


def test_nothing_new_is_one_empty_page() -> None:
    with serving(server([], page=100, with_next=True)) as (connection, _):
        assert [page.objects for page in find_collection(connection, "Shared").pages(None)] == [[]]


def test_more_without_a_way_on_is_told_and_does_not_spin() -> None:
    same = [("2026-01-01T00:00:00.000000Z", {"id": f"x--{at}"}) for at in range(9)]
    stuck = server(same, page=3, with_next=False)

    def answer(asked: Asked) -> Told:
        told: Told = stuck(Asked(asked.method, asked.path.partition("?")[0], asked.headers, asked.body))
        return told

    with serving(answer) as (connection, seen), pytest.raises(RemoteError, match="neither where nor since when"):
        list(find_collection(connection, "shared").pages(None))
    assert len(seen) < 10


def test_a_collection_that_is_not_there_is_told_with_those_that_are() -> None:
    with (
        serving(server([], page=1, with_next=True)) as (connection, _),
        pytest.raises(UsageError, match=r"(?s)'nothing'.*shared"),
    ):
        find_collection(connection, "nothing")


def test_waits_for_a_status_that_is_pending() -> None:
    pending = {"id": "s-1", "status": "pending", "pending_count": 1}
    done = {"id": "s-1", "status": "complete", "failures": [{"id": "x--1", "message": "no"}]}
    answers = iter([pending, pending, done])
    with serving(lambda _asked: Told(next(answers))) as (connection, seen):
        collection = taxii.Collection(connection, "api/collections/c-1/", can_read=True, can_write=True)
        assert collection._settled(connection.post("api/collections/c-1/objects/", b"{}")).failures[0].message == "no"
    assert [one.path for one in seen[1:]] == ["/api/status/s-1/"] * 2


@pytest.mark.parametrize(
    ("version", "refused"),
    [
        ("2026-01-01T00:00:00Z", ["1"]),  # as the first was sent, written shorter
        ("2026-01-02T00:00:00.500000Z", ["2"]),
        ("", ["1", "2"]),
        ("2026-01-03T00:00:00.000Z", ["1", "2"]),
    ],
)
def test_a_failure_is_of_the_version_that_it_gives(version: str, refused: list[str]) -> None:
    def version_of(object_id: str, sha256: str, modified: str | None) -> Cleared:
        body = {"id": object_id} | ({} if modified is None else {"modified": modified})
        return Cleared(release._KEY, json.dumps(body).encode(), object_id, sha256)

    batch = [
        version_of("x--1", "1", "2026-01-01T00:00:00.000Z"),
        version_of("x--1", "2", "2026-01-02T00:00:00.500Z"),
        version_of("x--2", "3", None),
    ]
    failure = {"id": "x--1", "message": "no"} | ({"version": version} if version else {})
    told = {"id": "s-1", "status": "complete", "failures": [failure, {"id": "x--9"}]}
    with serving(lambda _asked: Told(told)) as (connection, _):
        collection = taxii.Collection(connection, "api/collections/c-1/", can_read=True, can_write=True)
        sent = collection.add(batch)
    assert [one.sha256 for one in sent if one.message == "no"] == refused
    assert [one.message for one in sent if one.sha256 not in refused] == [None] * (3 - len(refused))


def test_a_server_that_never_finishes_is_told() -> None:
    pending = {"id": "s-1", "status": "pending", "pending_count": 1}
    with serving(lambda _asked: Told(pending)) as (connection, _):
        collection = taxii.Collection(connection, "api/collections/c-1/", can_read=True, can_write=True)
        posted = connection.post("api/collections/c-1/objects/", b"{}")
        with pytest.raises(RemoteError, match="nothing is lost"):
            collection._settled(posted)
