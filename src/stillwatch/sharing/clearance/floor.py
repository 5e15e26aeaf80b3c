"""The floor under a member's own rules: what ships as `never` stays so, and no shipped condition can be dropped.

Whoever wants more than the floor allows has counsel: a release by two persons, or a standing opinion with an end.
Neither reaches what ships as `never`.
"""

from collections.abc import Iterable, Iterator

from stillwatch.sharing.clearance.model import DataClass, Rule

_STRICTNESS = {"share": 0, "transform": 0, "counsel": 1}


def looser(own: Iterable[DataClass], shipped: Iterable[DataClass]) -> list[str]:
    """Return in what a table is looser than the one that ships; empty where it is not.

    A field that ships may be left out or ruled on more strictly: with more conditions, or by counsel instead of a rule.
    What an area lets nobody have (`money.`, `customer.`) it lets nobody have under a new name either.
    """
    known = {field: one for one in shipped for field in one.fields}
    open_areas = {_area(field) for one in known.values() for rule in one.rule for field in rule.fields}
    closed = {_area(field) for field in known} - open_areas
    return [fault for one in own for fault in _faults(one, known, closed)]


def _faults(one: DataClass, known: dict[str, DataClass], closed: set[str]) -> Iterator[str]:
    for field in one.fields:
        was = known.get(field)
        if was is not None:
            if was.channel != one.channel or (was.incident and not one.incident):
                yield f"{field!r} has another channel than ships, or lost the circumvention test"
            if not set(one.bases) <= set(was.bases):
                yield f"{field!r} rests on legal bases that it does not rest on as it ships"
        for rule in one.rule:
            if field in rule.fields and not _allowed(rule, field, was, closed):
                yield f"a rule of class {one.number} lets {field!r} leave more easily than ships"


def _allowed(rule: Rule, field: str, was: DataClass | None, closed: set[str]) -> bool:
    if was is None:
        return _area(field) not in closed
    return any(
        field in shipped.fields
        and rule.transformation == shipped.transformation
        and set(shipped.when) <= set(rule.when)
        and _STRICTNESS[rule.decision] >= _STRICTNESS[shipped.decision]
        for shipped in was.rule
    )


def _area(field: str) -> str:
    return field.partition(".")[0]
