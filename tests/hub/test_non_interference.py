"""What a member may not see is to it as if it did not exist: two hubs, one without the hidden, answer alike."""

import itertools
import json
import re
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from tests.hub.postgres import Postgres
from tests.hub.site import SHARED, TAXII, Clock, address, indicator, statement

from stillwatch.hub.api.routes import operations as api_operations
from stillwatch.hub.http import Call, HubError
from stillwatch.hub.hub import Hub, open_hub
from stillwatch.hub.intake import Intake
from stillwatch.hub.members import Member, add_member
from stillwatch.hub.operations import Operation
from stillwatch.hub.taxii.routes import operations
from stillwatch.sharing.objects.extensions import SHARING
from stillwatch.sharing.objects.tlp import MARKING_ID, Tlp
from stillwatch.sharing.objects.validate import ObjectValidator

NAMES = ("viewer", "north", "south")
IDS = {name: f"identity--{uuid.uuid5(uuid.NAMESPACE_DNS, name)}" for name in NAMES}
UUIDS = [str(uuid.UUID(int=number, version=4)) for number in range(1, 5)]
VALIDATOR = ObjectValidator()
_UUID = re.compile(rb'"id":"[0-9a-f-]{36}"')


class Item(NamedTuple):
    """An object that somebody posts: which id, which version (0 = an observable), for whom."""

    slot: int
    version: int
    level: Tlp | None
    recipients: tuple[str, ...] | None

    def made(self) -> dict[str, Any]:
        markings = {} if self.level is None else {"object_marking_refs": [MARKING_ID[self.level]]}
        named: dict[str, Any] = {}
        if self.recipients is not None:
            ids = [IDS[name] for name in self.recipients]
            named = {"extensions": {SHARING: {"extension_type": "property-extension", "recipients": ids}}}
        if not self.version:
            return address(f"192.0.2.{self.slot}", **markings, **named)
        modified = f"2026-{self.version:02d}-01T00:00:00.000Z"
        return indicator(id=f"indicator--{UUIDS[self.slot]}", modified=modified, **markings, **named)

    def hidden_from_viewer(self, owner: str) -> bool:
        if owner == "viewer":
            return False
        if self.recipients is not None:
            return "viewer" not in self.recipients
        return self.level is Tlp.RED


class Marking(NamedTuple):
    """A statement that somebody posts, itself marked with a level."""

    slot: int
    level: Tlp
    version: int = 0

    def made(self) -> dict[str, Any]:
        name = f"marking-definition--{uuid.uuid5(uuid.NAMESPACE_DNS, f'{self.slot} {self.level}')}"
        return statement(id=name, object_marking_refs=[MARKING_ID[self.level]])

    def hidden_from_viewer(self, owner: str) -> bool:
        return owner != "viewer" and self.level is Tlp.RED


class Marked(NamedTuple):
    """An object that only such a statement marks, which is in the same post."""

    by: Marking
    version: int

    def made(self) -> dict[str, Any]:
        modified = f"2026-{self.version:02d}-01T00:00:00.000Z"
        marking = self.by.made()["id"]
        return indicator(id=f"indicator--{UUIDS[self.by.slot]}", modified=modified, object_marking_refs=[marking])

    def hidden_from_viewer(self, owner: str) -> bool:
        return self.by.hidden_from_viewer(owner)


class Post(NamedTuple):
    owner: str
    items: tuple[Item | Marking | Marked, ...]


class Deletion(NamedTuple):
    owner: str
    slot: int


items = st.builds(
    Item,
    st.integers(0, 3),
    st.integers(0, 3),
    st.sampled_from([None, Tlp.GREEN, Tlp.AMBER_STRICT, Tlp.RED]),
    st.none() | st.sets(st.sampled_from(NAMES), min_size=1).map(lambda names: tuple(sorted(names))),
)
markings = st.builds(Marking, st.integers(0, 3), st.sampled_from([Tlp.GREEN, Tlp.RED]))
marked = st.builds(lambda by, version: (by, Marked(by, version)), markings, st.integers(1, 3))
contents = st.lists(items.map(lambda one: (one,)) | marked, min_size=1, max_size=4)
posts = st.builds(Post, st.sampled_from(NAMES), contents.map(lambda found: tuple(itertools.chain(*found))))
deletions = st.builds(Deletion, st.sampled_from(NAMES), st.integers(0, 3))


