import os
import random
import resource
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.transparency.logs import KEY, NOW, ORIGIN, PUBLIC, entries, opened, written

from stillwatch.errors import InputRejectedError, PolicyRefusedError, UsageError
from stillwatch.transparency.checkpoint import Checkpoint, parse, verify
from stillwatch.transparency.keys import SigningKey
from stillwatch.transparency.log import Log
from stillwatch.transparency.tail import TAIL
from stillwatch.transparency.tree import EMPTY_ROOT, leaf_hash, root_of
from stillwatch.transparency.verify import verify_log

_APPENDER = """
import random, sys
from pathlib import Path
from tests.transparency.logs import NOW, entries, opened
log = opened(Path(sys.argv[1]))
sizes = random.Random(int(sys.argv[2]))
print(log.size, flush=True)
while True:
    log.append(entries(log.size, log.size + sizes.choice([1, 3, 200, 700])))
    print(log.size, flush=True)
    if sizes.random() < 0.3:
        log.checkpoint(NOW)
"""

_CRASHER = """
import os, sys
from itertools import count
from pathlib import Path
from tests.transparency.logs import NOW, entries, opened, written
def crash(directory, left):
    def counted(act):
        def do(*arguments, **named):
            nonlocal left
            if left == 0:
                os._exit(9)
            left -= 1
            return act(*arguments, **named)
        return do
    written(directory, 250)
    log = opened(directory)
    os.fsync, Path.replace, Path.unlink = counted(os.fsync), counted(Path.replace), counted(Path.unlink)
    log.append(entries(250, 700))
    log.checkpoint(NOW)
    os._exit(0)
for step in count():
    child = os.fork()
    if not child:
        crash(Path(sys.argv[1]) / str(step), step)
    if os.waitpid(child, 0)[1] == 0:
        break
"""


def test_a_new_log(tmp_path: Path) -> None:
    with opened(tmp_path / "a/log") as log:
        assert log.size == 0
        assert log.append([]) == 0
        assert parse(log.checkpoint(NOW)).checkpoint == Checkpoint(ORIGIN, 0, EMPTY_ROOT)
        assert log.consistency(0, 0) == []


@given(
    sizes=st.lists(st.one_of(st.integers(0, 3), st.integers(250, 260), st.integers(0, 1_100)), max_size=6),
    sign=st.booleans(),
)
@settings(deadline=None, max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_appended_signed_and_opened_again(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], *, sign: bool
) -> None:
    directory = tmp_path_factory.mktemp("log")
    total = 0
    for size in sizes:
        with opened(directory) as log:
            assert log.append(entries(total, total + size)) == total
            total += size
            assert log.size == total
            if sign:
                assert parse(log.checkpoint(NOW)).checkpoint.size == total
    with opened(directory) as log:
        assert log.size == total
        assert [log.entry(index) for index in range(total)] == entries(0, total)
        assert log.root(total) == root_of([leaf_hash(entry) for entry in entries(0, total)])
        log.checkpoint(NOW)
    found = verify_log(directory, PUBLIC)
    assert (found.size, found.entries, found.unfinished) == (total, total, 0)


def test_a_log_that_signs_after_each_entry(tmp_path: Path) -> None:
    with opened(tmp_path) as log:
        log.append(entries(0, 250))
        for index in range(250, 260):
            log.append(entries(index, index + 1))
            note = log.checkpoint(NOW + index)
    assert verify(parse(note), PUBLIC.timed()) == NOW + 259
    assert sorted(path.name for path in (tmp_path / "tile/0/001.p").iterdir()) == ["1", "2", "3", "4"]
    assert not (tmp_path / "tile/0/000.p").exists()
    assert not (tmp_path / "tile/entries/000.p").exists()
    assert [path.name for path in (tmp_path / "tile/1/000.p").iterdir()] == ["1"]


def test_the_longest_entry_and_one_longer(tmp_path: Path) -> None:
    longest = [os.urandom(65_535) for _ in range(300)]
    with opened(tmp_path) as log:
        log.append([b"", *longest])
        with pytest.raises(InputRejectedError, match="entry 1 has 65,536 bytes"):
            log.append([b"", bytes(65_536)])
        log.append([b"after"])
        log.checkpoint(NOW)
    with opened(tmp_path) as log:
        assert [log.entry(index) for index in (0, 1, 255, 256, 300, 301)] == [
            *(b"", longest[0], longest[254], longest[255], longest[299], b"after")
        ]
    assert verify_log(tmp_path, PUBLIC).size == 302


def test_one_process_at_a_time(tmp_path: Path) -> None:
    with opened(tmp_path), pytest.raises(UsageError, match="held by another process"):
        opened(tmp_path)
    opened(tmp_path).close()


def test_a_closed_log_reads_and_does_not_write(tmp_path: Path) -> None:
    with opened(tmp_path) as log:
        log.append(entries(0, 300))
    assert log.entry(0) == b"entry 0"
    assert len(log.inclusion(0, 300)) == 9
    for act in (lambda: log.append([b""]), lambda: log.checkpoint(NOW)):
        with pytest.raises(UsageError, match="the log is closed"):
            act()


