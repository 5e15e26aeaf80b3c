"""The outbox: a directory with what was cleared, what waits for counsel, the keys of the member, and the clearance log.

    log/, log.key     the clearance log and its key; log.seen is its last checkpoint, so that a log that is cut shows
    member.json       who this member is
    secret.key        for pseudonyms and digests; signing.key signs what is sent
    items/            findings as they were given to clearance, in clear, with their terms; for this member alone
    objects/          what may be sent, canonical bytes, one object a line; a file is what one clearance of an item made

The state is what the log says; files hold only what the log names by digest. Ids of objects follow from the secret, so
that a finding keeps its objects from run to run, and nobody else can tell which finding they are of.
"""

import contextlib
import hashlib
import hmac
import json
import os
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Self

import msgspec

from stillwatch.errors import Location, UsageError
from stillwatch.files import replace_file
from stillwatch.sharing.clearance.counsel import Reviews, given_by_two, opinions_of
from stillwatch.sharing.clearance.events import (
    BasisAdopted,
    Deleted,
    Event,
    ItemRuled,
    ObjectMade,
    OpinionEnded,
    OpinionGiven,
    Pushed,
    Reviewed,
    RulesUsed,
    Sending,
)
from stillwatch.sharing.clearance.ledger import Ledger
from stillwatch.sharing.clearance.model import Fact, Item, Kept, Terms
from stillwatch.sharing.clearance.opinions import Opinion
from stillwatch.sharing.clearance.places import Place, Places
from stillwatch.sharing.objects.build import new_id
from stillwatch.sharing.signing import Signer
from stillwatch.transparency.durable import clear_unfinished, write_durably

_SECRET_SIZE = 32


