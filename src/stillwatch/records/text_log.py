"""Reads one line-based log through an adapter."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import tzinfo
from pathlib import Path
from typing import Any

import msgspec

from stillwatch.errors import RecordError
from stillwatch.records.adapters.base import EMITTER, Adapter
from stillwatch.records.lines import Block, read_lines
from stillwatch.records.row import decode_object, decode_row, to_row

_SNIFFED_LINES = 64


@dataclass(slots=True)
class Reading:
    """What one block of lines gave.

    Attributes:
        rows: the exchanges, each with the index of its line in the block.
        errors: the records that are none, each with the index of its line.
        skipped: records of the source that are no call of a model, such as a database span.
    """

    rows: list[Any] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    errors: list[tuple[int, RecordError]] = field(default_factory=list)
    skipped: int = 0


@dataclass(frozen=True, slots=True)
class Reader:
    """How the lines of one file are read.

    Attributes:
        adapter: knows the format.
        zone: time zone of timestamps that carry none; without it such a timestamp is an error.
        complete: adds to an exchange what the log itself does not say, such as what a join knows.
    """

    adapter: Adapter
    zone: tzinfo | None = None
    complete: Callable[[dict[str, Any]], dict[str, Any]] | None = None


def recognise(path: Path, adapters: Mapping[str, Adapter]) -> Adapter | None:
    """Return the adapter that fits most of a file's first good lines, the first of equals.

    A file without any good line is read as native where it looks like JSON, so that each line gets its reason;
    an empty file is native; None means that it is of another format.
    """
    lines = _first_lines(path)
    records = [record for line in lines if (record := _loose_record(line)) is not None]
    votes = {name: sum(adapter.recognises(record) for record in records) for name, adapter in adapters.items()}
    best = max(votes, key=lambda name: votes[name])
    if votes[best]:
        return adapters[best]
    only_broken = all("message" in record for record in records)
    like_json = only_broken and any(line.lstrip()[:1] in {b"{", b"["} for line in lines)
    return adapters["native"] if like_json or not lines else None


def read_block(block: Block, reader: Reader) -> Reading:
    """Turn a block of lines into rows; blank lines do not count."""
    reading = Reading()
    native = reader.adapter.name == "native" and reader.complete is None
    for index, line in enumerate(block.lines):
        if native:
            try:
                reading.rows.append(decode_row(line))
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
                pass  # not the plain native form: the careful way tells what it is
            else:
                reading.lines.append(index)
                continue
        if line.strip():
            _read_line(line, index, reader, reading)
    return reading


def _read_line(line: bytes, index: int, reader: Reader, reading: Reading) -> None:
    found = 0
    try:
        for fields in convert_line(line, reader.adapter):
            found += 1
            try:
                row = to_row(_completed(fields, reader), reader.zone)
            except RecordError as error:
                reading.errors.append((index, error))
            else:
                reading.rows.append(row)
                reading.lines.append(index)
    except RecordError as error:
        reading.errors.append((index, error))
    else:
        reading.skipped += not found


def convert_line(line: bytes, adapter: Adapter) -> Iterator[dict[str, Any]]:
    """Yield the exchanges in one line, as values by field name.

    Raises:
        RecordError: the line is broken.
    """
    return adapter.convert(_record(line, adapter))


def _completed(fields: dict[str, Any], reader: Reader) -> dict[str, Any]:
    emitter = fields.pop(EMITTER, None)
    if reader.complete is not None:
        fields = reader.complete(fields)
    if emitter is not None and fields.get("account_id") is None:
        fields = fields | {"account_id": emitter}
    if reader.adapter.name != "native":
        for name, reason in (("account_id", "no_account"), ("model", "no_model")):
            if fields.get(name) is None:
                raise RecordError(reason, f"the record has no {name}")
    return fields


def _record(line: bytes, adapter: Adapter) -> Mapping[str, Any]:
    if not getattr(adapter, "reads_text", False) or line.lstrip()[:1] == b"{":
        return decode_object(line)
    if b"\0" in line:
        raise RecordError("nul_byte", "the line holds a NUL byte")
    try:
        return {"message": line.decode("utf-8").rstrip("\r")}
    except UnicodeDecodeError as error:
        raise RecordError("invalid_utf8", "the line is not UTF-8") from error


def _loose_record(line: bytes) -> Mapping[str, Any] | None:
    try:
        return decode_object(line)
    except RecordError as error:
        if error.reason == "not_an_object":
            return None
    try:
        return {"message": line.decode("utf-8")}
    except UnicodeDecodeError:
        return None


def _first_lines(path: Path) -> list[bytes]:
    lines: list[bytes] = []
    for item in _blocks(path):
        lines += [line for line in item.lines[: 4 * _SNIFFED_LINES] if line.strip()]
        if len(lines) >= _SNIFFED_LINES:
            break
    return lines[:_SNIFFED_LINES]


def _blocks(path: Path) -> Iterator[Block]:
    return (item for item in read_lines(path) if isinstance(item, Block))
