"""Who is a member, and the keys that members sign with."""

from pathlib import Path
from typing import Annotated

import msgspec
from sqlalchemy import Connection, select

from stillwatch.hub.api import bodies
from stillwatch.hub.api.journal import write_down
from stillwatch.hub.api.tables import key
from stillwatch.hub.http import Answer, Call, HubError, json_answer
from stillwatch.hub.hub import Hub
from stillwatch.hub.members import HUB, Member, list_members
from stillwatch.hub.operations import Operation
from stillwatch.sharing.signing import Signer

LIVE_KEYS = 4
MOST_KEYS = 64
"""The most keys that a member has had; each is kept for what it signed."""
SIGNING_KEY = "signing-key.pem"

PublicKey = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]


class NewKey(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """An Ed25519 public key, 32 bytes in hex."""

    public_key: PublicKey


class Keys(msgspec.Struct, kw_only=True):
    """A member's keys, the newest first."""

    keys: list[str]
    retired: list[str] = []


class Entry(Keys, kw_only=True):
    """A member: the keys that it signs with now, and those that it signed with before."""

    member_id: str
    name: str
    role: str


class Members(msgspec.Struct, kw_only=True):
    """All members. `anonymous` is the hub's identity, in whose name members contribute who are not named."""

    members: list[Entry]
    anonymous: str


def hub_signer(data_dir: Path) -> Signer:
    """Return the hub's own signer, whose key is made once."""
    path = data_dir / SIGNING_KEY
    return Signer.load(path) if path.exists() else Signer.make(path)


def keys_of(db: Connection, member: Member) -> list[str]:
    """Return all keys of a member, the newest first."""
    return list(db.scalars(select(key.c.public_key).where(key.c.member == member.number).order_by(key.c.added.desc())))


class Directory:
    """Handlers for members and keys."""

    def __init__(self, hub: Hub, signer: Signer) -> None:
        self._hub, self._signer = hub, signer

    def operations(self) -> list[Operation]:
        """Return the operations."""
        return [
            Operation(
                "/v1/members", "get", "All members, and the keys they sign with.", self.show, None, ((200, Members),)
            ),
            Operation(
                "/v1/keys",
                "post",
                "Sign with a key from now on.",
                self.add_key,
                NewKey,
                ((200, Keys),),
                (400, 409, 413, 422),
            ),
        ]

    def show(self, _call: Call) -> Answer:
        """Answer all members."""
        with self._hub.storage.reading() as db:
            members = list_members(db)
            rows = db.execute(select(key.c.member, key.c.public_key).order_by(key.c.added.desc())).all()
        held: dict[int, list[str]] = {}
        for row in rows:
            held.setdefault(row.member, []).append(row.public_key)
        entries = [self._entry(one, held.get(one.number, [])) for one in members]
        return json_answer(
            Members(members=entries, anonymous=next(one.member_id for one in members if one.name == HUB))
        )

    def add_key(self, call: Call) -> Answer:
        """Register a key of the caller; the same key once more changes nothing."""
        given = bodies.read(call.body, NewKey).public_key
        with self._hub.storage.writing() as db:
            whose = db.scalar(select(key.c.member).where(key.c.public_key == given))
            if whose not in {None, call.member.number} or given == self._signer.public_key:
                raise HubError(409, "another member signs with this key")
            if whose is None:
                self._keep(db, call.member, given)
            keys = keys_of(db, call.member)
        return json_answer(Keys(keys=keys[:LIVE_KEYS], retired=keys[LIVE_KEYS:]))

    def _keep(self, db: Connection, member: Member, given: str) -> None:
        if len(keys_of(db, member)) >= MOST_KEYS:
            raise HubError(409, "you have had too many keys", f"at most {MOST_KEYS}; ask the hub's operator")
        number = self._hub.storage.take(db, "key", 0, 1)
        db.execute(key.insert().values(public_key=given, member=member.number, added=number))
        write_down(db, self._hub.storage, "key.added", member=member.member_id, public_key=given)

    def _entry(self, one: Member, keys: list[str]) -> Entry:
        if one.name == HUB:
            return Entry(member_id=one.member_id, name=one.name, role="hub", keys=[self._signer.public_key])
        told = {"keys": keys[:LIVE_KEYS], "retired": keys[LIVE_KEYS:]}
        return Entry(member_id=one.member_id, name=one.name, role=one.role, **told)
