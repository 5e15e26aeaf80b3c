"""What a TAXII request asks for: filters, page, cursor."""

import re
from collections.abc import Iterable, Mapping

import msgspec

from stillwatch.hub.http import HubError, whole_number
from stillwatch.hub.operations import Parameter
from stillwatch.hub.storage.moments import any_moment, parse_moment
from stillwatch.hub.storage.pages import Filter
from stillwatch.hub.taxii.cursor import Cursors

_NAME = re.compile(r"[\w.:-]{1,300}", re.ASCII)
_MOST_VALUES = 200
_SPEC = "2.1"
_FIELDS = ("added_after", "match[id]", "match[type]", "match[version]", "match[spec_version]")


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A request for a page. `none` says that nothing can match, `after` is microseconds, exclusive."""

    filter: Filter
    after: int
    limit: int
    name: str
    none: bool = False


class Reader:
    """Reads the query of a request.

    Args:
        cursors: reads `next`.
        most: the longest page, which is also that of a request that says nothing.
    """

    def __init__(self, cursors: Cursors, most: int) -> None:
        self._cursors, self._most = cursors, most

    def read(self, query: Mapping[str, list[str]], place: str, *, ids: tuple[str, ...] = ()) -> Asked:
        """Return what is asked for.

        Args:
            query: the query; what it has beside the fields of TAXII is ignored.
            place: collection and resource, which a cursor is good for alone.
            ids: the object of the path.

        Raises:
            HubError: 400, a field cannot be read, or the cursor belongs to another request.
        """
        given = {name: query[name] for name in _FIELDS if name in query}
        name = msgspec.json.encode([place, list(ids), given]).decode()
        after = self._after(given)
        if "next" in query:
            after = self._resumed(query["next"][-1], name)
        wanted = ids or _names(given, "match[id]")
        types = _names(given, "match[type]")
        specs = _values(given, "match[spec_version]")
        none = (bool(specs) and _SPEC not in specs) or _is_vain(given, "match[id]", wanted)
        return Asked(
            filter=Filter(ids=wanted, types=types, versions=_versions(given)),
            after=after,
            limit=self._limit(query),
            name=name,
            none=none or _is_vain(given, "match[type]", types),
        )

    def cursor(self, asked: Asked, seq: int) -> str:
        """Return the cursor for what follows a moment of the same request."""
        return self._cursors.make(seq, asked.name)

    def _after(self, given: Mapping[str, list[str]]) -> int:
        if "added_after" not in given:
            return -1
        moment = any_moment(given["added_after"][-1].strip().replace(" ", "+"))
        if moment is None:
            raise HubError(400, "added_after is no time", "as 2026-11-28T00:00:00Z (RFC 3339)")
        return max(moment, -1)

    def _resumed(self, cursor: str, name: str) -> int:
        seq = self._cursors.read(cursor, name)
        if seq is None:
            hint = "send `next` as it was given, with the filters that it was given for; `limit` alone may change"
            raise HubError(400, "next does not belong to this request", hint)
        return seq

    def _limit(self, query: Mapping[str, list[str]]) -> int:
        if "limit" not in query:
            return self._most
        taken = whole_number(query["limit"][-1], self._most)
        if not taken:
            raise HubError(400, "limit is no number of objects", "a whole number from 1")
        return taken


def _values(given: Mapping[str, list[str]], name: str) -> tuple[str, ...]:
    values = [value.strip() for text in given.get(name, ()) for value in text.split(",")]
    if len(values) > _MOST_VALUES:
        raise HubError(400, f"{name} has too many values", f"at most {_MOST_VALUES}")
    return tuple(dict.fromkeys(value for value in values if value))


def _names(given: Mapping[str, list[str]], name: str) -> tuple[str, ...]:
    """Return the values that could be a name at all; no other is stored."""
    return tuple(value for value in _values(given, name) if _NAME.fullmatch(value))


def _is_vain(given: Mapping[str, list[str]], name: str, left: Iterable[str]) -> bool:
    return bool(_values(given, name)) and not tuple(left)


def _versions(given: Mapping[str, list[str]]) -> frozenset[int | str]:
    wanted: set[int | str] = set()
    for value in _values(given, "match[version]"):
        moment = value if value in {"first", "last", "all"} else parse_moment(value)
        if moment is None:
            raise HubError(400, "match[version] is no version", "first, last, all, or a time")
        wanted.add(moment)
    return frozenset(wanted or {"last"})


_TEXT = {"type": "string"}
ADDED_AFTER = Parameter("added_after", {"type": "string", "format": "date-time"}, "Only what was added after.")
LIMIT = Parameter("limit", {"type": "integer", "minimum": 1}, "The most objects of the page.")
NEXT = Parameter("next", _TEXT, "The cursor of the page before.")
IDS = Parameter("match[id]", _TEXT, "Ids, separated by commas.")
TYPES = Parameter("match[type]", _TEXT, "Types, separated by commas.")
VERSIONS = Parameter("match[version]", _TEXT, "first, last, all or times, separated by commas; without it, last.")
SPECS = Parameter("match[spec_version]", _TEXT, "Versions of STIX; the hub has 2.1.")
