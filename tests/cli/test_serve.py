from pathlib import Path

import pytest

from stillwatch.cli.serve import read_keys
from stillwatch.errors import UsageError


def test_a_key_map(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    path.write_text('{"AbC": "kim"}')
    assert read_keys(path) == {"abc": "kim"}


@pytest.mark.parametrize("text", ["", "[]", '{"a": 5}', "\ufffe"])
def test_files_that_are_none(tmp_path: Path, text: str) -> None:
    path = tmp_path / "keys.json"
    path.write_text(text)
    with pytest.raises(UsageError, match="no key map"):
        read_keys(path)
