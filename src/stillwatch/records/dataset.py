"""Reads logs of any format into Parquet files of valid, distinct exchanges."""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.errors import Location, RecordError, UsageError
from stillwatch.hashing import hash_strings
from stillwatch.progress import Ticker
from stillwatch.records.adapters import load_adapters
from stillwatch.records.checks import bad_rows
from stillwatch.records.duplicates import DuplicateFinder
from stillwatch.records.exchange import EXCHANGE_SCHEMA, REQUIRED_FIELDS
from stillwatch.records.files import find_logs
from stillwatch.records.lines import Block, Defect, read_lines
from stillwatch.records.parquet import COMPRESSION, ParquetSource, filled_fields, is_parquet
from stillwatch.records.rejects import Counts, RejectLog, check_reject_limit
from stillwatch.records.row import to_batch
from stillwatch.records.text_log import Reader, read_block, recognise

__all__ = ["Counts", "Dataset", "check_reject_limit", "read_logs"]

Int64Array = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Dataset:
    """Valid, distinct exchanges on disk.

    Attributes:
        files: Parquet files, in input order, whose columns are a subset of EXCHANGE_SCHEMA with its types.
        fields: optional fields that hold at least one value.
        counts: what became of the records read.
        formats: adapter of each input file that could be read.
        skipped: records of the sources that are no call of a model (a database span), not among the counts.
    """

    files: tuple[Path, ...]
    fields: frozenset[str]
    counts: Counts
    formats: dict[str, str]
    skipped: int = 0


@dataclass(slots=True)
class _Part:
    source: ParquetSource
    rows: int
    bad: Int64Array
    made: bool


def read_logs(
    paths: Sequence[Path],
    work: Path,
    *,
    log_format: str = "auto",
    rejects: RejectLog,
    ticker: Ticker | None = None,
    now: datetime | None = None,
    zone: tzinfo | None = None,
    complete: Callable[[dict[str, Any]], dict[str, Any]] | None = None,
) -> Dataset:
    """Read logs into Parquet files of valid, distinct exchanges, streaming and in bounded memory.

    Clean native Parquet files are used where they are; everything else is written below `work`. An id that was
    read before, in the order of `paths`, is a duplicate: it is counted and left out.

    Args:
        paths: log files and directories of them.
        work: existing directory for intermediate files; the caller removes it when the dataset is done with.
        log_format: name of an adapter, or `auto` to recognise each file by its first good records.
        rejects: where bad records go.
        ticker: told of each record read.
        now: timestamps more than a day after it are refused; by default the clock's.
        zone: time zone of logs whose timestamps carry none; without it they are refused.
        complete: adds to each exchange of a line-based log what the log itself does not say (see join.py).

    Raises:
        UsageError: a path does not exist, or there is no such format.
    """
    adapters = load_adapters()
    if log_format != "auto" and log_format not in adapters:
        raise UsageError(f"there is no log format {log_format!r}", hint=f"one of: auto, {', '.join(adapters)}")
    intake = _Intake(Path(tempfile.mkdtemp(prefix="records-", dir=work)), rejects, ticker, now or datetime.now(UTC))
    for path in find_logs(paths):
        if is_parquet(path):
            intake.add_parquet(path)
            continue
        adapter = recognise(path, adapters) if log_format == "auto" else adapters[log_format]
        if adapter is None:
            intake.refuse(Location(str(path), offset=0), "unknown_format", path)
        else:
            intake.add_text(path, Reader(adapter, zone, complete))
    return intake.finish()


