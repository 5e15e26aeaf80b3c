"""A real hub in a process of its own, with members, and findings to share through it."""

import contextlib
import datetime as dt
import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from stillwatch.hub.hub import open_storage
from stillwatch.hub.members import add_member, make_token
from stillwatch.sharing.clearance.basis import Adoption, Adoptions, Bases, standard_bases
from stillwatch.sharing.clearance.clearing import Clearing
from stillwatch.sharing.clearance.load import standard_rules
from stillwatch.sharing.clearance.model import Fact, Item, Terms
from stillwatch.sharing.clearance.outbox import Member, Outbox
from stillwatch.sharing.wire.connection import Connection, Credentials

NOW = 1_773_705_600.0
"""17 March 2026: what is simulated happened in the week before."""
DAY = 86_400.0
BANDS = tuple(hashlib.sha256(bytes([number])).hexdigest()[:16] for number in range(8))


class Site(NamedTuple):
    """A running hub: its address, and id and token of each member."""

    url: str
    members: dict[str, tuple[str, str]]
    process: subprocess.Popen[str]

    def connection(self, name: str) -> Connection:
        return Connection(self.url, Credentials(self.members[name][1]))


@contextlib.contextmanager
def running_hub(data_dir: Path, *names: str) -> Iterator[Site]:
    with open_storage(data_dir) as storage, storage.writing() as db:
        members = {}
        for name in names:
            member = add_member(db, name, "steward" if name == "steward" else "member", storage.now())
            members[name] = (member.member_id, make_token(db, member, storage.now()))
    command = [sys.executable, "-m", "stillwatch", "hub", "serve", "--data-dir", str(data_dir), "--port", "0", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line, process.stderr.read() if process.stderr else ""
            yield Site(f"http://127.0.0.1:{json.loads(line)['port']}", members, process)
        finally:
            process.kill()


def adopted(until: str = "2026-12-31") -> Bases:
    names = ("us-2014-statement", "eu-gdpr-6-1-f", "eu-horizontal-2023")
    adoption = tuple(
        Adoption(basis=name, by="R. Ames", reason="memo", start=dt.date(2026, 1, 1), until=dt.date.fromisoformat(until))
        for name in names
    )
    return standard_bases(Adoptions(jurisdictions=("US", "EU"), adoption=adoption))


def harvest(name: str = "cmp-1", accounts: int = 120) -> Item:
    return Item(
        item_id=name,
        facts=(
            Fact(field="cluster.accounts", value=accounts),
            Fact(field="finding.confidence", value="moderate"),
            Fact(field="finding.circumvention", value=["false-identity"]),
            Fact(field="template.bands", value=BANDS, context={"accounts": accounts}),
        ),
        circumvention=("false-identity",),
        first_seen=NOW - 7 * DAY,
        last_seen=NOW - DAY,
    )


def outbox_of(directory: Path, site: Site, name: str) -> Outbox:
    return Outbox(directory, Member(member_id=site.members[name][0], name=name))


def clearing_of(outbox: Outbox, now_s: float = NOW, until: str = "2026-12-31", terms: Terms | None = None) -> Clearing:
    return Clearing(outbox, standard_rules(), adopted(until), terms or Terms(), lambda: now_s)
