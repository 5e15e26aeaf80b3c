"""The operations of TAXII 2.1."""

import msgspec

from stillwatch.hub.collections import Collection, find_collection, list_collections
from stillwatch.hub.http import TAXII, Answer, Call, Handler, HubError, json_answer
from stillwatch.hub.hub import Hub
from stillwatch.hub.members import Member
from stillwatch.hub.operations import Operation, Parameter
from stillwatch.hub.statuses import find
from stillwatch.hub.taxii import query, resources
from stillwatch.hub.taxii.negotiate import check_accept
from stillwatch.hub.taxii.objects import Objects

_PAGED = (query.ADDED_AFTER, query.LIMIT, query.NEXT)


def operations(hub: Hub) -> list[Operation]:
    """Return the operations of a hub."""
    plain, objects = _Plain(hub), Objects(hub)
    root = f"/{hub.root}"
    one = root + "/collections/{collection}"
    item = one + "/objects/{object_id}"
    matched = (query.VERSIONS, query.SPECS)
    wide = (*_PAGED, query.IDS, query.TYPES, *matched)
    return [
        _read("/taxii2/", "Discovery.", plain.discovery, resources.Discovery),
        _read(f"{root}/", "The API root.", plain.root, resources.ApiRoot),
        _read(root + "/status/{status_id}/", "What became of a post of one's own.", plain.status, resources.Status),
        _read(f"{root}/collections/", "All collections.", plain.collections, resources.Collections),
        _read(f"{one}/", "One collection.", plain.collection, resources.CollectionResource),
        _read(f"{one}/objects/", "Objects, in the order in which they were added.", objects.page, resources.Page, wide),
        _read(f"{item}/", "One object.", objects.one, resources.Page, (*_PAGED, *matched)),
        _read(
            f"{item}/versions/",
            "The versions of one object.",
            objects.versions,
            resources.Versions,
            (*_PAGED, query.SPECS),
        ),
        _read(f"{one}/manifest/", "What there is, without the objects.", objects.manifest, resources.Manifest, wide),
        Operation(
            f"{one}/objects/",
            "post",
            "Add objects. What is wrong with one of them stands in the status, and spoils none of the others.",
            _negotiated(objects.add),
            media_type=TAXII,
            body=resources.Envelope,
            answers=((202, resources.Status),),
            errors=(400, 406, 413, 415, 422),
        ),
        Operation(
            f"{item}/",
            "delete",
            "Delete one's own object: all versions, or those that match.",
            _negotiated(objects.delete),
            media_type=TAXII,
            errors=(400, 406),
            query=matched,
        ),
    ]


def _read(
    path: str, summary: str, handler: Handler, answer: type[msgspec.Struct], asked: tuple[Parameter, ...] = ()
) -> Operation:
    return Operation(
        path,
        "get",
        summary,
        _negotiated(handler),
        media_type=TAXII,
        answers=((200, answer),),
        errors=(400, 406) if asked else (406,),
        query=asked,
    )


def _negotiated(handler: Handler) -> Handler:
    def answer(call: Call) -> Answer:
        check_accept(call.headers)
        return handler(call)

    return answer


def resource_of(collection: Collection, member: Member) -> resources.CollectionResource:
    """Return a collection as a member may use it."""
    return resources.CollectionResource(
        id=collection.id,
        title=collection.title,
        description=collection.description,
        alias=collection.alias,
        can_read=collection.readable_by(member),
        can_write=collection.writable_by(member),
    )


class _Plain:
    """What is answered without looking at objects."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def discovery(self, call: Call) -> Answer:
        url = f"{call.base}/{self._hub.root}/"
        found = resources.Discovery(
            title=self._hub.title,
            description="Members see what its markings let them see.",
            default=url,
            api_roots=[url],
        )
        return json_answer(found, media_type=TAXII)

    def root(self, _call: Call) -> Answer:
        root = resources.ApiRoot(
            title=self._hub.title,
            description="What members share.",
            versions=[TAXII],
            max_content_length=self._hub.limits.body,
        )
        return json_answer(root, media_type=TAXII)

    def status(self, call: Call) -> Answer:
        with self._hub.storage.reading() as db:
            found = find(db, call.member, call.path["status_id"])
        if found is None:
            raise HubError(404, "there is no such status")
        return json_answer(found, media_type=TAXII)

    def collections(self, call: Call) -> Answer:
        with self._hub.storage.reading() as db:
            found = list_collections(db)
        shown = resources.Collections(collections=[resource_of(one, call.member) for one in found])
        return json_answer(shown, media_type=TAXII)

    def collection(self, call: Call) -> Answer:
        with self._hub.storage.reading() as db:
            found = find_collection(db, call.path["collection"])
        if found is None:
            raise HubError(404, "there is no such collection")
        return json_answer(resource_of(found, call.member), media_type=TAXII)
