"""Push and pull: what was cleared goes to a hub, what others shared comes from it. Both may be killed and run again."""

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from stillwatch.errors import PolicyRefusedError, RemoteError
from stillwatch.files import replace_file
from stillwatch.sharing.clearance.clearing import Cleared, Clearing
from stillwatch.sharing.clearance.events import Deleted, Event, ObjectMade, Pushed, Sending
from stillwatch.sharing.clearance.outbox import Outbox
from stillwatch.sharing.clearance.places import Place
from stillwatch.sharing.clearance.withdrawal import is_observable, still_at
from stillwatch.sharing.indicators import indicators_in
from stillwatch.sharing.received import Inbox, Received
from stillwatch.sharing.signing import verify
from stillwatch.sharing.wire import members
from stillwatch.sharing.wire.connection import Connection, ForbiddenError, RefusedError
from stillwatch.sharing.wire.taxii import Collection, Page, batches, find_collection

RECEIVED = "received.jsonl"
_OBJECTS, _CORRECTIONS = "objects", "corrections"
_FRACTION = 6


class PushOutcome(NamedTuple):
    """What became of a push: objects taken, refused with why, kept back with why, and deleted at the hub.

    `expired` counts the indicators among what was offered that hold no more. `elsewhere` says what was withdrawn and is
    still out, and where: each place must be told by a push of its own. `apart` counts what waits for a push of its own,
    since what is anonymous and what is not, sent at one moment, would show whose it is. `other_hub` counts what another
    hub has: an outbox is for one hub, since recipients and tokens are.
    """

    taken: int
    refused: list[tuple[str, str]]
    waiting: list[str]
    deleted: int
    expired: int
    elsewhere: list[str]
    apart: int
    other_hub: int


class PullOutcome(NamedTuple):
    """What came: new objects, those that nobody vouches for, corrections, keys that changed, indicators in force."""

    objects: int
    unsigned: int
    corrections: int
    new_keys: list[str]
    indicators: int


def push(
    outbox: Outbox,
    clearing: Clearing,
    connection: Connection,
    collection: str,
    clock: Callable[[], float],
    *,
    anonymous: bool = False,
) -> PushOutcome:
    """Send what may be sent and was not, or take back. What the hub acknowledged is logged before more is sent.

    Args:
        outbox: what is sent from.
        clearing: clearance over it.
        connection: the hub.
        collection: its id, alias or title.
        clock: tells the time (Unix seconds).
        anonymous: send what does not name this member, and nothing else; otherwise, nothing of that.

    Raises:
        RemoteError: the hub cannot be reached; run it again.
        PolicyRefusedError: an object on the disk is not what was cleared, or another hub stands for this member.
    """
    cleared, waiting = clearing.ready()
    ready = [one for one in cleared if outbox.made[one.sha256].anonymous == anonymous]
    apart = len(cleared) - len(ready)
    if not ready and not still_at(outbox):
        return PushOutcome(0, [], waiting, 0, 0, [], apart, _at_another_hub(outbox, connection.url))
    target = find_collection(connection, collection)
    if not target.can_write:
        raise RemoteError(f"this member may not write to {collection!r}", hint="ask the hub's operator for the role")
    if anonymous and members.hidden_by(connection) != outbox.member.hidden_by:
        raise PolicyRefusedError(
            f"{connection.url} is not the hub that stands for this member",
            hint="`share clear --anonymous --hub URL` clears for another hub",
        )
    place = Place(connection.url, target.id)
    back, stuck = clearing.to_revoke(place, anonymous=anonymous)
    may_delete = target.can_read  # TAXII lets who may not read delete nothing
    gone = clearing.to_delete(place, anonymous=anonymous) if may_delete else []
    deleted, kept = _delete(outbox, gone, target, place, clock)
    offered = [*ready, *back]
    taken, refused = _send(outbox, offered, connection, target, clock) if offered else (0, [])
    late = clearing.expired(one.sha256 for one in ready)
    left = _elsewhere(outbox, place, anonymous=anonymous, may_delete=may_delete)
    other = _at_another_hub(outbox, connection.url)
    return PushOutcome(taken, kept + refused, waiting + stuck, deleted, late, left, apart, other)


def _at_another_hub(outbox: Outbox, hub: str) -> int:
    told = (outbox.pushed.get(made.sha256) for made in outbox.latest().values() if made.withdrawn is None)
    return sum(one is not None and one.accepted and one.hub != hub for one in told)


def _delete(
    outbox: Outbox, names: Sequence[str], target: Collection, place: Place, clock: Callable[[], float]
) -> tuple[int, list[tuple[str, str]]]:
    """Delete observables in the collection that has them, and return what it refused to delete.

    What it has no more of ours is as good as deleted there. So is what it says is not ours to delete: an observable has
    the same id whoever tells of it, and another member's may be left there.
    """
    deleted, refused = 0, []
    for name in names:
        try:
            was_there = target.delete(name)
        except ForbiddenError:
            was_there = False
        except RefusedError as error:
            refused.append((name, error.message))
            continue
        if was_there or any(at.is_same(place) for at in outbox.places.of(name)):
            event = Deleted(ts=clock(), object_id=name, hub=place.hub, collection=place.collection)
            outbox.record([event], event.ts)
            deleted += 1
    return deleted, refused


