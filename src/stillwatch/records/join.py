"""Joins a log with content to access logs: on request id, or on key and time where there is none."""

import mmap
from array import array
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta, tzinfo
from pathlib import Path
from typing import Any, Literal

import msgspec

from stillwatch.errors import Location, RecordError, UsageError
from stillwatch.records.adapters import load_adapters
from stillwatch.records.adapters.base import Adapter
from stillwatch.records.files import find_logs
from stillwatch.records.join_index import RowIndex
from stillwatch.records.lines import Defect, read_lines
from stillwatch.records.parquet import is_parquet
from stillwatch.records.rejects import Counts, RejectLog
from stillwatch.records.row import to_timestamp
from stillwatch.records.text_log import convert_line, recognise

Fields = dict[str, Any]
Outcome = Literal["matched", "unmatched", "ambiguous"]

DEFAULT_TOLERANCE = timedelta(seconds=2)
_FILLED = (
    "account_id", "model", "org_id", "key_id", "session_id", "operation", "client_ip", "asn", "country", "user_agent",
    "tls_fingerprint", "device_id", "status", "latency_ms", "ttft_ms", "input_tokens", "output_tokens",
)  # fmt: skip
_ID_EXTRAS = ("request_id", "response_id", "trace_id")


@dataclass(slots=True)
class JoinCounts:
    """What became of the exchanges that were looked up in the access logs."""

    matched: int = 0
    unmatched: int = 0
    ambiguous: int = 0


class AccessLogs:
    """Access logs, looked up by request id, or by key and time.

    Rows lie in a file below the work directory; in memory are some 60 bytes for each.

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
        self._ids, self._keys, self._claims = RowIndex(), RowIndex(), RowIndex()
        self._times = array("q")
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
            self._ids.add(name, row, time)
        if isinstance(fields.get("key_id"), str):
            self._keys.add(fields["key_id"], row, time)

    def expect(self, paths: Sequence[Path], log_format: str = "auto") -> None:
        """Read the logs that will be completed once before, so that two exchanges never share an access line.

        Only exchanges without a known request id matter: they can only be matched by key and time.
        """
        for number, (_, _, fields) in enumerate(line_exchanges(paths, log_format)):
            if isinstance(fields, RecordError) or not isinstance(fields.get("key_id"), str):
                continue
            if not any(self._with_id(name) for name in request_ids(fields)):
                with suppress(RecordError):  # read_logs reports it in its place
                    self._claims.add(fields["key_id"], number, _microseconds(fields.get("ts"), self._zone))

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
        near = [row for row in self._keys.near(key, time, self._tolerance) if self._row(row).get("key_id") == key]
        if not near:
            return "unmatched", None
        rivals = self._claims.near(key, self._times[near[0]], self._tolerance)
        return ("matched", near[0]) if len(near) == 1 and len(rivals) <= 1 else ("ambiguous", None)

    def _with_id(self, name: str) -> list[int]:
        return [row for row in self._ids.rows(name) if name in request_ids(self._row(row))]

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
