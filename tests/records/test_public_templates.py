from pathlib import Path

import pytest

from stillwatch.errors import UsageError
from stillwatch.records.public_templates import PublicTemplate, load_public_templates


def test_templates_in_file_order(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text('{"name":"b","text":"Q: {slot}","source":"x"}\n\n{"name":"a","text":"Say {slot}"}\n')
    assert load_public_templates(path) == (
        PublicTemplate(name="b", text="Q: {slot}"),
        PublicTemplate(name="a", text="Say {slot}"),
    )


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (b'{"name":"a","text":""}', ":1"),
        (b'{"name":"a"}', ":1"),
        (b'{"name":"a","text":"t"}\n{"name":"a","text":"u"}', ":2"),
        (b"nonsense", ":1"),
        (b"\x1f\x8b\x08broken", ":1"),
    ],
)
def test_what_is_wrong_is_told(tmp_path: Path, text: bytes, place: str) -> None:
    path = tmp_path / "t.jsonl"
    path.write_bytes(text)
    with pytest.raises(UsageError) as caught:
        load_public_templates(path)
    assert f"t.jsonl{place}" in str(caught.value)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        load_public_templates(tmp_path / "none.jsonl")
