"""Stored exchanges as a gateway would have asked about them, in order of time.

Each exchange is reduced to what a decision reads of it, some hundred bytes, before anything is sorted; the query engine
sorts that, and spills to disk what does not fit. So memory does not grow with the traffic.
"""

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from stillwatch.enforcement.model import DecideRequest
from stillwatch.features.order import ordered_batches
from stillwatch.features.sketch import bands, minhash_matrix, sketch_texts
from stillwatch.features.store import batch_sketches, read_batches
from stillwatch.progress import StageClock, Ticker
from stillwatch.records.dataset import read_logs
from stillwatch.records.exchange import EXCHANGE_SCHEMA
from stillwatch.records.rejects import Counts, reject_log

_KEPT = (
    "exchange_id", "account_id", "model", "org_id", "operation", "session_id", "max_tokens", "input_tokens",
    "output_tokens", "latency_ms", "reasoning_handle", "reasoning_handle_account",
)  # fmt: skip
_TEXTS = ("system", "prompt", "sketch")
_MOST_TOKENS = 2**53

Ints = npt.NDArray[np.int64]
Tokens = npt.NDArray[np.uint64]


class Asked(NamedTuple):
    """One exchange, as far as a decision reads it.

    Attributes:
        ts_us: when the request arrived, µs since 1970 UTC.
        chars: length of prompt and system prompt; of a sketch, its bytes.
        head: hash of the prompt's first words, None without a prompt.
        bands: those of the text's bands that the verdicts name.
    """

    ts_us: int
    exchange_id: str
    account_id: str
    model: str
    org_id: str | None
    operation: str | None
    session_id: str | None
    max_tokens: int | None
    input_tokens: int | None
    output_tokens: int | None
    latency_ms: int | None
    reasoning_handle: str | None
    reasoning_handle_account: str | None
    chars: int
    head: int | None
    bands: list[int]

    @property
    def request(self) -> DecideRequest:
        """What a gateway would have asked; the text is read apart."""
        return DecideRequest(
            account_id=self.account_id,
            org_id=self.org_id,
            model=self.model,
            operation=self.operation,
            session_id=self.session_id,
            max_tokens=self.max_tokens,
            reasoning_handle=self.reasoning_handle,
        )


@dataclass(frozen=True, slots=True)
class Traffic:
    """Exchanges on disk, reduced to what decisions read of them.

    Attributes:
        counts, rejected_by_reason: what became of the records.
        fields: optional fields of an exchange that hold at least one value.
        texts: exchanges with a prompt or a sketch of one, where the policy reads texts.
        last_us: the latest arrival, µs since 1970 UTC.
    """

    counts: Counts
    rejected_by_reason: Mapping[str, int]
    fields: frozenset[str]
    texts: int
    last_us: int
    _path: Path
    _spill: Path

    def in_time_order(self, ticker: Ticker) -> Iterator[Asked]:
        """Yield all exchanges, the earliest first; those of one moment by their id."""
        for batch in ordered_batches(self._path, ("ts_us", "exchange_id"), self._spill):
            columns = (batch.column(name).to_pylist() for name in Asked._fields)
            yield from map(Asked._make, zip(*columns, strict=True))
            ticker.advance(batch.num_rows)


def read_traffic(on: Path, work: Path, known_bands: Tokens, clock: StageClock, *, texts: bool) -> Traffic:
    """Read a dataset; bad records are counted and left out.

    Args:
        on: a log file, or a directory of them.
        work: an empty directory that outlives the result.
        known_bands: the bands of known campaigns, ascending.
        clock: shows how far it is.
        texts: whether the policy reads texts, or counts tokens.

    Raises:
        UsageError: there is no such dataset, or its sketches are of another version.
    """
    with clock.stage("read exchanges") as ticker, reject_log(work / "rejects.jsonl") as rejects:
        dataset = read_logs([on], work, rejects=rejects, ticker=ticker)
    path, with_text, last_us = work / "asked.parquet", 0, 0
    with clock.stage("read texts" if texts else "gather", total=dataset.counts.accepted) as ticker:
        columns = ("ts", *_KEPT, *(_TEXTS if texts else ()))
        with pq.ParquetWriter(path, _SCHEMA, compression="zstd") as writer:
            for batch in read_batches(dataset.files, columns):
                reduced = _reduce(batch, known_bands, texts=texts)
                writer.write_batch(reduced)
                with_text += batch.num_rows - reduced.column("head").null_count
                last_us = max(last_us, pc.max(reduced.column("ts_us")).as_py() or 0)
                ticker.advance(batch.num_rows)
    reasons = dict(sorted(rejects.by_reason.items()))
    return Traffic(dataset.counts, reasons, dataset.fields, with_text, last_us, path, work / "spill")


