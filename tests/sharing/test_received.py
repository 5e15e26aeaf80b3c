import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from stillwatch.errors import UsageError
from stillwatch.sharing.received import Inbox, Received


def one(number: int, modified: str = "2026-01-01T00:00:00.000000", source: str | None = "identity--a") -> Received:
    raw = f"{number} {modified} {source}".encode()
    return Received(raw.hex(), f"indicator--{number}", "indicator", modified, raw, source)


@pytest.fixture
def inbox(tmp_path: Path) -> Inbox:
    return Inbox(tmp_path / "deep" / "received.sqlite")


def test_a_page_and_its_cursor_are_kept_together(inbox: Inbox, tmp_path: Path) -> None:
    assert inbox.cursor("objects") is None
    assert inbox.keep([one(1), one(2)], {"objects": "later", "other": None}, 5.0) == 2
    assert inbox.keep([one(2), one(3)], {"objects": "latest"}, 6.0) == 1
    inbox.close()
    with Inbox(tmp_path / "deep" / "received.sqlite") as again:
        assert again.cursor("objects") == "latest"
        assert again.cursor("other") is None
        assert [row.object_id for row in again.latest()] == ["indicator--1", "indicator--2", "indicator--3"]


def test_neither_is_kept_where_one_fails(inbox: Inbox) -> None:
    def page() -> Iterator[Received]:
        yield one(2)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        inbox.keep(page(), {"objects": "later"}, 5.0)
    broken = one(3)._replace(raw=object())  # type: ignore[arg-type]
    with pytest.raises(sqlite3.Error):
        inbox.keep([one(2), broken], {"objects": "later"}, 5.0)
    assert inbox.cursor("objects") is None
    assert list(inbox.latest()) == []


def test_the_latest_version_of_each_source_counts(inbox: Inbox) -> None:
    old, new = one(1), one(1, "2026-01-01T00:00:00.500000")
    forged = one(1, "2027-01-01T00:00:00.000000", "identity--b")
    inbox.keep([new, old, forged], {}, 1.0)
    assert {row.source: row.modified for row in inbox.latest()} == {
        "identity--a": "2026-01-01T00:00:00.500000",
        "identity--b": "2027-01-01T00:00:00.000000",
    }


def test_what_nobody_vouches_for_and_what_was_withdrawn_do_not_count(inbox: Inbox) -> None:
    inbox.keep([one(1), one(2, source=None), one(3)], {}, 1.0)
    row = ("indicator--3", "withdrawn", "an error", "2026-01-02")
    assert inbox.keep_corrections([row], {"corrections": "c"}) == 1
    assert inbox.keep_corrections([row, ("indicator--1", "disputed", "no", "2026-01-02")], {}) == 1
    assert [one.object_id for one in inbox.latest()] == ["indicator--1"]
    assert inbox.disputed() == {"indicator--1"}


def test_a_correction_by_its_owner_ends_a_dispute_and_a_new_one_begins_again(inbox: Inbox) -> None:
    said = [("indicator--1", kind, "x", f"2026-01-0{day}") for day, kind in enumerate(("corrected", "disputed"), 1)]
    inbox.keep_corrections(said, {})
    assert inbox.disputed() == {"indicator--1"}
    inbox.keep_corrections([("indicator--1", "corrected", "better", "2026-01-03")], {})
    assert inbox.disputed() == set()
    inbox.keep_corrections([("indicator--1", "disputed", "still", "2026-01-04")], {})
    assert inbox.disputed() == {"indicator--1"}


def test_a_later_key_of_a_member_is_noticed(inbox: Inbox) -> None:
    assert inbox.pin("identity--a", "k1")
    assert inbox.pin("identity--a", "k1")
    assert not inbox.pin("identity--a", "k2")
    assert inbox.pin("identity--a", "k2")


def test_another_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.sqlite").write_text("no database at all, but long enough to be looked at")
    with pytest.raises(UsageError, match="not what a pull keeps"):
        Inbox(tmp_path / "text.sqlite")
    with sqlite3.connect(tmp_path / "later.sqlite") as db:
        db.execute("PRAGMA user_version=99")
    db.close()
    with pytest.raises(UsageError, match="another version"):
        Inbox(tmp_path / "later.sqlite")


def test_the_file_is_for_its_owner(inbox: Inbox, tmp_path: Path) -> None:
    inbox.close()
    assert (tmp_path / "deep" / "received.sqlite").stat().st_mode & 0o077 == 0
