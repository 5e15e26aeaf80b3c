"""Members of the hub: who they are, what they may do, and the tokens that they are known by."""

import hashlib
import secrets
import uuid
from collections.abc import Iterable
from typing import Any, Literal, get_args

import msgspec
from sqlalchemy import ColumnElement, Connection, Select, bindparam, select

from stillwatch.errors import UsageError
from stillwatch.hub.storage import schema

Role = Literal["reader", "contributor", "member", "steward"]
"""reader: reads; contributor: writes and reads nothing; member: both; steward: a member who also reads the inbox."""
ROLES: tuple[Role, ...] = get_args(Role)
HUB = "hub"
"""Name of the member that the hub itself is: it has no token, and owns what the hub says in its own name."""
_MOST_NAME = 120


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """One member. `number` is its short name in tables, `member_id` the id of its STIX identity."""

    number: int
    member_id: str
    name: str
    role: Role
    added: float
    subject: str | None = None


_COLUMNS = tuple(schema.member.c[name] for name in Member.__struct_fields__)
_PRESENT = schema.member.c.removed.is_(None)


def list_members(db: Connection) -> list[Member]:
    """Return all members, the hub itself included, in the order of joining."""
    rows = db.execute(select(*_COLUMNS).where(_PRESENT).order_by(schema.member.c.number))
    return [Member(**row._mapping) for row in rows]  # noqa: SLF001 - SQLAlchemy's name for it


def find_member(db: Connection, who: str) -> Member | None:
    """Return a member by its name or its id."""
    if not who.isprintable():  # PostgreSQL keeps no NUL, so it cannot be asked for one
        return None
    table = schema.member
    row = db.execute(select(*_COLUMNS).where(_PRESENT, (table.c.member_id == who) | (table.c.name == who))).first()
    return None if row is None else Member(**row._mapping)  # noqa: SLF001 - as above


def named_member(db: Connection, who: str) -> Member:
    """Return a member that may be changed, by its name or its id.

    Raises:
        UsageError: there is none, or it is the hub itself.
    """
    found = find_member(db, who)
    if found is None or found.name == HUB:
        raise UsageError(f"there is no member {who!r}", hint="stillwatch hub member list")
    return found


def find_subject(db: Connection, subject: str) -> Member | None:
    """Return a member by the subject that the OIDC provider knows it by."""
    row = db.execute(select(*_COLUMNS).where(_PRESENT, schema.member.c.subject == subject)).first()
    return None if row is None else Member(**row._mapping)  # noqa: SLF001 - as above


def numbers_of(db: Connection, member_ids: Iterable[str]) -> dict[str, int]:
    """Return the numbers of the members with these ids; an id that is nobody's is left out."""
    return _numbers(db, member_ids, _PRESENT)


def removed_of(db: Connection, member_ids: Iterable[str]) -> set[str]:
    """Return which of these ids are of members that were removed."""
    return set(_numbers(db, member_ids, ~_PRESENT))


def _numbers(db: Connection, member_ids: Iterable[str], condition: ColumnElement[bool]) -> dict[str, int]:
    table = schema.member
    query = select(table.c.member_id, table.c.number).where(condition, table.c.member_id.in_(sorted(set(member_ids))))
    return {row.member_id: row.number for row in db.execute(query)}


def add_member(
    db: Connection, name: str, role: Role, now: float, *, subject: str | None = None, member_id: str | None = None
) -> Member:
    """Add a member; it has no token yet.

    Raises:
        UsageError: the name is no name or taken, or the subject is.
    """
    if not 0 < len(name) <= _MOST_NAME or not name.isprintable() or name != name.strip() or ":" in name:
        raise UsageError(
            f"{name!r} cannot be a member's name", hint=f"up to {_MOST_NAME} printable characters, no colon"
        )
    if find_member(db, name) is not None:
        raise UsageError(f"there is a member {name!r} already", hint="stillwatch hub member list")
    if subject is not None and find_subject(db, subject) is not None:
        raise UsageError("another member has this subject", hint="one member for each subject of the OIDC provider")
    made = member_id or f"identity--{uuid.uuid4()}"
    row = {"member_id": made, "name": name, "role": role, "added": now, "subject": subject}
    number = db.execute(schema.member.insert().values(row).returning(schema.member.c.number)).scalar_one()
    return Member(number=number, member_id=made, name=name, role=role, added=now, subject=subject)


def remove_member(db: Connection, member: Member, now: float) -> None:
    """Remove a member: its tokens end at once, what it shared stays."""
    table = schema.member
    db.execute(table.update().where(table.c.number == member.number).values(removed=now, subject=None))
    db.execute(schema.credential.delete().where(schema.credential.c.member == member.number))


def make_token(
    db: Connection, member: Member, now: float, *, valid_s: float | None = None, certificate: str | None = None
) -> str:
    """Make a token for a member and return it; only its digest is kept.

    Args:
        db: a connection of `Storage.writing`.
        member: who is to be known by it.
        now: Unix seconds.
        valid_s: for how long; None for as long as nobody ends it.
        certificate: `x5t#S256` of the client certificate without which the token is worth nothing (RFC 8705).
    """
    token = secrets.token_urlsafe(32)
    expires = None if valid_s is None else now + valid_s
    row = {"digest": digest_of(token), "member": member.number, "created": now, "expires": expires}
    db.execute(schema.credential.insert().values({**row, "certificate": certificate}))
    return token


def binding_of(db: Connection, member: Member) -> str | None:
    """Return the certificate that a member's newest token is or was bound to; None where it is bound to none."""
    table = schema.credential
    query = select(table.c.certificate).where(table.c.member == member.number)
    found: str | None = db.execute(query.order_by(table.c.created.desc()).limit(1)).scalar()
    return found


def end_tokens(db: Connection, member: Member, at: float) -> None:
    """Let a member's present tokens end at a moment (Unix seconds), unless they end sooner."""
    table = schema.credential
    later = table.c.expires.is_(None) | (table.c.expires > at)
    db.execute(table.update().where(table.c.member == member.number, later).values(expires=at))


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """Who a token stands for, and the certificate that it is bound to."""

    member: Member
    certificate: str | None


def _by_token() -> Select[Any]:
    table = schema.credential
    joined = schema.member.join(table, table.c.member == schema.member.c.number)
    lives = table.c.expires.is_(None) | (table.c.expires > bindparam("now"))
    query = select(*_COLUMNS, table.c.certificate).select_from(joined)
    return query.where(table.c.digest == bindparam("digest_of_token"), _PRESENT, lives)


_BY_TOKEN = _by_token()
"""Made once: to make it costs more than to run it."""


def find_token(db: Connection, token: str, now: float) -> Known | None:
    """Return whom a token stands for; None where it is nobody's or its time is over."""
    row = db.execute(_BY_TOKEN, {"digest_of_token": digest_of(token), "now": now}).first()
    if row is None:
        return None
    *fields, certificate = row
    return Known(member=Member(**dict(zip(Member.__struct_fields__, fields, strict=True))), certificate=certificate)


def digest_of(token: str) -> bytes:
    """Return what is kept of a token. It has 256 bits of chance, so a plain SHA-256 cannot be guessed back."""
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
