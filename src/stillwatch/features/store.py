"""The sketches of one period, laid out for mining: one file per MinHash bin, so that a pass reads only the bin's bytes.

Memory per exchange with content: 33 bytes of row facts, plus 4 while a bin is being looked at. The rest is on disk.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from stillwatch.features import kernel
from stillwatch.features.sketch import minhash_matrix, sketch_texts, vocabulary_matrix
from stillwatch.hashing import hash_strings
from stillwatch.progress import Ticker

BATCH_ROWS = 20_000
_VOCABULARY = "vocabulary.u8"

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class SketchStore:
    """Row facts of the exchanges that carry content, in input order; arrays of one length.

    Attributes:
        account: hash_strings of the account id.
        ts_us: arrival, µs since 1970 UTC.
        content: content hash.
        cues: bits of cues.toml.
        position: number of the exchange in the dataset (all files in order), to find its text again.
    """

    directory: Path
    account: Ints
    ts_us: Ints
    content: Ints
    cues: npt.NDArray[np.int32]
    position: Ints

    def __len__(self) -> int:
        return self.account.size

    def bin(self, number: int) -> npt.NDArray[np.uint32]:
        """Read one MinHash bin of all rows from disk."""
        return np.fromfile(self.directory / f"bin-{number:02}.u32", np.uint32)

    def vocabularies(self) -> Iterator[npt.NDArray[np.uint8]]:
        """Yield the vocabulary bits (rows, 128), batch after batch, in row order."""
        with (self.directory / _VOCABULARY).open("rb") as stream:
            while data := stream.read(BATCH_ROWS * kernel.VOCABULARY_BYTES):
                yield np.frombuffer(data, np.uint8).reshape(-1, kernel.VOCABULARY_BYTES)


def build_store(files: Sequence[Path], directory: Path, ticker: Ticker | None = None) -> SketchStore:
    """Sketch the text of a dataset (or take the sketches that it carries) and lay them out in `directory`."""
    directory.mkdir(parents=True)
    rows: list[tuple[npt.NDArray[np.generic], ...]] = []
    sinks = [(directory / f"bin-{number:02}.u32").open("wb") for number in range(kernel.BINS)]
    vocabulary = (directory / _VOCABULARY).open("wb")
    start = 0
    try:
        for batch in read_batches(files, ("account_id", "ts", "system", "prompt", "sketch")):
            sketches = batch_sketches(batch)
            chosen = np.flatnonzero(np.asarray(sketches.is_valid()))
            kept = sketches.take(pa.array(chosen))
            matrix = minhash_matrix(kept.field("minhash"))
            for number, sink in enumerate(sinks):
                np.ascontiguousarray(matrix[:, number]).tofile(sink)
            vocabulary_matrix(kept.field("vocabulary")).tofile(vocabulary)
            rows.append(
                (
                    hash_strings(batch.column("account_id"))[chosen],
                    np.asarray(batch.column("ts").cast(pa.int64()))[chosen],
                    np.asarray(kept.field("content_hash")),
                    np.asarray(kept.field("cues")),
                    chosen + start,
                )
            )
            start += batch.num_rows
            if ticker is not None:
                ticker.advance(batch.num_rows)
    finally:
        for sink in (*sinks, vocabulary):
            sink.close()
    columns = [np.concatenate(parts) for parts in zip(*rows, strict=True)] if rows else [np.empty(0, np.int64)] * 5
    return SketchStore(directory, *columns)


def read_batches(files: Sequence[Path], columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """Yield batches with all the named columns; a column that a file lacks is null."""
    for path in files:
        with pq.ParquetFile(path) as source:
            present = [name for name in columns if name in source.schema_arrow.names]
            for batch in source.iter_batches(BATCH_ROWS, columns=present):
                yield pa.RecordBatch.from_arrays(
                    [batch.column(name) if name in present else pa.nulls(batch.num_rows) for name in columns],
                    names=list(columns),
                )


def batch_sketches(batch: pa.RecordBatch) -> pa.StructArray:
    """Return the sketch of each row of a batch: the one it carries, else one made from its system prompt and prompt."""
    carried = batch.column("sketch")
    if carried.null_count == 0 and len(carried):
        return carried
    made = sketch_texts(batch.column("system").cast(pa.string()), batch.column("prompt").cast(pa.string()))
    if carried.null_count == len(carried):
        return made
    return pc.if_else(carried.is_valid(), carried, made)
