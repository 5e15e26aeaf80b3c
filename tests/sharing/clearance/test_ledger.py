"""A clearance log that was taken away or cut is not begun anew."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.sharing.clearance.factories import ANN, clearing_of, fact, item, outbox_in, word

from stillwatch.errors import PolicyRefusedError
from stillwatch.sharing.clearance.outbox import Outbox
from stillwatch.transparency.log import Log
from stillwatch.transparency.tail import read_tail


def refused_one(directory: Path) -> tuple[Path, bytes]:
    """Make an outbox whose last entry is counsel's refusal; return it, and the tail of its log without that entry."""
    with outbox_in(directory) as outbox:
        clearing = clearing_of(outbox)
        clearing.clear([item(fact("template.text", "Ask Jane Doe {x}", accounts=9))])
        tail = (outbox.directory / "log" / "tail").read_bytes()
        clearing.review(word(clearing.held()[0].key, ANN, "refuse"))
        return outbox.directory, tail


def without_log(outbox: Path, _tail: bytes) -> None:
    shutil.rmtree(outbox / "log")


def with_an_empty_log(outbox: Path, _tail: bytes) -> None:
    shutil.rmtree(outbox / "log")
    (outbox / "log").mkdir()


def without_log_and_what_was_seen(outbox: Path, tail: bytes) -> None:
    without_log(outbox, tail)
    (outbox / "log.seen").unlink()


def cut(outbox: Path, tail: bytes) -> None:
    (outbox / "log" / "checkpoint").unlink()
    (outbox / "log" / "tail").write_bytes(tail)


def cut_without_tiles(outbox: Path, tail: bytes) -> None:
    cut(outbox, tail)
    shutil.rmtree(outbox / "log" / "tile")


def cut_and_what_was_seen_gone(outbox: Path, tail: bytes) -> None:
    cut(outbox, tail)
    (outbox / "log.seen").unlink()


def without_checkpoint(outbox: Path, _tail: bytes) -> None:
    (outbox / "log" / "checkpoint").unlink()


def without_anything_that_was_kept(outbox: Path, tail: bytes) -> None:
    without_log(outbox, tail)
    shutil.rmtree(outbox / "items")
    shutil.rmtree(outbox / "objects")


@pytest.mark.parametrize(
    "damage",
    [
        without_log, with_an_empty_log, without_log_and_what_was_seen, cut, cut_without_tiles,
        cut_and_what_was_seen_gone, without_checkpoint, without_anything_that_was_kept,
    ],
)  # fmt: skip
def test_a_log_that_was_taken_away_or_cut_is_refused(tmp_path: Path, damage: Callable[[Path, bytes], None]) -> None:
    outbox, tail = refused_one(tmp_path)
    shutil.copytree(outbox, tmp_path / "copy")
    damage(outbox, tail)
    for _ in range(2):  # also when it is opened again: the first look begins nothing
        with pytest.raises(PolicyRefusedError) as refused:
            Outbox(outbox)
        assert "log" in str(refused.value)
        assert "copy" in str(refused.value)
    shutil.rmtree(outbox)
    (tmp_path / "copy").rename(outbox)
    with Outbox(outbox) as restored:
        assert clearing_of(restored).held() == []


def test_a_copy_of_an_older_log_is_refused(tmp_path: Path) -> None:
    with outbox_in(tmp_path) as outbox:
        clearing_of(outbox).clear([item(fact("template.text", "Ask Jane Doe {x}", accounts=9))])
    shutil.copytree(outbox.directory / "log", tmp_path / "older")
    with outbox_in(tmp_path) as outbox:
        clearing = clearing_of(outbox)
        clearing.review(word(clearing.held()[0].key, ANN, "refuse"))
    shutil.rmtree(outbox.directory / "log")
    (tmp_path / "older").rename(outbox.directory / "log")
    with pytest.raises(PolicyRefusedError, match="cut"):
        outbox_in(tmp_path)


def test_a_log_that_went_another_way_is_refused(tmp_path: Path) -> None:
    with outbox_in(tmp_path) as outbox:
        clearing_of(outbox).clear([item(fact("template.text", "Ask Jane Doe {x}", accounts=9))])
    shutil.copytree(outbox.directory, tmp_path / "fork" / "outbox")
    for directory, verdict in ((tmp_path, "refuse"), (tmp_path / "fork", "release")):
        with outbox_in(directory) as outbox:
            clearing = clearing_of(outbox)
            clearing.review(word(clearing.held()[0].key, ANN, verdict))
    shutil.rmtree(tmp_path / "outbox" / "log")
    (tmp_path / "fork" / "outbox" / "log").rename(tmp_path / "outbox" / "log")
    with pytest.raises(PolicyRefusedError, match="changed"):
        outbox_in(tmp_path)


@pytest.mark.parametrize("content", [b"", b"no checkpoint\n"])
def test_a_note_of_what_was_seen_that_is_damaged_is_refused(tmp_path: Path, content: bytes) -> None:
    outbox, _ = refused_one(tmp_path)
    (outbox / "log.seen").write_bytes(content)
    with pytest.raises(PolicyRefusedError, match=r"log\.seen"):
        Outbox(outbox)


def test_an_outbox_that_was_opened_and_never_used_is_opened_again(tmp_path: Path) -> None:
    for _ in range(2):
        with outbox_in(tmp_path) as outbox:
            assert list(outbox.kept()) == []


def test_an_outbox_from_before_there_was_a_note_of_what_was_seen_is_opened(tmp_path: Path) -> None:
    outbox, _ = refused_one(tmp_path)
    (outbox / "log.seen").unlink()
    with Outbox(outbox):
        assert (outbox / "log.seen").read_bytes() == (outbox / "log" / "checkpoint").read_bytes()


def test_entries_of_a_first_run_that_was_killed_before_it_signed_are_signed_by_the_next(tmp_path: Path) -> None:
    with outbox_in(tmp_path) as outbox:
        outbox._ledger._log.append([b'{"type":"opinion-ended","ts":1,"opinion":"x","by":"y","reason":"z"}'])
    with outbox_in(tmp_path) as outbox:
        assert (outbox.directory / "log" / "checkpoint").exists()
        tail = read_tail(outbox.directory / "log" / "tail")
        assert tail is not None
        assert len(tail.entries) == 1
    with outbox_in(tmp_path) as outbox:
        assert outbox.knows_opinion("x")


def test_entries_of_a_run_that_was_killed_before_it_signed_are_signed_and_cannot_be_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(_log: Log, _now: float) -> bytes:
        raise KeyboardInterrupt

    with outbox_in(tmp_path) as outbox:
        clearing_of(outbox).clear([item(fact("cluster.accounts", 9))])
        [name] = outbox.latest()
        tail = (outbox.directory / "log" / "tail").read_bytes()
        monkeypatch.setattr(Log, "checkpoint", killed)
        with pytest.raises(KeyboardInterrupt):
            clearing_of(outbox).withdraw(name, by=ANN, reason="wrong")
        monkeypatch.undo()
    with outbox_in(tmp_path) as outbox:
        assert outbox.latest()[name].withdrawn is not None
    (outbox.directory / "log" / "tail").write_bytes(tail)
    with pytest.raises(PolicyRefusedError, match=r"checkpoint|cut"):
        outbox_in(tmp_path)
