import gzip
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.records import lines as unit
from stillwatch.records.lines import Block, Defect, read_lines


def content(path: Path) -> tuple[list[tuple[int, int, bytes]], list[Defect]]:
    found, defects = [], []
    for item in read_lines(path):
        if isinstance(item, Defect):
            defects.append(item)
        else:
            found += [(*item.place(index), line) for index, line in enumerate(item.lines)]
    return found, defects


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unit, "_READ_BYTES", 7)
    monkeypatch.setattr(unit, "BLOCK_BYTES", 16)
    monkeypatch.setattr(unit, "MAX_LINE_BYTES", 20)


@pytest.mark.parametrize("kind", ["plain", "gzip", "zstd", "zstd frames", "gzip members"])
def test_lines_numbers_and_offsets(tmp_path: Path, kind: str) -> None:
    data = b"one\ntwo\r\n\nthree"
    packed = {
        "plain": data,
        "gzip": gzip.compress(data),
        "zstd": zstandard.compress(data),
        "zstd frames": zstandard.compress(data[:6]) + zstandard.compress(data[6:]),
        "gzip members": gzip.compress(data[:6]) + gzip.compress(data[6:]),
    }[kind]
    path = tmp_path / "log"
    path.write_bytes(packed)
    found, defects = content(path)
    assert found == [(1, 0, b"one"), (2, 4, b"two\r"), (3, 9, b""), (4, 10, b"three")]
    assert defects == []


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress])
def test_a_truncated_stream_gives_what_came_before(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    data = b"".join(b"line %d with some words in it\n" % number for number in range(20_000))
    path = tmp_path / "log"
    packed = pack(data)
    path.write_bytes(packed[: len(packed) // 2])
    found, [defect] = content(path)
    assert defect.reason == "truncated_compression"
    assert 0 < len(found) < 20_000
    read = b"\n".join(line for _, _, line in found)
    assert data.startswith(read)
    assert defect.offset == len(read)


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress])
def test_a_damaged_stream(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    packed = pack(bytes(range(256)) * 1000)
    path = tmp_path / "log"
    path.write_bytes(packed[:12] + b"\xff" * 40)
    [defect] = content(path)[1]
    assert defect.reason in {"corrupt_compression", "truncated_compression"}  # zstd cannot always tell the two apart


def test_a_plain_file_named_gz_is_corrupt_and_an_empty_one_is_empty(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl.gz"
    path.write_bytes(b"{}\n")
    assert [defect.reason for defect in content(path)[1]] == ["corrupt_compression"]
    path.write_bytes(b"")
    assert content(path) == ([], [])


def test_byte_order_mark_is_no_content(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"\xef\xbb\xbf{}\n")
    assert content(path)[0] == [(1, 3, b"{}")]


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("end", [b"", b"\n", b"\nlast"])
def test_an_endless_line_is_skipped_without_being_held(tmp_path: Path, end: bytes) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"first\n" + b"x" * 1000 + end)
    found, [defect] = content(path)
    assert (defect.reason, defect.line, defect.offset) == ("line_too_long", 2, 6)
    assert defect.sample.startswith(b"xxx")
    assert found == [(1, 0, b"first")] + ([(3, 1007, b"last")] if end == b"\nlast" else [])


@given(st.lists(st.binary(max_size=40).map(lambda line: line.replace(b"\n", b"")), max_size=30), st.integers(1, 9))
def test_every_byte_is_a_line_or_a_defect(
    tmp_path_factory: pytest.TempPathFactory, given: list[bytes], size: int
) -> None:
    path = tmp_path_factory.mktemp("lines") / "log"
    data = b"\n".join(given)
    path.write_bytes(b"#" + data)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(unit, "_READ_BYTES", size)
        patch.setattr(unit, "BLOCK_BYTES", 16)
        patch.setattr(unit, "MAX_LINE_BYTES", 20)
        found, defects = content(path)
    lines = (b"#" + data).split(b"\n")
    assert all(lines[number - 1] == line for number, _, line in found)
    assert all((b"#" + data)[offset : offset + len(line)] == line for _, offset, line in found)
    long = {number for number, line in enumerate(lines, 1) if len(line) > 20}
    assert {defect.line for defect in defects} == long
    said = {number for number, _, _ in found} | long
    assert said >= {number for number, line in enumerate(lines, 1) if line}


def test_place_needs_no_line_before() -> None:
    block = Block(5, 100, [b"ab", b"", b"c"])
    assert [block.place(index) for index in range(3)] == [(5, 100), (6, 103), (7, 104)]
