"""The file of a key holder: its key, or its share, for each epoch; when it holds, and for how long it answers after."""

import itertools
import os
import stat
import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec

from stillwatch.errors import InputRejectedError, Location, UsageError
from stillwatch.sharing.matching.epochs import EPOCH_ID, PublishedEpoch
from stillwatch.sharing.matching.keys import Key, generate, read_key
from stillwatch.sharing.matching.suite import NAME

_DAY_S = 86_400
OVERLAP_S = 7 * _DAY_S


class _StoredEpoch(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    id: str
    valid_from: int
    valid_to: int
    scalar: str


class _StoredRing(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    suite: str
    overlap_s: int
    epochs: list[_StoredEpoch]


class Epoch(msgspec.Struct, frozen=True, kw_only=True):
    """A key and its time: [valid_from, valid_to), Unix seconds."""

    id: str
    valid_from: int
    valid_to: int
    key: Key

    def published(self, other_shares: Sequence[str] = ()) -> PublishedEpoch:
        """Return what everybody may know, with the public keys of the other holders where the key is split."""
        keys = [self.key.public_hex, *other_shares]
        return PublishedEpoch(id=self.id, valid_from=self.valid_from, valid_to=self.valid_to, public_keys=keys)


class KeyRing:
    """The epochs of one holder, in order of time; each begins where the one before ends.

    Args:
        epochs: at least one.
        overlap_s: for how long an epoch still answers after its end.

    Raises:
        UsageError: no epoch, a wrong or repeated id, a gap, an overlap, a negative time, one key for two epochs.
    """

    def __init__(self, epochs: Sequence[Epoch], overlap_s: int = OVERLAP_S) -> None:
        fault = _fault(epochs, overlap_s)
        if fault is not None:
            raise UsageError(f"wrong ring of keys: {fault}")
        self.epochs = tuple(epochs)
        self.overlap_s = overlap_s

    def current(self, now: float) -> Epoch:
        """Return the epoch of a moment.

        Raises:
            UsageError: none holds; the ring must be rotated.
        """
        for epoch in self.epochs:
            if epoch.valid_from <= now < epoch.valid_to:
                return epoch
        raise UsageError("no epoch of the ring of keys holds now", hint="add the next epoch before the last one ends")

    def answering(self, epoch_id: str | None, now: float) -> Epoch:
        """Return the epoch that a request names, or the current one where it names none.

        Raises:
            InputRejectedError: it is unknown, over for good, or has not begun.
            UsageError: none is named and none holds.
        """
        if epoch_id is None:
            return self.current(now)
        for epoch in self.epochs:
            if epoch.id == epoch_id and epoch.valid_from <= now < epoch.valid_to + self.overlap_s:
                return epoch
        raise InputRejectedError(
            "this epoch is unknown, over, or has not begun", hint="leave it out to get the current one"
        )

    def rotated(self, epoch_id: str, lasts_s: int, key: Key | None = None) -> "KeyRing":
        """Return a ring with one more epoch, from where the last one ends; a new key if none is given.

        Raises:
            UsageError: as the class.
        """
        start = self.epochs[-1].valid_to
        following = Epoch(id=epoch_id, valid_from=start, valid_to=start + lasts_s, key=key or generate())
        return KeyRing([*self.epochs, following], self.overlap_s)

    def without_dead(self, now: float) -> "KeyRing":
        """Return the ring without the epochs that answer no more: their keys are to be forgotten."""
        return KeyRing([epoch for epoch in self.epochs if now < epoch.valid_to + self.overlap_s], self.overlap_s)


def new_ring(epoch_id: str, now: float, lasts_s: int, key: Key | None = None) -> KeyRing:
    """Return a ring of one epoch that begins now; a new key if none is given."""
    start = int(now)
    return KeyRing([Epoch(id=epoch_id, valid_from=start, valid_to=start + lasts_s, key=key or generate())])


def load_ring(path: Path) -> KeyRing:
    """Read the file of a key holder.

    Raises:
        UsageError: it is absent, others may read it, or it does not say what it should; no key is repeated.
    """
    where = Location(str(path))
    try:
        with path.open("rb") as stream:
            mode = stat.S_IMODE(os.fstat(stream.fileno()).st_mode)
            data = stream.read()
    except OSError as error:
        raise UsageError(f"the ring of keys cannot be read: {error.strerror}", where=where) from None
    if mode & 0o077:
        raise UsageError(f"others may read the private keys (mode {mode:04o})", where=where, hint="chmod 600 it")
    try:
        stored = msgspec.json.decode(data, type=_StoredRing)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise UsageError("this is no ring of keys", where=where, hint="see docs/reference/tokens.md") from None
    if stored.suite != NAME:
        raise UsageError("the ring of keys is of another suite", where=where, hint=f"only {NAME} is known")
    try:
        epochs = [
            Epoch(id=entry.id, valid_from=entry.valid_from, valid_to=entry.valid_to, key=read_key(entry.scalar))
            for entry in stored.epochs
        ]
    except InputRejectedError:
        raise UsageError("a key of the ring is none", where=where, hint="64 hexadecimal digits, not zero") from None
    return KeyRing(epochs, stored.overlap_s)


def save_ring(ring: KeyRing, path: Path) -> None:
    """Write the file of a key holder, whole or not at all, and readable by nobody else at any moment."""
    epochs = [
        _StoredEpoch(id=e.id, valid_from=e.valid_from, valid_to=e.valid_to, scalar=e.key.secret_hex())
        for e in ring.epochs
    ]
    data = msgspec.json.encode(_StoredRing(suite=NAME, overlap_s=ring.overlap_s, epochs=epochs))
    descriptor, name = tempfile.mkstemp(prefix=f".work-{os.getpid()}-", dir=path.parent)  # it makes mode 0600
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(msgspec.json.format(data, indent=2) + b"\n")
            stream.flush()
            os.fsync(stream.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _fault(epochs: Sequence[Epoch], overlap_s: int) -> str | None:
    if not epochs or overlap_s < 0:
        return "it needs an epoch, and an overlap that is not negative"
    if not all(EPOCH_ID.fullmatch(epoch.id) for epoch in epochs):
        return "an epoch's id is 1 to 32 of a-z, 0-9, - and ."
    if any(epoch.valid_from >= epoch.valid_to for epoch in epochs):
        return "an epoch ends before it begins"
    if any(one.valid_to != other.valid_from for one, other in itertools.pairwise(epochs)):
        return "an epoch begins where the one before ends"
    if len({epoch.id for epoch in epochs}) < len(epochs) or len({e.key.public_key for e in epochs}) < len(epochs):
        return "two epochs have one id or one key"
    return None
