import threading
from pathlib import Path

import pytest

from stillwatch.errors import RemoteError, UsageError
from stillwatch.sharing import overlap


def names(*numbers: int) -> list[bytes]:
    return [f"email:{number}@mail.example".encode() for number in numbers]


def test_only_the_overlap_is_learnt_and_both_logs_come_first(tmp_path: Path) -> None:
    ours: list[tuple[str, str]] = []
    theirs: list[tuple[str, str]] = []
    seen: list[set[str]] = []

    def commit(role: str, digest: str) -> None:
        seen.append({path.name for path in tmp_path.iterdir()})
        ours.append((role, digest))

    other = threading.Thread(
        target=overlap.answer, args=(tmp_path, names(2, 3, 4), lambda role, digest: theirs.append((role, digest)), 60)
    )
    other.start()
    found = overlap.ask(tmp_path, names(1, 2, 3), commit, 60)
    other.join()
    assert sorted(found) == names(2, 3)
    assert sorted(ours) == sorted(theirs)
    assert len(ours) == 2
    assert not seen[0]  # our offer was logged before anything of ours was there to be read
    assert "3-question.bin" not in seen[1]


def test_each_question_takes_a_directory_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "1-asker-offer.bin").write_bytes(b"earlier")
    with pytest.raises(UsageError, match="earlier question"):
        overlap.ask(tmp_path, names(1), lambda _role, _digest: None, 1)


def test_a_directory_is_made_where_there_is_none(tmp_path: Path) -> None:
    with pytest.raises(RemoteError, match=r"2-answerer-offer\.bin did not come"):
        overlap.ask(tmp_path / "new", names(1), lambda _role, _digest: None, 0.3)
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="cannot be made"):
        overlap.ask(tmp_path / "file", names(1), lambda _role, _digest: None, 1)


def test_a_side_that_does_not_come_is_told(tmp_path: Path) -> None:
    with pytest.raises(RemoteError, match=r"1-asker-offer\.bin did not come"):
        overlap.answer(tmp_path, names(1), lambda _role, _digest: None, 0.3)
