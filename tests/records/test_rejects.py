import json
from pathlib import Path

import pytest

from stillwatch.errors import InputRejectedError, Location
from stillwatch.records.rejects import Counts, RejectLog, check_reject_limit, printable, reject_log


def rows(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_rows_have_place_reason_and_sample(tmp_path: Path) -> None:
    path = tmp_path / "rejects.jsonl"
    with reject_log(path) as log:
        log.add(Location("a.jsonl", line=3, offset=70), "invalid_json", b"x" * 300)
        log.add(Location("b.parquet", row=9), "empty_field", b"\x1b[31m\xff\0")
        assert not path.exists()
        assert (log.total, log.by_reason["invalid_json"]) == (2, 1)
    first, second = rows(path)
    assert first == {"file": "a.jsonl", "line": 3, "offset": 70, "reason": "invalid_json", "sample": "x" * 200}
    assert second["row"] == 9
    assert second["sample"] == "\\x1b[31m\\xff\\x00"


def test_keys_stay_out_of_samples(tmp_path: Path) -> None:
    path = tmp_path / "rejects.jsonl"
    with reject_log(path) as log:
        log.add(Location("a"), "no_account", b'{"authorization":"Bearer abcdefghijkl","k":"sk-abcdefghij"}')
    assert rows(path)[0]["sample"] == '{"authorization":"[removed]","k":"[removed]"}'


def test_a_failed_run_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyError), reject_log(tmp_path / "rejects.jsonl"):
        raise KeyError
    assert list(tmp_path.iterdir()) == []


def test_close_twice_and_unknown_reason(tmp_path: Path) -> None:
    log = RejectLog(tmp_path / "rejects.jsonl")
    with pytest.raises(ValueError, match="closed list"):
        log.add(Location("a"), "because")
    log.close()
    log.close()
    assert rows(tmp_path / "rejects.jsonl") == []


def test_printable_keeps_text() -> None:
    assert printable("Grüße, 世界".encode()) == "Grüße, 世界"


@pytest.mark.parametrize(("rejected", "refused"), [(0, False), (1, False), (2, True)])
def test_limit(*, rejected: int, refused: bool) -> None:
    counts = Counts(100, 100 - rejected, 0, rejected)
    if refused:
        with pytest.raises(InputRejectedError) as caught:
            check_reject_limit(counts, 0.01)
        assert caught.value.exit_code == 3
    else:
        check_reject_limit(counts, 0.01)
