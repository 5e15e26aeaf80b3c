"""Rules and adoptions that somebody named: no command goes on under others without being told."""

from collections.abc import Collection

from stillwatch.errors import PolicyRefusedError
from stillwatch.sharing.clearance.basis import Bases
from stillwatch.sharing.clearance.load import Rules
from stillwatch.sharing.clearance.outbox import Outbox


def check_stated(outbox: Outbox, rules: Rules, bases: Bases, stated: Collection[str]) -> None:
    """Check that what was used last, and came from a file that somebody named, is named again, or something else is.

    Rules that ship change with the program, and adoptions in the outbox with counsel's word: that is no news. An entry
    of a log that does not say what was named counts as one of own rules where they are not those that ship, and as one
    of named adoptions where there were some and the outbox has none.

    Raises:
        PolicyRefusedError: something is missing; says which option names it.
    """
    last = outbox.rules
    if last is None:
        return
    whose = "of its own"
    if last.stated is None:
        whose = "that are not those that ship now"
        none = not bases.adoptions.adoption
        own_rules, own_bases = last.table != rules.digest, none and last.adoptions != adoptions_digest(outbox, bases)
    else:
        own_rules, own_bases = "rules" in last.stated, "bases" in last.stated
    if own_rules and "rules" not in stated:
        raise PolicyRefusedError(
            f"{outbox.directory} was last used under rules {whose}, version {last.version}",
            hint="name them again with --rules FILE; `--rules standard` takes those that ship",
        )
    if own_bases and "bases" not in stated:
        raise PolicyRefusedError(
            f"{outbox.directory} was last used under adoptions in a file that was named",
            hint=f"name it again with --bases FILE; those of the outbox are in {outbox.directory / 'bases.toml'}",
        )


def adoptions_digest(outbox: Outbox, bases: Bases) -> str:
    """Return the keyed digest under which the log speaks of adoptions."""
    return outbox.digest("adoptions", repr(bases.adoptions))
