"""Nothing but behaviour may tell a campaign's account from an ordinary one."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq
import pytest
from scipy.stats import rankdata

from stillwatch_range.campaigns import CampaignPlan
from stillwatch_range.scenario import Scenario, build_window
from stillwatch_range.text import ANALYST, invent_material
from stillwatch_range.truth import Truth

Row = dict[str, object]
Floats = npt.NDArray[np.float64]

BENIGN, CAMPAIGN = 1000, 300


@pytest.fixture(scope="module")
def apart(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Truth]:
    """A window whose campaign shares no infrastructure, so that even metadata are everybody's."""
    out = tmp_path_factory.mktemp("apart")
    plan = CampaignPlan(family=ANALYST, accounts=CAMPAIGN, exchanges=900, shared_infrastructure=0.0)
    scenario = Scenario(name="apart", campaigns=(plan,), benign_accounts=BENIGN, hard_negatives="none")
    return out, build_window(invent_material(seed=8, talks=7000), out, scenario, seed=8)


def digits(value: object) -> int:
    """Return the number in an identifier's hex digits."""
    return int(str(value).rpartition("_")[2], 16) if value else -1


def of_account(record: Row, place: int) -> dict[str, float]:
    created = str(record["created_at"])
    return {
        "place in accounts.jsonl": place,
        "account_id": digits(record["account_id"]),
        "length of account_id": len(str(record["account_id"])),
        "org_id": digits(record["org_id"]),
        "email_hash": digits(record["email_hash"]),
        "length of the record": len(json.dumps(record)),
        "sign-up day": np.datetime64(created[:10]).astype(int),
        "sign-up second": float(created[17:26]),
        "has a card": record["payment_id"] is not None,
        "has a phone": record["phone_hash"] is not None,
        "in a programme": record["programme"] is not None,
        "verified by phone": record["verification"] == "phone",
        "plan": ("free", "plus", "payg", "tier1", "team").index(str(record["plan"])),
        "country": digits(str(record["country"]).encode().hex()),
        "mail domain": digits(str(record["email_domain"]).encode().hex()),
    }


def of_exchange(row: Row, place: int) -> dict[str, float]:
    moment = row["ts"]
    address = [int(part) for part in str(row["client_ip"]).split(".")]
    return {
        "place in the window": place,
        "place, odd": place % 2,
        "exchange_id": digits(row["exchange_id"]),
        "length of exchange_id": len(str(row["exchange_id"])),
        "key_id": digits(row["key_id"]),
        "hour": moment.hour,
        "weekday": moment.weekday(),
        "second": moment.second,
        "microsecond": moment.microsecond,
        "last digits of the microsecond": moment.microsecond % 1000,
        "first byte of the address": address[0],
        "last byte of the address": address[3],
        "asn": row["asn"],
        "user agent": len(str(row["user_agent"])),
        "tls": digits(row["tls_fingerprint"]),
        "channel": row["channel"] == "api",
        "has a device": row["device_id"] is not None,
        "has a session": row["session_id"] is not None,
        "temperature": -1 if row["temperature"] is None else row["temperature"],
        "top_p": -1 if row["top_p"] is None else row["top_p"],
        "max_tokens": -1 if row["max_tokens"] is None else row["max_tokens"],
        "streams": row["stream"],
        "refused": row["status"] != 200,
        "model": digits(str(row["model"]).encode().hex()),
        "last digit of input_tokens": row["input_tokens"] % 10,
        "last digit of output_tokens": row["output_tokens"] % 10,
        "last digit of latency_ms": row["latency_ms"] % 10,
        "last digit of ttft_ms": row["ttft_ms"] % 10,
    }


def auc(feature: Floats, positive: npt.NDArray[np.bool_]) -> float:
    hits = positive.sum()
    ranks = rankdata(feature)[positive].sum()
    return float((ranks - hits * (hits + 1) / 2) / (hits * (~positive).sum()))


def held_out_auc(features: Floats, positive: npt.NDArray[np.bool_]) -> float:
    """Return the AUC of a linear discriminant on the half of the accounts that it was not fitted to."""
    ranks = np.column_stack([rankdata(column) / column.size for column in features.T])
    both = np.column_stack([ranks, ranks**2, np.ones(len(ranks))])
    fold = np.arange(len(ranks)) % 2 == 0
    scores = np.empty(len(ranks))
    for fit in (fold, ~fold):
        ridge = both[fit].T @ both[fit] + np.eye(both.shape[1])
        scores[~fit] = both[~fit] @ np.linalg.solve(ridge, both[fit].T @ positive[fit])
    return auc(scores, positive)


def table(
    apart: tuple[Path, Truth], source: Callable[[Path], list[Row]], features: Callable[[Row, int], dict[str, float]]
) -> tuple[list[str], Floats, npt.NDArray[np.bool_]]:
    """Return one row of trivial features for each account: its record, or one of its exchanges by lot."""
    out, truth = apart
    chosen: dict[str, tuple[str, dict[str, float]]] = {}
    for place, row in enumerate(source(out)):
        name, key = str(row["account_id"]), hashlib.sha256(str(row.get("exchange_id", "")).encode()).hexdigest()
        if name in truth.accounts and (name not in chosen or key < chosen[name][0]):
            chosen[name] = (key, features(row, place))
    names = list(next(iter(chosen.values()))[1])
    matrix = np.array([[values[name] for name in names] for _, values in chosen.values()], np.float64)
    positive = np.array([truth.accounts[name].label == "campaign" for name in chosen])
    assert positive.sum() == CAMPAIGN
    assert (~positive).sum() == BENIGN
    return names, matrix, positive


def records(out: Path) -> list[Row]:
    return [json.loads(line) for line in (out / "accounts.jsonl").read_text().splitlines()]


def exchanges(out: Path) -> list[Row]:
    return list(pq.read_table(out / "window" / "exchanges.parquet").to_pylist())


@pytest.mark.parametrize(("source", "features"), [(records, of_account), (exchanges, of_exchange)])
def test_no_trivial_feature_tells_a_campaign_account(
    apart: tuple[Path, Truth],
    source: Callable[[Path], list[Row]],
    features: Callable[[Row, int], dict[str, float]],
) -> None:
    names, matrix, positive = table(apart, source, features)
    noise = np.sqrt((BENIGN + CAMPAIGN + 1) / (12 * BENIGN * CAMPAIGN))
    told = {name: auc(column, positive) for name, column in zip(names, matrix.T, strict=True)}
    leaks = {name: value for name, value in told.items() if abs(value - 0.5) > 3.5 * noise}
    assert leaks == {}
    assert abs(held_out_auc(matrix, positive) - 0.5) < 3.5 * noise


def test_the_test_would_see_a_leak(apart: tuple[Path, Truth]) -> None:
    _, matrix, positive = table(apart, records, of_account)
    matrix[:, 1] = np.where(positive, matrix[:, 1] * 0.8, matrix[:, 1])
    noise = np.sqrt((BENIGN + CAMPAIGN + 1) / (12 * BENIGN * CAMPAIGN))
    assert abs(auc(matrix[:, 1], positive) - 0.5) > 3.5 * noise
    assert held_out_auc(matrix, positive) > 0.5 + 3.5 * noise
