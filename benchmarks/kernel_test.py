"""A kernel two-sample test of a window's prompts against those of the history, per account and for the whole window.

Maximum mean discrepancy (Gretton et al. 2012) on hashed character n-grams, reduced by latent semantic analysis and fed
through random Fourier features, so that it costs one pass. Works proposed against model extraction embed with a neural
network instead (arXiv 2606.05725); what is the same is the test, and what it can say.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer
from sklearn.kernel_approximation import RBFSampler
from sklearn.metrics import pairwise_distances
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer

Floats = npt.NDArray[np.float64]

_CHARS = 600
_HASHED, _REDUCED, _FOURIER = 2**16, 64, 512
_SAMPLE = 1_000
_PERMUTATIONS = 199


@dataclass(frozen=True, slots=True)
class Prompts:
    """The features of a period's prompts, summed over each account; `counts` are its prompts."""

    names: list[str]
    sums: Floats
    squares: Floats
    counts: Floats


def read_prompts(logs: Path, seed: int) -> tuple[Prompts, Prompts]:
    """Return history and window, in features fitted to the history."""
    texts = [_texts(logs / part) for part in ("history", "window")]
    reduce = make_pipeline(
        HashingVectorizer(analyzer="char_wb", ngram_range=(3, 4), n_features=_HASHED, alternate_sign=False),
        TfidfTransformer(sublinear_tf=True),
        TruncatedSVD(_REDUCED, random_state=seed),
        Normalizer(),
    )
    before = reduce.fit_transform([text for _, text in texts[0]])
    now = reduce.transform([text for _, text in texts[1]])
    sample = before[np.random.default_rng(seed).permutation(len(before))[:_SAMPLE]]
    width = np.median(pairwise_distances(sample)[np.triu_indices(len(sample), 1)])
    fourier = RBFSampler(gamma=1 / (2 * width**2), n_components=_FOURIER, random_state=seed).fit(before)
    history = _by_account([name for name, _ in texts[0]], fourier.transform(before))
    return history, _by_account([name for name, _ in texts[1]], fourier.transform(now))


def account_scores(history: Prompts, period: Prompts) -> Floats:
    """Return how far each account's prompts lie from the history's: unbiased MMD times the root of their number.

    An account of the history is compared with what the others sent.
    """
    own_place = {name: number for number, name in enumerate(history.names)}
    scores = np.zeros(len(period.names))
    total, prompts = history.sums.sum(axis=0), history.counts.sum()
    for number, name in enumerate(period.names):
        inside = own_place.get(name)
        others, of = (
            (total, prompts) if inside is None else (total - history.sums[inside], prompts - history.counts[inside])
        )
        count, mean = period.counts[number], others / of
        if count < 2:
            continue
        within = (period.sums[number] @ period.sums[number] - period.squares[number]) / (count * (count - 1))
        across = period.sums[number] @ mean / count
        scores[number] = (within - 2 * across + mean @ mean) * np.sqrt(count)
    return scores


def window_p_value(history: Prompts, window: Prompts, seed: int) -> float:
    """Return the p-value of the whole window's MMD against the history, by exchanging accounts between the two."""
    sums, counts = np.vstack([history.sums, window.sums]), np.concatenate([history.counts, window.counts])
    labels = np.arange(len(counts)) < len(history.names)
    rng = np.random.default_rng(seed)

    def distance(first: npt.NDArray[np.bool_]) -> float:
        apart = sums[first].sum(axis=0) / counts[first].sum() - sums[~first].sum(axis=0) / counts[~first].sum()
        return float(apart @ apart)

    found = distance(labels)
    beyond = sum(distance(rng.permutation(labels)) >= found for _ in range(_PERMUTATIONS))
    return (1 + beyond) / (1 + _PERMUTATIONS)


def _texts(directory: Path) -> list[tuple[str, str]]:
    rows: list[dict[str, Any]] = pq.read_table(directory, columns=["account_id", "system", "prompt"]).to_pylist()
    return [(str(row["account_id"]), f"{row['system'] or ''}\n{row['prompt'] or ''}"[:_CHARS]) for row in rows]


def _by_account(names: list[str], features: Floats) -> Prompts:
    accounts, place = np.unique(names, return_inverse=True)
    sums = np.zeros((accounts.size, features.shape[1]))
    np.add.at(sums, place, features)
    squares = np.bincount(place, weights=(features**2).sum(axis=1))
    return Prompts(accounts.tolist(), sums, squares, np.bincount(place).astype(np.float64))
