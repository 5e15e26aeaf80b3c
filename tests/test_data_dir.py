from pathlib import Path

import pytest

from stillwatch.data_dir import alone, make_data_dir
from stillwatch.errors import UsageError


def test_a_directory_is_one_process_s(tmp_path: Path) -> None:
    with alone(tmp_path), pytest.raises(UsageError, match="in use"), alone(tmp_path):
        pass


def test_a_directory_in_which_nothing_can_be_written() -> None:
    with pytest.raises(UsageError, match="nothing can be written"), alone(Path("/proc/self")):
        pass


def test_a_directory_is_its_owner_s(tmp_path: Path) -> None:
    made = tmp_path / "a" / "b"
    make_data_dir(made)
    make_data_dir(made)
    assert made.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("name", ["file/below", "a\0b"])
def test_a_directory_that_cannot_be_made(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="cannot be made"):
        make_data_dir(tmp_path / name)
