"""What sketching costs: CPU seconds and peak memory of whole processes, beside reading the same text.

Run `python benchmarks/sketch.py [--rows 1000000]`. Prompts are synthetic: about 800 characters of words drawn by
Zipf's law from 50,000, with capitals, punctuation and numbers, so that they compress about as badly as prose does.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from stillwatch.records.exchange import EXCHANGE_SCHEMA

_FILE_ROWS = 250_000
_WORDS = 50_000
_SYLLABLES = [onset + vowel for onset in ("", *"bcdfghlmnprstvw", "st", "tr", "ch") for vowel in "aeiou"]
_ENDINGS = ["", "n", "s", "t", "r", "ng", "nd", "l"]
_FIELDS = ("exchange_id", "ts", "account_id", "model", "prompt", "output_tokens")
_START_US = 1_767_225_600_000_000  # 2026-01-01T00:00:00Z

_READ = """
import sys, pyarrow.parquet as pq
rows = 0
for path in sys.argv[1:]:
    for batch in pq.ParquetFile(path).iter_batches(20_000, columns=["account_id", "prompt"]):
        rows += batch.num_rows
"""
_STORE = """
import sys
from pathlib import Path
from stillwatch.features.store import build_store
build_store([Path(path) for path in sys.argv[2:]], Path(sys.argv[1]))
"""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a process took, its children included."""

    wall_s: float
    cpu_s: float
    peak_mib: float


def main() -> None:
    """Write the prompts, measure each program twice and print the cheaper run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--mean-words", type=int, default=140)
    arguments = parser.parse_args()
    rows, mean_words = arguments.rows, arguments.mean_words
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        files = write_prompts(directory / "log", rows, mean_words)
        paths = [str(path) for path in files]
        print(f"{rows:,} prompts, {sum(path.stat().st_size for path in files) / 2**20:,.0f} MiB of Parquet")
        python = [sys.executable, "-c"]
        commands = {
            "read account and prompt (pyarrow)": [*python, _READ, *paths],
            "build_store": [*python, _STORE, str(directory / "store"), *paths],
            "stillwatch sketch": [
                *(sys.executable, "-m", "stillwatch", "sketch", str(directory / "log")),
                *("--out", str(directory / "out")),
            ],
        }
        reading = 0.0
        for label, command in commands.items():
            cost = min((measure(command, directory) for _ in range(2)), key=lambda cost: cost.cpu_s)
            reading = reading or cost.cpu_s
            print(
                f"{label:36} {cost.cpu_s:6.1f} CPU s {rows / cost.cpu_s:10,.0f} rows/s/core "
                f"{cost.cpu_s / reading:5.1f} x read {cost.peak_mib:7,.0f} MiB {cost.wall_s:6.1f} s wall"
            )


def measure(command: list[str], directory: Path) -> Cost:
    """Run a command to its end; start-up included."""
    for output in ("store", "out"):
        shutil.rmtree(directory / output, ignore_errors=True)
    started = time.perf_counter()
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{command[:4]} ended with {process.returncode}")
    return Cost(time.perf_counter() - started, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def write_prompts(directory: Path, rows: int, mean_words: int, seed: int = 0) -> list[Path]:
    """Write `rows` exchanges with prompts into `directory` and return the files."""
    rng = np.random.default_rng(seed)
    vocabulary = _vocabulary(rng)
    schema = pa.schema([EXCHANGE_SCHEMA.field(name) for name in _FIELDS])
    directory.mkdir()
    files = []
    for start in range(0, rows, _FILE_ROWS):
        path = directory / f"part-{start // _FILE_ROWS:03}.parquet"
        with pq.ParquetWriter(path, schema, compression="zstd") as writer:
            for first in range(start, min(start + _FILE_ROWS, rows), 25_000):
                count = min(25_000, start + _FILE_ROWS - first, rows - first)
                writer.write_batch(_batch(rng, first, count, _texts(rng, vocabulary, count, mean_words)))
        files.append(path)
    return files


def _vocabulary(rng: np.random.Generator) -> pa.Array:
    """Words, short ones first as in any language, with the forms in which they stand in a text."""
    words = set[str]()
    while len(words) < _WORDS:
        parts = rng.choice(_SYLLABLES, rng.integers(1, 5))
        words.add("".join(parts) + rng.choice(_ENDINGS))
    ordered = sorted(words, key=lambda word: (len(word) + rng.normal(0, 2), word))
    forms = rng.choice(["", "", "", "", "", "", "capital", ",", ".", ".\n", "number"], _WORDS)
    shown = []
    for word, form in zip(ordered, forms, strict=True):
        special = {"capital": word.capitalize(), "number": str(rng.integers(0, 10_000)), "": word}
        shown.append(special.get(form, word + form))
    return pa.array(shown)


def _texts(rng: np.random.Generator, vocabulary: pa.Array, count: int, mean_words: int) -> pa.Array:
    lengths = np.clip(rng.lognormal(np.log(mean_words) - 0.125, 0.5, count), 3, 4_000).astype(np.int64)
    ranks = len(vocabulary) ** rng.random(lengths.sum()) - 1  # Zipf's law with exponent 1
    chosen = vocabulary.take(pa.array(ranks.astype(np.int64)))
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    return pc.binary_join(pa.ListArray.from_arrays(pa.array(offsets), chosen), " ")


def _batch(rng: np.random.Generator, first: int, count: int, texts: pa.Array) -> pa.RecordBatch:
    moments = np.arange(first, first + count) * 1_000_000 + _START_US
    columns = [
        pa.array([f"x-{number:012}" for number in range(first, first + count)]),
        pa.array(moments).cast(pa.timestamp("us", tz="UTC")),
        pa.array([f"account-{number:06}" for number in rng.integers(0, 40_000, count)]),
        pa.array(rng.choice(["large-1", "medium-1", "small-1"], count).tolist()),
        texts,
        pa.array(rng.integers(1, 2_000, count)),
    ]
    schema = pa.schema([EXCHANGE_SCHEMA.field(name) for name in _FIELDS])
    return pa.RecordBatch.from_arrays(columns, schema=schema)


if __name__ == "__main__":
    main()