class Member(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who sends: the id of its identity, as the hub gave it, and the name that others see.

    Attributes:
        hidden_by: the identity that stands for members that are not named, as the hub gave it; empty until it did.
    """

    member_id: str
    name: str = "a member"
    hidden_by: str = ""


class Outbox:
    """An outbox that this process has to itself until it is closed.

    `last_s` is when the log was last written to (Unix seconds).
    """

    def __init__(self, directory: Path, member: Member | None = None) -> None:
        """Open an outbox, or begin one; without a member's id from a hub it makes one up.

        Raises:
            UsageError: another process has it, or it is another member's.
            PolicyRefusedError: its log does not hold together, or was taken away or cut.
        """
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.directory = directory
        used = any(one.is_file() for name in ("items", "objects") for one in (directory / name).glob("*.json*"))
        self._ledger = Ledger(directory / "log", used=used)
        with contextlib.ExitStack() as undo:
            undo.callback(self._ledger.close)
            self.member = self._member(member)
            self.secret = _secret(directory / "secret.key")
            self.signer = _signer(directory / "signing.key")
            for name in ("items", "objects"):
                (directory / name).mkdir(exist_ok=True)
                (directory / name).chmod(0o700)
                clear_unfinished(directory / name)
            self.reviews = Reviews()
            self.adopted: set[BasisAdopted] = set()
            self.rules: RulesUsed | None = None
            self.tables: dict[str, str] = {}
            self.rulings: dict[str, tuple[str, ItemRuled]] = {}
            self.made: dict[str, ObjectMade] = {}
            self.pushed: dict[str, Pushed] = {}
            self.last_s = 0.0
            self.places = Places()
            self._withdrawn_facts: set[str] = set()
            self._revocations: dict[str, ObjectMade] = {}
            self._lines_of: tuple[str, dict[str, bytes]] = ("", {})
            self._latest: dict[str, ObjectMade] = {}
            self._created: dict[str, float] = {}
            self._words: list[OpinionGiven | OpinionEnded] = []
            for digest, event in self._ledger:
                self._take(digest, event)
            undo.pop_all()

    def _take(self, digest: str, event: Event) -> None:
        self.last_s = max(self.last_s, event.ts)
        match event:
            case BasisAdopted():
                self.adopted.add(msgspec.structs.replace(event, ts=0.0))
            case RulesUsed():
                self.rules = event
                self.tables[event.version] = event.table
            case ItemRuled():
                self.rulings[event.item] = (digest, event)
            case Reviewed():
                self.reviews.add(event)
            case OpinionGiven() | OpinionEnded():
                self._words.append(event)
            case ObjectMade():
                self._take_object(event)
            case Deleted():
                self.places.gone(event.object_id, Place(event.hub, event.collection))
            case Sending():
                self._take_sending(event)
            case Pushed():
                self._take_pushed(event)

    def _take_object(self, made: ObjectMade) -> None:
        self.made[made.sha256] = self._latest[made.object_id] = made
        self._created.setdefault(made.object_id, made.ts)
        if made.withdrawn is not None and not made.object_id.startswith("relationship"):  # that ties, and tells nothing
            self._withdrawn_facts.update(made.facts)
        if made.revokes:
            self._revocations[made.revokes] = made

    def _take_sending(self, sending: Sending) -> None:
        place = Place(sending.hub, sending.collection)
        for made in (self.made[sha256] for sha256 in sending.objects if sha256 in self.made):
            if made.withdrawn is None:
                self.places.sending(made.object_id, place, made.audience, made.sha256)

    def _take_pushed(self, pushed: Pushed) -> None:
        self.pushed[pushed.sha256] = pushed
        made, place = self.made.get(pushed.sha256), Place(pushed.hub, pushed.collection)
        if made is None:
            return
        if made.withdrawn is None:
            note = self.places.taken if pushed.accepted else self.places.refused
            note(made.object_id, place, made.audience, made.sha256)
        elif pushed.accepted:
            self.places.gone(made.object_id, place, made.audience if made.revokes else None)

    def moment(self, now_s: float) -> float:
        """Return now, or where the clock was set back, when the log was last written to: that revives nothing."""
        return max(now_s, self.last_s)

    def record(self, events: Sequence[Event], now_s: float) -> list[str]:
        """Write events to the log, then hold them as state; return the digest of each entry."""
        digests = self._ledger.append(list(events), now_s)
        for digest, event in zip(digests, events, strict=True):
            self._take(digest, event)
        return digests

    @property
    def opinions(self) -> list[Opinion]:
        """The standing opinions that two persons gave."""
        return opinions_of(self._words)

    def opinion(self, name: str) -> Opinion | None:
        """Return the opinion of a name that two persons gave, even where it stands no more."""
        return next((one for one in given_by_two(self._words) if one.id == name), None)

    def knows_opinion(self, name: str) -> bool:
        """Return whether anybody gave an opinion of a name."""
        return any(word.opinion == name for word in self._words)

    def be_hidden_by(self, identity: str) -> None:
        """Take note of the identity that stands at the hub for members that are not named."""
        self.member = msgspec.structs.replace(self.member, hidden_by=identity)
        self._write("member.json", self.member)

    def sent_items(self, *, anonymous: bool) -> set[str]:
        """Return the items of which something was sent, or withdrawn, without the member's name, or under it."""
        accepted = {sha256 for sha256, one in self.pushed.items() if one.accepted}
        return {
            made.item
            for made in self.made.values()
            if made.anonymous == anonymous
            if made.withdrawn is not None or made.sha256 in accepted or self.places.of(made.object_id)
        }

    def digest(self, *parts: str) -> str:
        """Return a keyed digest of some parts, the first a word of ours, under which the log speaks of values (32 hex).

        Parts in which a NUL stands are told as JSON, so that no two lists of parts read alike. The others are told as
        they always were, since ids of objects follow from it.
        """
        plain = "\0".join(parts)
        told = plain if plain.count("\0") == len(parts) - 1 else json.dumps(parts)
        return hmac.new(self.secret, told.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()[:32]

    def key_of(self, item: Item, fact: Fact) -> str:
        """Return the key by which counsel speaks of one fact of an item; it changes with the value."""
        account = str(fact.context.get("account", ""))
        return self.digest("fact", item.item_id, fact.field, account, _told(fact.value))[:16]

    def value_digest(self, fact: Fact) -> str:
        """Return the keyed digest of a fact's value."""
        return self.digest("value", fact.field, _told(fact.value))

    def item_key(self, item: Item) -> str:
        """Return the name of an item in the log, which tells nothing of the provider's own."""
        return self.digest("item", item.item_id)

    def terms_digest(self, terms: Terms, transformation: str, end_s: float | None = None) -> str:
        """Return the digest of how and for whom a fact would leave, and of the end that goes with it (Unix seconds)."""
        ends = () if end_s is None else (str(end_s),)
        return self.digest("terms", transformation, _told(terms), *ends)

    def audience_digest(self, terms: Terms) -> str:
        """Return the digest of who may have what leaves under some terms."""
        return self.digest("audience", _told((terms.tlp, sorted(set(terms.recipients)), terms.anonymous)))

    def log_digest(self, digest: str, *, anonymous: bool) -> str:
        """Return the digest by which an object names its entry (64 hex digits).

        An entry tells of what leaves under the member's name too, so what is anonymous names it by a keyed digest.
        """
        return "".join(self.digest(f"entry {half}", digest) for half in "ab") if anonymous else digest

    def object_id(self, item: Item, place: str, kind: str, *, anonymous: bool = False) -> str:
        """Return the id of an object of an item, the same in every run: a UUID 4 whose bits follow from the secret."""
        bits = self.digest("id", item.item_id, f"anonymous {place}" if anonymous else place, kind)
        return f"{kind}--{uuid.UUID(hex=bits, version=4)}"

    def created(self, object_id: str) -> float | None:
        """Return when an object was first made (Unix seconds); None where it was not."""
        return self._created.get(object_id)

    def keep_item(self, kept: Kept) -> None:
        """Write an item down, for the time when counsel releases what is held of it."""
        name = f"items/{self.item_key(kept.item)}.json"
        path = self.directory / name
        if not path.exists() or path.read_bytes() != msgspec.json.encode(kept):
            self._write(name, kept)

    def kept_item(self, item_key: str) -> Kept | None:
        """Return the item of a name in the log, as it was last given to clearance."""
        found: Kept | None = self._read(f"items/{item_key}.json", Kept)
        return found

    def kept(self) -> Iterator[Kept]:
        """Yield all items that were given to clearance, each as it was last given."""
        for path in sorted((self.directory / "items").glob("*.json")):
            found = self.kept_item(path.stem)
            if found is not None:
                yield found

    def items(self) -> Iterator[Item]:
        """Yield the items without their terms."""
        return (kept.item for kept in self.kept())

    def object_file(self, made: ObjectMade) -> Path:
        """Return the file that an object's bytes lie in."""
        return self.directory / "objects" / made.file

    def keep_objects(self, bodies: Sequence[bytes]) -> tuple[str, list[str]]:
        """Write the bytes of objects; return the name of their file, and the SHA-256 of each."""
        content = b"".join(body + b"\n" for body in bodies)
        file = f"{hashlib.sha256(content).hexdigest()}.jsonl"
        if bodies:
            write_durably(self.directory / "objects", {file: content})
        self._lines_of = ("", {})
        return file, [hashlib.sha256(body).hexdigest() for body in bodies]

    def object_bytes(self, made: ObjectMade) -> bytes | None:
        """Return the bytes of an object that still have the SHA-256 that the log names; None where none have.

        Raises:
            OSError: the file cannot be read.
        """
        if self._lines_of[0] != made.file:
            lines = self.object_file(made).read_bytes().split(b"\n")
            self._lines_of = (made.file, {hashlib.sha256(line).hexdigest(): line for line in lines})
        return self._lines_of[1].get(made.sha256)

    def latest(self) -> dict[str, ObjectMade]:
        """Return the latest version of each object, by its id."""
        return dict(self._latest)

    def latest_of(self, object_id: str) -> ObjectMade | None:
        """Return the latest version of one object; None where none was made."""
        return self._latest.get(object_id)

    def was_taken(self, sha256: str) -> bool:
        """Return whether a hub took an object; one that was refused is offered again, since the cause may pass."""
        told = self.pushed.get(sha256)
        return told is not None and told.accepted

    def withdrawn(self) -> list[ObjectMade]:
        """Return the latest version of each object that was taken back."""
        return [made for made in self._latest.values() if made.withdrawn is not None]

    def revocation_of(self, sha256: str) -> ObjectMade | None:
        """Return the version that takes a version back; None where none was made."""
        return self._revocations.get(sha256)

    def was_withdrawn(self, item: Item, fact: Fact) -> bool:
        """Return whether an object with a fact was withdrawn: the fact leaves in no other object either."""
        known = self._withdrawn_facts
        return bool(known) and (self.value_digest(fact) in known or self.key_of(item, fact) in known)

    def is_about_nothing(self, made: ObjectMade) -> bool:
        """Return whether all that an object is about was withdrawn in others, so that it needs no word of its own."""
        return bool(made.facts) and self._withdrawn_facts.issuperset(made.facts)

    def close(self) -> None:
        """Let another process have it."""
        self._ledger.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_reason: object) -> None:
        self.close()

    def _member(self, given: Member | None) -> Member:
        known = self._read("member.json", Member)
        if known is not None and given is not None and known.member_id != given.member_id:
            raise UsageError(
                f"{self.directory} is the outbox of {known.member_id}", hint="give another member an outbox of its own"
            )
        member = given or known or Member(member_id=new_id("identity"))
        if known is not None and not member.hidden_by:
            member = msgspec.structs.replace(member, hidden_by=known.hidden_by)
        if member != known:
            self._write("member.json", member)
        return member

    def _read(self, name: str, kind: Any) -> Any:
        path = self.directory / name
        try:
            return msgspec.json.decode(path.read_bytes(), type=kind)
        except FileNotFoundError:
            return None
        except msgspec.MsgspecError as error:
            raise UsageError("it is not what an outbox holds", where=Location(str(path)), hint="see docs") from error

    def _write(self, name: str, content: Any) -> None:
        path = self.directory / name
        replace_file(path, msgspec.json.encode(content))
        path.chmod(0o600)


def _told(value: Any) -> str:
    return msgspec.json.encode(value, order="deterministic").decode()


def _secret(path: Path) -> bytes:
    with contextlib.suppress(FileExistsError):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(os.urandom(_SECRET_SIZE))
            stream.flush()
            os.fsync(stream.fileno())
    secret = path.read_bytes()
    if len(secret) != _SECRET_SIZE:
        raise UsageError("it holds no secret of 32 bytes", where=Location(str(path)), hint="restore it from a copy")
    return secret


def _signer(path: Path) -> Signer:
    return Signer.load(path) if path.exists() else Signer.make(path)
