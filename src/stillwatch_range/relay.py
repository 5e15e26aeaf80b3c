"""How a finding of one simulated provider gets to another: clearance, two invented counsel, a real hub."""

import contextlib
import datetime as dt
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec

from stillwatch.errors import RemoteError
from stillwatch.hub.hub import open_storage
from stillwatch.hub.members import add_member, make_token
from stillwatch.sharing.clearance.adopt import adopt_basis
from stillwatch.sharing.clearance.basis import Bases, load_adoptions, standard_bases
from stillwatch.sharing.clearance.clearing import Clearing
from stillwatch.sharing.clearance.events import Reviewed
from stillwatch.sharing.clearance.load import standard_rules
from stillwatch.sharing.clearance.model import Terms
from stillwatch.sharing.clearance.outbox import Member, Outbox
from stillwatch.sharing.exchange import RECEIVED, pull, push
from stillwatch.sharing.producers import read_findings
from stillwatch.sharing.wire.connection import Connection, Credentials

_COUNSEL = ("R. Ames", "T. Okoro")
_BASES = ("us-2014-statement", "eu-gdpr-6-1-f", "eu-horizontal-2023")

_A_YEAR_S = 365 * 86_400.0


class Relayed(msgspec.Struct, kw_only=True):
    """What became of one finding on its way.

    Attributes:
        left, held, withheld: facts by their first ruling.
        released: facts that two counsel released.
        objects: objects that the hub took; `indicators` hold at the receiver.
        received: the file that detection and enforcement read there.
    """

    left: int
    held: int
    withheld: int
    released: int
    objects: int
    indicators: int
    received: str


def relay(findings: Path, work: Path, sender: str, receiver: str, now_s: float) -> Relayed:
    """Clear a run's findings, have two counsel release what is held, share it through a hub, and fetch it elsewhere.

    Args:
        findings: a finished run of the sender.
        work: a directory for the hub, the outbox and what is received.
        sender: name of the member that shares.
        receiver: name of the member that fetches.
        now_s: the simulated time (Unix seconds).
    """
    tokens = _enrol(work / "hub", sender, receiver)
    with _hub(work / "hub") as url:
        member_id, token = tokens[sender]
        with Outbox(work / "outbox", Member(member_id=member_id, name=sender)) as outbox:
            clearing = Clearing(outbox, standard_rules(), _adopted(work, now_s), Terms(), lambda: now_s)
            outcomes = clearing.clear(read_findings(findings, {}))
            states = [ruling.state for outcome in outcomes for ruling in outcome.rulings]
            released = _release(clearing)
            with Connection(url, Credentials(token)) as connection:
                sent = push(outbox, clearing, connection, "shared", lambda: now_s)
        if sent.refused or sent.waiting:
            raise RemoteError(f"the demo's hub did not take everything: {sent.refused or sent.waiting}")
        with Connection(url, Credentials(tokens[receiver][1])) as connection:
            came = pull(work / "received", connection, "shared", lambda: now_s, tokens[receiver][0])
    return Relayed(
        left=states.count("leaves"),
        held=states.count("held"),
        withheld=states.count("withheld"),
        released=released,
        objects=sent.taken,
        indicators=came.indicators,
        received=str(work / "received" / RECEIVED),
    )


def _adopted(work: Path, now_s: float) -> Bases:
    file = work / "bases.toml"
    file.unlink(missing_ok=True)
    until = dt.datetime.fromtimestamp(now_s + _A_YEAR_S, dt.UTC).date().isoformat()
    for name in _BASES:
        adopt_basis(file, name, until=until, by=_COUNSEL[0], reason="the demo's memo", now_s=now_s)
    return standard_bases(load_adoptions(file))


def _release(clearing: Clearing) -> int:
    """Have both counsel release all that is held, and return how much that was."""
    keys = [fact.key for fact in clearing.held()]
    reason = "read; nothing of a customer, no price, no plan"
    for person in _COUNSEL:
        clearing.review(*(Reviewed.word(key, "release", by=person, reason=reason) for key in keys))
    return len(keys)


def _enrol(data_dir: Path, *names: str) -> dict[str, tuple[str, str]]:
    with open_storage(data_dir) as storage, storage.writing() as db:
        enrolled = {}
        for name in names:
            member = add_member(db, name, "member", storage.now())
            enrolled[name] = (member.member_id, make_token(db, member, storage.now()))
        return enrolled


@contextlib.contextmanager
def _hub(data_dir: Path) -> Iterator[str]:
    """Yield the address of a hub on this machine, in a process of its own that ends with the block."""
    command = [sys.executable, "-m", "stillwatch", "hub", "serve", "--data-dir", str(data_dir), "--port", "0", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:  # noqa: S603
        try:
            line = process.stdout.readline() if process.stdout is not None else ""
            if not line:
                raise RemoteError("the demo's hub did not start", hint=f"try {' '.join(command[1:])}")
            yield f"http://127.0.0.1:{json.loads(line)['port']}"
        finally:
            process.terminate()
            process.wait()
