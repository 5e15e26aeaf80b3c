from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.transparency.logs import KEY, NOW, ORIGIN, PUBLIC, entries, opened

from stillwatch.errors import PolicyRefusedError
from stillwatch.transparency.checkpoint import Checkpoint, parse, sign, verify
from stillwatch.transparency.keys import SigningKey
from stillwatch.transparency.log import Log
from stillwatch.transparency.witness import Witness

WITNESS = SigningKey("witness.example", b"\x08" * 32)


def witness(directory: Path) -> Witness:
    return Witness(directory / "witness" / "last", WITNESS, ORIGIN, PUBLIC)


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    with opened(tmp_path / "log") as log:
        log.append(entries(0, 300))
        yield log


def test_growth_is_witnessed_and_remembered(tmp_path: Path, log: Log) -> None:
    assert witness(tmp_path).last() is None
    first = log.checkpoint(NOW)
    line = witness(tmp_path).cosign(first, [], NOW + 1)
    assert verify(parse(first + line), WITNESS.verifying.timed()) == NOW + 1
    witness(tmp_path).cosign(log.checkpoint(NOW + 2), [], NOW + 2)
    log.append(entries(300, 700))
    note = log.checkpoint(NOW + 3)
    line = witness(tmp_path).cosign(note, log.consistency(300, 700), NOW + 4)
    assert verify(parse(note + line), PUBLIC.timed()) == NOW + 3
    assert witness(tmp_path).last() == Checkpoint(ORIGIN, 700, log.root(700))


def test_a_roll_back_is_refused(tmp_path: Path, log: Log) -> None:
    old = log.checkpoint(NOW)
    log.append(entries(300, 301))
    witness(tmp_path).cosign(log.checkpoint(NOW), [], NOW)
    with pytest.raises(PolicyRefusedError, match="roll-back: the log had 301 entries and now says 300"):
        witness(tmp_path).cosign(old, [], NOW)


def test_a_fork_is_refused_and_the_memory_stays(tmp_path: Path, log: Log) -> None:
    witness(tmp_path).cosign(log.checkpoint(NOW), [], NOW)
    with opened(tmp_path / "other") as other:
        other.append([b"another", *entries(1, 300)])
        with pytest.raises(PolicyRefusedError, match="fork: two checkpoints of 300 entries"):
            witness(tmp_path).cosign(other.checkpoint(NOW), [], NOW)
        other.append(entries(300, 400))
        for proof in ([], other.consistency(300, 400), log.consistency(200, 300)):
            with pytest.raises(PolicyRefusedError, match="not shown to begin with the 300 seen"):
                witness(tmp_path).cosign(other.checkpoint(NOW), proof, NOW)
    assert witness(tmp_path).last() == Checkpoint(ORIGIN, 300, log.root(300))


def test_only_checkpoints_of_the_log_are_witnessed(tmp_path: Path) -> None:
    root = bytes(32)
    other = SigningKey(ORIGIN, b"\x01" * 32)
    for note, fault in (
        (b"nothing", "no signed checkpoint"),
        (sign(Checkpoint("other.example", 1, root), KEY, NOW), "a checkpoint of other.example"),
        (sign(Checkpoint(ORIGIN, 1, root), other, NOW), "no signature of the key"),
    ):
        with pytest.raises(PolicyRefusedError, match=fault):
            witness(tmp_path).cosign(note, [], NOW)
    assert witness(tmp_path).last() is None


def test_a_changed_memory_is_noticed(tmp_path: Path, log: Log) -> None:
    witness(tmp_path).cosign(log.checkpoint(NOW), [], NOW)
    path = tmp_path / "witness" / "last"
    path.write_bytes(path.read_bytes().replace(b"\n300\n", b"\n200\n"))
    with pytest.raises(PolicyRefusedError, match=r"last: the memory of the witness does not hold"):
        witness(tmp_path).cosign(log.checkpoint(NOW), [], NOW)