@dataclass(slots=True)
class _Intake:
    work: Path
    rejects: RejectLog
    ticker: Ticker | None
    now: datetime
    parts: dict[int, _Part] = field(default_factory=dict)
    files_seen: int = 0
    formats: dict[str, str] = field(default_factory=dict)
    read: int = 0
    rejected: int = 0
    skipped: int = 0
    duplicates: DuplicateFinder = field(init=False)

    def __post_init__(self) -> None:
        self.duplicates = DuplicateFinder(self.work)

    def refuse(self, where: Location, reason: str, sample: Path | bytes) -> None:
        """Count one bad record, or one bad file, and write it to the rejects."""
        if isinstance(sample, Path):
            with sample.open("rb") as stream:
                sample = stream.read(256)
        self.rejects.add(where, reason, sample)
        self.read += 1
        self.rejected += 1

    def add_parquet(self, path: Path) -> None:
        """Check a Parquet file row by row; a file that cannot be read to its end is refused as a whole."""
        number = self._next_number()
        try:
            self.parts[number] = self._checked(ParquetSource(path), number)
        except RecordError as error:
            self.refuse(Location(str(path), offset=0), error.reason, path)
        else:
            self.formats[str(path)] = "native"

    def _checked(self, source: ParquetSource, number: int) -> _Part:
        start, bad = 0, []
        for batch in source.to_check():
            wrong = bad_rows(batch, self.now)
            for row, reason in sorted(wrong.items()):
                self.refuse(Location(str(source.path), row=start + row + 1), reason, _row_sample(batch, row))
            good = np.ones(batch.num_rows, bool)
            good[list(wrong)] = False
            bad.append(np.flatnonzero(~good) + start)
            self._note_ids(number, batch, good, start)
            self._count(batch.num_rows - len(wrong))
            start += batch.num_rows
        return _Part(source, start, np.concatenate([*bad, np.empty(0, np.int64)]), made=False)

    def add_text(self, path: Path, reader: Reader) -> None:
        """Turn a line-based log into one Parquet file below the work directory."""
        self.formats[str(path)] = reader.adapter.name
        number, rows = self._next_number(), 0
        target = self.work / f"part-{number:06d}.parquet"
        with pq.ParquetWriter(target, EXCHANGE_SCHEMA, compression=COMPRESSION) as writer:
            for item in read_lines(path):
                if isinstance(item, Defect):
                    where = Location(str(path), line=item.line, offset=item.offset)
                    self.refuse(where, item.reason, item.sample)
                    continue
                batch = self._good_batch(path, item, reader)
                if batch.num_rows:
                    writer.write_batch(batch)
                    self._note_ids(number, batch, np.ones(batch.num_rows, bool), rows)
                    rows += batch.num_rows
                    self._count(batch.num_rows)
        self.parts[number] = _Part(ParquetSource(target), rows, np.empty(0, np.int64), made=True)

    def _next_number(self) -> int:
        self.files_seen += 1
        return self.files_seen

    def _good_batch(self, path: Path, block: Block, reader: Reader) -> pa.RecordBatch:
        reading = read_block(block, reader)
        self.skipped += reading.skipped
        batch = to_batch(reading.rows)
        wrong = bad_rows(batch, self.now)
        refused = [(index, error.reason) for index, error in reading.errors]
        refused += [(reading.lines[row], reason) for row, reason in wrong.items()]
        for index, reason in sorted(refused):
            line, offset = block.place(index)
            self.refuse(Location(str(path), line=line, offset=offset), reason, block.lines[index])
        if wrong:
            good = np.ones(batch.num_rows, bool)
            good[list(wrong)] = False
            batch = batch.filter(pa.array(good))
        return batch

    def _note_ids(self, number: int, batch: pa.RecordBatch, good: npt.NDArray[np.bool_], start: int) -> None:
        hashes = hash_strings(batch.column("exchange_id"))
        rows = np.flatnonzero(good)
        self.duplicates.add(number, rows + start, hashes[rows])

    def _count(self, rows: int) -> None:
        self.read += rows
        if self.ticker is not None:
            self.ticker.advance(rows)

    def finish(self) -> Dataset:
        """Leave out bad rows and duplicates, and say what there is."""
        repeated = self.duplicates.find({number: part.source.path for number, part in self.parts.items()})
        files = tuple(self._clean_files(repeated))
        duplicate = sum(rows.size for rows in repeated.values())
        fields = frozenset[str]().union(*(filled_fields(path) for path in files))
        counts = Counts(self.read, self.read - self.rejected - duplicate, duplicate, self.rejected)
        return Dataset(files, fields, counts, self.formats, self.skipped)

    def _clean_files(self, repeated: dict[int, Int64Array]) -> Iterator[Path]:
        for number, part in self.parts.items():
            without = np.union1d(part.bad, repeated.get(number, np.empty(0, np.int64)))
            if without.size == part.rows:
                continue
            if part.source.as_is and not without.size:
                yield part.source.path
                continue
            target = self.work / f"clean-{number:06d}.parquet"
            part.source.copy(target, without)
            if part.made:
                part.source.path.unlink()
            yield target


def _row_sample(batch: pa.RecordBatch, row: int) -> bytes:
    values = []
    for name in REQUIRED_FIELDS:
        cell = batch.column(name).slice(row, 1)
        if pa.types.is_dictionary(cell.type):
            cell = cell.dictionary_decode()
        as_bytes = cell.cast(pa.string() if pa.types.is_timestamp(cell.type) else pa.binary())
        value = as_bytes.cast(pa.binary()).to_pylist()[0]
        values.append(name.encode() + b"=" + (b"null" if value is None else value))
    return b" ".join(values)
