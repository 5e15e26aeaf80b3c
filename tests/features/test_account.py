import itertools
import math
from collections import Counter
from datetime import timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.features.exchange_tables import START, Row, micros, rows, table

from stillwatch.features.account import (
    ACCOUNT_COLUMNS,
    DISTINCT_COLUMNS,
    TOKEN_CAP,
    account_features,
    account_ratios,
)
from stillwatch.features.engine import Engine
from stillwatch.features.parity import table_digest
from stillwatch.features.rhythm import GAP_CAP, HOUR_COLUMNS

quick = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def features(engine: Engine, exchanges: pa.Table) -> pa.Table:
    return account_features(engine, engine.register("exchanges", exchanges))


def expected(exchanges: list[Row]) -> list[dict[str, object]]:
    accounts = sorted({row["account_id"] for row in exchanges}, key=str.encode)
    return [expected_account(name, [row for row in exchanges if row["account_id"] == name]) for name in accounts]


def expected_account(name: str, own: list[Row]) -> dict[str, object]:
    times = sorted(micros(row["ts"]) for row in own)
    gaps = [min((late - early) // 100_000, GAP_CAP) for early, late in itertools.pairwise(times)]
    hours = Counter(row["ts"].hour for row in own)

    def present(column: str) -> list[object]:
        return [row[column] for row in own if row[column] is not None]

    def count(*conditions: object) -> int:
        return sum(bool(condition) for condition in conditions)

    def least(column: str) -> object:
        return min(present(column), key=lambda value: str(value).encode(), default=None)

    def tokens(column: str) -> int:
        return sum(min(max(int(str(value)), 0), TOKEN_CAP) for value in present(column))

    return {
        "account_id": name,
        "exchanges": len(own),
        "first_us": times[0],
        "last_us": times[-1],
        "active_days": len({time // 86_400_000_000 for time in times}),
        "active_hours": len({time // 3_600_000_000 for time in times}),
        "busiest_hour": max(sum(time - 3_600_000_000 <= other <= time for other in times) for time in times),
        **{column: hours[hour] for hour, column in enumerate(HOUR_COLUMNS)},
        **{distinct: len(set(present(column))) for distinct, column in DISTINCT_COLUMNS.items()},
        "org_id": least("org_id"),
        "channel": least("channel"),
        "turn_known": len(present("turn")),
        "single_turn": count(*(row["turn"] in {None, 0} for row in own)),
        **{f"{kind}_tokens": tokens(f"{kind}_tokens") for kind in ("input", "output", "reasoning", "cached")},
        **{f"{kind}_known": len(present(f"{kind}_tokens")) for kind in ("input", "output", "reasoning", "cached")},
        "errors": count(*((row["status"] or 0) >= 400 or row["error_code"] is not None for row in own)),
        "with_logprobs": count(*present("logprobs")),
        "with_temperature": len(present("temperature")),
        "temperature_zero": present("temperature").count(0.0),
        "with_tools": count(*((row["tool_count"] or 0) > 0 for row in own)),
        "streams": count(*present("stream")),
        "gaps": len(gaps),
        "gap_sum": sum(gaps),
        "gap_squares": sum(gap * gap for gap in gaps),
        "gap_max": max(gaps, default=0),
    }


@given(exchanges=rows())
@quick
def test_features_equal_a_plain_count(engine: Engine, exchanges: list[Row]) -> None:
    found = features(engine, table(exchanges))
    assert found.to_pylist() == expected(exchanges)
    assert found.column_names == list(ACCOUNT_COLUMNS)


@given(exchanges=rows(), seed=st.integers(0, 2**16), cut=st.floats(0, 1))
@quick
def test_order_files_and_threads_do_not_matter(
    tmp_path_factory: pytest.TempPathFactory, exchanges: list[Row], seed: int, cut: float
) -> None:
    directory = tmp_path_factory.mktemp("files")
    whole = table(exchanges)
    shuffled = whole.take(np.random.default_rng(seed).permutation(len(whole)))
    middle = round(cut * len(whole))
    pq.write_table(whole, directory / "whole.parquet")
    pq.write_table(shuffled.slice(0, middle), directory / "first.parquet")
    pq.write_table(shuffled.slice(middle), directory / "second.parquet", row_group_size=2)
    assert from_files([directory / "whole.parquet"], threads=1, spill=directory) == from_files(
        [directory / "second.parquet", directory / "first.parquet"], threads=3, spill=directory
    )


def from_files(files: list[Path], *, threads: int, spill: Path) -> str:
    with Engine.open(memory=None, threads=threads, spill=spill) as engine:
        return table_digest(account_features(engine, engine.exchanges(files)), ["account_id"])


def test_many_rows_give_the_same_digest_on_one_and_on_two_threads(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    base = {
        "model": "m",
        "org_id": None,
        "tool_count": None,
    }
    exchanges = [
        base
        | {
            "ts": START + timedelta(microseconds=int(rng.integers(0, 10**12))),
            "account_id": f"account-{rng.integers(0, 700)}",
            "session_id": f"s{rng.integers(0, 3_000)}",
            "client_ip": None if rng.random() < 0.3 else f"10.0.0.{rng.integers(0, 250)}",
            "output_tokens": int(rng.integers(0, 900)),
        }
        for _ in range(20_000)
    ]
    pq.write_table(table(exchanges), tmp_path / "log.parquet", row_group_size=2_048)
    digests = {from_files([tmp_path / "log.parquet"], threads=threads, spill=tmp_path) for threads in (1, 2)}
    assert len(digests) == 1


def test_pauses_of_a_century_do_not_overflow(engine: Engine) -> None:
    century = [{"ts": START + timedelta(days=366 * year), "account_id": "a", "model": "m"} for year in range(100)]
    found = features(engine, table(century)).to_pylist()[0]
    assert found["gap_squares"] == 99 * GAP_CAP**2
    assert found["gap_max"] == GAP_CAP


def test_an_empty_log_has_no_accounts(engine: Engine) -> None:
    found = features(engine, table([]))
    assert found.num_rows == 0
    assert found.column_names == list(ACCOUNT_COLUMNS)


def test_every_column_but_three_is_a_whole_number_without_nulls(engine: Engine) -> None:
    found = features(engine, table([{"ts": START, "account_id": "a", "model": "m"}]))
    texts = {"account_id", "org_id", "channel"}
    assert {field.name for field in found.schema if field.type == pa.int64()} == set(ACCOUNT_COLUMNS) - texts
    assert all(found[name].null_count == 0 for name in ACCOUNT_COLUMNS if name not in {"org_id", "channel"})


@given(exchanges=rows())
@quick
def test_ratios_equal_a_plain_calculation(engine: Engine, exchanges: list[Row]) -> None:
    found = features(engine, table(exchanges))
    ratios = account_ratios(found)
    for index, row in enumerate(found.to_pylist()):
        shares = [row[name] / row["exchanges"] for name in HOUR_COLUMNS if row[name]]
        assert ratios["hour_entropy"][index] == pytest.approx(-sum(p * math.log2(p) for p in shares), abs=1e-12)
        assert 0 <= ratios["hour_entropy"][index] <= math.log2(24)
        assert np.isnan(ratios["exchanges_per_session"][index]) == (row["sessions"] == 0)
        assert np.isnan(ratios["single_turn_share"][index]) == (row["turn_known"] == 0)
        if row["output_known"]:
            mean = row["output_tokens"] / row["output_known"]
            assert ratios["output_per_exchange"][index] == pytest.approx(mean)
        else:
            assert np.isnan(ratios["output_per_exchange"][index])


@pytest.mark.parametrize(
    ("seconds", "variation"),
    [([0, 10, 20, 30], 0.0), ([0, 10, 40], 0.5), ([0, 10], math.nan), ([0, 0, 0], math.nan), ([0], math.nan)],
)
def test_variation_of_pauses(engine: Engine, seconds: list[int], variation: float) -> None:
    exchanges = [{"ts": START + timedelta(seconds=second), "account_id": "a", "model": "m"} for second in seconds]
    ratios = account_ratios(features(engine, table(exchanges)))
    assert ratios["gap_cv"][0] == pytest.approx(variation, nan_ok=True)


def test_digest_tells_null_from_zero_and_ignores_row_order() -> None:
    base = pa.table({"k": ["a", "b"], "v": pa.array([0, 1])})
    with_null = pa.table({"k": ["a", "b"], "v": pa.array([None, 1], pa.int64())})
    assert table_digest(base, ["k"]) == table_digest(base.take([1, 0]), ["k"])
    assert table_digest(base, ["k"]) != table_digest(with_null, ["k"])
