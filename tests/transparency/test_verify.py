import shutil
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.transparency.logs import KEY, NOW, ORIGIN, PUBLIC, entries, opened, written

from stillwatch.errors import PolicyRefusedError
from stillwatch.transparency.checkpoint import Checkpoint, parse, sign
from stillwatch.transparency.keys import SigningKey
from stillwatch.transparency.tail import TAIL
from stillwatch.transparency.tiles import TILE_SIZE
from stillwatch.transparency.tree import EMPTY_ROOT
from stillwatch.transparency.verify import verify_log

QUICK = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
SMALL = 601


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log with full tiles, partial tiles of several sizes, and entries behind its checkpoint."""
    directory = tmp_path_factory.mktemp("small")
    for size in (100, 300, 520, SMALL):
        written(directory, size)
    written(directory, SMALL + 2, signed=False)
    return directory


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log with full tiles of two levels."""
    directory = tmp_path_factory.mktemp("large")
    written(directory, 66_000)
    return directory


@pytest.fixture(scope="module")
def copy(small: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a member fetched from the hub."""
    directory = tmp_path_factory.mktemp("copies") / "copy"
    shutil.copytree(small, directory, ignore=shutil.ignore_patterns(TAIL, "lock"))
    return directory


def files(directory: Path) -> list[str]:
    return sorted(
        str(path.relative_to(directory)) for path in directory.rglob("*") if path.is_file() and path.name != "lock"
    )


def test_a_log_that_holds(small: Path) -> None:
    found = verify_log(small, PUBLIC)
    assert (found.origin, found.size, found.time, found.key) == (ORIGIN, SMALL, int(NOW), PUBLIC.text)
    assert (found.entries, found.unfinished, found.checkpoints) == (SMALL + 2, 0, 0)
    assert verify_log(small, PUBLIC.timed()).size == SMALL
    assert verify_log(small).key is None


@pytest.mark.parametrize("size", [0, 1, 255, 256, 257, 512])
def test_logs_of_any_size_and_their_copies(tmp_path: Path, size: int) -> None:
    written(tmp_path / "log", size)
    assert verify_log(tmp_path / "log", PUBLIC).entries == size
    shutil.copytree(tmp_path / "log", tmp_path / "copy", ignore=shutil.ignore_patterns(TAIL, "lock"))
    assert verify_log(tmp_path / "copy", PUBLIC).entries == size


def test_each_file_flipped_and_cut(small: Path) -> None:
    names = files(small)
    assert {"checkpoint", TAIL, "tile/0/000", "tile/0/002.p/8", "tile/entries/001", "tile/1/000.p/2"} <= set(names)
    for name in names:
        check_change(small, name, 0, cut=False)
        check_change(small, name, (small / name).stat().st_size * 8 - 1, cut=False)
        if name != TAIL:  # cutting what was never signed cannot be seen: below
            check_change(small, name, 0, cut=True)


@given(st.data())
@QUICK
def test_any_bit_of_any_file(small: Path, copy: Path, data: st.DataObject) -> None:
    directory = data.draw(st.sampled_from([small, copy]))
    name = data.draw(st.sampled_from(files(directory)))
    bit = data.draw(st.integers(0, (directory / name).stat().st_size * 8 - 1))
    cut = data.draw(st.booleans()) and name != TAIL
    check_change(directory, name, bit, cut=cut)


@given(st.data())
@settings(QUICK, max_examples=4)
def test_any_bit_of_a_log_of_two_levels(large: Path, data: st.DataObject) -> None:
    name = data.draw(
        st.sampled_from(["tile/1/000", "tile/2/000.p/1", "tile/1/001.p/1", "tile/0/255", "tile/0/257.p/208"])
    )
    bit = data.draw(st.integers(0, (large / name).stat().st_size * 8 - 1))
    check_change(large, name, bit, cut=False)


def check_change(directory: Path, name: str, bit: int, *, cut: bool) -> None:
    """Change a bit, or cut the file at it, see it found by name, and put it back."""
    path = directory / name
    whole = path.read_bytes()
    changed = bytearray(whole)
    changed[bit // 8] ^= 1 << bit % 8
    path.write_bytes(whole[: bit // 8] if cut else changed)
    try:
        with pytest.raises(PolicyRefusedError) as caught:
            verify_log(directory, PUBLIC)
    finally:
        path.write_bytes(whole)
    said = str(caught.value)
    tile = name.partition(".p/")[0]
    assert tile in said or (name.startswith("tile/entries/") and tile.replace("entries", "0") in said), said


def test_the_entry_that_was_changed_is_named(small: Path) -> None:
    path = small / "tile/entries/001"
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b"entry 300", b"entry 3O0"))
    try:
        with pytest.raises(PolicyRefusedError, match="tile/0/001 does not fit entry 300"):
            verify_log(small, PUBLIC)
    finally:
        path.write_bytes(whole)


@pytest.mark.parametrize("name", ["tile/entries/000", "tile/0/001", "tile/0/002.p/89", "tile/entries/002.p/89"])
def test_a_file_that_was_taken_out(small: Path, tmp_path: Path, name: str) -> None:
    shutil.copytree(small, tmp_path / "log")
    (tmp_path / "log" / name).unlink()
    with pytest.raises(PolicyRefusedError, match=f"{name} is missing"):
        verify_log(tmp_path / "log", PUBLIC)


def test_a_log_cut_behind_its_checkpoint_shows_only_to_who_kept_one(tmp_path: Path) -> None:
    written(tmp_path, 300)
    old = {name: (tmp_path / name).read_bytes() for name in files(tmp_path)}
    kept = written(tmp_path, 301)
    shutil.rmtree(tmp_path / "tile")
    for name, data in old.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
    assert verify_log(tmp_path, PUBLIC).size == 300
    with pytest.raises(PolicyRefusedError, match=r"kept\.txt: the log was cut: it holds 300 entries.* says 301"):
        verify_log(tmp_path, PUBLIC, {"kept.txt": parse(kept)})


def test_a_tail_cut_below_the_checkpoint(tmp_path: Path) -> None:
    written(tmp_path, 300)
    path = tmp_path / TAIL
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(PolicyRefusedError, match=r"checkpoint: the log was cut: it holds 256 .* says 300"):
        verify_log(tmp_path, PUBLIC)


def test_an_append_that_was_killed_is_told_and_no_fault(small: Path, tmp_path: Path) -> None:
    shutil.copytree(small, tmp_path / "log")
    path = tmp_path / "log" / TAIL
    path.write_bytes(path.read_bytes()[:-5])
    found = verify_log(tmp_path / "log", PUBLIC)
    assert found.size == found.entries == SMALL
    assert found.unfinished > 0


def test_a_killed_append_whose_tiles_are_not_written_yet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path, 200)
    log = opened(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr("stillwatch.transparency.log.write_durably", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            log.append(entries(200, 900))
    found = verify_log(tmp_path, PUBLIC)
    assert (found.size, found.entries) == (200, 900)


def test_forks(tmp_path: Path) -> None:
    written(tmp_path / "log", 300)
    with opened(tmp_path / "other") as other:
        other.append([b"another"])
        first = other.checkpoint(NOW)
        other.append(entries(1, 300))
        second = other.checkpoint(NOW)
    for note, size in ((first, 1), (second, 300)):
        with pytest.raises(
            PolicyRefusedError, match=f"theirs: the log was changed or forked: its first {size} entries"
        ):
            verify_log(tmp_path / "log", PUBLIC, {"theirs": parse(note)})


def test_known_checkpoints_that_the_log_continues(tmp_path: Path) -> None:
    empty = sign(Checkpoint(ORIGIN, 0, EMPTY_ROOT), KEY, NOW)
    known = {str(size): parse(written(tmp_path, size)) for size in (5, 256, 700, 900)}
    written(tmp_path, 901)
    assert verify_log(tmp_path, PUBLIC, {"empty": parse(empty), **known}).checkpoints == 5
    assert verify_log(tmp_path, None, known).checkpoints == 4


def test_a_known_checkpoint_of_another_log_or_key(small: Path) -> None:
    other = SigningKey(ORIGIN, b"\x01" * 32)
    root = bytes(32)
    with pytest.raises(PolicyRefusedError, match=r"theirs: a checkpoint of other\.example"):
        verify_log(small, PUBLIC, {"theirs": parse(sign(Checkpoint("other.example", 1, root), KEY, NOW))})
    with pytest.raises(PolicyRefusedError, match="theirs: no signature of the key"):
        verify_log(small, PUBLIC, {"theirs": parse(sign(Checkpoint(ORIGIN, 1, root), other, NOW))})
    with pytest.raises(PolicyRefusedError, match="checkpoint: no signature of the key"):
        verify_log(small, other.verifying)


def test_a_log_rewritten_as_a_whole_shows_by_its_key(tmp_path: Path) -> None:
    with opened(tmp_path) as log:
        log.append([b"what suits"])
        root = log.root(1)
    (tmp_path / "checkpoint").write_bytes(sign(Checkpoint(ORIGIN, 1, root), SigningKey(ORIGIN, b"\x01" * 32), NOW))
    with opened(tmp_path / "right") as right:
        right.append([b"what suits"])
        right.checkpoint(NOW)
    shutil.copytree(tmp_path / "right/tile", tmp_path / "tile")
    assert verify_log(tmp_path).size == 1
    with pytest.raises(PolicyRefusedError, match="no signature of the key"):
        verify_log(tmp_path, PUBLIC)


@pytest.mark.parametrize(("note", "fault"), [(None, "has no checkpoint"), (b"x" * 70_000, "longer than 65,536")])
def test_a_log_without_a_checkpoint(tmp_path: Path, note: bytes | None, fault: str) -> None:
    written(tmp_path, 3, signed=False)
    if note is not None:
        (tmp_path / "checkpoint").write_bytes(note)
    with pytest.raises(PolicyRefusedError, match=fault):
        verify_log(tmp_path, PUBLIC)


def test_what_a_growing_log_writes_meanwhile_is_no_fault(small: Path, tmp_path: Path) -> None:
    """A full tile in place of the partial one, a wider partial tile, a name that is none of ours."""
    shutil.copytree(small, tmp_path / "log")
    parts = tmp_path / "log/tile/0/002.p"
    (parts / "200").write_bytes(bytes(200 * 32))
    (parts / "notes").write_bytes(b"")
    (parts / "089x").write_bytes(b"")
    assert verify_log(tmp_path / "log", PUBLIC).size == SMALL
    (parts / "89").unlink()
    (tmp_path / "log/tile/0/002").write_bytes(bytes(TILE_SIZE))
    assert verify_log(tmp_path / "log", PUBLIC).size == SMALL


def test_a_log_is_verified_while_it_grows(tmp_path: Path) -> None:
    written(tmp_path, 10)
    stop = threading.Event()

    def grow() -> None:
        with opened(tmp_path) as log:
            while not stop.is_set():
                log.append(entries(log.size, log.size + log.size % 300 + 1))
                log.checkpoint(NOW)

    grower = threading.Thread(target=grow)
    grower.start()
    try:
        sizes = [verify_log(tmp_path, PUBLIC).size for _ in range(30)]
    finally:
        stop.set()
        grower.join()
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[-1]


@pytest.mark.parametrize("name", ["checkpoint", TAIL, "tile/0/000", "tile/entries/001", "tile/0/002.p/89"])
def test_a_directory_in_the_place_of_a_file(small: Path, tmp_path: Path, name: str) -> None:
    shutil.copytree(small, tmp_path / "log")
    (tmp_path / "log" / name).unlink()
    (tmp_path / "log" / name).mkdir()
    with pytest.raises(PolicyRefusedError, match=name):
        verify_log(tmp_path / "log", PUBLIC)


def test_a_partial_tile_that_goes_while_we_read(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stillwatch.transparency.verify._widths", lambda _folder: [33])
    assert verify_log(small, PUBLIC).size == SMALL
