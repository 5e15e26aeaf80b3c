"""The sketches of one period, laid out for mining: one file per MinHash bin, so that a pass reads only the bin's bytes.

Memory per exchange with content: 44 bytes of row facts, plus 4 while a bin is being looked at. The rest is on disk.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from stillwatch.errors import UsageError
from stillwatch.features import kernel
from stillwatch.features.sketch import SKETCH_VERSION, minhash_matrix, sketch_texts, vocabulary_matrix
from stillwatch.hashing import hash_strings
from stillwatch.progress import Ticker

BATCH_ROWS = 20_000
_BATCH_BYTES = 32 * 2**20
_VOCABULARY = "vocabulary.u8"
_COLUMNS = ("account_id", "ts", "model", "output_tokens", "reasoning_tokens", "system", "prompt", "sketch")
_ROW_FIELDS = ("account", "ts_us", "content", "cues", "position", "output_tokens", "reasoning_tokens", "model")
_ROW_TYPES = (np.int64, np.int64, np.int64, np.int32, np.int64, np.int32, np.int32, np.int16)
_MAX_MODELS = 30_000

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
        output_tokens, reasoning_tokens: as logged, -1 where the log does not say.
        model: index into `models`.
        selected: rows of the files on disk that this store is made of, None for all.
    """

    directory: Path
    account: Ints
    ts_us: Ints
    content: Ints
    cues: npt.NDArray[np.int32]
    position: Ints
    output_tokens: npt.NDArray[np.int32]
    reasoning_tokens: npt.NDArray[np.int32]
    model: npt.NDArray[np.int16]
    models: tuple[str, ...]
    selected: Ints | None = None

    def __len__(self) -> int:
        return self.account.size

    def bin(self, number: int) -> npt.NDArray[np.uint32]:
        """Read one MinHash bin of all rows from disk."""
        values = np.fromfile(self.directory / f"bin-{number:02}.u32", np.uint32)
        return values if self.selected is None else values[self.selected]

    def minhash(self, rows: Ints) -> npt.NDArray[np.uint32]:
        """Read the sketches of a few rows (n, 64) without reading the others."""
        places = rows if self.selected is None else self.selected[rows]
        sketches = np.empty((rows.size, kernel.BINS), np.uint32)
        for number in range(kernel.BINS if rows.size else 0):
            sketches[:, number] = np.memmap(self.directory / f"bin-{number:02}.u32", np.uint32, "r")[places]
        return sketches

    def vocabulary(self, rows: Ints) -> npt.NDArray[np.uint8]:
        """Read the vocabulary bits (n, 128) of a few rows without reading the others."""
        if not rows.size:
            return np.empty((0, kernel.VOCABULARY_BYTES), np.uint8)
        places = rows if self.selected is None else self.selected[rows]
        bits = np.memmap(self.directory / _VOCABULARY, np.uint8, "r").reshape(-1, kernel.VOCABULARY_BYTES)
        return np.asarray(bits[places])

    def vocabularies(self) -> Iterator[npt.NDArray[np.uint8]]:
        """Yield the vocabulary bits (rows, 128), batch after batch, in row order."""
        start = 0
        with (self.directory / _VOCABULARY).open("rb") as stream:
            while data := stream.read(BATCH_ROWS * kernel.VOCABULARY_BYTES):
                bits = np.frombuffer(data, np.uint8).reshape(-1, kernel.VOCABULARY_BYTES)
                if self.selected is not None:
                    first, last = np.searchsorted(self.selected, [start, start + bits.shape[0]])
                    yield bits[self.selected[first:last] - start]
                else:
                    yield bits
                start += bits.shape[0]

    def part(self, rows: Ints) -> "SketchStore":
        """Return the store of some of the rows (ascending) of a whole store; nothing is copied on disk."""
        return replace(
            self,
            selected=rows,
            **{name: getattr(self, name)[rows] for name in _ROW_FIELDS},
        )


def build_store(files: Sequence[Path], directory: Path, ticker: Ticker | None = None) -> SketchStore:
    """Sketch the text of a dataset (or take the sketches that it carries) and lay them out in `directory`."""
    directory.mkdir(parents=True)
    with _StoreWriter(directory) as writer:
        for batch in read_batches(files, _COLUMNS):
            writer.add(batch)
            if ticker is not None:
                ticker.advance(batch.num_rows)
    return writer.store()