def _send(
    outbox: Outbox, offered: Sequence[Cleared], connection: Connection, target: Collection, clock: Callable[[], float]
) -> tuple[int, list[tuple[str, str]]]:
    """Send objects batch by batch: the log says where they go before they go, and what became of them after."""
    members.register_key(connection, outbox.signer)
    at = {"hub": connection.url, "collection": target.id}
    taken, refused = 0, []
    for batch in batches(offered):
        names = {one.sha256: one.object_id for one in batch}
        outbox.record([Sending(ts=clock(), objects=tuple(names), **at)], clock())
        members.sign(connection, outbox.signer, batch)
        told = target.add(batch)
        now_s = clock()
        events: list[Event] = [
            Pushed(
                ts=now_s,
                sha256=sent.sha256,
                accepted=sent.message is None,
                message=(sent.message or "")[:300],
                **at,
            )
            for sent in told
        ]
        outbox.record(events, now_s)
        taken += sum(sent.message is None for sent in told)
        refused += [(names[sent.sha256], sent.message) for sent in told if sent.message is not None]
    return taken, refused


def _elsewhere(outbox: Outbox, here: Place, *, anonymous: bool, may_delete: bool) -> list[str]:
    def way_back(made: ObjectMade, place: Place) -> str:
        if not place.is_same(here) or made.anonymous != anonymous:
            return "`share push --anonymous` there" if made.anonymous else "`share push` there"
        if is_observable(made.object_id) and not may_delete:
            return "ask its operator to delete them, this member may not"
        return "this push did not take them back, for the reasons that it gives; push there again, or ask its operator"

    left = Counter(
        (place, way_back(made, place)) for made in outbox.withdrawn() for place in outbox.places.of(made.object_id)
    )
    return [f"{count:,} withdrawn objects are still at {place}: {how}" for (place, how), count in left.items()]


def pull(
    directory: Path, connection: Connection, collection: str, clock: Callable[[], float], own_id: str | None = None
) -> PullOutcome:
    """Fetch what was added since the last pull, and write the indicators that hold now to `received.jsonl`.

    Args:
        directory: where what was received is kept.
        connection: the hub.
        collection: its id, alias or title.
        clock: tells the time (Unix seconds).
        own_id: this member, whose own objects come back too and are no news.

    Raises:
        RemoteError: the hub cannot be reached; run it again.
    """
    with Inbox(directory / "received.sqlite") as inbox:
        source = find_collection(connection, collection)
        if not source.can_read:
            raise RemoteError(f"this member may not read {collection!r}", hint="ask the hub's operator for the role")
        puller = _Puller(inbox, connection, own_id, clock)
        objects = puller.objects(source)
        corrected = puller.corrections()
        found = list(indicators_in(inbox.latest(), inbox.disputed(), clock()))
        replace_file(directory / RECEIVED, b"".join(msgspec.json.encode(one) + b"\n" for one in found))
        return PullOutcome(objects, puller.unsigned, corrected, sorted(puller.new_keys), len(found))


class _Header(msgspec.Struct):
    id: str
    type: str
    modified: str = ""
    created: str = ""

    @property
    def moment(self) -> str:
        """The version, so written that later versions sort after earlier ones."""
        whole, _, fraction = (self.modified or self.created).removesuffix("Z").partition(".")
        return f"{whole}.{fraction:0<{_FRACTION}}"


class _Puller:
    def __init__(self, inbox: Inbox, connection: Connection, own_id: str | None, clock: Callable[[], float]) -> None:
        self._inbox, self._connection, self._own_id, self._clock = inbox, connection, own_id, clock
        self._where = connection.url
        self.unsigned = 0
        self.new_keys: set[str] = set()

    def objects(self, source: Collection) -> int:
        name = f"{_OBJECTS} {self._where}{source.path}"
        new = 0
        for page in source.pages(self._inbox.cursor(name)):
            new += self._inbox.keep(self._with_sources(page), {name: page.added_last}, self._clock())
        return new

    def corrections(self) -> int:
        name = f"{_CORRECTIONS} {self._where}"
        new = 0
        for page, cursor in members.corrections(self._connection, self._inbox.cursor(name)):
            rows = [(one.object_id, one.kind, one.reason, one.at) for one in page]
            new += self._inbox.keep_corrections(rows, {name: cursor})
        return new

    def _with_sources(self, page: Page) -> list[Received]:
        bodies = {hashlib.sha256(body).hexdigest(): body for body in page.objects}
        signed = members.signatures(self._connection, list(bodies)) if bodies else {}
        found = []
        for sha256, body in bodies.items():
            told = _header(body)
            vouched = self._vouched(body, signed.get(sha256))
            if vouched is None:
                self.unsigned += 1
            if vouched is None or vouched != self._own_id:
                found.append(Received(sha256, told.id, told.type, told.moment, body, vouched))
        return found

    def _vouched(self, body: bytes, signed: members.Signed | None) -> str | None:
        if signed is None:
            return None
        try:
            verify(signed.envelope, body, signed.public_key)
        except PolicyRefusedError:
            return None
        if not self._inbox.pin(signed.member_id, signed.public_key):
            self.new_keys.add(signed.member_id)
        return signed.member_id


def _header(body: bytes) -> _Header:
    try:
        return msgspec.json.decode(body, type=_Header)
    except msgspec.MsgspecError as error:
        raise RemoteError("the hub served what is no STIX object", hint="tell its operator") from error
