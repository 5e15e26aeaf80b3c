import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.enforcement.factories import NOW

from stillwatch.enforcement.record.store import Event, Ruling, Store
from stillwatch.errors import UsageError

WRITER = """
import sys
from pathlib import Path
from stillwatch.enforcement.record.store import Ruling, Store
store = Store(Path(sys.argv[1]))
for number in range(10**6):
    store.put_ruling(Ruling(kind="verdict", name=f"a{number}", ts=number, until=1e12, body={}))
    print(number, flush=True)
"""


def event(account: str, kind: str = "set", ts: float = NOW) -> Event:
    return Event(ts=ts, account_id=account, kind=kind, body={"reason": "why"})


def ruling(name: str, ts: float = NOW, until: float = NOW + 10, **body: object) -> Ruling:
    return Ruling(kind="verdict", name=name, ts=ts, until=until, body=body, event=event(name, ts=ts))


def test_facts_and_events(tmp_path: Path) -> None:
    store = Store(tmp_path / "s.db")
    assert store.put_ruling(ruling("a", n=1))
    assert store.put_ruling(ruling("a", NOW + 1, n=2))
    assert not store.put_ruling(ruling("a", NOW + 1, n=3))
    assert not store.put_ruling(ruling("a", NOW, n=4))
    assert store.put_ruling(ruling("b", until=NOW - 1))
    store.add_event(event("a", "asked", NOW + 2))
    store.close()
    store = Store(tmp_path / "s.db")
    assert store.rulings(NOW) == [ruling("a", NOW + 1, n=2)]
    assert [one.kind for one in store.events("a")] == ["asked", "set", "set"]
    assert store.events("a", most=1) == [event("a", "asked", NOW + 2)]
    assert (tmp_path / "s.db").stat().st_mode & 0o077 == 0


def test_appeals_are_one_per_decision(tmp_path: Path) -> None:
    store = Store(tmp_path / "s.db")
    store.put_appeal("p1", "d1", b"1")
    store.put_appeal("p2", "d2", b"2")
    store.put_appeal("p1", "d1", b"3")
    assert store.appeal("p1") == store.appeal("d1") == b"3"
    assert store.appeal("none") is None
    assert store.appeals() == [b"3", b"2"]


def test_overturned_decisions_are_counted_anew(tmp_path: Path) -> None:
    store = Store(tmp_path / "s.db")
    store.add_overturned(NOW, "c", "r")
    store.add_overturned(NOW, "other", "r")
    assert store.overturned("c", NOW - 1) == 1
    store.forget_overturned("c", NOW)
    assert store.overturned("c", NOW - 1) == 0
    assert store.overturned("other", NOW - 1) == 1


def test_a_file_of_another_kind_or_version(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no database, but long enough to be taken for one" * 30)
    with pytest.raises(UsageError, match="is no store of this program"):
        Store(tmp_path / "text")
    store = Store(tmp_path / "s.db")
    store._db.execute("PRAGMA user_version=99")
    store.close()
    with pytest.raises(UsageError, match="is of version 99"):
        Store(tmp_path / "s.db")


def test_what_was_acknowledged_survives_kill_9(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    process = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    acknowledged = [int(process.stdout.readline()) for _ in range(20)]
    os.kill(process.pid, signal.SIGKILL)
    acknowledged += [int(line) for line in process.stdout.read().splitlines() if line.isdigit()]
    process.wait()
    process.stdout.close()
    kept = {ruling.name for ruling in Store(path).rulings(NOW)}
    assert {f"a{number}" for number in acknowledged[:-1]} <= kept
