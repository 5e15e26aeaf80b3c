import os
from pathlib import Path

import msgspec
import pytest
from tests.enforcement.factories import verdict

from stillwatch.enforcement.state.verdict_file import VerdictFile, read_verdicts
from stillwatch.errors import UsageError


def write(path: Path, *accounts: str) -> None:
    lines = [msgspec.json.encode(verdict(account)) for account in accounts]
    path.with_suffix(".new").write_bytes(b"\n".join(lines) + b"\n")
    path.with_suffix(".new").replace(path)


def test_a_replaced_file_is_read_once(tmp_path: Path) -> None:
    path = tmp_path / "verdicts.jsonl"
    file = VerdictFile(path)
    assert file.read_if_new() is None
    write(path, "a")
    os.utime(path, (1000, 1000))
    loaded = file.read_if_new()
    assert loaded is not None
    assert {account: one.set_s for account, one in loaded.found.items()} == {"a": 1000}
    assert file.read_if_new() is None
    write(path, "b", "c")
    again = file.read_if_new()
    assert again is not None
    assert len(again.found) == 2


@pytest.mark.parametrize("line", [b"{}", b"not json", b"\xff", b'{"account_id": "a", "action": "shoot"}'])
def test_a_wrong_line_is_named_and_not_tried_again(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "verdicts.jsonl"
    write(path, "a")
    path.write_bytes(path.read_bytes() + line + b"\n")
    file = VerdictFile(path)
    with pytest.raises(UsageError, match=r"verdicts\.jsonl:2: no verdict"):
        file.read_if_new()
    assert file.read_if_new() is None


def test_bands_are_hexadecimal_and_files_are_there(tmp_path: Path) -> None:
    path = tmp_path / "verdicts.jsonl"
    path.write_bytes(msgspec.json.encode(verdict("a", template_bands=["xyz"])))
    with pytest.raises(UsageError, match="no verdict"):
        list(read_verdicts(path))
    with pytest.raises(UsageError, match="cannot be read"):
        list(read_verdicts(tmp_path / "none"))
