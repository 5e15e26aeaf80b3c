from pathlib import Path

import pytest
from tests.enforcement.factories import NOW
from tests.records.indicators import indicator, write

from stillwatch.enforcement.state.received_file import ReceivedFile
from stillwatch.errors import UsageError


def test_a_replaced_file_is_read_once(tmp_path: Path) -> None:
    path = tmp_path / "received.jsonl"
    file = ReceivedFile(path, lambda: NOW)
    assert file.read_if_new() is None
    write(path, [indicator(1, template_bands=["0" * 15 + "5"])])
    reports = file.read_if_new()
    assert reports is not None
    assert list(reports.by_band) == [5]
    assert file.read_if_new() is None
    write(path, [])
    emptied = file.read_if_new()
    assert emptied is not None
    assert not emptied.by_band


def test_a_wrong_line_is_named_and_not_tried_again(tmp_path: Path) -> None:
    path = tmp_path / "received.jsonl"
    path.write_bytes(b"half a li")
    file = ReceivedFile(path, lambda: NOW)
    with pytest.raises(UsageError, match=r"received\.jsonl:1"):
        file.read_if_new()
    assert file.read_if_new() is None
