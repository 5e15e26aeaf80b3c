"""Joins a log with content to access logs: on request id, or on key and time where there is none."""

import mmap
from array import array
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta, tzinfo
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stillwatch.errors import Location, RecordError, UsageError
from stillwatch.hashing import hash_strings
from stillwatch.records.adapters import load_adapters
from stillwatch.records.adapters.base import Adapter
from stillwatch.records.files import find_logs
from stillwatch.records.lines import Defect, read_lines
from stillwatch.records.parquet import is_parquet
from stillwatch.records.rejects import Counts, RejectLog
from stillwatch.records.row import to_timestamp
from stillwatch.records.text_log import convert_line, recognise

Int64Array = npt.NDArray[np.int64]
Fields = dict[str, Any]
Outcome = Literal["matched", "unmatched", "ambiguous"]

DEFAULT_TOLERANCE = timedelta(seconds=2)
_FILLED = (
    "account_id", "model", "org_id", "key_id", "session_id", "operation", "client_ip", "asn", "country", "user_agent",
    "tls_fingerprint", "device_id", "status", "latency_ms", "ttft_ms", "input_tokens", "output_tokens",
)  # fmt: skip
_ID_EXTRAS = ("request_id", "response_id", "trace_id")
_HASHED_AT_ONCE = 2**16


@dataclass(slots=True)
class JoinCounts:
    """What became of the exchanges that were looked up in the access logs."""

    matched: int = 0
    unmatched: int = 0
    ambiguous: int = 0


@dataclass(slots=True)
class _Index:
    """Hashes of ids or keys with the number of the row that has them; sorted once all are there."""

    hashes: array[int] = field(default_factory=lambda: array("q"))
    rows: array[int] = field(default_factory=lambda: array("q"))
    _texts: list[str] = field(default_factory=list)
    _sorted: tuple[Int64Array, Int64Array] | None = None

    def add(self, text: str, row: int) -> None:
        self._texts.append(text)
        self.rows.append(row)
        if len(self._texts) >= _HASHED_AT_ONCE:
            self._flush()

    def _flush(self) -> None:
        self.hashes.frombytes(hash_strings(pa.array(self._texts, pa.string())).tobytes())
        self._texts = []

    def rows_of(self, text: str) -> Int64Array:
        """Return the rows whose hash is that of the text, in order."""
        if self._sorted is None:
            self._flush()
            hashes, rows = np.array(self.hashes, np.int64), np.array(self.rows, np.int64)
            order = np.argsort(hashes, kind="stable")
            self._sorted = hashes[order], rows[order]
        hashes, rows = self._sorted
        wanted = hash_strings(pa.array([text], pa.string()))[0]
        low, high = np.searchsorted(hashes, wanted), np.searchsorted(hashes, wanted, side="right")
        return rows[low:high]


