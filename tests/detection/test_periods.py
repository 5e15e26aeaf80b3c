from pathlib import Path

from tests.detection.factories import Traffic, records, request, write_log

from stillwatch.detection.periods import REJECTS, load_population, load_tables, read_periods
from stillwatch.features.engine import Engine
from stillwatch.progress import StageClock


def test_both_periods_are_read_and_what_is_bad_in_either_is_in_one_file(tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    traffic = Traffic(1)
    names = traffic.strangers(10)
    log = traffic.write(tmp_path / "log.parquet")
    bad = tmp_path / "bad.jsonl"
    bad.write_text("nonsense\n")
    clock = StageClock(quiet=True)
    asked = request(tmp_path / "out", [log, bad], history=[bad])
    logs = read_periods(asked, work, clock)
    assert logs.history is not None
    assert (logs.window.counts.accepted, logs.window.counts.rejected) == (len(traffic.rows), 1)
    assert (logs.history.counts.accepted, logs.history.counts.rejected) == (0, 1)
    assert len((work / REJECTS).read_text().splitlines()) == 2
    with Engine.open(memory=None, spill=work / "spill") as engine:
        people = load_population(engine, logs.window, work, clock, "window")
        assert people.ids == sorted(names)
        assert len(people.store) == len(traffic.rows)
        nobody = load_population(engine, logs.history, work, clock, "history")
        assert (len(nobody), len(nobody.store)) == (0, 0)
        assert "client_ip" in people.fields
    assert [stage.name for stage in clock.stages][:2] == ["read window", "read history"]


def test_tables_tie_accounts_to_cards_models_and_handles(tmp_path: Path) -> None:
    traffic = Traffic(2)
    for name in ("a", "b"):
        traffic.add(name, "hello there", device_id="shared", reasoning_handle="h", reasoning_handle_account="a")
    log = write_log(tmp_path / "log.parquet", traffic.rows)
    clock = StageClock(quiet=True)
    logs = read_periods(request(tmp_path / "out", [log]), tmp_path, clock)
    assert logs.history is None
    known = records([{"account_id": name, "payment_id": "card"} for name in ("a", "b", "elsewhere")])
    with Engine.open(memory=None, spill=tmp_path / "spill") as engine:
        tables = load_tables(engine, logs.window, known, tmp_path, clock)
    assert set(tables.links.column("kind").to_pylist()) == {"device", "payment"}
    assert tables.replays.column("account_id").to_pylist() == ["b"]
    assert tables.model_days.column("exchanges").to_pylist() == [1, 1]
