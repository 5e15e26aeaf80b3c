"""What a provider would reach for first: a threshold on one number per account, set on benign accounts of the history.

The number is the volume, an isolation forest's score, how far the prompts lie from the history's (kernel_test.py), or
how many accounts the metadata link to it (linkage.py).
"""

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq
from pyod.models.iforest import IForest

from kernel_test import Prompts, account_scores

Floats = npt.NDArray[np.float64]
Row = dict[str, Any]

FALSE_POSITIVE_RATE = 1e-2
_SAMPLE_CHARS = 20_000


@dataclass(frozen=True, slots=True)
class Accounts:
    """Features of the accounts of one period; the first column is the number of requests."""

    names: list[str]
    features: Floats


def read_features(directory: Path) -> Accounts:
    """Compute features per account from native Parquet."""
    columns = ["account_id", "ts", "prompt", "system", "output_tokens", "input_tokens", "client_ip", "turn", "model"]
    rows: dict[str, list[Row]] = {}
    for row in pq.read_table(directory, columns=columns).to_pylist():
        rows.setdefault(str(row["account_id"]), []).append(row)
    return Accounts(list(rows), np.array([_features(own) for own in rows.values()], np.float64))


def flag_by_volume(history: Accounts, window: Accounts, benign: Callable[[str], bool]) -> set[str]:
    """Flag accounts with more requests than all but one in a hundred benign accounts of the history had."""
    return _above(_scores(history, history.features[:, 0]), _scores(window, window.features[:, 0]), benign)


def flag_by_isolation_forest(history: Accounts, window: Accounts, benign: Callable[[str], bool], seed: int) -> set[str]:
    """Flag outliers of a forest fitted to the history, at the same rate on its benign accounts."""
    forest = IForest(n_estimators=200, random_state=seed).fit(history.features)
    before, now = forest.decision_function(history.features), forest.decision_function(window.features)
    return _above(_scores(history, before), _scores(window, now), benign)


def flag_by_kernel_test(history: Prompts, window: Prompts, benign: Callable[[str], bool]) -> set[str]:
    """Flag accounts whose prompts lie further from the history's, at the same rate on its benign accounts."""
    before, now = account_scores(history, history), account_scores(history, window)
    return _above(
        dict(zip(history.names, before.tolist(), strict=True)),
        dict(zip(window.names, now.tolist(), strict=True)),
        benign,
    )


def flag_by_linkage(
    sizes: dict[str, int], history: Accounts, window: Accounts, benign: Callable[[str], bool]
) -> set[str]:
    """Flag accounts in larger clusters, at the same rate on the history's benign accounts.

    Args:
        sizes: size of each account's cluster; accounts without one stand alone.
        history: whose accounts are in the history.
        window: whose are in the window.
        benign: whether an account of the history is.
    """

    def own(period: Accounts) -> dict[str, float]:
        return {name: float(sizes.get(name, 1)) for name in period.names}

    return _above(own(history), own(window), benign)


def _scores(period: Accounts, scores: Floats) -> dict[str, float]:
    return dict(zip(period.names, scores.tolist(), strict=True))


def _above(before: dict[str, float], now: dict[str, float], benign: Callable[[str], bool]) -> set[str]:
    ordinary = [score for name, score in before.items() if benign(name)]
    threshold = np.quantile(ordinary, 1 - FALSE_POSITIVE_RATE)
    return {name for name, score in now.items() if score > threshold}


def _features(rows: list[Row]) -> list[float]:
    moments = np.sort([row["ts"].timestamp() for row in rows])
    gaps = np.diff(moments)
    prompts = [str(row["prompt"]) for row in rows]
    chars = np.array([len(prompt) for prompt in prompts])
    text = "\n".join(prompts)[:_SAMPLE_CHARS].encode()
    hours = np.array([row["ts"].hour for row in rows])
    return [
        len(rows),
        float(np.median(gaps)) if gaps.size else 0.0,
        float(gaps.std()) if gaps.size else 0.0,
        chars.mean(),
        chars.std(),
        len(zlib.compress(text)) / max(1, len(text)),
        len(set(prompts)) / len(prompts),
        np.mean([row["output_tokens"] for row in rows]),
        np.mean([row["input_tokens"] for row in rows]),
        np.mean([row["system"] is not None for row in rows]),
        np.mean([row["turn"] in (None, 0) for row in rows]),
        len({row["client_ip"] for row in rows}),
        len({row["model"] for row in rows}),
        len(np.unique(hours)),
    ]