class _StoreWriter:
    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._bins = [(directory / f"bin-{number:02}.u32").open("wb") for number in range(kernel.BINS)]
        self._vocabulary = (directory / _VOCABULARY).open("wb")
        self._rows: list[tuple[npt.NDArray[np.generic], ...]] = []
        self._models: dict[str, int] = {}
        self._seen = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for stream in (*self._bins, self._vocabulary):
            stream.close()

    def add(self, batch: pa.RecordBatch) -> None:
        sketches = batch_sketches(batch)
        chosen = np.flatnonzero(np.asarray(sketches.is_valid()))
        kept = sketches.take(pa.array(chosen)) if chosen.size < len(sketches) else sketches
        matrix = minhash_matrix(kept.field("minhash"))
        for number, stream in enumerate(self._bins):
            np.ascontiguousarray(matrix[:, number]).tofile(stream)
        vocabulary_matrix(kept.field("vocabulary")).tofile(self._vocabulary)
        self._rows.append(
            (
                hash_strings(batch.column("account_id"))[chosen],
                np.asarray(batch.column("ts").cast(pa.int64()))[chosen],
                np.asarray(kept.field("content_hash")),
                np.asarray(kept.field("cues")),
                chosen + self._seen,
                _tokens(batch.column("output_tokens"))[chosen],
                _tokens(batch.column("reasoning_tokens"))[chosen],
                self._model_codes(batch.column("model"))[chosen],
            )
        )
        self._seen += batch.num_rows

    def _model_codes(self, models: pa.Array) -> npt.NDArray[np.int16]:
        encoded = models.dictionary_encode()
        codes = [self._models.setdefault(name, len(self._models)) for name in encoded.dictionary.to_pylist()]
        if len(self._models) > _MAX_MODELS:
            raise UsageError(
                f"the log names more than {_MAX_MODELS} models", hint="is the field that became `model` the right one?"
            )
        return np.array(codes, np.int16).take(np.asarray(encoded.indices))

    def store(self) -> SketchStore:
        empty = [np.empty(0, kind) for kind in _ROW_TYPES]
        parts = zip(empty, *self._rows, strict=True)
        account, ts_us, content, cues, position, output, reasoning, model = (np.concatenate(part) for part in parts)
        models = tuple(self._models)
        return SketchStore(self._directory, account, ts_us, content, cues, position, output, reasoning, model, models)


def _tokens(column: pa.Array) -> npt.NDArray[np.int32]:
    known = pc.min_element_wise(pc.fill_null(column.cast(pa.int64()), -1), pa.scalar(2**31 - 1))
    return np.asarray(known).astype(np.int32)


def read_batches(files: Sequence[Path], columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """Yield batches with all the named columns, of about _BATCH_BYTES at most; a column that a file lacks is null.

    The system prompt is a dictionary, since many exchanges share a long one.
    """
    for path in files:
        metadata = pq.read_metadata(path)
        held = metadata.schema.to_arrow_schema().names
        present = [name for name in columns if name in held]
        encoded = [name for name in present if name == "system"]
        with pq.ParquetFile(path, metadata=metadata, read_dictionary=encoded, pre_buffer=False) as source:
            for batch in source.iter_batches(_batch_rows(metadata, present), columns=present):
                yield pa.RecordBatch.from_arrays(
                    [batch.column(name) if name in present else pa.nulls(batch.num_rows) for name in columns],
                    names=list(columns),
                )


def _batch_rows(metadata: pq.FileMetaData, columns: Sequence[str]) -> int:
    size = 0
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        chunks = (group.column(index) for index in range(group.num_columns))
        size += sum(chunk.total_uncompressed_size for chunk in chunks if chunk.path_in_schema.split(".")[0] in columns)
    per_row = size / max(1, metadata.num_rows)
    return int(min(BATCH_ROWS, max(1, _BATCH_BYTES // max(1, per_row))))


def batch_sketches(batch: pa.RecordBatch) -> pa.StructArray:
    """Return the sketch of each row of a batch: the one it carries, else one made from its system prompt and prompt.

    Raises:
        UsageError: a sketch that it carries was made by another version, or is not whole.
    """
    carried = batch.column("sketch")
    if carried.null_count < len(carried):
        _check_carried(carried)
    if carried.null_count == 0 and len(carried):
        return carried
    made = sketch_texts(batch.column("system"), batch.column("prompt"))
    if carried.null_count == len(carried):
        return made
    return pc.if_else(carried.is_valid(), carried, made)


def _check_carried(sketches: pa.StructArray) -> None:
    fields = sketches.drop_null().flatten()
    versions = set(fields[0].unique().to_pylist())
    if versions != {SKETCH_VERSION}:
        found = ", ".join(sorted(map(str, versions)))
        raise UsageError(
            f"the log holds sketches of version {found}, this stillwatch compares version {SKETCH_VERSION}",
            hint="sketch the text again with this version, or run the version that made the sketches",
        )
    if any(field.null_count for field in fields):
        raise UsageError("the log holds sketches with missing parts", hint="were they made by `stillwatch sketch`?")
