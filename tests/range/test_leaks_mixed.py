"""In a window of many kinds at once, no field's presence, shape, digits or place tells a campaign's account."""

import hashlib
import json
from datetime import datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq
import pytest
from scipy.stats import rankdata

from stillwatch.records.exchange import ACCOUNT_SCHEMA, EXCHANGE_SCHEMA
from stillwatch_range.campaigns import CampaignPlan
from stillwatch_range.plan import Scenario
from stillwatch_range.scenario import build_window
from stillwatch_range.text import invent_material
from stillwatch_range.workloads import known_workloads

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Row = dict[str, object]

PERMUTATIONS = 80
BEHAVIOUR = ("system", "prompt", "response", "reasoning", "sketch", "turn", "tool_names", "finish_reason")
"""Fields whose contents are what an account does; only whether they are there is looked at."""
PLANS = (
    CampaignPlan(family="tags", accounts=110, exchanges=400, shared_infrastructure=0.0),
    CampaignPlan(family="reasoning", accounts=90, exchanges=300, shared_infrastructure=0.0, mixing=0.8),
    CampaignPlan(family="forwarded", accounts=60, exchanges=200, shared_infrastructure=0.0),
    CampaignPlan(family="grading", accounts=40, exchanges=150, shared_infrastructure=0.0, pool="p"),
    CampaignPlan(family="tasks", accounts=30, exchanges=90, shared_infrastructure=0.0, pool="p"),
)


class Mixed:
    """A window's rows by account, and which accounts are a campaign's; heavy users are left aside."""

    def __init__(self, out: Path, *, profiles: bool) -> None:
        uses = tuple(known_workloads()[name] for name in ("students", "enthusiasts", "shared_key", "agency_clients"))
        scenario = Scenario(
            name="mixed", campaigns=PLANS, benign_accounts=1100, returning=0.3, workloads=uses, profiles=profiles
        )
        truth = build_window(invent_material(seed=9, talks=11_000), out, scenario, seed=9)
        labels = {name: account.label for name, account in truth.accounts.items() if account.label != "hard_negative"}
        self.records = self._of_accounts(out, labels)
        self.exchanges = self._of_exchanges(out, labels)
        self.campaign = np.array([labels[name] == "campaign" for name in sorted(labels)])

    @staticmethod
    def _of_accounts(out: Path, labels: dict[str, str]) -> list[Row]:
        rows = {}
        for place, line in enumerate((out / "accounts.jsonl").read_text().splitlines()):
            record = json.loads(line)
            record |= {"place": place, "bytes": len(line), "keys": ",".join(record)}
            rows[record["account_id"]] = record
        return [rows[name] for name in sorted(labels)]

    @staticmethod
    def _of_exchanges(out: Path, labels: dict[str, str]) -> list[Row]:
        """Return one exchange of each account by lot."""
        chosen: dict[str, tuple[str, Row]] = {}
        for place, row in enumerate(pq.read_table(out / "window" / "exchanges.parquet").to_pylist()):
            lot = hashlib.sha256(row["exchange_id"].encode()).hexdigest()
            name = row["account_id"]
            if name in labels and (name not in chosen or lot < chosen[name][0]):
                chosen[name] = (lot, row | {"place": place, "place, odd": place % 2})
        return [chosen[name][1] for name in sorted(labels)]


def trivial(name: str, value: object) -> dict[str, float]:
    """Return all that can be seen of a value without understanding it."""
    seen = {f"{name} is there": float(value is not None)}
    if name in BEHAVIOUR:
        return seen
    text = "" if value is None else str(value)
    if isinstance(value, datetime):
        seen |= {"microsecond": value.microsecond, "microsecond, end": value.microsecond % 1000, "s": value.second}
    elif isinstance(value, int | float):
        seen[f"{name}, last digit"] = float(text[-1]) if text[-1].isdigit() else float(text == "True")
        seen[f"{name}, digits after the point"] = len(text.partition(".")[2])
    else:
        seen[f"{name}, length"] = len(text)
        seen[f"{name}, first byte"] = ord(text.rpartition("_")[2][:1] or " ")
        seen[f"{name}, last byte"] = ord(text[-1:] or " ")
        seen[f"{name}, capitals"] = sum(letter.isupper() for letter in text)
    return seen


