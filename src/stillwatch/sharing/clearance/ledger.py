"""The clearance log: every decision, rule version, review and object, in a Merkle log of the member's own (RFC 6962).

What the engine and counsel said is read back from here alone; so nothing can be released that the log does not show.
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import msgspec

from stillwatch.errors import InputRejectedError, Location
from stillwatch.sharing.clearance.events import Event
from stillwatch.transparency.keys import keep_verifying_key, load_signing_key
from stillwatch.transparency.log import Log
from stillwatch.transparency.tiles import ENTRIES, WIDTH, Tile
from stillwatch.transparency.view import read_bundle

ORIGIN = "stillwatch/clearance"
_encode = msgspec.json.Encoder(order="sorted").encode
_decode = msgspec.json.Decoder(Event).decode


class Ledger:
    """Appends events; what `append` returned from is on the disk, and stands under a signed checkpoint."""

    def __init__(self, directory: Path) -> None:
        """Open the log in a directory, or begin it; its key lies beside it.

        Raises:
            UsageError: another process has it open, or the key cannot be used.
            PolicyRefusedError: the log does not hold together.
        """
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._directory = directory
        key = load_signing_key(directory.with_name(f"{directory.name}.key"), ORIGIN)
        keep_verifying_key(directory, key)
        self._log = Log(directory, ORIGIN, key)

    def append(self, events: list[Event], now_s: float) -> list[str]:
        """Write events and sign the log's new state (Unix seconds); return the SHA-256 of each entry, in hex."""
        entries = [_encode(event) for event in events]
        if entries:
            self._log.append(entries)
            self._log.checkpoint(now_s)
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
