"""The decision log: append-only JSON Lines in hourly segments, each line bound to the one before by its hash.

A line that is changed, dropped or moved breaks the chain at its place. What the chain itself cannot show is a cut at
the very end, so the head (segment, lines, hash) is kept beside it and printed, to be noted elsewhere.
"""

import hashlib
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, NamedTuple

import msgspec

from stillwatch.detection.findings.model import Action
from stillwatch.enforcement.model import Mode
from stillwatch.errors import InputRejectedError, Location
from stillwatch.files import write_whole
from stillwatch.identifiers import decision_moment

GENESIS = "0" * 64
_SEGMENT = "%Y%m%dT%H"
_MARK = b',"chain":"'
_TAIL = len(_MARK) + 64 + 3
_BLOCK = 65_536
_SLACK_S = 2.0  # the id counts milliseconds, and may run ahead of the clock when many are made in one


class Entry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One decision as it is kept: names, rules and a digest of what was asked, never the text of a prompt.

    Attributes:
        ts: Unix seconds.
        inputs: digest of the request, so that a dispute can be settled by who has the request.
        sampled: the part of decisions of this kind that are recorded, where not all are.
        alone: the store that replicas share was lost, so limits were counted by this one alone.
        shadow: rule and action that would have been, where a rule in shadow held as well.
    """

    decision_id: str
    ts: float
    action: Action
    mode: Mode
    reason_code: str
    transport: str
    policy_id: str
    policy_version: str
    inputs: str
    account_id: str | None = None
    cohort: str | None = None
    rule: str | None = None
    shadow: tuple[str, Action] | None = None
    limits: tuple[str, ...] = ()
    campaign_id: str | None = None
    model: str | None = None
    removed: tuple[str, ...] = ()
    sampled: float = 1.0
    alone: bool = False


class Head(NamedTuple):
    """The end of the chain: name of its segment, lines in all segments, hash of the last."""

    segment: str
    lines: int
    chain: str


class Ledger:
    """Appends to the log of a directory. One process at a time; a torn last line, never acknowledged, is cut off."""

    def __init__(self, directory: Path) -> None:
        """Open the log, or begin it.

        Raises:
            InputRejectedError: the last segment ends in lines that are no part of a chain.
        """
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self._stream: BinaryIO | None = None
        self._held: list[bytes] = []
        segments = _segments(directory)
        self._name = segments[-1].stem if segments else ""
        self._chain = _mend(segments[-1]) if segments else GENESIS

    def append(self, entry: Entry) -> None:
        """Add a decision; it is on its way to the disk with the next `flush`."""
        name = datetime.fromtimestamp(entry.ts, UTC).strftime(_SEGMENT)
        if name > self._name:  # a clock that goes back stays in its segment
            self.flush()
            if self._stream is not None:
                self._stream.close()
            self._stream, self._name = None, name
        body = msgspec.json.encode(entry)[:-1]
        self._chain = _link(self._chain, body)
        self._held.append(body + _MARK + self._chain.encode() + b'"}\n')

    def flush(self) -> None:
        """Hand what was appended to the system: it outlives the process from here on.

        Raises:
            OSError: the disk refuses; what was appended is kept for the next try.
        """
        if not self._held:
            return
        if self._stream is None:
            path = self._directory / f"{self._name}.jsonl"
            self._stream = path.open("ab", buffering=0)
            path.chmod(0o600)
        whole = self._stream.seek(0, os.SEEK_END)
        try:
            write_whole(self._stream, b"".join(self._held))
        except OSError:
            self._stream.truncate(whole)
            raise
        self._held = []

    def close(self) -> None:
        """Flush, and see it on the disk."""
        self.flush()
        if self._stream is not None:
            os.fsync(self._stream.fileno())
            self._stream.close()
            self._stream = None

    @property
    def chain(self) -> str:
        """Hash of the last line."""
        return self._chain

    def find(self, decision_id: str) -> Entry | None:
        """Return a recorded decision, looked up by the moment in its id.

        Raises:
            ValueError: it is no decision id.
        """
        self.flush()
        moment = decision_moment(decision_id)
        name = datetime.fromtimestamp(moment, UTC).strftime(_SEGMENT)
        for path in _segments(self._directory):
            if path.stem >= name and (found := _find(path, decision_id, moment)) is not None:
                return found
            if path.stem > name:
                break
        return None

    def entries(self) -> Iterator[Entry]:
        """Yield all decisions, oldest first."""
        self.flush()
        for path in _segments(self._directory):
            with path.open("rb") as stream:
                yield from (msgspec.json.decode(line, type=Entry) for line in stream)


def verify(directory: Path) -> Head:
    """Follow the chain through all segments and return its end.

    Raises:
        InputRejectedError: names the first line that is not what was written, or not where it was.
    """
    chain, lines, name = GENESIS, 0, ""
    for path in _segments(directory):
        name = path.stem
        with path.open("rb") as stream:
            for number, line in enumerate(stream, 1):
                chain = _link(chain, line[:-_TAIL])
                if line[-_TAIL:] != _tail(chain):
                    raise InputRejectedError(
                        "the chain of decisions breaks here: the line was changed, or one before it taken out",
                        where=Location(str(path), line=number),
                        hint="compare with a copy; what stands before this line is as it was written",
                    )
                lines += 1
    return Head(name, lines, chain)


def _segments(directory: Path) -> list[Path]:
    return sorted(directory.glob("*.jsonl"))


def _link(chain: str, body: bytes) -> str:
    return hashlib.blake2b(chain.encode() + body, digest_size=32).hexdigest()


def _tail(chain: str) -> bytes:
    return _MARK + chain.encode() + b'"}\n'


def _mend(path: Path) -> str:
    """Cut off a line that a killed process left unfinished, and return the hash of the last whole one."""
    with path.open("r+b") as stream:
        size = stream.seek(0, os.SEEK_END)
        end, block = size, b""
        while end > 0 and block.count(b"\n") < 2:
            start = max(0, end - _BLOCK)
            stream.seek(start)
            block, end = stream.read(end - start) + block, start
        whole = block.rfind(b"\n") + 1
        if whole < len(block):
            stream.truncate(end + whole)
        last = block[:whole].rstrip(b"\n").rpartition(b"\n")[2] + b"\n"
    if whole == 0:
        return _chain_before(path)
    chain = last[-_TAIL + len(_MARK) : -3].decode("ascii", "replace")
    if last[-_TAIL:] != _tail(chain):
        raise InputRejectedError(
            "the decision log ends in a line that is not its own",
            where=Location(str(path)),
            hint="move the log away to begin a new one, and find out who wrote to it",
        )
    return chain


def _chain_before(path: Path) -> str:
    """Return the hash that a segment without any whole line goes on from."""
    before = [segment for segment in _segments(path.parent) if segment.stem < path.stem]
    return _mend(before[-1]) if before else GENESIS


def _find(path: Path, decision_id: str, moment: float) -> Entry | None:
    """Halve the segment down to where a decision of that moment stands, then read on from there."""
    needle = f'"decision_id":"{decision_id}"'.encode()
    with path.open("rb") as stream:
        low, high = 0, stream.seek(0, os.SEEK_END)
        while high - low > _BLOCK:
            middle = (low + high) // 2
            stream.seek(middle)
            stream.readline()
            line = stream.readline()
            if line and msgspec.json.decode(line, type=Entry).ts < moment - _SLACK_S:
                low = middle
            else:
                high = middle
        stream.seek(low)
        if low:
            stream.readline()
        for line in stream:
            if needle in line[:80]:
                return msgspec.json.decode(line, type=Entry)
            if msgspec.json.decode(line, type=_Moment).ts > moment + _SLACK_S:
                return None
    return None


class _Moment(msgspec.Struct):
    ts: float
