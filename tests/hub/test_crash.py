"""What was acknowledged outlives the loss of the hub and of its database, and statuses stay true."""

import contextlib
import http.client
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select
from tests.hub.postgres import running_postgres
from tests.hub.process import Served, add_member, serving
from tests.hub.site import SHARED, indicator

from stillwatch.hub.hub import open_storage
from stillwatch.hub.storage import schema
from stillwatch.transparency.verify import verify_log

POSTERS, BATCH = 3, 20


class Poster(threading.Thread):
    """Posts batches until the hub does not answer; keeps what was acknowledged."""

    def __init__(self, served: Served, token: str) -> None:
        super().__init__()
        self._served, self._token = served, token
        self.acknowledged: list[str] = []
        self.statuses: list[str] = []
        self.others: list[int] = []
        self.ended = False

    def run(self) -> None:
        while not self.ended:
            batch = [*(indicator() for _ in range(BATCH)), indicator(pattern=7)]
            try:
                told = self._served.post(self._token, batch)
            except (OSError, http.client.HTTPException):
                return
            if told.status != 202:
                self.others.append(told.status)
                continue
            self.acknowledged += [one["id"] for one in batch[:-1]]
            self.statuses.append(told.json["id"])


def posting(served: Served, tokens: list[str], then: Callable[[], None]) -> list[Poster]:
    """Let several post, do something in the middle of it, and return the posters when they have ended."""
    posters = [Poster(served, token) for token in tokens]
    for one in posters:
        one.start()
    while sum(len(one.statuses) for one in posters) < POSTERS * 2:
        time.sleep(0.02)
    then()
    for one in posters:
        one.ended = True
        one.join()
    return posters


def check(served: Served, tokens: list[str], posters: list[Poster]) -> None:
    """Assert that all that was acknowledged is there, once, whole, and as its status says."""
    stored = [one["id"] for one in served.all_objects(tokens[0])]
    assert len(stored) == len(set(stored))
    assert {name for one in posters for name in one.acknowledged} <= set(stored)
    assert len(stored) % BATCH == 0  # a post is there as a whole or not at all
    for token, one in zip(tokens, posters, strict=True):
        for status in one.statuses:
            told = served.ask(token, "GET", f"/exchange/status/{status}/").json
            assert (told["success_count"], told["failure_count"], told["status"]) == (BATCH, 1, "complete")


def all_published(data: Path, url: str | None) -> None:
    """Wait until the audit log has as many leaves as were written with posts, and verify it."""
    with open_storage(data, url) as storage, storage.reading() as db:
        leaves = db.scalar(select(func.count()).select_from(schema.leaf))
    for _ in range(200):
        size = int((data / "log" / "checkpoint").read_text("utf-8").splitlines()[1])
        if size == leaves:
            break
        time.sleep(0.1)
    assert size == leaves
    verify_log(data / "log")


def database_of(request: pytest.FixtureRequest, engine: str) -> list[str]:
    if engine == "sqlite":
        return []
    return ["--database-url", request.getfixturevalue("postgres").new_database()]


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_kill_9_of_the_hub_in_mid_post(tmp_path: Path, request: pytest.FixtureRequest, engine: str) -> None:
    options = database_of(request, engine)
    tokens = [add_member(tmp_path, f"m{number}", *options) for number in range(POSTERS)]
    with serving(tmp_path, *options) as served:
        posters = posting(served, tokens, served.process.kill)
    with serving(tmp_path, *options) as served:
        check(served, tokens, posters)
        again = posters[0].acknowledged[:BATCH]
        told = served.post(tokens[0], [indicator(id=name) for name in again]).json
        assert told["success_count"] == BATCH
        all_published(tmp_path, options[-1] if options else None)


def test_kill_9_of_postgresql_in_mid_post(tmp_path: Path) -> None:
    with running_postgres() as server:
        options = ["--database-url", server.new_database()]
        tokens = [add_member(tmp_path, f"m{number}", *options) for number in range(POSTERS)]

        def kill() -> None:
            server.kill()
            lost = served.ask(tokens[0], "GET", f"{SHARED}/objects/")
            assert lost.status == 503
            assert int(lost.headers["retry-after"]) > 0
            assert lost.json["title"]
            server.start()

        with serving(tmp_path, *options) as served:
            posters = posting(served, tokens, kill)
            assert {status for one in posters for status in one.others} <= {503}
            for _ in range(100):
                if served.ask(tokens[0], "GET", "/taxii2/").status == 200:
                    break
                time.sleep(0.1)
            check(served, tokens, posters)  # by itself, without a restart of the hub
            assert served.post(tokens[0], [indicator()]).status == 202


def test_a_second_hub_on_one_directory_is_refused(tmp_path: Path) -> None:
    with serving(tmp_path), pytest.raises(AssertionError, match="in use by another process"), serving(tmp_path):
        pass


@pytest.mark.parametrize("left", [{}, {"hub.sqlite": b""}, {"hub.sqlite-wal": b""}, {"lock": b""}, {".work-1-x": b"x"}])
def test_half_made_directories_are_finished(tmp_path: Path, left: dict[str, bytes]) -> None:
    for name, content in left.items():
        (tmp_path / name).write_bytes(content)
    token = add_member(tmp_path, "north")
    with serving(tmp_path) as served:
        assert served.ask(token, "GET", "/taxii2/").status == 200


def test_a_file_that_is_no_database_is_told(tmp_path: Path) -> None:
    (tmp_path / "hub.sqlite").write_bytes(b"something else entirely, and long enough to be looked at" * 100)
    with pytest.raises(AssertionError), serving(tmp_path):
        pass


def test_hostile_bodies_leave_memory_flat(tmp_path: Path) -> None:
    token = add_member(tmp_path, "north")

    def resident(served: Served) -> int:
        status = Path(f"/proc/{served.process.pid}/status").read_text("ascii")
        return int(status.partition("VmRSS:")[2].split()[0]) * 1024

    with serving(tmp_path) as served:
        served.post(token, [indicator()])
        begun = resident(served)
        bodies: list[Any] = [
            b" " * (100 * 2**20),
            b'{"objects":[' + b"[" * 5_000_000,
            b'{"objects":[' + b'{"a":' * 1_000_000,
            b'{"objects":["' + b"\xff" * 9_000_000 + b'"]}',
        ]
        sizes = []
        for _ in range(5):
            for body in bodies:
                with contextlib.suppress(OSError):  # the hub may close the door before all of it is sent
                    assert served.ask(token, "POST", f"{SHARED}/objects/", body).status in {400, 413, 422}
            assert served.post(token, [indicator()]).status == 202
            sizes.append(resident(served))
        assert sizes[0] - begun < 128 * 2**20  # each thread keeps the arena that it once needed
        assert sizes[-1] - sizes[0] < 64 * 2**20  # 16 bodies came after it, of up to 10 MiB
