import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.enforcement.factories import NOW, policy, rule

from stillwatch.enforcement.record.intake import Intake, Rejected, split_post
from stillwatch.enforcement.record.spool import Spool
from stillwatch.enforcement.state.counters import Cost, Counters
from stillwatch.enforcement.state.handles import Birth, Handles
from stillwatch.errors import RecordError

GOOD = {"exchange_id": "e", "ts": "2026-09-01T10:00:00Z", "account_id": "a", "model": "m", "prompt": "Zwei\nZeilen"}
LIMIT = '[[limit]]\nid = "l"\ncounts = "tokens"\namount = 1000\nper = "hour"\nburst = 1000'
POLICY = policy(LIMIT, rule("r", "throttle", '{ limits = ["l"] }'))


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    one = Spool(tmp_path)
    yield one
    one.close()


def line(**more: object) -> bytes:
    return json.dumps({**GOOD, **more}).encode()


@pytest.mark.parametrize(
    "body",
    [
        json.dumps([GOOD, GOOD]).encode(),
        json.dumps({"exchanges": [GOOD, GOOD]}, indent=2).encode(),
        line() + b"\n\n" + line() + b"\n",
    ],
)
def test_three_ways_to_post(body: bytes) -> None:
    assert [json.loads(record) for record in split_post(body)] == [GOOD, GOOD]
    assert split_post(line()) == [line()]


@pytest.mark.parametrize("body", [b"[" + b"1," * 1000 + b"1]", b"x\n" * 1001, b'{"exchanges": 5}'])
def test_posts_that_are_none(body: bytes) -> None:
    with pytest.raises(RecordError):
        split_post(body)


@given(st.binary(max_size=200))
def test_no_bytes_are_too_odd(body: bytes) -> None:
    assert isinstance(split_post(body), list)


def test_each_record_is_judged_by_itself_and_the_good_ones_are_kept(tmp_path: Path, spool: Spool) -> None:
    intake = Intake(spool, Counters(POLICY), Handles())
    records = [
        line(exchange_id="1"),
        b"{",
        line(ts="2001-01-01T00:00:00Z"),
        line(model=None),
        json.dumps(GOOD, indent=1).encode(),
    ]
    taken = intake.settle(intake.keep(records, NOW), NOW)
    assert taken.accepted == 2
    assert taken.rejected == [
        Rejected(1, "invalid_json"),
        Rejected(2, "timestamp_before_2015"),
        Rejected(3, "missing_field"),
    ]
    assert intake.settle(intake.keep([], NOW), NOW).accepted == 0
    kept = [json.loads(kept) for path in tmp_path.iterdir() for kept in path.read_bytes().splitlines()]
    assert kept == [{**GOOD, "exchange_id": "1"}, GOOD]


def test_an_exchange_settles_what_its_request_reserved(spool: Spool) -> None:
    counters = Counters(POLICY)
    intake = Intake(spool, counters, Handles())
    counters.charge("a", "everybody", Cost(tokens=1000), NOW)
    assert counters.exceeded("a", "everybody", Cost(tokens=500), NOW)
    intake.settle(intake.keep([line(prompt="", max_tokens=1000, output_tokens=100, input_tokens=0)], NOW), NOW)
    assert not counters.exceeded("a", "everybody", Cost(tokens=500), NOW)


def test_births_of_handles_are_learnt(spool: Spool) -> None:
    handles = Handles()
    intake = Intake(spool, Counters(POLICY), handles)
    home = line(reasoning_handle="h1", reasoning_handle_account="a", session_id="s")
    stolen = line(reasoning_handle="h2", reasoning_handle_account="owner", session_id="s")
    intake.settle(intake.keep([home, stolen, line(reasoning_handle="h3")], NOW), NOW)
    assert handles.is_foreign("h1", Birth("a", "other", "m"))
    assert handles.is_foreign("h2", Birth("a", "s", "m"))
    assert not handles.is_foreign("h2", Birth("owner", "t", "m"))
    assert len(handles) == 2
