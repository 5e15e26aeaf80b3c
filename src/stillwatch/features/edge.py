"""`stillwatch sketch`: at the edge, text becomes sketches, so that raw text never leaves the gateway.

What could carry text goes: the four text fields, `extra` (its values are whatever the source had), the samples of
rejected records, and values of code-like fields that do not look like codes. Intermediate files with text lie beside
the output directory, never in it.
"""

import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch import __version__
from stillwatch.errors import Location, UsageError
from stillwatch.features.sketch import SKETCH_VERSION
from stillwatch.features.store import batch_sketches, read_batches
from stillwatch.files import replace_file, work_directory
from stillwatch.progress import StageClock, Ticker
from stillwatch.records.dataset import Dataset, read_logs
from stillwatch.records.exchange import EXCHANGE_SCHEMA, TEXT_FIELDS
from stillwatch.records.rejects import RejectLog

EXCHANGES = "exchanges"
CODE_FIELDS = ("operation", "reasoning_effort", "response_format", "finish_reason", "error_code")
"""Fields that hold one word of a short list; a gateway may have put a schema or a message there."""
OTHER = "other"
"""What stands in a code field instead of a value that is no code."""

_CODE = re.compile(r"[\w.:/+-]{1,64}", re.ASCII)
_KEPT = tuple(name for name in EXCHANGE_SCHEMA.names if name not in {*TEXT_FIELDS, "extra", "sketch"})
_HASHED = tuple(f"sketch.{name}" for name in ("content_hash", "head_hash", "tail_hash", "minhash"))
"""Hashes hardly get smaller by packing, and packing them takes longer than all the rest."""
_FEW_VALUES = tuple(name for name in _KEPT if name != "exchange_id" and EXCHANGE_SCHEMA.field(name).type == pa.string())


@dataclass(frozen=True, slots=True)
class SketchRun:
    """What a run read, and what run.json says of it."""

    dataset: Dataset
    record: dict[str, Any]


class _PlacesOnly(RejectLog):
    """Writes where a record was refused and why, and nothing of the record."""

    def add(self, where: Location, reason: str, sample: bytes = b"") -> None:  # noqa: ARG002 - what must not be kept
        super().add(where, reason)


def sketch_logs(paths: Sequence[Path], out: Path, *, log_format: str = "auto", quiet: bool = False) -> SketchRun:
    """Write logs as `exchanges/*.parquet` without text, `rejects.jsonl` and `run.json` below `out`.

    The sketches of an earlier run are replaced. `run.json` is removed first and written last: where it stands, the
    rest is whole.

    Raises:
        UsageError: a path does not exist, there is no such format, `out` holds the exchanges of another verb, or the
            log holds sketches of another version.
    """
    _check_free(out)
    clock = StageClock(quiet=quiet)
    out.mkdir(parents=True, exist_ok=True)
    with work_directory(out.resolve().parent) as beside, work_directory(out) as work:
        rejects = _PlacesOnly(out / "rejects.jsonl", work)
        try:
            with clock.stage("read logs") as ticker:
                dataset = read_logs(paths, beside, log_format=log_format, rejects=rejects, ticker=ticker)
            with clock.stage("sketch", dataset.counts.accepted) as ticker:
                names = _write_sketches(dataset.files, work / EXCHANGES, ticker)
        except BaseException:
            rejects.discard()
            raise
        (out / "run.json").unlink(missing_ok=True)
        shutil.rmtree(out / EXCHANGES, ignore_errors=True)
        (work / EXCHANGES).rename(out / EXCHANGES)
        rejects.close()
    record = {
        "verb": "sketch",
        "version": __version__,
        "sketch_version": SKETCH_VERSION,
        "configuration": {"logs": [str(path) for path in paths], "format": log_format},
        "counts": asdict(dataset.counts),
        "not_exchanges": dataset.skipped,
        "rejected_by_reason": dict(sorted(rejects.by_reason.items())),
        "formats": dataset.formats,
        "files": names,
        "stages": clock.as_records(),
    }
    replace_file(out / "run.json", msgspec.json.format(msgspec.json.encode(record), indent=2) + b"\n")
    return SketchRun(dataset, record)


def _check_free(out: Path) -> None:
    if not (out / EXCHANGES).exists():
        return
    try:
        verb = msgspec.json.decode((out / "run.json").read_bytes())["verb"]
    except (OSError, msgspec.DecodeError, KeyError, TypeError):
        verb = None
    if verb != "sketch":
        raise UsageError(
            f"{out / EXCHANGES} exists and is not known to hold sketches", hint="give another directory to --out"
        )


def _write_sketches(files: Sequence[Path], target: Path, ticker: Ticker) -> list[str]:
    target.mkdir()
    names = []
    for number, path in enumerate(files):
        name = f"part-{number:06d}.parquet"
        present = set(pq.read_schema(path).names)
        kept = [field for field in _KEPT if field in present]
        schema = pa.schema([EXCHANGE_SCHEMA.field(field) for field in (*kept, "sketch")])
        few = [field for field in _FEW_VALUES if field in present]
        packed = {leaf: "none" if leaf in _HASHED else "zstd" for leaf in _leaves(schema)}
        with pq.ParquetWriter(target / name, schema, compression=packed, use_dictionary=few) as writer:
            for batch in _sketched(path, kept, schema):
                writer.write_batch(batch)
                ticker.advance(batch.num_rows)
        names.append(f"{EXCHANGES}/{name}")
    return names


def _leaves(schema: pa.Schema) -> list[str]:
    """Return the Parquet columns of a schema; those of the sketch are named below it."""
    inner = [f"sketch.{field.name}" for field in schema.field("sketch").type]
    return [name for name in schema.names if name != "sketch"] + inner


def _sketched(path: Path, kept: Sequence[str], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    for batch in read_batches([path], (*kept, "system", "prompt", "sketch")):
        columns = [_codes(batch.column(name)) if name in CODE_FIELDS else batch.column(name) for name in kept]
        yield pa.RecordBatch.from_arrays([*columns, batch_sketches(batch)], schema=schema)


def _codes(column: pa.Array) -> pa.Array:
    """Replace the values that do not look like a code."""
    encoded = column.dictionary_encode()
    codes = [value if _CODE.fullmatch(value) else OTHER for value in encoded.dictionary.to_pylist()]
    return pa.array(codes, pa.string()).take(encoded.indices)