class World:
    """A hub, with the handlers of TAXII called as the service calls them."""

    members: dict[str, Member]

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        api_operations(hub)  # makes the tables that a deletion writes to
        self._operations = {(one.path, one.method): one for one in operations(hub)}
        with hub.storage.writing() as db:
            self.members = {name: add_member(db, name, "member", 0.0, member_id=IDS[name]) for name in NAMES}

    def ask(self, who: str, method: str, path: str, body: bytes = b"", **query: str) -> tuple[Any, ...]:
        operation, parts = self._find(method, path)
        headers = {"accept": "*/*", "content-type": TAXII}
        call = Call(
            self.members[who], body, parts, {name: [value] for name, value in query.items()}, headers, "http://h"
        )
        try:
            answer = operation.handler(call)
        except HubError as error:
            return error.status, error.title, error.description
        return answer.status, dict(answer.headers), answer.body

    def _find(self, method: str, path: str) -> tuple[Operation, dict[str, str]]:
        for (pattern, known), operation in self._operations.items():
            match = re.fullmatch(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", pattern), path)
            if match is not None and known == method:
                return operation, match.groupdict()
        raise AssertionError(path)

    def play(self, steps: list[Any]) -> tuple[list[tuple[Any, ...]], set[tuple[int, str, int]]]:
        """Do what members do; return what the viewer was told of its own, and which objects of others were refused."""
        told: list[tuple[Any, ...]] = []
        refused: set[tuple[int, str, int]] = set()
        for place, step in enumerate(steps):
            self.hub.storage.clock.now += 1000.0  # type: ignore[attr-defined]
            if step is None:
                continue
            if isinstance(step, Deletion):
                answer = self.ask(step.owner, "delete", f"{SHARED}/objects/{named(step.slot, 1)}/")
            else:
                body = json.dumps({"objects": [one.made() for one in step.items]}).encode()
                answer = self.ask(step.owner, "post", f"{SHARED}/objects/", body)
                failed = {one["id"] for one in json.loads(answer[2]).get("failures", ())}
                refused |= {
                    (place, one.made()["id"], one.version)
                    for one in step.items
                    if one.made()["id"] in failed and not one.hidden_from_viewer(step.owner)
                }
            if step.owner == "viewer":
                told.append(answer)
        return told, refused

    def seen(self) -> Iterator[tuple[Any, ...]]:
        """Return everything that the viewer can ask for."""
        names = [named(slot, version) for version in (1, 0) for slot in range(4)]
        names += [Marking(slot, Tlp.RED).made()["id"] for slot in range(2)]
        versions = ("last", "first", "all", "2026-02-01T00:00:00.000Z", "first,2026-03-01T00:00:00Z")
        for path, version in itertools.product(("objects", "manifest"), versions):
            for more in ({}, {"match[type]": "indicator"}, {"match[id]": ",".join(names[:3])}):
                yield from self.pages(f"{SHARED}/{path}/", {"match[version]": version, **more})
        for name in names:
            yield from self.pages(f"{SHARED}/objects/{name}/versions/", {})
            for version in versions:
                yield from self.pages(f"{SHARED}/objects/{name}/", {"match[version]": version})

    def pages(self, path: str, query: dict[str, str]) -> Iterator[tuple[Any, ...]]:
        more = dict(query)
        while True:
            answer = self.ask("viewer", "get", path, limit="2", **more)
            yield answer
            if answer[0] != 200 or b'"more":true' not in answer[2]:
                return
            more["next"] = json.loads(answer[2])["next"]


def world_of(postgres: Postgres | None, steps: list[Any]) -> tuple[list[Any], set[tuple[int, str, int]]]:
    """Return all that the viewer is told in a world, and which objects of others were refused in it."""
    clock = Clock()
    clock.step = 0.0
    url = None if postgres is None else postgres.new_database()
    with tempfile.TemporaryDirectory() as data, open_hub(Path(data), url, clock) as opened:
        opened.storage._secret = b"s" * 32  # one and the same in both worlds, so that times and cursors are too
        intake = Intake(opened.storage, VALIDATOR, window=1 << 29)
        world = World(opened._replace(intake=intake))
        told, refused = world.play(steps)
        return [*map(unnamed, told), *world.seen()], refused


def unnamed(answer: tuple[Any, ...]) -> tuple[Any, ...]:
    """Take the random id of a status out."""
    return tuple(_UUID.sub(b'"id":"?"', part, count=1) if isinstance(part, bytes) else part for part in answer)


def named(slot: int, version: int) -> str:
    return f"indicator--{UUIDS[slot]}" if version else address(f"192.0.2.{slot}")["id"]


def without_hidden(steps: list[Any]) -> list[Any]:
    """Return the steps of the world in which what the viewer may not see never was; as many, so that time is equal."""
    left: list[Any] = []
    for step in steps:
        if isinstance(step, Post):
            kept = tuple(one for one in step.items if not one.hidden_from_viewer(step.owner))
            left.append(Post(step.owner, kept) if kept else None)
        else:
            left.append(step)
    return left


def alike(postgres: Postgres | None, steps: list[Any]) -> bool:
    """Assert that both worlds are alike; False where somebody who sees more did otherwise, which is its own doing."""
    told, refused = world_of(postgres, steps)
    expected, as_well = world_of(postgres, without_hidden(steps))
    if refused != as_well:
        return False
    assert told == expected
    return True


@settings(max_examples=25, suppress_health_check=list(HealthCheck), database=None)
@given(st.lists(posts | deletions, min_size=1, max_size=7))
def test_the_hidden_is_as_if_it_did_not_exist(steps: list[Any]) -> None:
    assume(alike(None, steps))


@pytest.mark.usefixtures("postgres")
def test_so_it_is_on_postgresql(postgres: Postgres) -> None:
    @settings(max_examples=5, suppress_health_check=list(HealthCheck), database=None, derandomize=True)
    @given(st.lists(posts | deletions, min_size=2, max_size=6))
    def ask(steps: list[Any]) -> None:
        assume(alike(postgres, steps))

    ask()


def test_a_hidden_newer_version_does_not_hide_the_older_one() -> None:
    seen = Item(0, 1, None, None)
    hidden = Item(0, 2, Tlp.RED, None)
    assert alike(None, [Post("north", (seen,)), Post("north", (hidden,)), Deletion("north", 0)])
    assert alike(None, [Post("north", (seen, hidden))])
    assert alike(None, [Post("north", (hidden,)), Post("north", (seen,))])


def test_an_object_with_a_hidden_marking_is_hidden() -> None:
    hidden, shown = Marking(0, Tlp.RED), Marking(1, Tlp.GREEN)
    assert alike(None, [Post("north", (hidden, Marked(hidden, 1), shown, Marked(shown, 1)))])
    assert alike(None, [Post("north", (hidden,)), Post("north", (Marked(hidden, 1),)), Post("viewer", (shown,))])
    assert alike(None, [Post("viewer", (hidden,)), Post("north", (Marked(hidden, 1),))])


def test_an_id_that_a_hidden_object_has_is_free() -> None:
    hidden, own = Item(1, 1, Tlp.RED, None), Item(1, 1, None, None)
    assert alike(None, [Post("north", (hidden,)), Post("viewer", (own,)), Post("viewer", (own._replace(version=2),))])


def test_the_gap_that_a_hidden_object_leaves_tells_nothing() -> None:
    around = tuple(Item(slot, 1, None, None) for slot in (0, 1))
    assert alike(None, [Post("north", (around[0], Item(2, 1, Tlp.RED, None), around[1], Item(3, 1, None, ("south",))))])
