import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from stillwatch.files import replace_file, replacing, work_directory


def test_a_file_appears_whole_and_readable_by_others(tmp_path: Path) -> None:
    replace_file(tmp_path / "a", b"new")
    assert (tmp_path / "a").read_bytes() == b"new"
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o644


def test_the_old_content_stays_until_the_stream_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")
    with replacing(path) as stream:
        stream.write(b"ne")
        stream.write(b"w")
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_failed_write_leaves_the_old_content_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")

    def write_half() -> None:
        with replacing(path) as stream:
            stream.write(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_half()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_the_work_directory_is_gone_afterwards(tmp_path: Path) -> None:
    with work_directory(tmp_path / "out") as work:
        (work / "x").write_bytes(b"1")
        assert work.parent == tmp_path / "out"
    assert list((tmp_path / "out").iterdir()) == []


def test_leftovers_of_dead_runs_go_and_those_of_living_ones_stay(tmp_path: Path) -> None:
    dead, living, odd = tmp_path / ".work-999999999", tmp_path / f".work-{os.getppid()}", tmp_path / ".work-x"
    for path in (dead, living, odd):
        path.mkdir()
    with work_directory(tmp_path):
        assert not dead.exists()
        assert not odd.exists()
        assert living.exists()


def test_a_run_of_another_user_counts_as_living(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    foreign = tmp_path / ".work-4242"
    foreign.mkdir()

    def refuse(_pid: int, _signal: int) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "kill", refuse)
    with work_directory(tmp_path):
        assert foreign.exists()


_KILLED = """
import os, signal, sys
from pathlib import Path
from stillwatch.files import replacing, work_directory
out = Path(sys.argv[1])
with work_directory(out) as work, replacing(out / "accounts.jsonl") as stream:
    (work / "part.parquet").write_bytes(b"half")
    stream.write(b"half" * 100_000)
    stream.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_run_leaves_nothing_that_looks_whole_and_the_next_one_clears_its_work(tmp_path: Path) -> None:
    replace_file(tmp_path / "accounts.jsonl", b"whole")
    killed = subprocess.run([sys.executable, "-c", _KILLED, str(tmp_path)], check=False)
    assert killed.returncode == -signal.SIGKILL
    left = sorted(path.name for path in tmp_path.iterdir())
    assert [name for name in left if not name.startswith(".")] == ["accounts.jsonl"]
    assert (tmp_path / "accounts.jsonl").read_bytes() == b"whole"
    assert any(name.startswith(".work-") for name in left)
    with work_directory(tmp_path) as work:
        assert sorted(tmp_path.iterdir()) == [work, tmp_path / "accounts.jsonl"]
        assert list(work.iterdir()) == []


def test_other_users_cannot_look_into_the_work_directory(tmp_path: Path) -> None:
    with work_directory(tmp_path) as work:
        assert work.stat().st_mode & 0o077 == 0
