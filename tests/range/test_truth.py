import gzip
from pathlib import Path

import pytest

from stillwatch.errors import UsageError
from stillwatch_range.truth import (
    TrueAccount,
    TrueCampaign,
    Truth,
    read_harvest,
    read_truth,
    write_harvest,
    write_truth,
)

TRUTH = Truth(
    accounts={
        "a": TrueAccount(label="campaign", cohort="cot", campaign="c"),
        "b": TrueAccount(label="benign", cohort="ordinary"),
    },
    campaigns={"c": TrueCampaign(family="cot", accounts=1, exchanges=3, mixing=0.5, share=0.01)},
)


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    write_truth(TRUTH, tmp_path / "truth.json")
    assert read_truth(tmp_path / "truth.json") == TRUTH


@pytest.mark.parametrize("text", ["", "{}", '{"accounts": {"a": {"label": "odd", "cohort": "x"}}, "campaigns": {}}'])
def test_another_file_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "truth.json").write_text(text)
    with pytest.raises(UsageError, match="not a truth file"):
        read_truth(tmp_path / "truth.json")


def test_harvested_exchanges_are_listed_by_id_and_do_not_carry_the_time(tmp_path: Path) -> None:
    first, second = tmp_path / "first.gz", tmp_path / "second.gz"
    write_harvest([("ex_2", "c"), ("ex_1", "c")], first)
    write_harvest([("ex_1", "c"), ("ex_2", "c")], second)
    assert first.read_bytes() == second.read_bytes()
    assert gzip.decompress(first.read_bytes()) == (
        b'{"exchange_id":"ex_1","campaign":"c"}\n{"exchange_id":"ex_2","campaign":"c"}\n'
    )


def test_the_harvest_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "harvest.gz"
    write_harvest([("ex_2", "c"), ("ex_1", "d")], path)
    assert read_harvest(path) == {"ex_1": "d", "ex_2": "c"}
    for spoilt in (path.read_bytes()[:-9], gzip.compress(b'{"exchange_id": 1}\n'), b"nothing"):
        path.write_bytes(spoilt)
        with pytest.raises(UsageError, match="does not tell"):
            read_harvest(path)