@pytest.mark.parametrize("fault", ["append", "restart"])
def test_an_error_of_the_disk_closes_the_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    log = opened(tmp_path)
    log.append(entries(0, 10))
    with monkeypatch.context() as patch:
        patch.setattr(f"stillwatch.transparency.tail.Tail.{fault}", fail)
        with pytest.raises(OSError, match="No space"):
            log.append(entries(10, 300))
    with pytest.raises(UsageError, match="the log is closed"):
        log.append([b""])
    with opened(tmp_path) as log:
        assert log.size == (10 if fault == "append" else 300)
        log.append(entries(log.size, 600))
        log.checkpoint(NOW)
    assert verify_log(tmp_path, PUBLIC).size == 600


def test_threads_append_sign_and_read(tmp_path: Path) -> None:
    faults: list[BaseException] = []

    def act(log: Log, number: int) -> None:
        try:
            for step in range(30):
                first = log.append([b"%d %d %d" % (number, step, part) for part in range(20)])
                assert log.entry(first) == b"%d %d 0" % (number, step)
                log.checkpoint(NOW)
                log.inclusion(first, log.size)
        except BaseException as fault:  # noqa: BLE001 - told by the thread that waits
            faults.append(fault)

    with opened(tmp_path) as log:
        threads = [threading.Thread(target=act, args=(log, number)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert faults == []
    assert verify_log(tmp_path, PUBLIC).size == 2_400


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_a_killed_log_holds_all_that_was_acknowledged(tmp_path: Path, seed: int) -> None:
    wait = random.Random(seed)
    acknowledged = 0
    for _ in range(2):
        process = subprocess.Popen(
            [sys.executable, "-c", _APPENDER, str(tmp_path), str(seed)], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        assert int(process.stdout.readline()) >= acknowledged
        time.sleep(wait.random() * 0.3)
        process.send_signal(signal.SIGKILL)
        said = process.communicate()[0].splitlines()
        acknowledged = int(said[-1]) if said else acknowledged
        with opened(tmp_path) as log:
            assert log.size >= acknowledged
            for index in range(0, log.size, 89):
                assert log.entry(index) == b"entry %d" % index
            log.checkpoint(NOW)
        assert verify_log(tmp_path, PUBLIC).entries >= acknowledged


@pytest.mark.slow
def test_a_crash_at_each_step_of_an_append(tmp_path: Path) -> None:
    """Stop the process before each rename and each wait for the disk, in turn, until an append comes through."""
    subprocess.run([sys.executable, "-c", _CRASHER, str(tmp_path)], check=True)
    directories = list(tmp_path.iterdir())
    assert len(directories) > 20
    for directory in directories:
        with opened(directory) as log:
            assert log.size in {250, 700}
            assert [log.entry(index) for index in range(240, log.size)] == entries(240, log.size)
            log.append(entries(log.size, 900))
            log.checkpoint(NOW)
        assert verify_log(directory, PUBLIC).size == 900
        assert not list(directory.glob(".work-*"))


def test_a_log_that_was_cut_or_changed_is_not_continued(tmp_path: Path) -> None:
    written(tmp_path, 600)
    tail = (tmp_path / TAIL).read_bytes()
    (tmp_path / TAIL).write_bytes(tail[:-1])
    with pytest.raises(PolicyRefusedError, match="it holds 512 entries, its checkpoint says 600"):
        opened(tmp_path)
    (tmp_path / TAIL).unlink()
    with pytest.raises(PolicyRefusedError, match="has a checkpoint and no tail"):
        opened(tmp_path)
    (tmp_path / TAIL).write_bytes(tail)
    tile = tmp_path / "tile/0/001"
    tile.write_bytes(bytes(32) + tile.read_bytes()[32:])
    with pytest.raises(PolicyRefusedError, match="its first 600 entries are not those signed"):
        opened(tmp_path)


def test_a_log_of_someone_else_is_not_continued(tmp_path: Path) -> None:
    written(tmp_path, 3)
    with pytest.raises(UsageError, match=f"the log of {ORIGIN}, not of other.example"):
        Log(tmp_path, "other.example", KEY)
    with pytest.raises(PolicyRefusedError, match="no signature of the key"):
        Log(tmp_path, ORIGIN, SigningKey(ORIGIN, b"\x01" * 32))
    with pytest.raises(UsageError, match="origin of a log"):
        Log(tmp_path, "with space", KEY)
    (tmp_path / "checkpoint").write_bytes(b"nothing")
    with pytest.raises(PolicyRefusedError, match="no signed checkpoint"):
        opened(tmp_path)


def test_memory_does_not_grow_with_the_log(tmp_path: Path) -> None:
    with opened(tmp_path) as log:
        log.append([os.urandom(1_000) for _ in range(2_000)])
        log.checkpoint(NOW)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for _ in range(20):
            log.append([os.urandom(1_000) for _ in range(2_000)])
        log.checkpoint(NOW)
    assert verify_log(tmp_path, PUBLIC).size == 42_000
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 15_000  # KiB; the log has 42 MB
