from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt
import pytest
from tests.records.indicators import indicator, indicator_id, write

from stillwatch.detection.findings.model import ACTIONS, Action, Verdict
from stillwatch.errors import UsageError
from stillwatch_range.gateway import Gateway, read_received, read_verdicts

DAY_S = 86_400
DAY_US = DAY_S * 1_000_000


def verdict(account: str, action: Action, *bands: int, days: int = 1) -> Verdict:
    return Verdict(
        account_id=account,
        action=action,
        reason_code="campaign_member",
        ttl_s=days * DAY_S,
        campaign_id="cmp",
        template_bands=[f"{band:016x}" for band in bands],
    )


def names(levels: npt.NDArray[np.int8]) -> list[str]:
    return [ACTIONS[level] for level in levels]


def moments(*days: float) -> npt.NDArray[np.int64]:
    return np.array([round(day * DAY_US) for day in days], np.int64)


def texts(*bands: list[int]) -> npt.NDArray[np.uint64]:
    return np.array(bands, np.uint64)


def test_a_verdict_holds_for_its_account_until_it_lapses() -> None:
    gateway = Gateway()
    gateway.load([verdict("a", "block", days=2)], 0)
    assert names(gateway.by_account(["a", "a", "a", "b"], moments(0, 1.9, 2, 0))) == [
        "block",
        "block",
        "allow",
        "allow",
    ]


def test_a_later_run_replaces_what_an_earlier_one_said() -> None:
    gateway = Gateway()
    gateway.load([verdict("a", "block", 7), verdict("b", "challenge", 7)], 0)
    gateway.load([verdict("a", "watch")], round(0.1 * DAY_US))
    assert names(gateway.by_account(["a", "b"], moments(0.2, 0.2))) == ["watch", "allow"]
    assert names(gateway.by_text(texts([7, 1]), moments(0.2))) == ["allow"]


def test_one_band_in_common_makes_a_text_match_whoever_sends_it() -> None:
    gateway = Gateway()
    gateway.load([verdict("a", "challenge", 7, 8), verdict("b", "watch", 7, 8)], 0)
    found = gateway.by_text(texts([1, 7], [8, 7], [1, 2], [8, 1]), moments(0.5, 0.5, 0.5, 1.5))
    assert names(found) == ["challenge", "challenge", "allow", "allow"]


def test_received_indicators_outlast_runs_and_never_do_more_than_challenge() -> None:
    gateway = Gateway([verdict("a", "block", 7), verdict("b", "throttle", 9)])
    gateway.load([verdict("c", "block", 8)], 0)
    assert names(gateway.by_text(texts([7], [9], [8]), moments(50, 50, 0.5))) == ["challenge", "throttle", "block"]
    assert names(gateway.by_account(["a"], moments(0))) == ["allow"], "accounts of another provider mean nothing here"


def test_a_gateway_without_verdicts_lets_everything_pass() -> None:
    assert names(Gateway().by_text(texts([1], [2]), moments(0, 1))) == ["allow", "allow"]
    assert Gateway().by_account([], moments()).size == 0


def test_reads_verdicts_as_detection_writes_them(tmp_path: Path) -> None:
    written = [verdict("a", "block", 7), verdict("b", "watch")]
    path = tmp_path / "verdicts.jsonl"
    path.write_bytes(b"".join(msgspec.json.encode(one) + b"\n" for one in written))
    assert read_verdicts(path) == written
    path.write_text('{"account_id": "a"}\n')
    with pytest.raises(UsageError, match="not a file of verdicts"):
        read_verdicts(path)


def test_what_was_received_is_read_as_pulled_or_as_another_provider_found_it(tmp_path: Path) -> None:
    path = tmp_path / "verdicts.jsonl"
    path.write_bytes(msgspec.json.encode(verdict("a", "block", 7)) + b"\n")
    assert read_received(path) == [verdict("a", "block", 7)]
    band = "0" * 15 + "9"
    lapsed = indicator(1, template_bands=[band], valid_until="2021-01-01T00:00:00Z")
    pulled = write(
        tmp_path / "received.jsonl", [lapsed, indicator(2, template_bands=["0" * 15 + "8"], confidence="low")]
    )
    hard, mild = read_received(pulled)
    assert (hard.action, hard.campaign_id, hard.template_bands) == ("challenge", indicator_id(1), [band])
    assert mild.action == "watch"
    assert names(Gateway([hard, mild]).by_text(texts([9], [8], [7]), moments(1, 1, 1))) == [
        "challenge",
        "watch",
        "allow",
    ]
    pulled.write_bytes(b"")
    assert read_received(pulled) == []
    with pytest.raises(UsageError, match="cannot be read"):
        read_received(tmp_path / "none")
    path.write_text("nonsense")
    with pytest.raises(UsageError, match="not a file of verdicts"):
        read_received(path)
