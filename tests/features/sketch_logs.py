"""Small logs with prompts of made-up words, and the sketch stores made from them."""

import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.features.store import SketchStore, build_store
from stillwatch.records.exchange import EXCHANGE_SCHEMA

START_US = 1_767_225_600_000_000
Asked = tuple[str, str]  # account, prompt


class Words:
    """A source of text whose words are drawn independently of one another."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        letters = np.array(list("abcdefghijklmnopqrstuvwxyz"))
        lengths = self.rng.integers(3, 9, 4_000).tolist()
        self._known = np.array(["".join(self.rng.choice(letters, length)) for length in lengths])

    def text(self, count: int) -> str:
        """Return so many words."""
        return " ".join(self.rng.choice(self._known, count))


def write_log(path: Path, rows: Sequence[Asked], first: int = 0) -> Path:
    """Write one Parquet file of exchanges."""
    numbers = range(first, first + len(rows))
    columns = {
        "exchange_id": [f"x{number}" for number in numbers],
        "ts": pa.array([START_US + number for number in numbers], pa.int64()).cast(pa.timestamp("us", tz="UTC")),
        "account_id": [account for account, _ in rows],
        "model": ["large-1"] * len(rows),
        "prompt": [prompt for _, prompt in rows],
    }
    pq.write_table(pa.table(columns, schema=pa.schema([EXCHANGE_SCHEMA.field(name) for name in columns])), path)
    return path


def store_of(directory: Path, rows: Sequence[Asked], files: int = 1) -> SketchStore:
    """Write rows as so many files and sketch them."""
    directory.mkdir()
    cuts = np.linspace(0, len(rows), files + 1).astype(int)
    paths = [
        write_log(directory / f"{number}.parquet", rows[start:end], int(start))
        for number, (start, end) in enumerate(itertools.pairwise(cuts))
    ]
    return build_store(paths, directory / "store")


def framed(words: Words, frame: Sequence[str], slot: int) -> str:
    """Return the parts of a frame with as many words of new text behind each."""
    return "\n".join(part + " " + words.text(slot) for part in frame)


def benign(words: Words, accounts: int, each: int) -> list[Asked]:
    """Return prompts that have nothing in common."""
    lengths = words.rng.integers(5, 200, accounts * each).tolist()
    return [(f"user-{number % accounts}", words.text(length)) for number, length in enumerate(lengths)]
