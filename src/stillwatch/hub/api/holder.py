"""The key, or the share of one, that tokens are evaluated with: its ring below the data directory."""

import threading
import time
from collections.abc import Mapping
from pathlib import Path

import msgspec

from stillwatch.data_dir import make_data_dir
from stillwatch.errors import InputRejectedError, Location, UsageError
from stillwatch.files import replace_file
from stillwatch.sharing.matching.epochs import EPOCH_ID, PublishedEpoch
from stillwatch.sharing.matching.key_ring import Epoch, KeyRing, load_ring, new_ring, save_ring
from stillwatch.sharing.matching.keys import read_key

RING, TRUSTEE, SHARE = "oprf-ring.json", "trustee.json", "share"
"""A ring; what a hub knows of its trustee; and, beside a trustee's ring, the mark that it is no whole key."""
KEY_VARIABLE, EPOCH_VARIABLE = "STILLWATCH_HUB_OPRF_KEY", "STILLWATCH_HUB_OPRF_EPOCH"
GIVEN = "1"
"""Epoch of a key that the environment gives; those of a ring are called otherwise, so that nobody takes one for it."""
_DAY_S = 86_400
LASTS_S = 90 * _DAY_S
AHEAD_S = 30 * _DAY_S
"""So long before it begins, the next epoch is there, for members to see and for a trustee's key to be brought over."""
_FOREVER = 4_102_444_800  # 2100-01-01


class Trustee(msgspec.Struct, frozen=True, kw_only=True):
    """What a hub knows of the other holder: its address, and what that answers to `GET /v1/tokens/epochs`."""

    epochs: list[PublishedEpoch]
    url: str | None = None


class Holder:
    """Holds one ring; threads may use it together.

    Args:
        data_dir: where ring and trustee file are.
        environment: may give the key, for tests: then nothing is read or written.
        now: Unix seconds, for a ring that is made.
        make: whether a ring may be made: by a hub, and not by a trustee.

    Raises:
        UsageError: the ring cannot be read or, where none may be made, is not there; it is a trustee's and this is a
            hub; or the environment's key is none.
    """

    def __init__(self, data_dir: Path, environment: Mapping[str, str], now: float, *, make: bool = True) -> None:
        self._path, self._trustee_path = data_dir / RING, data_dir / TRUSTEE
        self._lock = threading.Lock()
        self._kept = KEY_VARIABLE not in environment
        self._ring = self._open(now, make=make) if self._kept else _given(environment)

    def ring(self, now: float) -> KeyRing:
        """Return the ring, with the next epoch where the last one ends soon; keys of dead epochs are forgotten."""
        with self._lock:
            if self._kept and self._ring.epochs[-1].valid_to - now < AHEAD_S:
                self._ring = _renewed(self._ring, now)
                save_ring(self._ring, self._path)
            return self._ring

    def trustee(self) -> Trustee | None:
        """Return the other holder of a split key, None where the key is whole.

        Raises:
            UsageError: its file does not say what it should.
        """
        try:
            return msgspec.json.decode(self._trustee_path.read_bytes(), type=Trustee)
        except FileNotFoundError:
            return None
        except (msgspec.MsgspecError, UnicodeDecodeError, OSError) as error:
            hint = f"{{url, epochs}}, with the epochs of the trustee's /v1/tokens/epochs: {type(error).__name__}"
            raise UsageError("no trustee can be read", where=Location(str(self._trustee_path)), hint=hint) from None

    def published(self, now: float) -> list[PublishedEpoch]:
        """Return the epochs as members need them: where the key is split, those that both holders have."""
        epochs, trustee = self.ring(now).epochs, self.trustee()
        if trustee is None:
            return [one.published() for one in epochs]
        theirs = {one.id: list(one.public_keys) for one in trustee.epochs}
        return [one.published(theirs[one.id]) for one in epochs if one.id in theirs]

    def _open(self, now: float, *, make: bool) -> KeyRing:
        if make and self._path.with_name(SHARE).exists():
            hint = "stillwatch hub trustee serve answers for it; give the hub a data directory of its own"
            raise UsageError("this is a trustee's share of a key", where=Location(str(self._path.parent)), hint=hint)
        if self._path.exists():
            return load_ring(self._path)
        if not make:
            hint = "stillwatch hub trustee split, on the hub's data directory"
            raise UsageError("there is no share of a key", where=Location(str(self._path)), hint=hint)
        ring = new_ring(_epoch_id(int(now), 1), now, LASTS_S)
        save_ring(ring, self._path)
        return ring


def _renewed(ring: KeyRing, now: float) -> KeyRing:
    """Return a ring whose last epoch is far from its end. Two holders that do so name and time their epochs alike."""
    numbers = [one.id.rpartition(".")[2] for one in ring.epochs]
    number = max((int(one) for one in numbers if one.isdecimal()), default=0)
    while ring.epochs[-1].valid_to - now < AHEAD_S:
        number += 1
        ring = ring.rotated(_epoch_id(ring.epochs[-1].valid_to, number), LASTS_S)
    return ring.without_dead(now)


def _epoch_id(begins: int, number: int) -> str:
    """Return the name of an epoch: the day (UTC) on which it begins, and its number in the ring."""
    return f"{time.strftime('%Y-%m-%d', time.gmtime(begins))}.{number}"


def _given(environment: Mapping[str, str]) -> KeyRing:
    name = environment.get(EPOCH_VARIABLE, GIVEN)
    if EPOCH_ID.fullmatch(name) is None:
        raise UsageError(f"{EPOCH_VARIABLE} names no epoch", hint="1 to 32 of a-z, 0-9, - and .")
    try:
        key = read_key(environment[KEY_VARIABLE])
    except InputRejectedError as error:
        raise UsageError(error.message, hint=f"check {KEY_VARIABLE}") from None
    return KeyRing([Epoch(id=name, valid_from=0, valid_to=_FOREVER, key=key)])


def split(hub_dir: Path, trustee_dir: Path, url: str | None) -> list[PublishedEpoch]:
    """Split a hub's key into two shares, one for each directory; tokens that were made stay what they are.

    Returns:
        The epochs with both public keys, as members pin them.

    Raises:
        UsageError: the key is split already, or one of the files is not as it should be.
    """
    if (hub_dir / TRUSTEE).exists() or (trustee_dir / RING).exists():
        raise UsageError("the key is split already", hint="a share is never made anew")
    ring = load_ring(hub_dir / RING)
    pairs = [(one, one.key.split()) for one in ring.epochs]
    mine = [msgspec.structs.replace(one, key=share) for one, (share, _) in pairs]
    theirs = [msgspec.structs.replace(one, key=share) for one, (_, share) in pairs]
    make_data_dir(trustee_dir)
    known = Trustee(epochs=[one.published() for one in theirs], url=url)
    (trustee_dir / SHARE).write_text("a trustee's share of a key\n", "utf-8")
    save_ring(KeyRing(theirs, ring.overlap_s), trustee_dir / RING)
    replace_file(hub_dir / TRUSTEE, msgspec.json.format(msgspec.json.encode(known), indent=2) + b"\n")
    save_ring(KeyRing(mine, ring.overlap_s), hub_dir / RING)
    return [a.published([b.key.public_hex]) for a, b in zip(mine, theirs, strict=True)]
