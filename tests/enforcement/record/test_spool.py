import errno
from pathlib import Path

import pytest
from tests.enforcement.factories import NOW

from stillwatch.enforcement.record import spool as module
from stillwatch.enforcement.record.spool import Spool


def lines(directory: Path) -> list[bytes]:
    return [line for path in sorted(directory.glob("*.jsonl")) for line in path.read_bytes().splitlines()]


def test_lines_by_day(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.add([b"1", b"2"], NOW)
    spool.add([], NOW)
    spool.add([b"3"], NOW + 86_400)
    spool.close()
    assert lines(tmp_path) == [b"1", b"2", b"3"]
    assert len(list(tmp_path.iterdir())) == 2


def test_half_a_line_of_a_killed_process_spoils_nothing(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.add([b"1"], NOW)
    spool.close()
    path = next(tmp_path.iterdir())
    path.write_bytes(path.read_bytes() + b'{"half')
    spool = Spool(tmp_path)
    spool.add([b"2"], NOW)
    spool.close()
    assert lines(tmp_path) == [b"1", b'{"half', b"2"]


def test_a_full_disk_is_told_and_nothing_later_is_spoiled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = Spool(tmp_path)
    real = module.write_whole

    def full(stream: object, data: bytes) -> None:
        real(stream, data[:3])  # type: ignore[arg-type]
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(module, "write_whole", full)
    with pytest.raises(OSError, match="No space"):
        spool.add([b'{"long": 1}'], NOW)
    monkeypatch.undo()
    spool.add([b"2"], NOW)
    spool.close()
    assert lines(tmp_path)[-1] == b"2"
