from pathlib import Path

import pytest

from stillwatch.enforcement.backtest.labels import read_labels
from stillwatch.errors import UsageError

GOOD = {
    "truth.json": '{"accounts": {"a": {"label": "campaign", "cohort": "c"}, "b": {"label": "benign"}}}',
    "labels.jsonl": '{"account_id": "a", "label": "campaign"}\n{"account_id": "b", "label": "benign", "by": "kim"}\n',
    "labels.csv": "\ufefflabel,account_id,by\ncampaign,a,kim\nbenign,b,kim\n",
}
BAD = {
    "list.json": ("[]", "no truth.json"),
    "deep.json": ("[" * 100_000, "no truth.json"),
    "word.jsonl": ('{"account_id": "a", "label": "benign"}\n{"account_id": "b", "label": "good"}\n', r":2: no label"),
    "twice.jsonl": ('{"account_id": "a", "label": "benign"}\n' * 2, r":2: the account 'a' is labelled twice"),
    "empty.jsonl": ('{"account_id": "", "label": "benign"}\n', ":1: no label"),
    "column.csv": ("account,label\na,benign\n", ":1: no label"),
    "quotes.csv": ('account_id,label\n"a"b,benign\n', "no label"),
    "bytes.csv": (b"account_id,label\n\xff,benign\n", "no label"),
}


@pytest.mark.parametrize("name", GOOD)
def test_labels_in_three_forms(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text(GOOD[name], "utf-8")
    assert read_labels(tmp_path / name) == {"a": "campaign", "b": "benign"}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_label_is_named_with_its_place(tmp_path: Path, name: str) -> None:
    text, said = BAD[name]
    (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(UsageError, match=said):
        read_labels(tmp_path / name)


@pytest.mark.parametrize("name", ["absent.json", "absent.csv", "absent.jsonl"])
def test_an_absent_file(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        read_labels(tmp_path / name)
