"""The audit log for members: checkpoint, tiles, proofs, and what witnesses sign."""

import re
from pathlib import Path
from typing import Annotated

import msgspec
from sqlalchemy import Connection, select

from stillwatch.errors import PolicyRefusedError, UsageError
from stillwatch.hub.api import bodies
from stillwatch.hub.api.journal import write_down
from stillwatch.hub.api.tables import cosignature, witness
from stillwatch.hub.http import Answer, Call, HubError, json_answer
from stillwatch.hub.operations import Operation, Parameter
from stillwatch.hub.storage.storage import Storage
from stillwatch.transparency.checkpoint import MAX_NOTE, SignedCheckpoint, parse, verify
from stillwatch.transparency.keys import KeyKind, VerifyingKey, encode, parse_verifying_key
from stillwatch.transparency.log import Log
from stillwatch.transparency.tiles import CHECKPOINT, read_resource

TEXT, BYTES = "text/plain; charset=utf-8", "application/octet-stream"
KEPT = 64
"""Sizes of the log of which the cosignatures are kept."""
_WORDS = {"true": True, "1": True, "false": False, "0": False}
_NUMBER = re.compile(r"0|[1-9][0-9]{0,17}", re.ASCII)


class Cosignature(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A witness's line for a checkpoint of this log: the note that it signed, the line, and its key (C2SP).

    The first key that a member sends is its key from then on.
    """

    checkpoint: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_NOTE)]
    line: Annotated[str, msgspec.Meta(min_length=1, max_length=1000)]
    key: Annotated[str, msgspec.Meta(min_length=1, max_length=1000)]


class Witnessed(msgspec.Struct, kw_only=True):
    """The size of the log that was witnessed."""

    size: int


class Inclusion(msgspec.Struct, kw_only=True):
    """That a leaf is in the tree of a size: hashes in hex, the lowest first."""

    leaf: int
    size: int
    root: str
    hashes: list[str]


class Consistency(msgspec.Struct, kw_only=True):
    """That a tree begins with a smaller one (`from`): hashes in hex, as RFC 9162 orders them."""

    old: int = msgspec.field(name="from")
    new: int = msgspec.field(name="to")
    hashes: list[str]


def _count(name: str, description: str) -> Parameter:
    return Parameter(name, {"type": "integer", "minimum": 0}, description)


class Audit:
    """Handlers for the audit log."""

    def __init__(self, storage: Storage, log: Log, directory: Path, key: VerifyingKey) -> None:
        """`key` is that of the log."""
        self._storage, self._log, self._directory, self._key = storage, log, directory, key

    def operations(self) -> list[Operation]:
        """Return the operations."""
        inclusion = (_count("leaf", "Index of the leaf."), _count("size", "Size of the tree."))
        consistency = (_count("from", "Size of the older tree."), _count("to", "Size of the newer tree."))
        seen = Parameter("witnessed", {"type": "boolean"}, "The newest that a member witnessed, not the newest of all.")
        proof = "/v1/audit/proof"
        return [
            Operation(
                "/v1/audit/checkpoint",
                "get",
                "The signed checkpoint.",
                self.checkpoint,
                errors=(400,),
                query=(seen,),
                gives=TEXT,
            ),
            Operation(
                "/v1/audit/tile/{path:path}",
                "get",
                "A tile or a bundle of leaves (C2SP tlog-tiles).",
                self.tile,
                gives=BYTES,
            ),
            Operation(
                f"{proof}/inclusion",
                "get",
                "Prove a leaf.",
                self.inclusion,
                None,
                ((200, Inclusion),),
                (400,),
                inclusion,
            ),
            Operation(
                f"{proof}/consistency",
                "get",
                "Prove growth.",
                self.consistency,
                None,
                ((200, Consistency),),
                (400,),
                consistency,
            ),
            Operation(
                "/v1/audit/cosignatures",
                "post",
                "Add a witness's line to a checkpoint.",
                self.cosign,
                Cosignature,
                ((202, Witnessed),),
                (400, 409, 413, 422),
            ),
        ]

    def checkpoint(self, call: Call) -> Answer:
        """Answer the newest checkpoint with the lines of its witnesses, or the newest that has any."""
        wants_witness = _yes_or_no(call.query.get("witnessed", ["false"])[-1])
        note = None if wants_witness else read_resource(self._directory, CHECKPOINT)
        with self._storage.reading() as db:
            newest = select(cosignature.c.note).order_by(cosignature.c.size.desc()).limit(1)
            note = db.scalar(newest) if wants_witness else note
            if note is None:
                raise HubError(404, "there is no such checkpoint yet")
            size = parse(bytes(note)).checkpoint.size
            rows = db.execute(select(cosignature).where(cosignature.c.size == size).order_by(cosignature.c.member))
            lines = "".join(row.line for row in rows)
        return Answer(bytes(note) + lines.encode(), 200, TEXT)

    def tile(self, call: Call) -> Answer:
        """Answer a tile."""
        found = read_resource(self._directory, f"tile/{call.path['path']}")
        if found is None:
            raise HubError(404, "there is no such tile")
        return Answer(found, 200, BYTES)

    def inclusion(self, call: Call) -> Answer:
        """Prove that a leaf is in a tree."""
        leaf, size = _number(call, "leaf"), self._size(call, "size")
        try:
            hashes = self._log.inclusion(leaf, size)
        except UsageError as error:
            raise HubError(400, error.message) from error
        root = self._log.root(size).hex()
        return json_answer(Inclusion(leaf=leaf, size=size, root=root, hashes=[one.hex() for one in hashes]))

    def consistency(self, call: Call) -> Answer:
        """Prove that a tree begins with a smaller one."""
        old, new = _number(call, "from"), self._size(call, "to")
        try:
            hashes = self._log.consistency(old, new)
        except UsageError as error:
            raise HubError(400, error.message) from error
        return json_answer(Consistency(old=old, new=new, hashes=[one.hex() for one in hashes]))

    def cosign(self, call: Call) -> Answer:
        """Keep the line of a witness."""
        given = bodies.read(call.body, Cosignature)
        key = _witness_key(given.key)
        if key.public == self._key.public:
            raise HubError(422, "the log is no witness of itself")
        note, line, size = self._checked(given, key)
        with self._storage.writing() as db:
            self._pin(db, call.member.number, key.text)
            this = (cosignature.c.size == size, cosignature.c.member == call.member.number)
            db.execute(cosignature.delete().where(*this))
            db.execute(cosignature.insert().values(size=size, member=call.member.number, note=note, line=line))
            sizes = select(cosignature.c.size).distinct().order_by(cosignature.c.size.desc()).offset(KEPT).limit(1)
            oldest = db.scalar(sizes)
            if oldest is not None:
                db.execute(cosignature.delete().where(cosignature.c.size <= oldest))
            write_down(db, self._storage, "checkpoint.witnessed", size=size, line=line)
        return json_answer(Witnessed(size=size), 202)

    def _checked(self, given: Cosignature, key: VerifyingKey) -> tuple[bytes, str, int]:
        """Return the note with the log's own lines alone, the witness's line, and the size; all of it is checked.

        Raises:
            HubError: 422, the note is not ours, or the witness did not sign it.
        """
        try:
            signed = parse(f"{given.checkpoint.rstrip(chr(10))}\n{given.line.rstrip(chr(10))}\n".encode())
            (line,) = _lines(signed, key)
            own = "".join(one for kept in (self._key, self._key.timed()) for one in _lines(signed, kept)[:1])
        except (ValueError, PolicyRefusedError) as error:
            raise HubError(422, "this is no cosignature of this key on a checkpoint of this log") from error
        origin, size, root = signed.checkpoint
        ours = parse(self._newest()).checkpoint
        if origin != ours.origin or size > ours.size or self._log.root(size) != root:
            raise HubError(422, "it is no checkpoint of this log", "keep what you signed: it may be evidence of a fork")
        return signed.text + b"\n" + own.encode(), line, size

    def _pin(self, db: Connection, member: int, text: str) -> None:
        held = db.execute(select(witness).where((witness.c.member == member) | (witness.c.key == text))).all()
        if any((row.member, row.key) != (member, text) for row in held):
            raise HubError(409, "the key is not the one that you witness with", "ask the hub's operator")
        if not held:
            db.execute(witness.insert().values(member=member, key=text))

    def _newest(self) -> bytes:
        note = read_resource(self._directory, CHECKPOINT)
        if note is None:
            raise HubError(404, "there is no such checkpoint yet")
        return note

    def _size(self, call: Call, name: str) -> int:
        """Return a size up to which the log is signed.

        Raises:
            HubError: 400, it is no number; 404, the log is not signed so far.
        """
        size = _number(call, name)
        if size > parse(self._newest()).checkpoint.size:
            raise HubError(404, "the log is not signed so far")
        return size


def _lines(signed: SignedCheckpoint, key: VerifyingKey) -> list[str]:
    """Return the lines of a key below a checkpoint, at least one, each of which is genuine.

    Raises:
        PolicyRefusedError: there is none, or one is forged.
    """
    verify(signed, key)
    own = [one for one in signed.lines if (one.name, one.key_id) == (key.name, key.key_id)]
    return [f"\u2014 {one.name} {encode(one.key_id + one.signature)}\n" for one in own]


def _number(call: Call, name: str) -> int:
    text = call.query.get(name, [""])[-1]
    if _NUMBER.fullmatch(text) is None:
        raise HubError(400, f"{name} is no number", "a whole number from 0")
    return int(text)


def _yes_or_no(text: str) -> bool:
    if text not in _WORDS:
        raise HubError(400, "witnessed is neither true nor false")
    return _WORDS[text]


def _witness_key(text: str) -> VerifyingKey:
    """Return the key under which a witness signs with a time.

    Raises:
        HubError: 422, it is no key.
    """
    try:
        key = parse_verifying_key(text)
    except UsageError as error:
        raise HubError(422, "this is no public key of a witness", error.hint or "") from error
    return key if key.kind is KeyKind.TIMED else key.timed()
