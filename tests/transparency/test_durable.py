import multiprocessing
from pathlib import Path

import pytest

from stillwatch.errors import UsageError
from stillwatch.transparency.durable import clear_unfinished, held, write_durably


def test_files_in_new_folders(tmp_path: Path) -> None:
    write_durably(tmp_path, {"a/b/c": b"1", "d": b"2"})
    assert (tmp_path / "a/b/c").read_bytes() == b"1"
    assert (tmp_path / "d").stat().st_mode & 0o777 == 0o644
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "d"]


def test_a_failed_write_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with pytest.raises(IsADirectoryError):
        write_durably(tmp_path, {"a": b"1"})
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_leftovers_are_cleared(tmp_path: Path) -> None:
    (tmp_path / ".work-x").write_bytes(b"half")
    (tmp_path / "kept").write_bytes(b"")
    clear_unfinished(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def _hold(path: Path) -> None:
    with held(path):
        pass


def test_one_holder_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with held(path), pytest.raises(UsageError, match="held by another process"), held(path):
        pass
    process = multiprocessing.get_context("spawn").Process(target=_hold, args=(path,))
    process.start()
    process.join()
    assert process.exitcode == 0
