"""Objects of a collection over TAXII: pages, posts, versions, deletion."""

from collections.abc import Sequence

import msgspec
from sqlalchemy import Connection

from stillwatch.hub.candidates import MOST_OBJECTS
from stillwatch.hub.collections import Collection, find_collection
from stillwatch.hub.http import TAXII, Answer, Call, HubError, json_answer
from stillwatch.hub.hub import Hub
from stillwatch.hub.members import Member
from stillwatch.hub.retraction import retract
from stillwatch.hub.statuses import resource_of
from stillwatch.hub.storage.moments import added_text, version_text
from stillwatch.hub.storage.pages import Filter, Found, JoinedPage, Page, read_joined, read_page, sees
from stillwatch.hub.taxii.cursor import Cursors
from stillwatch.hub.taxii.negotiate import check_content_type
from stillwatch.hub.taxii.query import Asked, Reader
from stillwatch.hub.taxii.resources import STIX

_NOTHING = Page(found=[], more=False)
_NO_OBJECTS = JoinedPage()


class _Posted(msgspec.Struct):
    objects: list[msgspec.Raw]


_decode = msgspec.json.Decoder(_Posted).decode


class Objects:
    """Handlers for the objects of a hub's collections."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._reader = Reader(Cursors(hub.storage.secret("cursor")), hub.limits.page)

    def page(self, call: Call) -> Answer:
        """Answer a page of objects."""
        asked = self._reader.read(call.query, f"{call.path['collection']} objects")
        with self._hub.storage.reading() as db:
            found = _read_objects(db, _readable(db, call), call.member, asked)
        return self._enveloped(asked, found)

    def one(self, call: Call) -> Answer:
        """Answer one object."""
        object_id = call.path["object_id"]
        asked = self._reader.read(call.query, f"{call.path['collection']} object", ids=(object_id,))
        with self._hub.storage.reading() as db:
            collection = _readable(db, call)
            _check_seen(db, collection, call)
            found = _read_objects(db, collection, call.member, asked)
        return self._enveloped(asked, found)

    def manifest(self, call: Call) -> Answer:
        """Answer a page of the manifest."""
        asked = self._reader.read(call.query, f"{call.path['collection']} manifest")
        with self._hub.storage.reading() as db:
            found = _read(db, _readable(db, call), call.member, asked)
        records = [
            {
                "id": one.id,
                "date_added": added_text(one.seq),
                "version": version_text(one.version),
                "media_type": STIX,
            }
            for one in found.found
        ]
        return self._answer(asked, found, (b'"objects":', msgspec.json.encode(records)))

    def versions(self, call: Call) -> Answer:
        """Answer a page of the versions of one object."""
        query = {name: values for name, values in call.query.items() if name != "match[version]"}
        place = f"{call.path['collection']} versions"
        asked = self._reader.read({**query, "match[version]": ["all"]}, place, ids=(call.path["object_id"],))
        with self._hub.storage.reading() as db:
            collection = _readable(db, call)
            _check_seen(db, collection, call)
            found = _read(db, collection, call.member, asked)
        versions = [version_text(one.version) for one in found.found]
        return self._answer(asked, found, (b'"versions":', msgspec.json.encode(versions)))

    def add(self, call: Call) -> Answer:
        """Take a post; it is durable when it is answered."""
        check_content_type(call.headers)
        with self._hub.storage.reading() as db:
            collection = _writable(db, call)
        post = self._hub.intake.inspect(_posted(call.body))
        with self._hub.storage.writing() as db:
            outcome = self._hub.intake.store(db, collection, call.member, post)
        return json_answer(resource_of(outcome), 202, TAXII)

    def delete(self, call: Call) -> Answer:
        """Delete versions of an object of the member's own."""
        object_id = call.path["object_id"]
        asked = self._reader.read({"match[version]": ["all"], **call.query}, "delete", ids=(object_id,))
        with self._hub.storage.writing() as db:
            collection = _readable(db, call)
            if not collection.writable_by(call.member):
                raise HubError(403, "nothing can be deleted here")
            _check_seen(db, collection, call)
            everything = Filter(ids=asked.filter.ids, versions=asked.filter.versions)
            found = [] if asked.none else _all(db, collection, call.member, everything)
            mine = [one for one in found if one.owner == call.member.number]
            if found and not mine:
                raise HubError(403, "it belongs to another member", "propose a change")
            retract(db, self._hub.storage, collection.number, call.member, mine)
        return Answer(b"{}", 200, TAXII)

    def _enveloped(self, asked: Asked, page: JoinedPage) -> Answer:
        return self._answer(asked, page, (b'"objects":[', page.objects, b"]"))

    def _answer(self, asked: Asked, page: Page | JoinedPage, listed: Sequence[bytes]) -> Answer:
        if not page.count:
            return Answer(b'{"more":false}', 200, TAXII)
        head = b'{"more":false,'
        if page.more:
            head = b'{"more":true,"next":"' + self._reader.cursor(asked, page.last).encode() + b'",'
        headers = {"x-taxii-date-added-first": added_text(page.first), "x-taxii-date-added-last": added_text(page.last)}
        return Answer(b"".join((head, *listed, b"}")), 200, TAXII, headers)


def _read_objects(db: Connection, collection: Collection, member: Member, asked: Asked) -> JoinedPage:
    if asked.none:
        return _NO_OBJECTS
    wanted, after, limit = asked.filter, asked.after, asked.limit
    return read_joined(db, collection.number, member.number, wanted, after=after, limit=limit)


def _read(db: Connection, collection: Collection, member: Member, asked: Asked) -> Page:
    if asked.none:
        return _NOTHING
    wanted, after, limit = asked.filter, asked.after, asked.limit
    return read_page(db, collection.number, member.number, wanted, after=after, limit=limit, raw=False)


def _all(db: Connection, collection: Collection, member: Member, wanted: Filter) -> list[Found]:
    page = read_page(db, collection.number, member.number, wanted, after=-1, limit=MOST_OBJECTS, raw=False)
    return page.found


def _found(db: Connection, call: Call) -> Collection:
    found = find_collection(db, call.path["collection"])
    if found is None:
        raise HubError(404, "there is no such collection")
    return found


def _readable(db: Connection, call: Call) -> Collection:
    found = _found(db, call)
    if not found.readable_by(call.member):
        raise HubError(403, "this collection is not for reading", "its can_read says so")
    return found


def _writable(db: Connection, call: Call) -> Collection:
    found = _found(db, call)
    if not found.writable_by(call.member):
        raise HubError(403, "this collection is not for writing", "its can_write says so")
    return found


def _check_seen(db: Connection, collection: Collection, call: Call) -> None:
    object_id = call.path["object_id"]
    if not object_id.isprintable() or not sees(db, collection.number, call.member.number, object_id):
        raise HubError(404, "there is no such object")


def _posted(body: bytes) -> list[msgspec.Raw]:
    try:
        body.decode("utf-8")
        objects = _decode(body).objects
    except msgspec.ValidationError as error:
        raise HubError(422, "the body is no envelope", 'send {"objects": [...]}') from error
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise HubError(400, "the body is no JSON") from error
    if len(objects) > MOST_OBJECTS:
        raise HubError(413, "there are too many objects in it", f"at most {MOST_OBJECTS} in one post")
    if not objects:
        raise HubError(422, "there are no objects in it", 'send {"objects": [...]}')
    return objects
