"""Whether a page takes as long in a large hub as in a small one, for who may see nearly all and for who may see little.

    .venv/bin/python benchmarks/hub_sizes.py                                  SQLite
    .venv/bin/python benchmarks/hub_sizes.py --database-url postgresql://…    in databases beside that one

Hubs of all sizes run at once, and one after the other is asked in each of the rounds, so that what else the machine
does meets them all. Objects are put in without HTTP; pages are then asked for over HTTP by one client, each from a
moment that is drawn anew. PostgreSQL gets what it does by itself where autovacuum is on (VACUUM), and writes to disk
what it was given before (CHECKPOINT).
"""

import argparse
import contextlib
import json
import random
import statistics
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import sqlalchemy
from sqlalchemy import make_url, text

from hub import OBJECTS, Load, Served, an_object, run_load, running
from stillwatch.hub.collections import find_collection
from stillwatch.hub.hub import open_hub
from stillwatch.hub.intake import Intake
from stillwatch.hub.members import add_member, make_token
from stillwatch.hub.storage.moments import added_text

_PAGES = 100
"""Asked for in a round, of each kind."""
_BATCH = 5000


class Kind(NamedTuple):
    """Whose pages: `few` may see one object in a hundred, `most` the others."""

    who: str
    length: int


KINDS = [Kind("most", 1000), Kind("most", 50), Kind("few", 1000), Kind("few", 50)]


class Filled(NamedTuple):
    """A running hub of so many objects, its readers' tokens, and its first and last moment."""

    size: int
    port: int
    pid: int
    tokens: dict[str, str]
    first: int
    last: int

    def has(self, kind: Kind) -> bool:
        """Return whether the first half of the hub holds a page of the kind behind each of these moments."""
        return self.size // 100 * (99 if kind.who == "most" else 1) >= 2 * kind.length

    def ask(self, kind: Kind) -> Load:
        """Ask for full pages, from anywhere in the first half of the hub."""
        moments = [random.randrange(self.first, (self.first + self.last) // 2) for _ in range(_PAGES)]
        asked = [(f"?limit={kind.length}&added_after={added_text(moment)}", None) for moment in moments]
        return run_load(Served(self.port, (self.pid,), OBJECTS, f"Bearer {self.tokens[kind.who]}"), 1, asked, "GET")


def main() -> None:
    """Run, print."""
    options = _options()
    with contextlib.ExitStack() as stack:
        hubs = [stack.enter_context(filled(size, options.database_url)) for size in options.sizes]
        for kind in KINDS:
            report(kind, [hub for hub in hubs if hub.has(kind)], options.rounds)


def report(kind: Kind, hubs: Sequence[Filled], rounds: int) -> None:
    """Print what pages of a kind take in each hub, and beside it how many times what they take in the first."""
    for hub in hubs:
        hub.ask(kind)  # whatever a hub makes ready for its first page
    loads = [[hub.ask(kind) for hub in hubs] for _ in range(rounds)]
    for place, hub in enumerate(hubs):
        pages = Load(0, 0, [each for turn in loads for each in turn[place].each])
        times = sorted(turn[place].at(0.5) / turn[0].at(0.5) for turn in loads)
        line = f"p50 {pages.at(0.5):5.2f}, p90 {pages.at(0.9):5.2f} ms"
        print(
            f"{kind.who:4} pages of {kind.length:5,} among {hub.size:9,}: {line}; "
            f"{statistics.median(times):.2f} x the first ({times[0]:.2f} to {times[-1]:.2f} by round)",
            flush=True,
        )


@contextlib.contextmanager
def filled(size: int, url: str | None) -> Iterator[Filled]:
    """Yield a running hub of a size; it is gone afterwards."""
    with tempfile.TemporaryDirectory() as work, contextlib.ExitStack() as stack:
        data = Path(work)
        database = stack.enter_context(beside(url, size)) if url else None
        tokens, first, last = fill(data, database, size)
        if database:
            settle(database)
        port, pid = stack.enter_context(running(data, database))
        yield Filled(size, port, pid, tokens, first, last)


@contextlib.contextmanager
def beside(url: str, size: int) -> Iterator[str]:
    """Yield the URL of a new database on the same server."""
    name = f"{make_url(url).database}_{size}"
    execute(url, f'CREATE DATABASE "{name}"')
    try:
        yield make_url(url).set(database=name).render_as_string(hide_password=False)
    finally:
        execute(url, f'DROP DATABASE "{name}" WITH (FORCE)')


def settle(url: str) -> None:
    """Bring a database to the state in which one is that has run for a while."""
    execute(url, "VACUUM")
    execute(url, "CHECKPOINT")


def execute(url: str, command: str) -> None:
    """Run a command outside of transactions."""
    engine = sqlalchemy.create_engine(make_url(url).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(command))
    engine.dispose()


def fill(data: Path, url: str | None, size: int) -> tuple[dict[str, str], int, int]:
    """Fill a hub; return the tokens of its readers, and the first and the last moment of its objects."""
    with open_hub(data, url) as hub:
        with hub.storage.writing() as db:
            owner, few, most = (add_member(db, name, "member", hub.storage.now()) for name in ("owner", "few", "most"))
            tokens = {one.name: make_token(db, one, hub.storage.now()) for one in (few, most)}
        fast = Intake(hub.storage, _Anything())
        for start in range(0, size, _BATCH):
            numbers = range(start, min(start + _BATCH, size))
            post = fast.inspect([json.dumps(an_object(n, most if n % 100 else few)).encode() for n in numbers])
            with hub.storage.writing() as db:
                collection = find_collection(db, "shared")
                assert collection is not None  # noqa: S101 - every hub has it
                fast.store(db, collection, owner, post)
        with hub.storage.reading() as db:
            first, last = db.execute(text("SELECT min(seq), max(seq) FROM hub_object")).one()
    return tokens, first, last


class _Anything:
    def errors(self, _raw: bytes, _decoded: object) -> list[str]:
        """Find nothing wrong."""
        return []


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database-url")
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--rounds", type=int, default=15)
    return parser.parse_args()


if __name__ == "__main__":
    main()
