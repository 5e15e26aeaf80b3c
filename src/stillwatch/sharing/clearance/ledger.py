"""The clearance log: every decision, rule version, review and object, in a Merkle log of the member's own (RFC 6962).

What the engine and counsel said is read back from here alone; so nothing can be released that the log does not show,
and a log that was taken away or cut is not begun anew: it would have forgotten what counsel refused. Beside the log
lies its last checkpoint, `log.seen`. It is written last: entries, then the log's own checkpoint, then this one.
"""

import contextlib
import hashlib
from collections.abc import Iterator
from pathlib import Path

import msgspec

from stillwatch.errors import InputRejectedError, Location, PolicyRefusedError
from stillwatch.sharing.clearance.events import Event
from stillwatch.transparency.checkpoint import MAX_NOTE, parse, verify
from stillwatch.transparency.durable import clear_unfinished, write_durably
from stillwatch.transparency.keys import SigningKey, keep_verifying_key, load_signing_key
from stillwatch.transparency.log import Log
from stillwatch.transparency.tail import TAIL
from stillwatch.transparency.tiles import CHECKPOINT, ENTRIES, WIDTH, Tile, read_limited
from stillwatch.transparency.view import read_bundle

ORIGIN = "stillwatch/clearance"
_RESTORE = (
    "restore log/ and log.seen from a copy of the outbox; without one, begin a new outbox elsewhere: "
    "what counsel refused and what was withdrawn was written in this log"
)
_encode = msgspec.json.Encoder(order="sorted").encode
_decode = msgspec.json.Decoder(Event).decode


class Ledger:
    """Appends events; what `append` returned from is on the disk, and stands under a signed checkpoint."""

    def __init__(self, directory: Path, *, used: bool = False) -> None:
        """Open the log in a directory, or begin it; its key lies beside it.

        Args:
            directory: where the log lies.
            used: there are files that are written only after the log was signed for the first time.

        Raises:
            UsageError: another process has it open, or the key cannot be used.
            PolicyRefusedError: the log does not hold together, or was taken away or cut.
        """
        self._directory, self._seen = directory, directory.with_name(f"{directory.name}.seen")
        seen = read_limited(self._seen, MAX_NOTE)
        if (used or seen is not None) and not (directory / TAIL).is_file():
            raise self._lost("the clearance log is gone")
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        key = load_signing_key(directory.with_name(f"{directory.name}.key"), ORIGIN)
        keep_verifying_key(directory, key)
        self._log = Log(directory, ORIGIN, key)
        with contextlib.ExitStack() as undo:
            undo.callback(self._log.close)
            clear_unfinished(directory.parent)
            self._compare(seen, key, used=used)
            undo.pop_all()

    def _compare(self, seen: bytes | None, key: SigningKey, *, used: bool) -> None:
        """Refuse a log that is not the one that was seen last.

        A killed process leaves entries that no checkpoint covers. They are in force, so they are signed now: otherwise
        they could be cut off unseen.
        """
        note = read_limited(self._directory / CHECKPOINT, MAX_NOTE)
        if note is None and (used or seen is not None):
            raise self._lost("the clearance log has no checkpoint")
        if seen is not None:
            size, root = self._checkpoint_in(seen, key)
            if self._log.size < size:
                raise self._lost(f"the clearance log was cut: it held {size} entries and holds {self._log.size}")
            if self._log.root(size) != root:
                raise self._lost(f"the clearance log was changed: its first {size} entries are not those of before")
        if self._log.size > (0 if note is None else parse(note).checkpoint.size):
            note = self._log.checkpoint(max(event.ts for _, event in self))
        if note is not None and note != seen:
            write_durably(self._seen.parent, {self._seen.name: note})

    def _checkpoint_in(self, note: bytes, key: SigningKey) -> tuple[int, bytes]:
        where = Location(str(self._seen))
        try:
            signed = parse(note)
            verify(signed, key.verifying)
        except (ValueError, PolicyRefusedError) as error:
            raise PolicyRefusedError(f"no checkpoint of this log: {error}", where=where, hint=_RESTORE) from error
        return signed.checkpoint.size, signed.checkpoint.root

    def _lost(self, message: str) -> PolicyRefusedError:
        return PolicyRefusedError(message, where=Location(str(self._directory)), hint=_RESTORE)

    def append(self, events: list[Event], now_s: float) -> list[str]:
        """Write events and sign the log's new state (Unix seconds); return the SHA-256 of each entry, in hex."""
        entries = [_encode(event) for event in events]
        if entries:
            self._log.append(entries)
            write_durably(self._seen.parent, {self._seen.name: self._log.checkpoint(now_s)})
        return [hashlib.sha256(entry).hexdigest() for entry in entries]

    def __iter__(self) -> Iterator[tuple[str, Event]]:
        """Yield each event with the SHA-256 of its entry."""
        for number, entry in enumerate(self._entries()):
            try:
                yield hashlib.sha256(entry).hexdigest(), _decode(entry)
            except msgspec.MsgspecError as error:
                raise InputRejectedError(
                    "this entry is of no version that is known", where=Location(str(self._directory), line=number + 1)
                ) from error

    def _entries(self) -> Iterator[bytes]:
        full = self._log.size // WIDTH
        for bundle in range(full):  # each file is read once, not once for each entry
            yield from read_bundle(self._directory, Tile(ENTRIES, bundle))
        for number in range(full * WIDTH, self._log.size):
            yield self._log.entry(number)

    def close(self) -> None:
        """Let another process have it."""
        self._log.close()
