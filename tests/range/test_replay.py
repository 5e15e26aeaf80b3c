from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.records.indicators import write

from stillwatch.detection.inputs import DetectRequest
from stillwatch.detection.run import detect
from stillwatch.errors import UsageError
from stillwatch_range.replay import HOUR_US, Replayed, replay, request_for, request_of
from stillwatch_range.truth import Truth, read_harvest

STEP_HOURS = 40
CONTAINED = 2


@pytest.fixture(scope="module")
def request_(built: tuple[Path, Truth], tmp_path_factory: pytest.TempPathFactory) -> DetectRequest:
    logs, _ = built
    request = request_for(logs, tmp_path_factory.mktemp("run"))
    detect(request)
    return request


@pytest.fixture(scope="module")
def replayed(request_: DetectRequest) -> Replayed:
    verdicts = detect(replace(request_, out=request_.out / "warning")).findings.verdicts
    return replay(request_of(request_.out), STEP_HOURS, verdicts)


def test_every_exchange_passes_once_in_order_of_time(built: tuple[Path, Truth], replayed: Replayed) -> None:
    window = pq.read_table(built[0] / "window", columns=["exchange_id", "ts"])
    assert sorted(replayed.passage.column("exchange_id").to_pylist()) == sorted(window["exchange_id"].to_pylist())
    moments = np.asarray(replayed.passage.column("ts_us"))
    assert (np.diff(moments) >= 0).all()
    cuts = np.unique(moments // (STEP_HOURS * HOUR_US)).size
    assert replayed.runs == cuts - 1 >= 3


def test_nothing_is_contained_before_the_first_run_and_most_of_the_harvest_after_the_last(
    built: tuple[Path, Truth], replayed: Replayed
) -> None:
    passage = replayed.passage
    steps = np.asarray(passage.column("ts_us")) // (STEP_HOURS * HOUR_US)
    harvest = set(read_harvest(built[0] / "harvest_ids.jsonl.gz"))
    is_harvest = np.array([exchange in harvest for exchange in passage.column("exchange_id").to_pylist()])
    level = np.maximum(passage.column("by_account"), passage.column("by_text"))
    assert not level[steps == steps.min()].any()
    assert (level[(steps == steps.max()) & is_harvest] >= CONTAINED).mean() > 0.9


def test_verdicts_never_look_ahead(built: tuple[Path, Truth], request_: DetectRequest, replayed: Replayed) -> None:
    window = pq.read_table(built[0] / "window")
    steps = np.asarray(window.column("ts").cast(pa.int64())) // (STEP_HOURS * HOUR_US)
    third = np.unique(steps)[2]
    early = request_.out / "early.parquet"
    pq.write_table(window.filter(pa.array(steps <= third)), early)
    passage = replay(replace(request_, logs=[early]), STEP_HOURS).passage
    same = ["exchange_id", "by_account", "by_text"]
    assert passage.select(same).equals(replayed.passage.select(same).slice(0, passage.num_rows))


def test_indicators_received_hold_the_harvest_back_from_the_start(
    built: tuple[Path, Truth], replayed: Replayed
) -> None:
    passage = replayed.passage
    harvest = set(read_harvest(built[0] / "harvest_ids.jsonl.gz"))
    is_harvest = np.array([exchange in harvest for exchange in passage.column("exchange_id").to_pylist()])
    own, warned = (np.asarray(passage.column(name)) >= CONTAINED for name in ("by_text", "by_text_warned"))
    assert warned[is_harvest].mean() > 0.9 > own[is_harvest].mean()
    assert not warned[~is_harvest].any()


def test_a_replay_looks_at_what_the_run_had_received(request_: DetectRequest, tmp_path: Path) -> None:
    pulled = write(tmp_path / "received.jsonl", [])
    detect(replace(request_, out=tmp_path / "run", received=pulled))
    assert request_of(tmp_path / "run").received == pulled
    assert request_of(request_.out).received is None


def test_a_run_that_does_not_say_what_it_looked_at_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not say"):
        request_of(tmp_path)


def test_a_step_takes_time(request_: DetectRequest) -> None:
    with pytest.raises(UsageError, match="every 0 hours"):
        replay(request_, 0)
