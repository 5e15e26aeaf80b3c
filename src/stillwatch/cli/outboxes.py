"""Opens outboxes and clearance for the commands of `share`."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stillwatch.sharing.clearance.clearing import Clearing
    from stillwatch.sharing.clearance.model import Terms
    from stillwatch.sharing.clearance.outbox import Outbox

BASES = "bases.toml"
"""Counsel's adoptions, in the outbox unless --bases names another file."""


def open_outbox(directory: Path, member: str | None = None) -> "Outbox":
    """Open an outbox, or begin one for a member."""
    from stillwatch.sharing.clearance.outbox import Member, Outbox

    return Outbox(directory, None if member is None else Member(member_id=member))


def open_clearing(
    outbox: "Outbox", rules: Path | None = None, bases: Path | None = None, terms: "Terms | None" = None
) -> "Clearing":
    """Return clearance over an outbox, under the rules that ship or those of a file, and what counsel adopted."""
    from stillwatch.sharing.clearance.basis import load_adoptions, standard_bases
    from stillwatch.sharing.clearance.clearing import Clearing
    from stillwatch.sharing.clearance.load import load_rules, standard_rules
    from stillwatch.sharing.clearance.model import Terms

    file = bases or outbox.directory / BASES
    known = standard_bases(load_adoptions(file) if bases is not None or file.exists() else None)
    return Clearing(outbox, load_rules(rules, known) if rules else standard_rules(), known, terms or Terms())
