from pathlib import Path

import numpy as np
from tests.enforcement.backtest.stored import START, Row, exchange, write_exchanges

from stillwatch.enforcement.backtest.traffic import Asked, Traffic, read_traffic
from stillwatch.enforcement.state.known_texts import read_text
from stillwatch.features.edge import EXCHANGES, sketch_logs
from stillwatch.progress import StageClock

PROMPT = "Write one question about optics for an examination of first-year students, then solve it step by step."
SYSTEM = "You are a strict examiner ¿ be brief."


def read(on: Path, known: list[int], *, texts: bool = True) -> tuple[Traffic, list[Asked]]:
    clock = StageClock(quiet=True)
    work = on.parent / f"work-{len(list(on.parent.iterdir()))}"
    work.mkdir()
    traffic = read_traffic(on, work, np.array(sorted(known), np.uint64), clock, texts=texts)
    with clock.stage("replay") as ticker:
        return traffic, list(traffic.in_time_order(ticker))


def test_an_exchange_is_reduced_to_what_a_decision_reads(tmp_path: Path) -> None:
    more: Row = {"org_id": "o", "operation": "chat", "session_id": "s", "max_tokens": 5, "latency_ms": 7}
    rows = [
        exchange(1, "b", 0.25, prompt=PROMPT, system=SYSTEM, **more),
        exchange(0, "a", 0.25, prompt=""),
        exchange(2, "c", 0, system="only this", max_tokens=-4),
    ]
    bands, head = read_text(SYSTEM, PROMPT)
    traffic, asked = read(write_exchanges(tmp_path / "w.jsonl", rows), [bands[3], bands[7], 5])
    assert [one.account_id for one in asked] == ["c", "a", "b"]
    last = asked[-1]
    assert (last.ts_us, last.chars, last.head) == (START * 1_000_000 + 250_000, len(PROMPT) + len(SYSTEM), head)
    assert set(last.bands) == {bands[3], bands[7]}
    assert (last.request.org_id, last.request.operation, last.request.max_tokens) == ("o", "chat", 5)
    assert [(one.chars, one.head, one.bands, one.max_tokens) for one in asked[:2]] == [
        (9, None, [], None),
        (0, None, [], None),
    ]
    assert (traffic.texts, traffic.last_us) == (1, last.ts_us)


def test_a_sketch_tells_as_much(tmp_path: Path) -> None:
    rows = [exchange(0, "a", 0, prompt=PROMPT), exchange(1, "b", 1), exchange(2, "c", 2, system="only this")]
    window = write_exchanges(tmp_path / "w.jsonl", rows)
    sketch_logs([window], tmp_path / "sketched", quiet=True)
    known = read_text(None, PROMPT)[0]
    assert read(tmp_path / "sketched" / EXCHANGES, known)[1] == read(window, known)[1]


def test_texts_that_nobody_asks_for_are_not_read(tmp_path: Path) -> None:
    window = write_exchanges(tmp_path / "w.jsonl", [exchange(0, "a", 0, prompt=PROMPT)])
    traffic, asked = read(window, [], texts=False)
    assert (traffic.texts, asked[0].chars, asked[0].head, asked[0].bands) == (0, 0, None, [])
