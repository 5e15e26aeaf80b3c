import itertools
from collections import Counter
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.features import rhythm
from stillwatch.features.engine import Engine
from stillwatch.features.rhythm import DAY_US, HOUR_US, RHYTHM_COLUMNS, account_rhythm

START_US = 1_772_229_600_000_000  # 2026-02-27T22:00:00Z


class Sorted:
    """Stands for an engine that has sorted the instants and hands them over in batches of a few rows."""

    def __init__(self, accounts: list[int], times: list[int], rows: int) -> None:
        self._columns = pa.table({"account": pa.array(accounts, pa.uint64()), "at": pa.array(times, pa.int64())})
        self._rows = rows

    def batches(self, _expression: object, _rows: int) -> Iterator[pa.RecordBatch]:
        return iter(self._columns.to_batches(self._rows))


@given(
    times=st.lists(
        st.tuples(
            st.integers(0, 2),
            st.one_of(st.integers(0, 3 * HOUR_US), st.sampled_from([0, HOUR_US, HOUR_US + 1, 2 * HOUR_US, DAY_US])),
        ),
        min_size=1,
        max_size=40,
    ),
    rows=st.integers(1, 7),
)
@settings(deadline=None)
def test_where_a_batch_ends_does_not_matter(engine: Engine, times: list[tuple[int, int]], rows: int) -> None:
    exchanges = engine.register("exchanges", pa.table({"account_id": ["a"], "ts": pa.array([0], pa.timestamp("us"))}))
    ordered = sorted(times)
    accounts, instants = [account for account, _ in ordered], [START_US + at for _, at in ordered]

    found = account_rhythm(Sorted(accounts, instants, rows), exchanges)  # type: ignore[arg-type]
    own = {name: [at for account, at in zip(accounts, instants, strict=True) if account == name] for name in accounts}
    assert found["account"].to_pylist() == list(own)
    assert found["busiest_hour"].to_pylist() == [
        max(sum(at - HOUR_US <= other <= at for other in moments) for at in moments) for moments in own.values()
    ]
    assert found["exchanges"].to_pylist() == [len(moments) for moments in own.values()]
    assert found["active_hours"].to_pylist() == [len({at // HOUR_US for at in moments}) for moments in own.values()]
    assert found["gap_sum"].to_pylist() == [
        sum((late - early) // 100_000 for early, late in itertools.pairwise(moments)) for moments in own.values()
    ]


def test_an_account_longer_than_many_batches_of_the_engine(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rhythm, "_BATCH_ROWS", 2_048)
    rng = np.random.default_rng(5)
    times = np.sort(rng.integers(0, 30 * DAY_US, 20_000)) + START_US
    names = ["long"] * 19_000 + ["short"] * 1_000
    shuffled = rng.permutation(20_000)
    table = pa.table({"account_id": names, "ts": pa.array(times, pa.timestamp("us", tz="UTC"))}).take(shuffled)
    found = account_rhythm(engine, engine.register("exchanges", table))
    row = max(found.to_pylist(), key=lambda one: one["exchanges"])
    own = times[:19_000]
    hours = Counter((own // HOUR_US % 24).tolist())
    assert found.column_names == ["account", *RHYTHM_COLUMNS]
    assert [row[f"h{hour:02d}"] for hour in range(24)] == [hours[hour] for hour in range(24)]
    assert row["busiest_hour"] == (np.arange(19_000) - np.searchsorted(own, own - HOUR_US) + 1).max()
    assert (row["first_us"], row["last_us"]) == (own[0], own[-1])
    assert row["active_days"] == np.unique(own // DAY_US).size
