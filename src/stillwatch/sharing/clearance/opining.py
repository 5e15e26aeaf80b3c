"""Takes persons' words on standing opinions, and writes them to the log."""

import msgspec

from stillwatch.errors import PolicyRefusedError, UsageError
from stillwatch.sharing.clearance.basis import Bases
from stillwatch.sharing.clearance.counsel import person
from stillwatch.sharing.clearance.events import OpinionEnded, OpinionGiven
from stillwatch.sharing.clearance.load import Rules
from stillwatch.sharing.clearance.outbox import Outbox

_LONGEST_S = 366 * 86_400


def give_opinion(outbox: Outbox, rules: Rules, bases: Bases, given: OpinionGiven, now_s: float) -> bool:
    """Take a person's word for a standing opinion; return whether it stands now.

    Raises:
        UsageError: no person, no reason, no such class or field, or no end within a year.
        PolicyRefusedError: the class lets nothing of that go, whoever says so.
    """
    one = rules.numbered(given.number)
    person(given.by)
    if one is None or not set(given.fields) <= set(one.fields):
        raise UsageError(f"class {given.number} is not in the rules, or has no such field")
    if not given.reason.strip() or not now_s < given.until_s <= now_s + _LONGEST_S:
        raise UsageError("an opinion needs a reason, and an end to come that is at most a year away")
    open_fields = {field for rule in one.rule for field in rule.fields}
    fields = given.fields or tuple(field for field in one.fields if field in open_fields)
    if not fields or not set(fields) <= open_fields:
        raise PolicyRefusedError(f"class {one.number} lets nothing of that go", hint="no opinion can change it")
    holding, _ = bases.support(one.bases, now_s)
    told = msgspec.structs.replace(given, ts=now_s, fields=tuple(sorted(fields)), bases=tuple(sorted(holding)))
    outbox.record([told], now_s)
    return any(opinion.id == told.opinion for opinion in outbox.opinions)


def end_opinion(outbox: Outbox, name: str, *, by: str, reason: str, now_s: float) -> None:
    """End a standing opinion, for good. One person is enough.

    Raises:
        UsageError: there is no such opinion, or no person or reason.
    """
    person(by)
    if not reason.strip() or not outbox.knows_opinion(name):
        raise UsageError(f"no opinion is called {name}, or no reason was given", hint="give --reason")
    outbox.record([OpinionEnded(ts=now_s, opinion=name, by=by, reason=reason)], now_s)
