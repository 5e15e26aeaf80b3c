"""The statements behind a page, made once for each shape that a request can have.

Making a statement costs more than running it, so what differs between two requests of one shape is bound.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Literal, NamedTuple

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Integer,
    LargeBinary,
    Select,
    Subquery,
    and_,
    bindparam,
    cast,
    exists,
    func,
    or_,
    select,
    union_all,
)

from stillwatch.hub.storage.joined import Joined
from stillwatch.hub.storage.schema import BIG, DEPENDS, EVERYONE, LATEST, SUPERSEDED, audience, stored

Which = Literal["last", "first", "moments"]
PAGE_BYTES = 16 * 2**20
"""A page ends before the objects in it are longer than this, though it has one object at least."""
_ANY = (SUPERSEDED, LATEST, DEPENDS)
_COLUMNS = ("seq", "id", "version", "owner", "leaf", "size")
_SO_FAR = (None, 0)


class Shape(NamedTuple):
    """What a statement looks like.

    Attributes:
        by_id: objects are looked up by id.
        kinds: how many types are asked for, 0 for any.
        versions: which versions, empty for all.
    """

    by_id: bool
    kinds: int
    versions: frozenset[Which]


@lru_cache(maxsize=512)
def page_statement(shape: Shape, *, raw: bool) -> Select[Any]:
    """Return the statement of a page, a row for each object, with its bytes or without.

    It binds `collection`, `reader`, `after` and `most`; by shape also `ids`, `moments` and `kind0` and so on. `total`
    is how many rows there would be but for their length.
    """
    page = _page(shape)
    sized = select(page.c.seq, _before(page), func.count().over().label("total")).subquery()
    columns = [stored.c[name] for name in _COLUMNS] + ([stored.c.raw] if raw else [])
    query = select(sized.c.total, *columns).join(sized, sized.c.seq == stored.c.seq).order_by(sized.c.seq)
    return query.where(sized.c.before < PAGE_BYTES) if raw else query


@lru_cache(maxsize=512)
def joined_statement(shape: Shape) -> Select[int, int, int, int, bytes]:
    """Return the statement of a page in one row: its objects in one piece, separated by commas, and what they are.

    It binds what `page_statement` does, of which `most` is one more than the page may have. `total` is how many there
    were to take, `count` how many were taken.
    """
    page = _page(shape)
    place = func.row_number().over(order_by=page.c.seq, rows=_SO_FAR).label("place")
    sized = select(page.c.seq, _before(page), place).order_by(page.c.seq).limit(_number("most")).subquery()
    fits = and_(sized.c.before < PAGE_BYTES, sized.c.place < _number("most"))
    raw = select(stored.c.raw).where(stored.c.seq == sized.c.seq).scalar_subquery()
    return select(
        func.count().label("total"),
        func.count().filter(fits).label("count"),
        func.min(sized.c.seq).filter(fits).label("first"),
        func.max(sized.c.seq).filter(fits).label("last"),
        cast(Joined(raw).filter(fits), LargeBinary).label("objects"),
    ).select_from(sized)


def _page(shape: Shape) -> Subquery:
    arms = [_by_id(shape)] if shape.by_id else _by_range(shape)
    cut = [arm.order_by(_order(shape, arm)).limit(_number("most")).subquery() for arm in arms]
    merged = union_all(*[select(arm.c.seq, arm.c.size) for arm in cut]).subquery()
    return select(merged).order_by(merged.c.seq).limit(_number("most")).subquery()  # sorted before it is joined


def _order(shape: Shape, arm: Select[Any]) -> ColumnElement[int]:
    """Return what an arm is sorted by; a sum has no index, else all objects would be gone through to find a few ids."""
    seq: ColumnElement[int] = arm.selected_columns.seq
    return seq + 0 if shape.by_id else seq


def _before(page: Subquery) -> ColumnElement[int]:
    """Return how many bytes of a page come before an object."""
    return (func.sum(page.c.size).over(order_by=page.c.seq, rows=_SO_FAR) - page.c.size).label("before")


def _number(name: str) -> BindParameter[int]:
    return bindparam(name, type_=Integer())


def _moment(name: str) -> BindParameter[int]:
    return bindparam(name, type_=BIG)


def _by_range(shape: Shape) -> list[Select[Any]]:
    arms = []
    only_last = shape.versions == {"last"}
    for standing in (LATEST, DEPENDS) if only_last else _ANY:
        condition = None if only_last and standing == LATEST else _condition(shape)
        for who in (None, "reader"):
            if standing == DEPENDS and who is not None:
                continue  # for a member by name, a version is the latest or it is not
            for kind in _kinds(shape) or [None]:
                arm = select(audience.c.seq, audience.c.size).where(
                    audience.c.collection == _number("collection"),
                    audience.c.reader == (EVERYONE if who is None else _number(who)),
                    audience.c.standing == standing,
                    audience.c.seq > _moment("after"),
                )
                if kind is not None:
                    arm = arm.where(audience.c.type == kind)
                if condition is not None:
                    arm = arm.join(stored, stored.c.seq == audience.c.seq).where(condition)
                arms.append(arm)
    return arms


def _by_id(shape: Shape) -> Select[Any]:
    # Nested, and not joined: an engine that knows no sizes would go through all that a reader sees to find a few ids.
    query = select(stored.c.seq, stored.c.size).where(
        exists(select(audience.c.seq).where(_sees(audience, stored)).correlate(stored)),
        stored.c.collection == _number("collection"),
        stored.c.id.in_(bindparam("ids", expanding=True)),
        stored.c.seq > _moment("after"),
    )
    if shape.kinds:
        query = query.where(stored.c.type.in_(_kinds(shape)))
    condition = _condition(shape)
    return query if condition is None else query.where(condition)


def _kinds(shape: Shape) -> Sequence[Any]:
    return [_number(f"kind{place}") for place in range(shape.kinds)]


def _sees(seen: Any, item: Any) -> ColumnElement[bool]:
    return and_(
        seen.c.collection == _number("collection"),
        seen.c.reader.in_((EVERYONE, _number("reader"))),
        seen.c.standing.in_(_ANY),
        seen.c.seq == item.c.seq,
    )


def _condition(shape: Shape) -> ColumnElement[bool] | None:
    """Return the condition on versions; None where every version is wanted."""
    if not shape.versions:
        return None
    ways: list[ColumnElement[bool]] = []
    other = stored.alias("other")
    if "last" in shape.versions:
        ways.append(~_is_visible(other, other.c.version > stored.c.version))
    if "first" in shape.versions:
        ways.append(~_is_visible(other, other.c.version < stored.c.version))
    if "moments" in shape.versions:
        ways.append(stored.c.version.in_(bindparam("moments", expanding=True)))
    return or_(*ways)


def _is_visible(other: Any, condition: ColumnElement[bool]) -> ColumnElement[bool]:
    """Return the condition that the reader may see another version of the same owner's object."""
    seen = audience.alias("seen")
    query = select(other.c.seq).join(seen, _sees(seen, other))
    return exists(
        query.where(
            other.c.collection == _number("collection"),
            other.c.id == stored.c.id,
            other.c.owner == stored.c.owner,
            condition,
        )
    )
