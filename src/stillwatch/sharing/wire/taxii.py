"""The TAXII 2.1 client: adds what clearance released, and reads what others shared page by page.

It asks of servers only what the standard promises: relative roots, pages without `next`, dates that many objects share,
and objects that come twice are all met with.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec

from stillwatch.errors import RemoteError, UsageError
from stillwatch.sharing.clearance.release import Cleared
from stillwatch.sharing.wire.connection import TAXII, AbsentError, Connection, Reply

PAGE = 1000
_POST_BYTES = 4 * 1024 * 1024
_POST_OBJECTS = 500
_LAST = "x-taxii-date-added-last"


class _Discovery(msgspec.Struct):
    api_roots: list[str] = []
    default: str | None = None


class _Collection(msgspec.Struct):
    id: str
    title: str = ""
    alias: str = ""
    can_read: bool = False
    can_write: bool = False


class _Collections(msgspec.Struct):
    collections: list[_Collection] = []


class _Detail(msgspec.Struct):
    id: str = ""
    version: str = ""
    message: str = ""


class Status(msgspec.Struct):
    """What became of a post, by the server's word."""

    id: str
    status: str
    failure_count: int = 0
    pending_count: int = 0
    failures: list[_Detail] = []


class _Page(msgspec.Struct):
    objects: list[msgspec.Raw] = []
    more: bool = False
    next: str | None = None


class Page(NamedTuple):
    """Objects byte for byte, and the date (RFC 3339) from which to go on once they are kept, if the server says it."""

    objects: list[bytes]
    added_last: str | None


class Sent(NamedTuple):
    """What became of one object: its SHA-256, and the server's message where it refused it."""

    sha256: str
    message: str | None


class Collection:
    """One collection of a TAXII server."""

    def __init__(self, connection: Connection, path: str, *, can_read: bool, can_write: bool) -> None:
        self._connection, self.path = connection, path
        self.can_read, self.can_write = can_read, can_write

    @property
    def id(self) -> str:
        """The collection's id, by which the log knows it: aliases and titles may change."""
        return self.path.rstrip("/").rpartition("/")[2]

    def add(self, batch: Sequence[Cleared]) -> list[Sent]:
        """Post a batch of objects (see `batches`), and return what became of each once the server is done.

        An object that the server has already counts as taken, so a batch may be sent again.

        Raises:
            RemoteError: the server cannot be reached or refused a whole batch.
        """
        body = b'{"objects":[' + b",".join(one.body for one in batch) + b"]}"
        status = self._settled(self._connection.post(f"{self.path}objects/", body, TAXII))
        refusal = _refusals(batch, status.failures)
        return [Sent(one.sha256, refusal.get(one.sha256)) for one in batch]

    def delete(self, object_id: str) -> bool:
        """Delete an object of one's own, in all its versions; return whether it was there.

        Raises:
            RemoteError: the server cannot be reached, or refuses.
        """
        try:
            self._connection.delete(f"{self.path}objects/{object_id}/", TAXII)
        except AbsentError:
            return False
        return True

    def pages(self, added_after: str | None) -> Iterator[Page]:
        """Yield what was added after a date, or all, in the order in which it was added."""
        query = {"limit": str(PAGE)} | ({} if added_after is None else {"added_after": added_after})
        while True:
            reply = self._connection.get(f"{self.path}objects/", query, TAXII)
            page: _Page = self._connection.decode(reply, _Page)
            last = reply.headers.get(_LAST)
            yield Page([bytes(one) for one in page.objects], last)
            following = _following(query, page, last)
            if following is None:
                return
            query = following

    def _settled(self, reply: Reply) -> Status:
        status: Status = self._connection.decode(reply, Status)
        for _ in range(60):
            if status.status == "complete" or not status.pending_count:
                return status
            root = self.path.partition("collections/")[0]
            status = self._connection.decode(self._connection.get(f"{root}status/{status.id}/", None, TAXII), Status)
        raise RemoteError("the hub did not finish with what it was sent", hint="push again later; nothing is lost")


def find_collection(connection: Connection, wanted: str) -> Collection:
    """Find a collection by its id, alias or title in any API root of a server.

    Raises:
        RemoteError: the server cannot be reached or is none of TAXII 2.1.
        UsageError: it has no such collection for this member; names those it has.
    """
    discovery: _Discovery = connection.decode(connection.get("taxii2/", None, TAXII), _Discovery)
    found: dict[str, _Collection] = {}
    for root in dict.fromkeys(filter(None, (discovery.default, *discovery.api_roots))):
        path = root.rstrip("/") + "/"
        listed: _Collections = connection.decode(connection.get(f"{path}collections/", None, TAXII), _Collections)
        for one in listed.collections:
            if wanted in (one.id, one.alias, one.title):
                return Collection(
                    connection, f"{path}collections/{one.id}/", can_read=one.can_read, can_write=one.can_write
                )
            found[one.alias or one.title or one.id] = one
    raise UsageError(f"the hub shows no collection {wanted!r}", hint=f"it shows {', '.join(found) or 'none'}")


def _following(query: dict[str, str], page: _Page, last: str | None) -> dict[str, str] | None:
    if not page.more or not page.objects:
        return None
    if page.next is not None:
        return {"limit": query["limit"], "next": page.next} | (
            {"added_after": query["added_after"]} if "added_after" in query else {}
        )
    if last is None or last == query.get("added_after"):
        raise RemoteError(
            "the server says that there is more, and neither where nor since when", hint="tell its operator"
        )
    return {"limit": query["limit"], "added_after": last}


class _Version(msgspec.Struct):
    modified: str = ""
    created: str = ""


def _refusals(batch: Sequence[Cleared], failures: Sequence[_Detail]) -> dict[str, str]:
    """Return the message for each object that failed, by SHA-256.

    A post may hold several versions of one id. A failure is of the one whose version it gives; where it gives none, or
    one that nobody sent, it is of all of its id: what was taken already is taken again.
    """
    versions: dict[str, dict[str, str]] = {}
    for one in batch:
        told = msgspec.json.decode(one.body, type=_Version)
        versions.setdefault(one.object_id, {})[one.sha256] = _plain(told.modified or told.created)
    found: dict[str, str] = {}
    for failure in failures:
        sent = versions.get(failure.id, {})
        meant = [sha256 for sha256, version in sent.items() if version == _plain(failure.version)]
        found |= dict.fromkeys(meant or sent, failure.message or "no reason was given")
    return found


def _plain(version: str) -> str:
    """Return a version without zeros at its end, which servers write or leave out."""
    whole, _, fraction = version.removesuffix("Z").partition(".")
    return f"{whole}.{fraction.rstrip('0')}"


def batches(objects: Sequence[Cleared]) -> Iterator[list[Cleared]]:
    """Yield objects in posts that a server takes."""
    batch: list[Cleared] = []
    size = 0
    for one in objects:
        if batch and (len(batch) == _POST_OBJECTS or size + len(one.body) > _POST_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(one)
        size += len(one.body)
    if batch:
        yield batch
