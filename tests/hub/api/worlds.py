"""A hub in memory of a test: members, what they post, what they are answered."""

import contextlib
import hashlib
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import msgspec
from starlette.testclient import TestClient

from stillwatch.hub.app import make_app
from stillwatch.hub.auth import Authenticator
from stillwatch.hub.hub import Hub, open_hub
from stillwatch.hub.members import Member, Role, add_member, find_member, make_token
from stillwatch.hub.publisher import Publisher
from stillwatch.sharing.objects import build
from stillwatch.sharing.objects.extensions import Harvest, Sharing
from stillwatch.sharing.objects.tlp import Tlp
from stillwatch.sharing.signing import Signer

NOW = 1_795_000_000.0
DAY = 86_400.0
HOUR = 3_600.0
TAXII = "application/taxii+json;version=2.1"
BANDS = tuple(f"{number:016x}" for number in range(16))


class Clock:
    """Time as a test wants it."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


class Who:
    """One member as a client."""

    def __init__(self, world: "World", member: Member, token: str) -> None:
        self.world, self.member, self.token = world, member, token
        self.id = member.member_id

    def call(self, method: str, path: str, body: Any = None, media_type: str = "application/json") -> Any:
        self.world.clock.now += 0.001  # moments of different requests are different
        headers = {"authorization": f"Bearer {self.token}", "accept": "*/*", "content-type": media_type}
        content = body if body is None or isinstance(body, bytes) else msgspec.json.encode(body)
        return self.world.client.request(method, path, content=content, headers=headers)

    def get(self, path: str) -> Any:
        return self.call("GET", path)

    def post(self, path: str, body: Any) -> Any:
        return self.call("POST", path, body)

    def share(self, *objects: dict[str, Any], collection: str = "shared") -> dict[str, Any]:
        """Post objects as they are signed, and return the status."""
        raws = b",".join(build.canonical(one) for one in objects)
        path = f"/exchange/collections/{collection}/objects/"
        answer = self.call("POST", path, b'{"objects":[' + raws + b"]}", TAXII)
        assert answer.status_code == 202, answer.text
        status: dict[str, Any] = answer.json()
        assert status["success_count"] == len(objects), status
        return status

    def delete(self, object_id: str, collection: str = "shared") -> Any:
        return self.call("DELETE", f"/exchange/collections/{collection}/objects/{object_id}/")

    def signs(self, signer: Signer, *objects: dict[str, Any]) -> Any:
        """Send signatures on objects."""
        return self.post("/v1/signatures", {"signatures": [signed(signer, one) for one in objects]})


class World:
    """A hub, its clock, and a client."""

    def __init__(self, hub: Hub, clock: Clock, client: httpx2.Client) -> None:
        self.hub, self.clock, self.client = hub, clock, client

    def member(self, name: str, role: Role = "member", member_id: str | None = None) -> Who:
        storage = self.hub.storage
        with storage.writing() as db:
            member = find_member(db, name) or add_member(db, name, role, storage.now(), member_id=member_id)
            return Who(self, member, make_token(db, member, storage.now()))

    def members(self, *names: str) -> list[Who]:
        return [self.member(name) for name in names]

    @property
    def anonymous(self) -> str:
        with self.hub.storage.reading() as db:
            found = find_member(db, "hub")
        assert found is not None
        return found.member_id

    def publish(self) -> None:
        Publisher(self.hub.storage, self.hub.log).publish()

    def leaves(self) -> list[dict[str, Any]]:
        self.publish()
        return [msgspec.json.decode(self.hub.log.entry(index)) for index in range(self.hub.log.size)]


@contextlib.contextmanager
def world_in(directory: Path, url: str | None = None, clock: Clock | None = None) -> Iterator[World]:
    clock = clock or Clock()
    with open_hub(directory, url, clock) as hub:
        app = make_app(hub, Authenticator(hub.storage))
        with contextlib.closing(TestClient(app, base_url="http://localhost")) as client:
            yield World(hub, clock, client)


def signed(signer: Signer, item: dict[str, Any]) -> dict[str, Any]:
    """Return the entry of an object in a post of signatures."""
    payload = build.canonical(item)
    return {"sha256": hashlib.sha256(payload).hexdigest(), "envelope": msgspec.to_builtins(signer.sign(payload))}


def campaign(
    by: str, *, tlp: Tlp = Tlp.AMBER_STRICT, bands: tuple[str, ...] = BANDS, at: float = NOW, **sharing: Any
) -> dict[str, Any]:
    origin = build.Origin(created_by=by, at=at, tlp=tlp, sharing=Sharing(**sharing) if sharing else None)
    return build.campaign(
        origin, name="steps", first_seen=at - DAY, last_seen=at, harvest=Harvest(template_bands=bands)
    )


def absent(kind: str = "campaign") -> str:
    return f"{kind}--{uuid.uuid4()}"
