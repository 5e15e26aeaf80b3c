"""Opens outboxes and clearance for the commands of `share`."""

from pathlib import Path
from typing import TYPE_CHECKING

from stillwatch.errors import UsageError

if TYPE_CHECKING:
    from stillwatch.sharing.clearance.clearing import Clearing
    from stillwatch.sharing.clearance.model import Terms
    from stillwatch.sharing.clearance.outbox import Outbox

BASES = "bases.toml"
"""Counsel's adoptions, in the outbox unless --bases names another file."""
STANDARD = Path("standard")
"""Given as --rules: the rules that ship, where an outbox was used under others before."""


def open_outbox(directory: Path) -> "Outbox":
    """Open an outbox.

    Raises:
        UsageError: there is none.
    """
    from stillwatch.sharing.clearance.outbox import Outbox

    if not _is_outbox(directory):
        raise UsageError(f"{directory} is no outbox", hint="`stillwatch share clear RUN --out OUTBOX` makes one")
    return Outbox(directory)


def open_or_make_outbox(directory: Path, member: str | None = None) -> "Outbox":
    """Open an outbox, or begin one for a member.

    Raises:
        UsageError: it cannot be made, is another member's, or is a directory of something else.
    """
    from stillwatch.sharing.clearance.outbox import Member, Outbox

    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise UsageError(f"{directory} cannot be made: {error.strerror}", hint="give another directory") from error
    if not _is_outbox(directory) and any(directory.iterdir()):
        raise UsageError(f"{directory} is no outbox, and not empty", hint="give a new directory with --out")
    return Outbox(directory, None if member is None else Member(member_id=member))


def _is_outbox(directory: Path) -> bool:
    return any((directory / name).exists() for name in ("log", "member.json", BASES))


def open_clearing(
    outbox: "Outbox", rules: Path | None = None, bases: Path | None = None, terms: "Terms | None" = None
) -> "Clearing":
    """Return clearance over an outbox, under the rules that ship or those of a file, and what counsel adopted.

    Raises:
        PolicyRefusedError: the outbox was last used under rules or adoptions that somebody named, and nobody does now.
    """
    from stillwatch.sharing.clearance.basis import load_adoptions, standard_bases
    from stillwatch.sharing.clearance.clearing import Clearing
    from stillwatch.sharing.clearance.load import load_rules, standard_rules
    from stillwatch.sharing.clearance.model import Terms
    from stillwatch.sharing.clearance.stated import check_stated

    own = outbox.directory / BASES
    file = bases or own
    named_other = file.resolve() != own.resolve()
    known = standard_bases(load_adoptions(file) if named_other or file.exists() else None)
    table = standard_rules() if rules is None or rules == STANDARD else load_rules(rules, known)
    given = {name for name, option in (("rules", rules), ("bases", bases)) if option is not None}
    check_stated(outbox, table, known, given)
    of_files = [("rules", rules not in (None, STANDARD)), ("bases", named_other)]
    return Clearing(outbox, table, known, terms or Terms(), stated=tuple(name for name, of_file in of_files if of_file))
