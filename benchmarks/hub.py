"""What a hub carries: durable posts, pages, small requests, bytes kept. `hub_sizes.py` has pages by size of the hub.

    .venv/bin/python benchmarks/hub.py                                  SQLite
    .venv/bin/python benchmarks/hub.py --database-url postgresql://…    an empty database
    make .peers/.opentaxii; … --peer .peers/opentaxii --peer-database-url postgresql://…    and the peer beside it

The service is the real one, in a process of its own; its CPU is read from the system. Clients are threads of this
process, on the same machine, so they take a part of it.
The peer takes the same requests with a token of its own, and small ones also with the Basic password that the figures
in its users' hands rest on; it gets a quarter of the objects and a tenth of the requests, since it takes longer.
"""

import argparse
import base64
import contextlib
import http.client
import json
import os
import random
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import text

from hub_peer import serving_peer
from stillwatch.hub.members import Member
from stillwatch.sharing.objects.extensions import SHARING

TAXII = "application/taxii+json;version=2.1"
OBJECTS = "/exchange/collections/shared/objects/"
HUB = [str(Path(sys.executable).with_name("stillwatch")), "hub"]
_TICKS = os.sysconf("SC_CLK_TCK")


class Served(NamedTuple):
    """A running server: where its objects are, who may ask, and the processes that answer."""

    port: int
    pids: tuple[int, ...]
    objects: str
    authorization: str

    def cpu_s(self) -> float:
        """Return the CPU time that it has used."""
        return sum(_cpu_s(pid) for pid in self.pids)


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


class Load(NamedTuple):
    """What a load came to. `each` has the seconds of each request."""

    wall_s: float
    cpu_s: float
    each: list[float]

    def at(self, share: float) -> float:
        """Return a quantile of the requests, in milliseconds."""
        ordered = sorted(self.each)
        return ordered[min(int(share * len(ordered)), len(ordered) - 1)] * 1000


def main() -> None:
    """Run, print."""
    options = _options()
    with tempfile.TemporaryDirectory() as work, serving(Path(work), options.database_url) as served:
        measure_posts(served, options.objects)
        measure_reads(served)
        measure_storage(Path(work), options.database_url, options.objects)
    if options.peer is not None:
        measure_peer(options.peer, options.peer_database_url, options.objects // 4)


def measure_peer(environment: Path, url: str, objects: int) -> None:
    """Do the same with the peer."""
    with serving_peer(environment, url) as peer:
        print("the peer, OpenTAXII on PostgreSQL")
        served = Served(peer.port, peer.pids, peer.objects, f"Bearer {peer.token}")
        measure_posts(served, objects)
        measure_reads(served, slower=10)
        password = base64.b64encode(":".join(peer.basic).encode()).decode()
        print("with Basic")
        measure_reads(served._replace(authorization=f"Basic {password}"), slower=10)


def measure_posts(served: Served, objects: int) -> None:
    """Post batches of 1,000 from one client, then from four."""
    for posters in (1, 4):
        count = max(objects // 2 // 1000, posters)
        warm = [("", json.dumps({"objects": [an_object(n)]}).encode()) for n in range(8)]
        run_load(served, 4, warm, "POST")  # whatever a server makes ready for its first post
        bodies = [json.dumps({"objects": [an_object(n) for n in range(1000)]}).encode() for _ in range(count)]
        load = run_load(served, posters, [("", body) for body in bodies], "POST")
        rate, cpu = count * 1000 / load.wall_s, load.cpu_s / count
        print(
            f"post   {posters} posters: {rate:8,.0f} objects/s, CPU {cpu:.3f} s per 1,000, p99 {load.at(0.99):.0f} ms"
        )


def measure_reads(served: Served, slower: int = 1) -> None:
    """Read pages of 1,000, and of one; a server that is so many times slower gets as many times fewer requests."""
    check_page(served)
    pages, small = 400 // slower, 4000 // slower
    for clients in (1, 8):
        load = run_load(served, clients, [("?limit=1000", None)] * pages, "GET")
        line = f"{pages / load.wall_s:.1f} pages/s, p50 {load.at(0.5):.0f} ms, p99 {load.at(0.99):.0f} ms"
        print(f"page   {clients} clients: {line}, CPU {load.cpu_s / pages * 1000:.1f} ms per page")
    load = run_load(served, 8, [("?limit=1", None)] * small, "GET")
    line = f"{small / load.wall_s:.1f} requests/s, p50 {load.at(0.5):.1f} ms, p99 {load.at(0.99):.1f} ms"
    print(f"limit=1 8 clients: {line}, CPU {load.cpu_s / small * 1000:.2f} ms per request")


def check_page(served: Served) -> None:
    """See that a page has the 1,000 objects that it is timed for."""
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=120)
    headers = {"Authorization": served.authorization, "Accept": TAXII}
    with contextlib.closing(connection):
        connection.request("GET", served.objects + "?limit=1000", None, headers)
        found = len(json.loads(connection.getresponse().read())["objects"])
    if found != 1000:
        raise SystemExit(f"a page has {found} objects")


def measure_storage(data: Path, url: str | None, objects: int) -> None:
    """Say how many bytes are kept for each byte of an object."""
    with open_size(data, url) as (kept, raw):
        print(f"bytes  {kept / objects:,.0f} kept per object of {raw / objects:,.0f}: {kept / raw:.2f}")


@contextlib.contextmanager
def open_size(data: Path, url: str | None) -> Iterator[tuple[int, int]]:
    """Yield the bytes that database and log take, and those of the objects in them."""
    from stillwatch.hub.hub import open_storage  # noqa: PLC0415 - only here

    if url is None:
        with contextlib.closing(sqlite3.connect(data / "hub.sqlite")) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # else a part of it still lies in the log beside it
    with open_storage(data, url) as storage, storage.reading() as db:
        raw = int(db.execute(text("SELECT sum(size) FROM hub_object")).scalar_one())
        if db.dialect.name == "postgresql":
            kept = int(db.execute(text("SELECT pg_database_size(current_database())")).scalar_one())
            kept -= 7_500_000  # what an empty database takes
        else:
            kept = (data / "hub.sqlite").stat().st_size
        kept += sum(file.stat().st_size for file in (data / "log").rglob("*") if file.is_file())
        yield kept, raw


def run_load(served: Served, clients: int, requests: Sequence[tuple[str, bytes | None]], method: str) -> Load:
    """Send requests, each a query and a body, from several clients at once."""
    waiting = list(requests)
    each: list[float] = []
    statuses: list[int] = []
    headers = {"Authorization": served.authorization, "Accept": TAXII, "Content-Type": TAXII}

    def work() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=120)
        read = bytearray(2**20)  # the same again and again: the client shall take as little of the machine as it can
        while True:
            try:
                query, body = waiting.pop()
            except IndexError:
                return
            begun = time.perf_counter()
            connection.request(method, served.objects + query, body, headers)
            answer = connection.getresponse()
            while answer.readinto(read):
                pass
            each.append(time.perf_counter() - begun)
            statuses.append(answer.status)

    cpu, begun = served.cpu_s(), time.perf_counter()
    together(clients, work)
    load = Load(time.perf_counter() - begun, served.cpu_s() - cpu, each)
    told = Counter(statuses)
    if told[200] + told[202] != len(requests):
        raise SystemExit(f"not all were answered: {dict(told)} of {len(requests)}")
    return load


