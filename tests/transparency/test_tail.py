import hashlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.transparency.logs import entries

from stillwatch.errors import PolicyRefusedError
from stillwatch.transparency.tail import TAIL, Tail, _head, read_tail

QUICK = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


def filled(directory: Path, base: int = 512) -> bytes:
    tail = Tail(directory)
    tail.restart(base, entries(0, 3))
    tail.append(entries(3, 4))
    tail.append(entries(4, 9))
    tail.close()
    return (directory / TAIL).read_bytes()


def test_what_was_appended_is_read(tmp_path: Path) -> None:
    assert read_tail(tmp_path / TAIL) is None
    data = filled(tmp_path)
    content = read_tail(tmp_path / TAIL)
    assert content == (512, entries(0, 9), len(data), 0)
    tail = Tail(tmp_path)
    assert tail.recover() == content
    tail.close()


def test_a_new_tail_is_empty(tmp_path: Path) -> None:
    assert Tail(tmp_path).recover() == (0, [], 32, 0)
    assert read_tail(tmp_path / TAIL) == (0, [], 32, 0)


@given(st.data())
@QUICK
def test_a_tail_that_ends_early_keeps_its_whole_batches(tmp_path: Path, data: st.DataObject) -> None:
    whole = filled(tmp_path)
    kept = data.draw(st.integers(32, len(whole) - 1))
    zeros = data.draw(st.sampled_from([0, 0, 500]))
    (tmp_path / TAIL).write_bytes(whole[:kept])
    found = read_tail(tmp_path / TAIL)
    assert found is not None
    assert found.entries == entries(0, len(found.entries))
    assert len(found.entries) in {0, 3, 4}
    assert found.whole + found.unfinished == kept
    if not found.unfinished:
        (tmp_path / TAIL).write_bytes(whole[:kept] + bytes(zeros))
    tail = Tail(tmp_path)
    assert tail.recover().entries == found.entries
    tail.append([b"next"])
    tail.close()
    assert read_tail(tmp_path / TAIL) == (512, [*found.entries, b"next"], (tmp_path / TAIL).stat().st_size, 0)


@given(st.data())
@QUICK
def test_a_changed_bit_stops_it(tmp_path: Path, data: st.DataObject) -> None:
    changed = bytearray(filled(tmp_path))
    bit = data.draw(st.integers(0, len(changed) * 8 - 1))
    changed[bit // 8] ^= 1 << bit % 8
    (tmp_path / TAIL).write_bytes(changed)
    with pytest.raises(PolicyRefusedError, match=r"tail.*changed|tail.*not as it was"):
        Tail(tmp_path).recover()
    assert (tmp_path / TAIL).read_bytes() == changed


@pytest.mark.parametrize("data", [b"", b"stillwatch tail\n", bytes(100)])
def test_what_is_no_tail(tmp_path: Path, data: bytes) -> None:
    (tmp_path / TAIL).write_bytes(data)
    with pytest.raises(PolicyRefusedError, match="not as it was written"):
        read_tail(tmp_path / TAIL)


def test_a_batch_with_a_good_digest_that_ends_inside_an_entry(tmp_path: Path) -> None:
    tail = Tail(tmp_path)
    tail.restart(0, ())
    with (tmp_path / TAIL).open("ab") as stream:
        stream.write(_head(32, 1) + b"\x00" + hashlib.sha256(b"\x00").digest())
    with pytest.raises(PolicyRefusedError, match="inside an entry"):
        tail.recover()


def test_a_tail_that_is_far_too_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    filled(tmp_path)
    monkeypatch.setattr("stillwatch.transparency.tail._MAX_TAIL", 40)
    with pytest.raises(PolicyRefusedError, match="longer than 40 bytes"):
        read_tail(tmp_path / TAIL)
