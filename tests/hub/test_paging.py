"""Readers that poll while others post see every object once, by `next` and by `added_after`."""

import threading
from pathlib import Path

import pytest
from tests.hub.process import Served, add_member, serving
from tests.hub.site import SHARED, indicator

POSTERS, POSTS, BATCH = 3, 8, 7


class Reader(threading.Thread):
    """Polls until it has seen as many as there will be; `by` says how it goes on."""

    def __init__(self, served: Served, token: str, by: str) -> None:
        super().__init__()
        self._served, self._token, self._by = served, token, by
        self.seen: list[str] = []

    def run(self) -> None:
        query = ""
        for _ in range(3000):
            reply = self._served.ask(self._token, "GET", f"{SHARED}/objects/?limit=5{query}")
            page = reply.json
            self.seen += [one["id"] for one in page.get("objects", [])]
            if len(self.seen) >= POSTERS * POSTS * BATCH:
                return
            if page.get("objects"):
                last = reply.headers["x-taxii-date-added-last"]
                after = f"&added_after={last}"
                query = (
                    f"{query.partition('&next')[0]}&next={page['next']}"
                    if self._by == "next" and page["more"]
                    else after
                )


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_nothing_is_lost_and_nothing_comes_twice(tmp_path: Path, request: pytest.FixtureRequest, engine: str) -> None:
    options = []
    if engine == "postgresql":
        options = ["--database-url", request.getfixturevalue("postgres").new_database()]
    token = add_member(tmp_path, "north", *options)
    posted: list[str] = []

    def post() -> None:
        for _ in range(POSTS):
            batch = [indicator() for _ in range(BATCH)]
            assert served.post(token, batch).status == 202
            posted.extend(one["id"] for one in batch)

    with serving(tmp_path, *options) as served:
        posters = [threading.Thread(target=post) for _ in range(POSTERS)]
        readers = [Reader(served, token, by) for by in ("next", "date")]
        for one in (*posters, *readers):
            one.start()
        for one in (*posters, *readers):
            one.join()
    for reader in readers:
        assert len(reader.seen) == len(set(reader.seen))
        assert set(reader.seen) == set(posted)