class AccessLogs:
    """Access logs, looked up by request id, or by key and time.

    Rows lie in a file below the work directory; in memory are some 40 bytes for each.

    Args:
        paths: access log files and directories.
        work: existing directory for intermediate files.
        rejects: where bad lines go.
        tolerance: how far the times of one request may lie apart in the two logs.
        zone: time zone of timestamps that carry none.

    Attributes:
        counts: what became of the lines of the access logs (none is a duplicate: equal ids make a match ambiguous).
        joined: what became of the exchanges that were completed.

    Raises:
        UsageError: a path does not exist, or a file is of no known line-based format.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        work: Path,
        *,
        rejects: RejectLog,
        tolerance: timedelta = DEFAULT_TOLERANCE,
        zone: tzinfo | None = None,
    ) -> None:
        self.joined = JoinCounts()
        self._tolerance = round(tolerance.total_seconds() * 1e6)
        self._zone = zone
        self._ids, self._keys, self._claims = _Index(), _Index(), _Index()
        self._times, self._claim_times = array("q"), array("q")
        self._offsets = array("q", [0])
        read = rejected = 0
        path_of_rows = work / "access.jsonl"
        with path_of_rows.open("wb") as stream:
            for where, line, found in line_exchanges(paths):
                read += 1
                try:
                    if isinstance(found, RecordError):
                        raise found
                    self._note(found, stream.write)
                except RecordError as error:
                    rejected += 1
                    rejects.add(where, error.reason, line)
        self.counts = Counts(read, read - rejected, 0, rejected)
        self._rows = _mapped(path_of_rows)

    def _note(self, fields: Fields, write: Any) -> None:
        time = _microseconds(fields.get("ts"), self._zone)
        row = len(self._times)
        kept = {name: fields[name] for name in (*_FILLED, "exchange_id") if fields.get(name) is not None}
        kept["extra"] = fields.get("extra") or {}
        encoded = msgspec.json.encode(kept)
        write(encoded)
        self._offsets.append(self._offsets[-1] + len(encoded))
        self._times.append(time)
        for name in request_ids(fields):
            self._ids.add(name, row)
        if isinstance(fields.get("key_id"), str):
            self._keys.add(fields["key_id"], row)

    def expect(self, paths: Sequence[Path], log_format: str = "auto") -> None:
        """Read the logs that will be completed once before, so that two exchanges never share an access line.

        Only exchanges without a known request id matter: they can only be matched by key and time.
        """
        for _, _, fields in line_exchanges(paths, log_format):
            if isinstance(fields, RecordError) or not isinstance(fields.get("key_id"), str):
                continue
            if not any(self._with_id(name) for name in request_ids(fields)):
                with suppress(RecordError):  # read_logs reports it in its place
                    time = _microseconds(fields.get("ts"), self._zone)
                    self._claims.add(fields["key_id"], len(self._claim_times))
                    self._claim_times.append(time)

    def complete(self, fields: Fields) -> Fields:
        """Return an exchange with what its access line knows, where the exchange itself says nothing.

        Raises:
            RecordError: the exchange has no usable timestamp.
        """
        outcome, row = self._match(fields)
        setattr(self.joined, outcome, getattr(self.joined, outcome) + 1)
        if row is None:
            return fields
        known = self._row(row)
        filled = {name: known[name] for name in _FILLED if fields.get(name) is None and name in known}
        extra = {f"access.{name}": value for name, value in known["extra"].items()}
        return fields | filled | {"extra": extra | dict(fields.get("extra") or {})}

    def _match(self, fields: Fields) -> tuple[Outcome, int | None]:
        for name in request_ids(fields):
            rows = self._with_id(name)
            if len(rows) > 1:
                time = _microseconds(fields.get("ts"), self._zone)
                rows = [row for row in rows if abs(self._times[row] - time) <= self._tolerance]
                return ("matched", rows[0]) if len(rows) == 1 else ("ambiguous", None)
            if rows:
                return "matched", rows[0]
        return self._match_by_time(fields)

    def _match_by_time(self, fields: Fields) -> tuple[Outcome, int | None]:
        key = fields.get("key_id")
        if not isinstance(key, str):
            return "unmatched", None
        time = _microseconds(fields.get("ts"), self._zone)
        near = [
            row
            for row in self._keys.rows_of(key).tolist()
            if abs(self._times[row] - time) <= self._tolerance and self._row(row).get("key_id") == key
        ]
        if not near:
            return "unmatched", None
        rivals = sum(
            abs(self._claim_times[row] - self._times[near[0]]) <= self._tolerance
            for row in self._claims.rows_of(key).tolist()
        )
        return ("matched", near[0]) if len(near) == 1 and rivals <= 1 else ("ambiguous", None)

    def _with_id(self, name: str) -> list[int]:
        rows = self._ids.rows_of(name).tolist()
        return [row for row in rows if name in request_ids(self._row(row))]

    def _row(self, row: int) -> Fields:
        return msgspec.json.decode(self._rows[self._offsets[row] : self._offsets[row + 1]])  # type: ignore[no-any-return]  # written by _note


def line_exchanges(
    paths: Sequence[Path], log_format: str = "auto"
) -> Iterator[tuple[Location, bytes, Fields | RecordError]]:
    """Yield the exchanges of line-based logs, complete or not, each with its place and its line.

    Raises:
        UsageError: a path does not exist, or is no line-based log of a known format.
    """
    adapters = load_adapters()
    for path in find_logs(paths):
        adapter = None
        if not is_parquet(path):
            adapter = recognise(path, adapters) if log_format == "auto" else adapters.get(log_format)
        if adapter is None:
            raise UsageError(
                f"{path} is no line-based log of a known format",
                hint="a join reads JSON Lines and text logs; see docs/reference/adapters.md",
            )
        for item in read_lines(path):
            if isinstance(item, Defect):
                where = Location(str(path), line=item.line, offset=item.offset)
                yield where, item.sample, RecordError(item.reason, item.reason)
                continue
            for index, line in enumerate(item.lines):
                if line.strip():
                    number, offset = item.place(index)
                    where = Location(str(path), line=number, offset=offset)
                    for found in _converted(line, adapter):
                        yield where, line, found


def _converted(line: bytes, adapter: Adapter) -> Iterator[Fields | RecordError]:
    try:
        yield from convert_line(line, adapter)
    except RecordError as error:
        yield error


def request_ids(fields: Mapping[str, Any]) -> list[str]:
    """Return the ids by which an exchange may be known in another log, the surest first."""
    extra = fields.get("extra")
    named = [extra.get(name) for name in _ID_EXTRAS] if isinstance(extra, Mapping) else []
    found = [fields.get("exchange_id"), *named]
    return list(dict.fromkeys(name for name in found if isinstance(name, str) and name))


def _microseconds(value: Any, zone: tzinfo | None) -> int:
    if value is None:
        raise RecordError("missing_field", "ts is missing")
    return round(to_timestamp(value, zone).timestamp() * 1e6)


def _mapped(path: Path) -> mmap.mmap | bytes:
    with path.open("rb") as stream:
        if path.stat().st_size == 0:
            return b""
        return mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
