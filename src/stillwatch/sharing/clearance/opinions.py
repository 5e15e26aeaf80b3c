"""Standing opinions: counsel's word that facts of a class may leave without being asked, within a scope and an end."""

from collections.abc import Iterable

import msgspec


class Opinion(msgspec.Struct, frozen=True, kw_only=True):
    """A standing opinion that two persons gave.

    Attributes:
        number: the class it speaks of.
        fields: the fields of that class; none means all of them.
        start_s, until_s: from when and until when it holds (Unix seconds).
        by: the two persons.
        bases: legal bases that held when it was given; it falls with any of them.
    """

    id: str
    number: int
    fields: tuple[str, ...]
    start_s: float
    until_s: float
    reason: str
    by: tuple[str, str]
    bases: tuple[str, ...] = ()


def standing(
    opinions: Iterable[Opinion], number: int, field: str, bases: tuple[str, ...], now_s: float
) -> Opinion | None:
    """Return the opinion that covers a field of a class at a moment, if one does; `bases` are those that hold then."""
    return next(
        (
            opinion
            for opinion in opinions
            if opinion.number == number
            and opinion.start_s <= now_s < opinion.until_s
            and (not opinion.fields or field in opinion.fields)
            and set(opinion.bases) <= set(bases)
        ),
        None,
    )
