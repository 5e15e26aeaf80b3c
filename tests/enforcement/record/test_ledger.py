import errno
from pathlib import Path
from typing import BinaryIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.enforcement.factories import NOW

from stillwatch.enforcement.record import ledger as module
from stillwatch.enforcement.record.ledger import GENESIS, Entry, Ledger, verify
from stillwatch.errors import InputRejectedError
from stillwatch.identifiers import DecisionIds

IDS = DecisionIds()


def entry(ts: float = NOW, **more: object) -> Entry:
    fields = {"action": "block", "mode": "enforce", "reason_code": "r", "transport": "native", "inputs": "00", **more}
    return Entry(decision_id=IDS.make(ts), ts=ts, policy_id="p", policy_version="1", **fields)  # type: ignore[arg-type]


def written(directory: Path, moments: list[float]) -> list[Entry]:
    ledger, entries = Ledger(directory), [entry(ts) for ts in moments]
    for one in entries:
        ledger.append(one)
    ledger.close()
    return entries


def test_what_was_written_is_found_and_verified(tmp_path: Path) -> None:
    entries = written(tmp_path, [NOW + 0.01 * number for number in range(3000)] + [NOW + 4000, NOW + 9000])
    ledger = Ledger(tmp_path)
    assert list(ledger.entries()) == entries
    for one in (entries[0], entries[1234], entries[2999], entries[-1]):
        assert ledger.find(one.decision_id) == one
    assert ledger.find(IDS.make(NOW + 5)) is None
    assert ledger.find(IDS.make(NOW - 10**6)) is None
    with pytest.raises(ValueError, match="UUID"):
        ledger.find("no id")
    head = verify(tmp_path)
    assert (head.lines, head.chain) == (3002, ledger.chain)
    assert len(list(tmp_path.glob("*.jsonl"))) == 3


@given(place=st.integers(0, 10**6), flip=st.integers(1, 255))
def test_one_byte_changed_is_found(tmp_path_factory: pytest.TempPathFactory, place: int, flip: int) -> None:
    directory = tmp_path_factory.mktemp("ledger")
    written(directory, [NOW + number for number in range(6)])
    path = next(directory.glob("*.jsonl"))
    data = bytearray(path.read_bytes())
    data[place % len(data)] ^= flip
    path.write_bytes(bytes(data))
    with pytest.raises(InputRejectedError, match="the chain of decisions breaks here"):
        verify(directory)


@pytest.mark.parametrize(
    "change", [lambda lines: lines[1:], lambda lines: lines[:2] + lines[3:], lambda lines: lines[::-1]]
)
def test_lines_taken_out_or_moved_are_found(tmp_path: Path, change: object) -> None:
    written(tmp_path, [NOW + number for number in range(5)])
    path = next(tmp_path.glob("*.jsonl"))
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(change(lines)))  # type: ignore[operator]
    with pytest.raises(InputRejectedError) as raised:
        verify(tmp_path)
    assert raised.value.where is not None
    assert raised.value.where.line is not None


@pytest.mark.parametrize("kept", [0, 1, 100, 101])
def test_a_killed_process_leaves_a_log_that_goes_on(tmp_path: Path, kept: int) -> None:
    written(tmp_path, [NOW, NOW + 1, NOW + 4000])
    last = max(tmp_path.glob("*.jsonl"))
    last.write_bytes(last.read_bytes()[:kept])
    ledger = Ledger(tmp_path)
    ledger.append(entry(NOW + 4001))
    ledger.close()
    assert verify(tmp_path).lines == 3


def test_an_empty_log_and_a_clock_that_goes_back(tmp_path: Path) -> None:
    assert verify(tmp_path).chain == GENESIS
    assert Ledger(tmp_path).chain == GENESIS
    written(tmp_path, [NOW, NOW - 7200, NOW + 1])
    assert verify(tmp_path).lines == 3
    assert len(list(tmp_path.glob("*.jsonl"))) == 1


def test_a_log_that_another_hand_wrote_to_is_refused(tmp_path: Path) -> None:
    written(tmp_path, [NOW])
    path = next(tmp_path.glob("*.jsonl"))
    path.write_bytes(path.read_bytes() + b'{"decision_id":"x"}\n')
    with pytest.raises(InputRejectedError, match="ends in a line that is not its own"):
        Ledger(tmp_path)


def test_a_full_disk_keeps_what_was_appended_for_the_next_try(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = Ledger(tmp_path)
    ledger.append(entry())
    ledger.flush()
    real = module.write_whole

    def full(stream: BinaryIO, data: bytes) -> None:
        real(stream, data[:20])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(module, "write_whole", full)
    ledger.append(entry())
    with pytest.raises(OSError, match="No space"):
        ledger.flush()
    assert verify(tmp_path).lines == 1
    monkeypatch.undo()
    ledger.append(entry())
    ledger.close()
    assert verify(tmp_path).lines == 3
