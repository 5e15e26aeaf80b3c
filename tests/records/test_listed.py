from pathlib import Path

import msgspec
import pytest

from stillwatch.errors import UsageError
from stillwatch.records.listed import ListedFile


class Entry(msgspec.Struct):
    name: str


def listed(path: Path, content: bytes) -> ListedFile:
    path.write_bytes(content)
    return ListedFile(path, Entry, "one object a line")


def test_entries_come_with_their_lines_and_empty_lines_are_passed_over(tmp_path: Path) -> None:
    found = list(listed(tmp_path / "x.jsonl", b'{"name": "a"}\n\n  \n{"name": "b"}'))
    assert [(number, entry.name) for number, entry in found] == [(1, "a"), (4, "b")]


@pytest.mark.parametrize("line", [b"{", b"[]", b'{"name": 7}', b"\xff", b'{"other": "a"}', b'{"name": "\x00"}'])
def test_a_wrong_line_is_told_with_its_number_and_what_to_do(tmp_path: Path, line: bytes) -> None:
    with pytest.raises(UsageError, match=r"(?s)x\.jsonl:2: .*-> one object a line"):
        list(listed(tmp_path / "x.jsonl", b'{"name": "a"}\n' + line + b"\n"))
