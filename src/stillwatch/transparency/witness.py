"""A witness: signs checkpoints of one log that it saw grow, and never two that do not fit (C2SP tlog-cosignature)."""

from collections.abc import Sequence
from pathlib import Path

from stillwatch.errors import Location, PolicyRefusedError
from stillwatch.transparency.checkpoint import MAX_NOTE, Checkpoint, SignedCheckpoint, cosign, parse, verify
from stillwatch.transparency.durable import held, write_durably
from stillwatch.transparency.keys import SigningKey, VerifyingKey
from stillwatch.transparency.tiles import read_limited
from stillwatch.transparency.tree import EMPTY_ROOT, verify_consistency


class Witness:
    """Keeps the last checkpoint it saw in a file of its own; the file is as good as the witness's memory."""

    def __init__(self, state: Path, key: SigningKey, origin: str, log_key: VerifyingKey) -> None:
        self._state = state
        self._key = key
        self._origin = origin
        self._log_key = log_key

    def last(self) -> Checkpoint | None:
        """Return the last checkpoint that was cosigned: the size to ask the log a consistency proof from.

        Raises:
            PolicyRefusedError: the file is not what was written.
        """
        note = read_limited(self._state, MAX_NOTE)
        if note is None:
            return None
        try:
            return self._signed(note).checkpoint
        except PolicyRefusedError as error:
            raise PolicyRefusedError(
                f"the memory of the witness does not hold: {error.message}", where=Location(str(self._state))
            ) from None

    def cosign(self, note: bytes, proof: Sequence[bytes], now: float) -> bytes:
        """Return a line to put below the note, after the checkpoint is on the disk; `now` in Unix seconds.

        Args:
            note: a checkpoint of the log.
            proof: that it continues `last()`; empty where that is absent or of the same size.
            now: the time that is signed.

        Raises:
            PolicyRefusedError: not signed by the log, smaller than the last (roll-back), another root at one size or
                not a continuation (fork). A refused note that the log signed is the evidence: keep it.
            UsageError: another process witnesses with the same file at this moment.
        """
        signed = self._signed(note)
        self._state.parent.mkdir(parents=True, exist_ok=True)
        with held(self._state.with_name(f"{self._state.name}.lock")):
            _check_growth(self.last() or Checkpoint(self._origin, 0, EMPTY_ROOT), signed.checkpoint, proof)
            write_durably(self._state.parent, {self._state.name: note})
        return cosign(signed, self._key, now)

    def _signed(self, note: bytes) -> SignedCheckpoint:
        try:
            signed = parse(note)
        except ValueError as error:
            raise PolicyRefusedError(f"no signed checkpoint: {error}") from None
        if signed.checkpoint.origin != self._origin:
            raise PolicyRefusedError(f"a checkpoint of {signed.checkpoint.origin}, not of {self._origin}")
        verify(signed, self._log_key)
        return signed


def _check_growth(last: Checkpoint, new: Checkpoint, proof: Sequence[bytes]) -> None:
    if new.size < last.size:
        raise PolicyRefusedError(f"roll-back: the log had {last.size} entries and now says {new.size}")
    if new.size == last.size and new.root != last.root:
        raise PolicyRefusedError(f"fork: two checkpoints of {new.size} entries with different roots")
    if not verify_consistency(last.size, last.root, new.size, new.root, proof):
        raise PolicyRefusedError(
            f"fork, or a wrong proof: the log of {new.size} entries is not shown to begin with the {last.size} seen",
            hint="ask the log for a consistency proof from the size of the last checkpoint",
        )
