import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.sharing.matching.factories import DAY, NOW, ring

from stillwatch.errors import InputRejectedError, UsageError
from stillwatch.sharing.matching import key_ring
from stillwatch.sharing.matching.key_ring import OVERLAP_S, Epoch, KeyRing, load_ring, new_ring, save_ring
from stillwatch.sharing.matching.keys import generate

END = NOW + 30 * DAY


def test_saved_and_loaded(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    first = ring().rotated("2026-10", 31 * DAY)
    save_ring(first, path)
    assert path.stat().st_mode & 0o777 == 0o600
    loaded = load_ring(path)
    assert [(e.id, e.valid_from, e.valid_to, e.key.public_key) for e in loaded.epochs] == [
        (e.id, e.valid_from, e.valid_to, e.key.public_key) for e in first.epochs
    ]
    assert loaded.overlap_s == OVERLAP_S
    assert [file.name for file in tmp_path.iterdir()] == ["keys.json"]


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "keys.json"
    save_ring(ring(), path)
    before = path.read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(key_ring.os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        save_ring(ring(), path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["keys.json"]


def test_rotation_and_overlap() -> None:
    two = ring().rotated("2026-10", 31 * DAY)
    assert two.current(NOW).id == two.current(END - 1).id == "2026-09"
    assert two.current(END).id == two.answering(None, END).id == "2026-10"
    assert two.answering("2026-09", END + OVERLAP_S - 1).id == "2026-09"
    for epoch, now in (("2026-09", END + OVERLAP_S), ("2026-09", NOW - 1), ("2026-10", END - 1), ("2026-11", END)):
        with pytest.raises(InputRejectedError, match="unknown, over, or has not begun"):
            two.answering(epoch, now)
    for now in (NOW - 1, END + 31 * DAY):
        with pytest.raises(UsageError, match="no epoch"):
            two.current(now)
    assert [epoch.id for epoch in two.without_dead(END + OVERLAP_S).epochs] == ["2026-10"]
    assert two.without_dead(END + OVERLAP_S - 1).epochs == two.epochs


def test_published_without_secrets() -> None:
    epoch = ring().epochs[0]
    published = epoch.published([generate().public_hex])
    assert published.public_keys[0] == epoch.key.public_hex
    assert epoch.key.secret_hex() not in repr(published) + repr(epoch)


def test_wrong_rings() -> None:
    one, other = new_ring("a", NOW, DAY).epochs[0], new_ring("b", NOW + DAY, DAY).epochs[0]

    def changed(**fields: Any) -> Epoch:
        given_fields = {"id": "b", "valid_from": NOW + DAY, "valid_to": NOW + 2 * DAY, "key": other.key}
        return Epoch(**(given_fields | fields))

    for epochs, overlap in (
        ([], 0),
        ([one], -1),
        ([one, changed(id="a")], 0),
        ([one, changed(key=one.key)], 0),
        ([one, changed(valid_from=NOW + DAY + 1)], 0),
        ([one, changed(valid_to=NOW + DAY)], 0),
        ([changed(id="A")], 0),
        ([changed(id="a:b")], 0),
        ([other, one], 0),
    ):
        with pytest.raises(UsageError, match="wrong ring of keys"):
            KeyRing(epochs, overlap)
    assert KeyRing([one, other]).epochs == (one, other)


def unreadable(path: Path) -> None:
    path.unlink()


def open_to_others(path: Path) -> None:
    path.chmod(0o640)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-9])


def edited(**fields: Any) -> Callable[[Path], None]:
    def edit(path: Path) -> None:
        path.write_text(json.dumps(json.loads(path.read_text()) | fields))

    return edit


def with_scalar(scalar: str) -> Callable[[Path], None]:
    def edit(path: Path) -> None:
        stored = json.loads(path.read_text())
        stored["epochs"][0]["scalar"] = scalar
        path.write_text(json.dumps(stored))

    return edit


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (unreadable, "cannot be read"),
        (open_to_others, "others may read"),
        (cut, "no ring of keys"),
        (edited(extra=1), "no ring of keys"),
        (edited(suite="P384-SHA384"), "another suite"),
        (edited(epochs=[]), "wrong ring"),
        (with_scalar("00" * 32), "a key of the ring is none"),
        (with_scalar("5e"), "a key of the ring is none"),
    ],
)
def test_spoilt_files(tmp_path: Path, spoil: Callable[[Path], None], message: str) -> None:
    path = tmp_path / "keys.json"
    save_ring(ring(), path)
    secret = json.loads(path.read_text())["epochs"][0]["scalar"]
    spoil(path)
    with pytest.raises(UsageError, match=message) as caught:
        load_ring(path)
    assert secret not in str(caught.value)


@given(st.binary())
def test_garbage(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.mktemp("ring") / "keys.json"
    path.touch(mode=0o600)
    path.write_bytes(data)
    with pytest.raises(UsageError):
        load_ring(path)
