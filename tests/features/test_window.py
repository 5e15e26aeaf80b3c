from collections import Counter, defaultdict

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.features.exchange_tables import START, Row, micros, rows, table

from stillwatch.features.engine import Engine
from stillwatch.features.window import account_buckets, field_coverage, window_counts
from stillwatch.records.exchange import EXCHANGE_SCHEMA, REQUIRED_FIELDS

quick = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
buckets = st.sampled_from([1, 100_000, 3_600_000_000, 86_400_000_000])


@given(exchanges=rows(), bucket_us=buckets)
@quick
def test_window_counts_equal_a_plain_count(engine: Engine, exchanges: list[Row], bucket_us: int) -> None:
    found = engine.to_arrow(window_counts(engine.register("log", table(exchanges)), bucket_us))
    inside: dict[int, list[str]] = defaultdict(list)
    for row in exchanges:
        inside[micros(row["ts"]) // bucket_us * bucket_us].append(row["account_id"])
    assert found.to_pylist() == [
        {"bucket_start_us": start, "exchanges": len(names), "accounts": len(set(names))}
        for start, names in sorted(inside.items())
    ]


@given(exchanges=rows(), bucket_us=buckets, chosen=st.sets(st.sampled_from(["a", "B", "é", "nobody"])))
@quick
def test_account_buckets_equal_a_plain_count(
    engine: Engine, exchanges: list[Row], bucket_us: int, chosen: set[str]
) -> None:
    found = engine.to_arrow(account_buckets(engine.register("log", table(exchanges)), sorted(chosen), bucket_us))
    counts = Counter(
        (row["account_id"], micros(row["ts"]) // bucket_us * bucket_us)
        for row in exchanges
        if row["account_id"] in chosen
    )
    ordered = sorted(counts.items(), key=lambda item: (item[0][0].encode(), item[0][1]))
    assert [tuple(row.values()) for row in found.to_pylist()] == [(*key, number) for key, number in ordered]


@given(exchanges=rows())
@quick
def test_coverage_equals_a_plain_count(engine: Engine, exchanges: list[Row]) -> None:
    found = field_coverage(engine.register("log", table(exchanges)))
    optional = [name for name in EXCHANGE_SCHEMA.names if name not in REQUIRED_FIELDS]
    assert found == {name: sum(row.get(name) is not None for row in exchanges) for name in optional}


def test_coverage_of_an_empty_log_is_zero(engine: Engine) -> None:
    assert set(field_coverage(engine.register("log", table([]))).values()) == {0}


def test_coverage_sees_nested_fields(engine: Engine) -> None:
    row = {"ts": START, "account_id": "a", "model": "m", "tool_names": ["search"], "extra": [("k", "v")]}
    found = field_coverage(engine.register("log", table([row])))
    assert (found["tool_names"], found["extra"], found["sketch"]) == (1, 1, 0)