def features(rows: list[Row]) -> tuple[list[str], Floats]:
    """Return the trivial features that vary, one row for each account."""
    seen = [{key: value for name in row for key, value in trivial(name, row[name]).items()} for row in rows]
    names = sorted({key for row in seen for key in row})
    matrix = np.array([[row.get(name, -1.0) for name in names] for row in seen], np.float64)
    varies = matrix.std(axis=0) > 0
    return [name for name, kept in zip(names, varies, strict=True) if kept], matrix[:, varies]


def auc(scores: Floats, positive: Bools) -> Floats:
    """Return the AUC of each column of scores."""
    ranks = rankdata(scores, axis=0)[positive].sum(axis=0)
    hits = int(positive.sum())
    return np.asarray((ranks - hits * (hits + 1) / 2) / (hits * int((~positive).sum())))


def regression_auc(design: Floats, positive: Bools) -> float:
    """Return the held-out AUC of a ridge logistic regression, over two halves."""
    fold = np.arange(len(design)) % 2 == 0
    scores = np.empty(len(design))
    for fit in (fold, ~fold):
        weights = np.zeros(design.shape[1])
        inside, target = design[fit], positive[fit]
        for _ in range(4):
            chance = 1 / (1 + np.exp(-inside @ weights))
            slope = inside.T @ (target - chance) - weights
            bend = (inside * (chance * (1 - chance))[:, None]).T @ inside + np.eye(len(weights))
            weights += np.linalg.solve(bend, slope)
        scores[~fit] = design[~fit] @ weights
    return float(auc(scores[:, None], positive)[0])


def told(matrix: Floats, positive: Bools) -> tuple[Floats, float]:
    """Return how far each feature alone, and a classifier on all, are from chance."""
    ranks = rankdata(matrix, axis=0) / len(matrix)
    scaled = (ranks - ranks.mean(axis=0)) / ranks.std(axis=0)
    design = np.column_stack([scaled, np.ones(len(scaled))])
    return np.abs(auc(matrix, positive) - 0.5), abs(regression_auc(design, positive) - 0.5)


def limits(matrix: Floats, positive: Bools) -> tuple[float, float]:
    """Return the same for the best feature and the classifier at their luckiest, under shuffled labels."""
    rng = np.random.default_rng(1)
    lucky = [told(matrix, rng.permutation(positive)) for _ in range(PERMUTATIONS)]
    return max(float(alone.max()) for alone, _ in lucky), max(together for _, together in lucky)


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "profiles"])
def mixed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Mixed:
    return Mixed(tmp_path_factory.mktemp("mixed"), profiles=request.param)


@pytest.mark.parametrize("source", ["records", "exchanges"])
def test_nothing_trivial_tells_a_campaign_in_a_mixed_window(mixed: Mixed, source: str) -> None:
    names, matrix = features(getattr(mixed, source))
    alone, together = told(matrix, mixed.campaign)
    most_alone, most_together = limits(matrix, mixed.campaign)
    leaks = {name: round(value, 3) for name, value in zip(names, alone, strict=True) if value > most_alone}
    assert leaks == {}
    assert together <= most_together


def test_every_field_is_looked_at(mixed: Mixed) -> None:
    assert set(EXCHANGE_SCHEMA.names) <= set(mixed.exchanges[0])
    assert set(ACCOUNT_SCHEMA.names) <= set(mixed.records[0])
    assert 250 < mixed.campaign.sum() < 320


@pytest.mark.parametrize(
    ("field", "leak"),
    [
        ("tls_fingerprint", lambda value: None if value is None else str(value).upper()),
        ("temperature", lambda value: 0.7001 if value is None else value),
        ("ts", lambda value: value.replace(microsecond=value.microsecond // 1000 * 1000)),
    ],
)
def test_a_planted_leak_is_seen(mixed: Mixed, field: str, leak: object) -> None:
    rows = [
        row | {field: leak(row[field])} if planted else row  # type: ignore[operator]
        for row, planted in zip(mixed.exchanges, mixed.campaign, strict=True)
    ]
    _, matrix = features(rows)
    alone, together = told(matrix, mixed.campaign)
    most_alone, most_together = limits(matrix, mixed.campaign)
    assert alone.max() > most_alone
    assert together > most_together
