"""A hub in the test's own process, its members, and objects that they post."""

import contextlib
import json
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

from stillwatch.hub.app import make_app
from stillwatch.hub.auth import Authenticator
from stillwatch.hub.hub import Hub, Limits, open_hub
from stillwatch.hub.members import Member, Role, add_member, make_token
from stillwatch.sharing.objects.extensions import SHARING
from stillwatch.sharing.objects.tlp import MARKING_ID, Tlp

TAXII = "application/taxii+json;version=2.1"
NOW = 1_790_000_000.0
SHARED = "/exchange/collections/shared"
RED = MARKING_ID[Tlp.RED]
GREEN = MARKING_ID[Tlp.GREEN]


class Clock:
    """Time that goes on by itself, a second for each look, unless it is told to stand."""

    def __init__(self) -> None:
        self.now, self.step = NOW, 1.0

    def __call__(self) -> float:
        self.now += self.step
        return self.now


class Desk:
    """A member at its desk: requests in its name."""

    def __init__(self, client: TestClient, member: Member, token: str) -> None:
        self._client, self.member, self.token = client, member, token

    def ask(self, method: str, path: str, headers: Mapping[str, str] | None = None, **more: Any) -> Any:
        sent = {"Authorization": f"Bearer {self.token}", "Accept": TAXII, **(headers or {})}
        return self._client.request(method, path, headers=sent, **more)

    def get(self, path: str, **query: Any) -> Any:
        return self.ask("GET", path, params=query)

    def post(self, objects: list[Any], path: str = f"{SHARED}/objects/") -> Any:
        body = json.dumps({"objects": objects}).encode()
        return self.ask("POST", path, {"Content-Type": TAXII}, content=body)

    def share(self, *objects: Any) -> dict[str, Any]:
        """Post objects that must all be taken; return the status."""
        told = self.post(list(objects))
        assert told.status_code == 202, told.text
        status: dict[str, Any] = told.json()
        assert status["failure_count"] == 0, status
        return status

    def refused(self, *objects: Any) -> list[str]:
        """Return what is said of the objects that are not taken."""
        return [one["message"] for one in self.post(list(objects)).json().get("failures", [])]

    def objects(self, **query: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.get(f"{SHARED}/objects/", **query).json().get("objects", [])
        return found

    def ids(self, **query: Any) -> list[str]:
        return [one["id"] for one in self.objects(**query)]

    def all_ids(self, limit: int, **query: Any) -> list[str]:
        """Return the ids of all pages, by `next`."""
        found: list[str] = []
        more: dict[str, Any] = {}
        while True:
            page = self.get(f"{SHARED}/objects/", limit=limit, **query, **more).json()
            found += [one["id"] for one in page.get("objects", [])]
            if not page["more"]:
                return found
            more = {"next": page["next"]}


class Site:
    """A hub and who uses it."""

    def __init__(self, hub: Hub, client: TestClient, clock: Clock) -> None:
        self.hub, self.client, self.clock = hub, client, clock

    def desk(self, name: str, role: Role = "member") -> Desk:
        """Add a member."""
        with self.hub.storage.writing() as db:
            member = add_member(db, name, role, self.hub.storage.now())
            token = make_token(db, member, self.hub.storage.now())
        return Desk(self.client, member, token)


@contextlib.contextmanager
def open_site(data: Path, url: str | None = None, limits: Limits | None = None) -> Iterator[Site]:
    clock = Clock()
    with open_hub(data, url, clock, limits=limits) as hub:
        app = make_app(hub, Authenticator(hub.storage))
        with TestClient(app, base_url="http://hub.test", raise_server_exceptions=True) as client:
            yield Site(hub, client, clock)


def indicator(**more: Any) -> dict[str, Any]:
    return {
        "type": "indicator",
        "spec_version": "2.1",
        "id": f"indicator--{uuid.uuid4()}",
        "created": "2026-01-01T00:00:00.000Z",
        "modified": "2026-01-01T00:00:00.000Z",
        "pattern": "[url:value = 'http://a.example/']",
        "pattern_type": "stix",
        "valid_from": "2026-01-01T00:00:00Z",
        **more,
    }


def newer(item: Mapping[str, Any], month: int = 2, **more: Any) -> dict[str, Any]:
    """Return a later version of an object."""
    return {**item, "modified": f"2026-{month:02d}-01T00:00:00.000Z", **more}


def address(value: str = "192.0.2.1", **more: Any) -> dict[str, Any]:
    """Return an observable, which has no version and no spec_version."""
    return {"type": "ipv4-addr", "id": f"ipv4-addr--{uuid.uuid5(uuid.NAMESPACE_DNS, value)}", "value": value, **more}


def statement(**more: Any) -> dict[str, Any]:
    return {
        "type": "marking-definition",
        "spec_version": "2.1",
        "id": f"marking-definition--{uuid.uuid4()}",
        "created": "2026-01-01T00:00:00.000Z",
        "definition_type": "statement",
        "definition": {"statement": "Copyright, nobody"},
        **more,
    }


def for_whom(*desks: Desk) -> dict[str, Any]:
    """Return the extension that names recipients."""
    names = [desk.member.member_id for desk in desks]
    return {"extensions": {SHARING: {"extension_type": "property-extension", "recipients": names}}}