def together(count: int, work: Callable[[], None]) -> None:
    """Run the same in several threads and wait for all."""
    threads = [threading.Thread(target=work) for _ in range(count)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()


def an_object(number: int, reader: Member | None = None) -> dict[str, Any]:
    """Return an object of some 890 bytes, in the mix of the peers' figures."""
    day = f"2026-{number % 12 + 1:02d}-{number % 28 + 1:02d}T00:00:00.000Z"
    common = {"spec_version": "2.1", "created": day, "modified": day, "confidence": 50}
    common["created_by_ref"] = "identity--4b3b4c0e-7d6e-4f5e-9e7b-0f6d5a1b2c3d"
    if reader is not None:
        common["extensions"] = {SHARING: {"extension_type": "property-extension", "recipients": [reader.member_id]}}
    kind = number % 20
    if kind < 14:
        value = f"{random.randbytes(8).hex()}.example.net"
        own: dict[str, Any] = {
            "type": "indicator",
            "pattern_type": "stix",
            "pattern": f"[domain-name:value = '{value}']",
            "valid_from": day,
            "indicator_types": ["anomalous-activity"],
        }
    elif kind < 17:
        own = {"type": "sighting", "sighting_of_ref": f"indicator--{uuid.uuid4()}", "count": number % 90 + 1}
    else:
        own = {"type": "relationship", "relationship_type": "related-to"}
        own |= {"source_ref": f"indicator--{uuid.uuid4()}", "target_ref": f"campaign--{uuid.uuid4()}"}
    made = {**common, **own, "id": f"{own['type']}--{uuid.uuid4()}"}
    made["description"] = " ".join(f"word{random.randrange(10_000)}" for _ in range((890 - len(json.dumps(made))) // 9))
    return made


@contextlib.contextmanager
def serving(data: Path, url: str | None) -> Iterator[Served]:
    """Yield a hub with one member; it is gone afterwards."""
    made = json.loads(subprocess.check_output([*HUB, "member", "add", "bench", *_where(data, url)]))
    with running(data, url) as (port, pid):
        yield Served(port, (pid,), OBJECTS, f"Bearer {made['token']}")


@contextlib.contextmanager
def running(data: Path, url: str | None) -> Iterator[tuple[int, int]]:
    """Yield port and process of the service."""
    command = [*HUB, "serve", "--port", "0", *_where(data, url)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            assert process.stdout is not None  # noqa: S101 - it is a pipe
            yield json.loads(process.stdout.readline())["port"], process.pid
        finally:
            process.terminate()


def _where(data: Path, url: str | None) -> list[str]:
    return ["--data-dir", str(data), "--json", *(["--database-url", url] if url else [])]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database-url")
    parser.add_argument("--objects", type=int, default=40_000)
    parser.add_argument("--peer", type=Path, help="its environment")
    parser.add_argument("--peer-database-url", help="an empty database")
    options = parser.parse_args()
    if options.peer and not options.peer_database_url:
        parser.error("--peer needs --peer-database-url")
    return options


if __name__ == "__main__":
    main()
