from pathlib import Path

import numpy as np
from tests.detection.factories import Traffic, ids, numbers_only, population

from stillwatch.hashing import hash_strings


def test_each_sketch_finds_its_account(tmp_path: Path) -> None:
    traffic = Traffic(1)
    names = traffic.strangers(30)
    traffic.add("silent", None)
    people = population(tmp_path, traffic.rows)
    assert people.ids == sorted([*names, "silent"])
    assert len(people) == 31
    prompts = [row["account_id"] for row in traffic.rows if row["prompt"]]
    assert [people.ids[number] for number in people.row_account] == prompts
    assert (hash_strings(people.table.column("account_id"))[people.row_account] == people.store.account).all()


def test_features_by_account_number() -> None:
    people = numbers_only(ids(2), exchanges=[4, 5], org_id=["o", None])
    assert people.ints("exchanges").tolist() == [4, 5]
    assert people.ints("exchanges").dtype == np.int64
    assert people.texts("org_id") == ["o", None]
    assert set(people.ratios) > {"gap_cv", "hour_entropy"}


def test_nobody() -> None:
    people = numbers_only([])
    assert len(people) == 0
    assert people.ids == []
    assert people.row_account.size == 0