_SCHEMA = pa.schema(
    [
        ("ts_us", pa.int64()),
        *((name, EXCHANGE_SCHEMA.field(name).type) for name in _KEPT),
        ("chars", pa.int64()),
        ("head", pa.uint64()),
        ("bands", pa.list_(pa.uint64())),
    ]
)


def _reduce(batch: pa.RecordBatch, known: Tokens, *, texts: bool) -> pa.RecordBatch:
    kept = {name: batch.column(name).cast(_SCHEMA.field(name).type) for name in _KEPT}
    asked = kept["max_tokens"]
    told = pc.and_(pc.greater_equal(asked, 0), pc.less_equal(asked, _MOST_TOKENS))
    kept["max_tokens"] = pc.if_else(told, asked, None)  # as gateways read it
    read = _read_texts(batch, known) if texts else _no_texts(batch.num_rows)
    columns = {"ts_us": batch.column("ts").cast(pa.int64()), **kept, **read}
    return pa.RecordBatch.from_arrays([columns[name] for name in _SCHEMA.names], schema=_SCHEMA)


def _no_texts(rows: int) -> dict[str, pa.Array]:
    nothing = pa.array([[]] * rows, _SCHEMA.field("bands").type)
    return {"chars": pa.array(np.zeros(rows, np.int64)), "head": pa.nulls(rows, pa.uint64()), "bands": nothing}


def _read_texts(batch: pa.RecordBatch, known: Tokens) -> dict[str, pa.Array]:
    """Return what the decider reads of each text, made from its sketch: the one that it carries, or its own."""
    carried = np.asarray(batch.column("sketch").is_valid())
    prompt = batch.column("prompt").cast(pa.string())
    made = batch_sketches(batch)
    heads = np.asarray(made.field("head_hash").fill_null(_no_words()))
    in_text = np.asarray(pc.fill_null(pc.not_equal(prompt, ""), fill_value=False))
    has_prompt = np.where(carried, heads != _no_words(), in_text)
    told = pc.add(_length(prompt), _length(batch.column("system").cast(pa.string())))
    chars = np.where(carried, np.asarray(made.field("chars").cast(pa.int64()).fill_null(0)), np.asarray(told))
    return {
        "chars": pa.array(chars),
        "head": pa.array(heads.view(np.uint64), mask=~has_prompt),
        "bands": _known_bands(made, np.flatnonzero(has_prompt), known),
    }


def _length(texts: pa.Array) -> pa.Array:
    return pc.utf8_length(texts).cast(pa.int64()).fill_null(0)


def _known_bands(sketches: pa.StructArray, rows: Ints, known: Tokens) -> pa.ListArray:
    """Return, for each sketch, those of its bands that are known; only for the rows named."""
    counts, values = np.zeros(len(sketches), np.int64), np.empty(0, np.uint64)
    if known.size and rows.size:
        found = bands(minhash_matrix(sketches.take(pa.array(rows)).field("minhash")))
        hit = np.isin(found, known)
        counts[rows], values = hit.sum(axis=1), found[hit]
    ends = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(ends), pa.array(values))


@functools.cache
def _no_words() -> int:
    """Return the head of a sketch without a prompt, or of a prompt without words."""
    head: int = sketch_texts(pa.array([None], pa.string()), pa.array([""])).field("head_hash")[0].as_py()
    return head
