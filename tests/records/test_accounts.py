from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillwatch.errors import InputRejectedError, UsageError
from stillwatch.records.accounts import read_accounts
from stillwatch.records.exchange import ACCOUNT_SCHEMA

CREATED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture(params=["jsonl", "csv", "parquet"])
def accounts(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / f"accounts.{request.param}"
    if request.param == "jsonl":
        path.write_text(
            '{"account_id":"a","plan":"pro","created_at":"2026-01-02T03:04:05Z","x":1}\n\n{"account_id":"b"}\n'
        )
    elif request.param == "csv":
        path.write_text("\ufeffaccount_id,plan,created_at,x\na,pro,2026-01-02T03:04:05Z,1\nb,,,\n", "utf-8")
    else:
        table = pa.table({"account_id": pa.array(["a", "b"], pa.large_string()), "plan": ["pro", None],
                          "created_at": pa.array([CREATED, None], pa.timestamp("ns", "UTC"))})  # fmt: skip
        pq.write_table(table, path)
    return path


def test_every_format_gives_the_same_table(accounts: Path) -> None:
    table = read_accounts(accounts)
    assert table.schema == ACCOUNT_SCHEMA
    assert [row["account_id"] for row in table.to_pylist()] == ["a", "b"]
    assert (table.column("plan").to_pylist(), table.column("created_at").to_pylist()) == (
        ["pro", None],
        [CREATED, None],
    )


@pytest.mark.parametrize(
    ("name", "text", "place"),
    [
        ("a.jsonl", '{"account_id":"a"}\n{"plan":"x"}\n', ":2"),
        ("a.jsonl", '{"account_id":"a"}\n{"account_id":"a"}\n', ":2"),
        ("a.jsonl", '{"account_id":5}\n', ":1"),
        ("a.jsonl", "nonsense\n", ":1"),
        ("a.jsonl", '{"account_id":"a","created_at":"2026-01-01T00:00:00"}\n', ":1"),
        ("a.jsonl.gz", "plain", ":1"),
        ("a.csv", 'account_id\na\n"b\n', ":"),
        ("a.csv", "plan\nx\n", ":2"),
        ("a.parquet", "no parquet", ""),
    ],
)
def test_what_is_wrong_is_told_with_its_place(tmp_path: Path, name: str, text: str, place: str) -> None:
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(InputRejectedError) as caught:
        read_accounts(path)
    assert f"{name}{place}" in str(caught.value)


@pytest.mark.parametrize(
    "columns",
    [
        {"account_id": ["a", None]},
        {"account_id": ["a", ""]},
        {"plan": ["x"]},
        {"account_id": [1]},
        {"account_id": ["a"], "created_at": pa.array([CREATED.replace(tzinfo=None)], pa.timestamp("us"))},
    ],
)
def test_wrong_parquet(tmp_path: Path, columns: dict[str, object]) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table(columns), path)
    with pytest.raises(InputRejectedError):
        read_accounts(path)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        read_accounts(tmp_path / "none.csv")
