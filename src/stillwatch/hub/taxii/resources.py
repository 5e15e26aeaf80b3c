"""The resources of TAXII 2.1, as they are answered and described."""

from typing import Any

import msgspec

STIX = "application/stix+json;version=2.1"


class Discovery(msgspec.Struct, kw_only=True):
    """What is found first."""

    title: str
    description: str
    default: str
    api_roots: list[str]


class ApiRoot(msgspec.Struct, kw_only=True):
    """An API root."""

    title: str
    description: str
    versions: list[str]
    max_content_length: int


class CollectionResource(msgspec.Struct, kw_only=True):
    """A collection, as one member may use it."""

    id: str
    title: str
    description: str
    alias: str
    can_read: bool
    can_write: bool
    media_types: tuple[str, ...] = (STIX,)


class Collections(msgspec.Struct, kw_only=True):
    """All collections."""

    collections: list[CollectionResource]


class Envelope(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A page of objects, or what is posted."""

    objects: list[dict[str, Any]]
    more: bool = False
    next: str | None = None


class Page(msgspec.Struct, kw_only=True):
    """A page of objects; without objects where there are none."""

    more: bool
    next: str | msgspec.UnsetType = msgspec.UNSET
    objects: list[dict[str, Any]] | msgspec.UnsetType = msgspec.UNSET


class ManifestRecord(msgspec.Struct, kw_only=True):
    """One version of one object."""

    id: str
    date_added: str
    version: str
    media_type: str = STIX


class Manifest(msgspec.Struct, kw_only=True):
    """A page of the manifest. `next` is not in the standard, but without it a client cannot go on."""

    more: bool
    next: str | msgspec.UnsetType = msgspec.UNSET
    objects: list[ManifestRecord] | msgspec.UnsetType = msgspec.UNSET


class Versions(msgspec.Struct, kw_only=True):
    """A page of the versions of one object."""

    more: bool
    next: str | msgspec.UnsetType = msgspec.UNSET
    versions: list[str] | msgspec.UnsetType = msgspec.UNSET


class Status(msgspec.Struct, kw_only=True):
    """What became of a post."""

    id: str
    status: str
    request_timestamp: str
    total_count: int
    success_count: int
    failure_count: int
    pending_count: int
    successes: list[dict[str, Any]] | msgspec.UnsetType = msgspec.UNSET
    failures: list[dict[str, Any]] | msgspec.UnsetType = msgspec.UNSET
