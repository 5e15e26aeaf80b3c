"""Finished exchanges as gateways post them: checked, kept for detection, and told to the counters and handles."""

from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec

from stillwatch.enforcement.record.spool import Spool
from stillwatch.enforcement.state.counters import Counters, reserved_tokens
from stillwatch.enforcement.state.handles import Birth, Handles
from stillwatch.errors import RecordError
from stillwatch.records.checks import bad_rows
from stillwatch.records.row import decode_object, to_batch, to_row

MOST = 1000
"""Exchanges in one post (contract: http.md)."""
_SLICE = 50
"""Records that are checked at once: decisions wait for no more than that, where both share an interpreter."""


class Rejected(NamedTuple):
    """A record that was not taken: its place in the post, from 0, and a code of docs/reference/reject-reasons.md."""

    place: int
    reason: str


class Taken(NamedTuple):
    """What became of a post."""

    accepted: int
    rejected: list[Rejected]


def split_post(body: bytes) -> list[bytes]:
    """Return the records of a post: a JSON array, `{"exchanges": […]}`, or JSON Lines.

    Raises:
        RecordError: it is none of them, or holds more than 1,000 records.
    """
    try:
        document = msgspec.json.decode(body, type=list[msgspec.Raw] | dict[str, msgspec.Raw])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        lines = [line for line in body.split(b"\n") if line.strip()]
    else:
        lines = _records_of(document, body)
    if len(lines) > MOST:
        raise RecordError("wrong_type", f"{len(lines):,} exchanges in one post; {MOST:,} are the most")
    return lines


def _records_of(document: list[msgspec.Raw] | dict[str, msgspec.Raw], body: bytes) -> list[bytes]:
    if isinstance(document, list):
        return [bytes(record) for record in document]
    if "exchanges" not in document:
        return [body]
    try:
        return [bytes(record) for record in msgspec.json.decode(document["exchanges"], type=list[msgspec.Raw])]
    except msgspec.MsgspecError as error:
        raise RecordError("wrong_type", f"exchanges: {error}") from error


class Kept(NamedTuple):
    """A post whose good records are on the disk: their rows, to be settled, and what was not taken."""

    rows: list[Any]
    rejected: list[Rejected]


class Intake:
    """Takes posts in two steps: `keep`, which may run in a thread of its own, then `settle` beside the decisions."""

    def __init__(self, spool: Spool, counters: Counters, handles: Handles) -> None:
        self._spool, self._counters, self._handles = spool, counters, handles

    def keep(self, records: list[bytes], now_s: float) -> Kept:
        """Check records one by one and keep the good ones; they are on the disk when this returns.

        Raises:
            OSError: the disk refuses; none is accepted.
        """
        rows: list[Any] = []
        lines: list[bytes] = []
        rejected: list[Rejected] = []
        for first in range(0, len(records), _SLICE):
            good, bad = _check(records[first : first + _SLICE], now_s)
            rows += good.values()
            lines += [records[first + place].replace(b"\n", b" ").strip() for place in good]
            rejected += [Rejected(first + one.place, one.reason) for one in bad]
        self._spool.add(lines, now_s)
        return Kept(rows, rejected)

    def settle(self, kept: Kept, now_s: float) -> Taken:
        """Tell counters and handles of what was kept."""
        for row in kept.rows:
            chars = len(row.prompt or "") + len(row.system or "")
            settle(row, chars, self._counters, self._handles, now_s)
        return Taken(len(kept.rows), kept.rejected)


def settle(row: Any, chars: int, counters: Counters, handles: Handles, now_s: float) -> None:
    """Tell counters and handles of a finished exchange whose text has so many characters.

    Args:
        row: anything with the fields of an exchange that are named here.
        chars: of prompt and system prompt together.
        counters: where tokens that were reserved and not used are given back.
        handles: where the birth of a reasoning handle is remembered.
        now_s: Unix seconds.
    """
    if row.output_tokens is not None:
        reserved = reserved_tokens(chars, row.max_tokens)
        counters.settle(row.account_id, reserved - row.output_tokens - (row.input_tokens or 0), now_s)
    if row.reasoning_handle is not None and row.reasoning_handle_account is not None:
        at_home = row.reasoning_handle_account == row.account_id
        place = (row.session_id, row.model) if at_home else (None, None)
        handles.issue(row.reasoning_handle, Birth(row.reasoning_handle_account, *place))


def _check(records: list[bytes], now_s: float) -> tuple[dict[int, Any], list[Rejected]]:
    good: dict[int, Any] = {}
    rejected: list[Rejected] = []
    for index, record in enumerate(records):
        try:
            good[index] = to_row(decode_object(record))
        except RecordError as error:
            rejected.append(Rejected(index, error.reason))
    if good:
        places = list(good)
        for row, reason in bad_rows(to_batch(list(good.values())), datetime.fromtimestamp(now_s, UTC)).items():
            rejected.append(Rejected(places[row], reason))
            del good[places[row]]
    return good, sorted(rejected)
